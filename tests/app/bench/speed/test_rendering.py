"""What is measured of rendering alone, and what is said of it."""

from types import SimpleNamespace

import pytest
import torch

from app.bench.speed import table
from app.bench.speed.rendering import FrameTimer
from renderer.avatar import Avatar
from renderer.kernels import gpu
from tests.e2e.small_avatar import wandering_states
from tests.renderer.scenes import usual_avatar

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def timer():
    states = wandering_states(2)
    field = usual_avatar().to(DEVICE)
    return FrameTimer(SimpleNamespace(field=field, device=field.background.device), 20, 14), states


def test_plain_torch_is_compared_with_nothing(monkeypatch):
    monkeypatch.setattr(Avatar, "fastest", lambda avatar: "torch")
    one, states = timer()
    assert one.parity(states) is None


def test_a_backend_is_compared_with_plain_torch(monkeypatch):
    one, states = timer()
    monkeypatch.setattr(gpu, "_prepared", {(one._avatar.device, False): True})
    found = one.parity(states)
    assert found["frames"] == 2
    assert 0 < found["largest"] <= 3
    assert found["share"] < 1e-3
    assert 0.0 < found["rms"] < 0.5


def test_a_difference_is_found(monkeypatch):
    """A backend whose pictures are ten steps too bright in one colour of every other frame."""
    render = Avatar.render
    one, states = timer()
    frames = []

    def brighter(avatar, *given, backend="auto", **more):
        picture = render(avatar, *given, backend="torch", **more) // 2
        if backend == "auto":
            frames.append(picture)
            picture[..., 0] += 10 * (len(frames) % 2)
        return picture

    monkeypatch.setattr(Avatar, "fastest", lambda avatar: "triton")
    monkeypatch.setattr(Avatar, "render", brighter)
    found = one.parity(states)
    assert found["largest"] == 10
    assert found["share"] == pytest.approx(1 / 6, rel=1e-3)
    assert found["rms"] == pytest.approx((100 / 6) ** 0.5, rel=1e-3)


def test_what_is_said_of_a_gpu():
    row = {
        "device": "Invented GPU",
        "device_type": "cuda",
        "size": 2160,
        "width": 3840,
        "threads": 1,
        "cores": 2,
        "backend": "triton",
        "parity": {"frames": 3, "largest": 4, "share": 0.00012, "rms": 0.2134},
        "ms": {"median": 5.0, "p95": 5.5, "mean": 5.1},
        "fps": 200.0,
        "peak_rss_mb": 900.4,
    }
    codec = {name: {"median": 1.0, "p95": 2.0, "mean": 1.0} for name in ("embed_us", "encode_us", "decode_us")}
    load = {"before": None, "after": None, "unreliable": []}
    said = table.lines({"codec": {**codec, "bytes_a_frame": 26.0}, "render": [row], "load": load})
    assert (
        "  3840 × 2160  Invented GPU  5.0 ms, 95 %: 5.5 ms, 200.0 frames/s, 900 MB; triton, from torch 4 of 255 at "
        "most, rms 0.21, 0.012 % more than 2" in said
    )
