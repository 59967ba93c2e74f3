"""A broken-off training on disk."""

from pathlib import Path

import pytest
import torch

from app.enrolment.checkpoint import Checkpoint, CheckpointError


def saved(folder: Path) -> Path:
    path = folder / "me.avatar.training"
    tensors = {"steps": torch.tensor(7), "avatar.plane": torch.randn(3, 4)}
    Checkpoint({"clip": "a.mp4", "size": 256, "stop": None}, 61.5, tensors).write(path)
    return path


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoint = Checkpoint.read(saved(tmp_path))
    assert checkpoint.arguments == {"clip": "a.mp4", "size": 256, "stop": None}
    assert checkpoint.seconds == 61.5
    assert int(checkpoint.tensors["steps"]) == 7
    assert checkpoint.tensors["avatar.plane"].shape == (3, 4)


@pytest.mark.parametrize("keep", [0, 10, 40, 150])
def test_a_cut_off_one_is_refused_in_one_sentence(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="delete"):
        Checkpoint.read(path)


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoint.read(path)
