"""The shipped demonstration, and the rule that its avatar is driven by nobody."""

import json
from pathlib import Path

from app.errors import UserError
from codec.avatar_file import AvatarFile

DEMO = Path(__file__).parent / "demo"
DEMO_AVATAR = DEMO / "demo.avatar"
DEMO_RECORDING = DEMO / "demo.face"


class DemonstrationError(UserError):
    """The avatar is a demonstration, or the demonstration is missing."""


def is_demonstration(avatar: AvatarFile) -> bool:
    """Whether the avatar is marked as one that only plays recordings made for it.

    A description that cannot be read marks nothing: whoever needs it says what is wrong with it.
    """
    try:
        meta = json.loads(avatar.sections.get("meta", b"{}"))
    except (ValueError, RecursionError):
        return False
    return isinstance(meta, dict) and bool(meta.get("demo"))


def refuse_driving(avatar: AvatarFile, path: str | Path, source: str) -> None:
    """Let a demonstration be driven by nothing but a recording that was embedded for it.

    Raises:
        DemonstrationError: ``source`` (as the person gave it) is a camera, a clip, or a recording of somebody's face.
    """
    if is_demonstration(avatar):
        raise DemonstrationError(
            f"{path} is a demonstration that plays its own recording and cannot be driven by {source}: "
            "make an avatar of yourself with `nerfcall enrol`"
        )


def shipped_demonstration() -> tuple[Path, Path]:
    """Return the paths of the shipped avatar and recording.

    Raises:
        DemonstrationError: one is missing.
    """
    for path in (DEMO_AVATAR, DEMO_RECORDING):
        if not path.is_file():
            raise DemonstrationError(f"the shipped {path.name} is missing from {path.parent}: install nerfcall again")
    return DEMO_AVATAR, DEMO_RECORDING
