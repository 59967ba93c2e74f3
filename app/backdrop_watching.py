"""The watcher of what is behind an avatar's owner, with the model that it needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.tracking.backdrop_watcher import BackdropWatcher
from app.tracking.segmenter import open_segmenter

if TYPE_CHECKING:
    from app.avatar import LoadedAvatar


@contextmanager
def watching(avatar: "LoadedAvatar") -> Iterator[BackdropWatcher]:
    """Open the watcher of an avatar's background.

    Raises:
        AssetError: the model that tells person from background cannot be had.
        AvatarError, TorsoTemplateError, CalibrationError: the avatar is damaged.
    """
    with open_segmenter() as segmenter:
        yield BackdropWatcher(avatar.background, avatar.torso.camera, avatar.calibration.focal, segmenter)
