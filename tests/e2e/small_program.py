"""The whole program with a small avatar in place of the radiance field; processes and network are the real ones.

Run as a script it is the ``nerfcall`` command; the processes that it starts are of the same kind.
"""

import json
import sys
import time
import types
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

import numpy as np  # noqa: E402

import app.cli  # noqa: E402
from codec.avatar_file import AvatarFile  # noqa: E402
from codec.recording import Recording  # noqa: E402
from codec.tables import CodecTables  # noqa: E402
from tests.e2e.small_avatar import PlainBudget, SmallAvatar, tables_of, wandering_states  # noqa: E402

RENDERED = "rendered"
"""A file that is there, where the program was started, from the first rendered frame on."""


class FileAvatar(SmallAvatar):
    """The small avatar with the identity and description of a file."""

    device_name = "test"
    prediction = None
    fast = False
    background = np.full((64, 64, 3), 0.5, np.float32)
    field = types.SimpleNamespace(camera=types.SimpleNamespace(cx=0.5, cy=0.5))

    def __init__(self, path):
        file = AvatarFile.read(path)
        self.tables = CodecTables.parse(file["tables"])
        self.meta = json.loads(file["meta"])
        self.digest, self.short_id = file.digest, file.short_id

    @cached_property
    def calibration(self):
        """The mean face's, for the morphable model that is here."""
        from app.tracking.calibration_record import Calibration
        from app.tracking.landmark_tables import LandmarkTables
        from app.tracking.morphable_model import MorphableModel

        tables = LandmarkTables.of(MorphableModel.load())
        return Calibration.mean_face(len(tables.identity), tables.digest)

    @cached_property
    def torso(self):
        """A template in which nothing stands out."""
        from app.tracking.torso_template import SIDE, ColourMix, FrameCamera, TorsoTemplate

        empty = np.zeros((SIDE, SIDE), np.float32)
        return TorsoTemplate.moving_linearly(FrameCamera(2.0, 0.5, 0.5), ColourMix(0.3, 0.4, 0.3), empty, empty > 0)

    def render(self, state, width, height, **more):
        if state.timestamp > 0.0:
            # Not the face at rest, which is rendered before a call to get ready.
            Path(RENDERED).touch()
        return super().render(state, width, height, **more)


def wait_until_rendered(folder, seconds=60.0):
    """Return once a program that was started in ``folder`` has rendered a frame of a call, and a second more."""
    end = time.monotonic() + seconds
    while not (folder / RENDERED).exists():
        assert time.monotonic() < end, "nothing was rendered"
        time.sleep(0.05)
    time.sleep(1.0)


def make_files(folder, **meta):
    """Write an avatar and a recording of ten seconds that came with it; return both paths."""
    import hashlib

    states = wandering_states()
    face = folder / "small.face"
    Recording(25.0, states, b"small").write(face)
    tables = tables_of(states)
    meta = {"name": "small", "demo": True, "recordings": [hashlib.sha256(face.read_bytes()).hexdigest()], **meta}
    avatar = folder / "small.avatar"
    AvatarFile({"meta": json.dumps(meta).encode(), "tables": bytes(tables)}).write(avatar)
    return avatar, face


def install():
    """Put the small avatar where the program looks for the real one."""
    avatar_module = types.ModuleType("app.avatar")
    avatar_module.load_avatar = lambda path, device, first=None: FileAvatar(path)
    avatar_module.refine_later = lambda avatar, seconds: None
    budget_module = types.ModuleType("renderer.budget")
    budget_module.FrameBudget = lambda fps: PlainBudget()
    sys.modules["app.avatar"] = avatar_module
    sys.modules["renderer.budget"] = budget_module
    app.cli.own_command = lambda: [sys.executable, str(Path(__file__).resolve())]


if __name__ == "__main__":
    install()
    sys.exit(app.cli.main())
