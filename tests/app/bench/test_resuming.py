"""A bench goes on with what is there, and what is there costs nothing: nothing is read, tracked or fitted for it."""

import argparse
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.bench import avatars, coarseness, measurement, rate_distortion, resolution
from app.bench.clips import ClipError, ClipSpec, held_out_clip
from app.bench.coarseness import COARSENESS, coarser
from app.bench.codec import Coded
from app.bench.lossless import write_lossless
from app.bench.measurement import ClipMeasurement
from app.bench.options import MeasuringOptions
from app.bench.ours import OurCodec
from app.bench.results import CodecUsed, Result, read, result_path, write
from app.enrolment.framing import Framing
from app.errors import UserError
from tests.app.bench import synthetic
from tests.e2e.small_avatar import SmallAvatar, wandering_states

FRAMING = Framing(96, 64, 16, 0, 64)
START = 1.6
METRICS = {"full": {"psnr": 30.0, "lpips": 0.1}}


class BenchAvatar(SmallAvatar):
    path = Path("small.avatar")
    file = b"avatar"
    calibration = None
    field = None

    def __init__(self):
        super().__init__(meta={"framing": FRAMING.numbers(), "size": 256})


class FlatCodec:
    """Shows every frame black."""

    name, label = "flat", "flat"

    @property
    def settings(self):
        return {"level": 0}

    def encode(self, frames, fps):
        return Coded(tuple(b"x" for _ in frames))

    def decode(self, coded, size):
        return np.zeros((len(coded.packets), size, size, 3), np.uint8)

    def versions(self):
        return {}


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "grey.mkv"
    write_lossless(path, np.zeros((60, 64, 96, 3), np.uint8), 25.0)
    return path


def options(folder: Path, clip: Path) -> MeasuringOptions:
    return MeasuringOptions((ClipSpec(clip, START),), folder, None, 1.0, 1.0, None, 5)


def refuse(*_, **__):
    raise AssertionError("this is work that need not be done")


def keep(folder: Path, bench: str, clip: Path, codec: OurCodec, point, size=256) -> Path:
    """Write the result of a measurement that never was."""
    spec = ClipSpec(clip, START)
    used = CodecUsed(codec.name, codec.label, dict(codec.settings))
    result = Result(
        bench, held_out_clip(spec), size, used, synthetic.ENVIRONMENT, metrics=METRICS, measuring={"stride": 5}
    )
    path = result_path(folder, bench, spec.name, codec.name, point, size)
    write(path, result)
    return path


def test_a_result_that_is_there_needs_no_frames(clip, tmp_path, monkeypatch):
    codec = FlatCodec()
    path = keep(tmp_path, "quality", clip, codec, None, 64)
    monkeypatch.setattr(measurement, "held_out", refuse)
    one = ClipMeasurement("quality", ClipSpec(clip, START), BenchAvatar(), 64, options(tmp_path, clip))
    assert one.measure(codec, ready=refuse, coded=refuse).to_json() == path.read_text()


def test_what_is_not_there_is_made_ready_and_then_measured(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(ClipMeasurement, "compare", lambda self, decoded: METRICS)
    one = ClipMeasurement("quality", ClipSpec(clip, START), BenchAvatar(), 64, options(tmp_path, clip))
    codec, done = FlatCodec(), []
    codec.encode = lambda frames, fps: done.append("encode") or Coded((b"x",) * len(frames))
    result = one.measure(codec, ready=lambda: done.append("ready"))
    assert done == ["ready", "encode"]
    assert result.clip.frames == 20
    assert set(result.seconds) == {"encode", "decode", "measure"}
    again = one.measure(codec, "again", coded=lambda: Coded((b"yz",) * 20))
    assert again.rate.bytes == 40
    assert set(again.seconds) == {"decode", "measure"}


def test_a_clip_whose_packets_count_wrong_is_resumed_all_the_same(clip, tmp_path, monkeypatch):
    codec = FlatCodec()
    keep(tmp_path, "quality", clip, codec, None, 64)
    wrong = replace(held_out_clip(ClipSpec(clip, START)), frames=21)
    monkeypatch.setattr(measurement, "held_out_clip", lambda *_: wrong)
    one = ClipMeasurement("quality", ClipSpec(clip, START), BenchAvatar(), 64, options(tmp_path, clip))
    assert one.measure(codec, coded=refuse).clip.frames == 20


def test_a_clip_of_another_size_is_refused_at_once(clip, tmp_path):
    avatar = BenchAvatar()
    avatar.meta = {"framing": [100, 64, 0, 0, 64]}
    with pytest.raises(ClipError, match="96x64"):
        ClipMeasurement("quality", ClipSpec(clip, START), avatar, 64, options(tmp_path, clip))


@pytest.fixture
def any_metric(monkeypatch):
    monkeypatch.setattr(coarseness, "picture_metric", lambda _, parameters, layout: np.eye(layout.size))


@pytest.mark.usefixtures("any_metric")
def test_tables_are_fitted_where_they_are_needed_and_the_person_is_tracked_once():
    avatar, tracked = BenchAvatar(), []

    @cache
    def states():
        tracked.append(1)
        return wandering_states(100)

    codecs = [coarser(avatar, states, times, "ours", "nerfcall") for times in COARSENESS]
    assert [codec.settings["coarseness"] for codec in codecs] == list(COARSENESS)
    assert not tracked
    for codec in codecs:
        codec.fit()
    assert len(tracked) == 1
    steps = np.array([codec.prediction.quantiser.steps for codec in codecs])
    own = COARSENESS.index(1.0)
    assert np.abs(steps / (steps[own] * np.array(COARSENESS)[:, None]) - 1).max() < 0.01
    assert codecs[own].prediction is avatar.prediction
    assert all(codec.tables is avatar.tables for codec in codecs)


def test_an_avatar_of_before_frames_were_predicted_has_one_operating_point():
    avatar = BenchAvatar()
    avatar.prediction = None
    with pytest.raises(UserError, match="enrol it again"):
        coarser(avatar, lambda: wandering_states(100), 2.0, "ours", "nerfcall").fit()


def run(bench, clip: Path, folder: Path, *more: str) -> None:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    given = ["--clips", f"{clip}@{START}", "-o", str(folder), "--codecs", "ours", *more]
    assert bench.run(parser.parse_args(given)) == 0


@pytest.fixture
def avatar(monkeypatch):
    made = BenchAvatar()
    monkeypatch.setattr(avatars, "bench_avatar", lambda *_: made)
    return made


def test_a_whole_rate_distortion_curve_is_resumed_without_tracking(clip, tmp_path, monkeypatch, capsys, avatar):
    for times in COARSENESS:
        keep(tmp_path, "rate-distortion", clip, OurCodec(avatar, coarseness=times), f"{times:g}")
    monkeypatch.setattr(coarseness, "training_states", refuse)
    monkeypatch.setattr(measurement, "held_out", refuse)
    run(rate_distortion, clip, tmp_path)
    assert capsys.readouterr().out.count("there already") == len(COARSENESS)


@pytest.mark.usefixtures("any_metric")
def test_missing_points_of_a_curve_track_once(clip, tmp_path, monkeypatch, capsys, avatar):
    for times in COARSENESS[1:-1]:
        keep(tmp_path, "rate-distortion", clip, OurCodec(avatar, coarseness=times), f"{times:g}")
    tracked = []
    monkeypatch.setattr(coarseness, "training_states", lambda *_: tracked.append(1) or wandering_states(100))
    monkeypatch.setattr(ClipMeasurement, "compare", lambda self, decoded: METRICS)
    monkeypatch.setattr(OurCodec, "encode", FlatCodec.encode)
    monkeypatch.setattr(OurCodec, "decode", FlatCodec.decode)
    run(rate_distortion, clip, tmp_path)
    assert capsys.readouterr().out.count("there already") == len(COARSENESS) - 2
    assert len(tracked) == 1
    path = result_path(tmp_path, "rate-distortion", "grey", "ours", f"{COARSENESS[0]:g}", 256)
    assert read(path).codec.settings["coarseness"] == COARSENESS[0]


def test_resolutions_are_resumed_without_tracking(clip, tmp_path, monkeypatch, capsys, avatar):
    keep(tmp_path, "resolution", clip, OurCodec(avatar), None, 64)
    monkeypatch.setattr(measurement, "held_out", refuse)
    monkeypatch.setattr(OurCodec, "encode", refuse)
    run(resolution, clip, tmp_path, "--sizes", "64")
    assert "there already" in capsys.readouterr().out
