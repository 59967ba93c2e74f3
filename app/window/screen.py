"""Whether a window can be opened here. Qt ends the whole process when it cannot, so another process tries first."""

import os
import subprocess
import sys

PROBE_SECONDS = 15.0
"""Importing Qt from a cold disk takes a while."""
_PROBE = "from PyQt6.QtWidgets import QApplication; QApplication([])"
_DRAWS_NOTHING = ("offscreen", "minimal", "vnc")

PACKAGES = (
    "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libglib2.0-0 libfontconfig1 libxcb-cursor0 libxkbcommon-x11-0 "
    "libxcb-icccm4 libxcb-keysyms1 libxcb-image0 libxcb-render-util0 libxcb-shape0"
)
"""What Qt needs of a Debian or Ubuntu system."""


def missing_screen() -> str | None:
    """Return why no window can be opened, as the first half of a sentence, or None when one can."""
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0]
    if platform in _DRAWS_NOTHING:
        return f"QT_QPA_PLATFORM={platform} draws no windows"
    if sys.platform.startswith("linux") and not platform:
        names = [name for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)]
        if not names:
            return "this machine has no screen"
        shown = f"{names[0]}={os.environ[names[0]]}"
    else:
        shown = "the screen"
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=PROBE_SECONDS, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        return f"{shown} does not answer"
    if probe.returncode == 0:
        return None
    complaint = probe.stderr.lower()
    if "cannot open shared object" in complaint or "xcb-cursor" in complaint:
        return f"Qt lacks system libraries (sudo apt install {PACKAGES})"
    return f"no window can be opened on {shown}"
