"""Whether a window can be opened here."""

import os
import sys

from app import diagnosis

_DRAWS_NOTHING = ("offscreen", "minimal", "vnc")


def missing_screen() -> str | None:
    """Return why no window can be opened, in words that fit into a sentence, or None when one can.

    Where a screen is promised, another process tries it first, because Qt ends the process when it cannot open it.
    """
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0]
    if platform in _DRAWS_NOTHING:
        return f"QT_QPA_PLATFORM={platform} shows no windows"
    if sys.platform == "linux" and not platform and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        return "there is no screen"
    found = diagnosis.screen()
    return None if found.ok else f"{found.detail}; {found.remedy}"
