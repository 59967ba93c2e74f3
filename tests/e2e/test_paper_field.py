"""A call with an avatar of the paper's field: every command takes it as any other."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from codec.avatar_file import AvatarFile
from codec.recording import Recording
from renderer.portrait_file import pack_portrait
from tests.e2e.small_avatar import tables_of, wandering_states
from tests.renderer.paper.scenes import tiny_avatar

LAUNCHER = Path(__file__).parents[2] / "app" / "launcher.py"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An avatar of small networks, and a recording that drives it."""
    folder = tmp_path_factory.mktemp("paper")
    states = wandering_states(20)
    face = folder / "paper.face"
    Recording(25.0, states, b"small").write(face)
    came_with = hashlib.sha256(face.read_bytes()).hexdigest()
    meta = {"name": "Paper", "kind": tiny_avatar().KIND, "demo": True, "recordings": [came_with]}
    parts = {"meta": json.dumps(meta).encode(), "tables": bytes(tables_of(states))}
    avatar = folder / "paper.avatar"
    AvatarFile({**parts, "field": pack_portrait(tiny_avatar())}).write(avatar)
    return avatar, face


def nerfcall(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(LAUNCHER), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=150, check=False)


def test_it_is_described(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = nerfcall(tmp_path, "inspect", files[0])
    assert done.returncode == 0, done.stderr
    assert "the paper's field" in done.stdout
    tensors = len(tiny_avatar().state_dict())
    assert f"{tensors} tensors" in done.stdout


def test_it_is_previewed_over_a_real_connection(files: tuple[Path, Path], tmp_path: Path) -> None:
    avatar, face = files
    done = nerfcall(
        tmp_path,
        *("preview", "--avatar", avatar, "--source", face, "--headless", "--seconds", 6),
        *("--json", "out.json", "--width", 64, "--height", 64),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["frames_received"] > 0
    assert figures["frames_rendered"] > 0


def test_a_recording_is_played_with_it(files: tuple[Path, Path], tmp_path: Path) -> None:
    avatar, face = files
    done = nerfcall(
        tmp_path,
        *("play", face, "--avatar", avatar, "--record", "out.mp4", "--width", 32, "--height", 32),
    )
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "out.mp4")) as video:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])
    assert frames.shape == (20, 32, 32, 3)
    assert frames.std() > 5.0
