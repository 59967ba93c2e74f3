"""The whole command on a painted head that turns and talks."""

import argparse
import os

import av
import numpy as np
import pytest

from app.bench import tracking
from app.bench.clips import ClipError, ClipSpec
from app.bench.tracking import clip as measuring
from app.bench.tracking.record import FIGURES, read_record, record_path
from app.cli import main
from app.errors import UsageError
from app.tracking.calibration import Calibration, NoFaceError
from app.tracking.morphable_model import MorphableModel
from codec.face_state import EXPRESSION_SIZE, HeadPose
from codec.rotation import rotation_vector_to_matrix
from tests.app.tracking.painted_head import picture

FPS, FRAMES, SIZE = 25, 62, 192
START = 1.2
"""Seconds: 30 frames before it, 32 after."""


def write_clip(path, pictures):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "12"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for image in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def pictures():
    model = MorphableModel.load()
    jaw = model.expression_names.index("jawOpen")
    shown = []
    for index in range(FRAMES):
        vector = np.deg2rad([5 * np.sin(index / 6), 14 * np.sin(index / 5), 0.0])
        pose = HeadPose(rotation_vector_to_matrix(vector).astype(np.float32), np.array([0, 0, -60], np.float32))
        expression = np.zeros(EXPRESSION_SIZE)
        expression[jaw] = 0.15 * (1 - np.cos(index / 3))
        shown.append(picture(model, pose, expression, size=SIZE))
    return shown


@pytest.fixture(scope="module")
def head(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "head.mp4"
    write_clip(path, pictures)
    return path


def bench(folder, *clips, more=()):
    # On all cores, for the tests after this one need them too.
    return main(["bench", "tracking", "--clips", *clips, "-o", str(folder), "--threads", *more])


@pytest.fixture(scope="module")
def measured(head, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    assert bench(folder, f"{head}@{START}") == 0
    return folder


def test_the_record_has_every_figure_of_the_held_out_frames(measured):
    record = read_record(record_path(measured, "head"))
    assert (record.clip.held_out_from_s, record.clip.frames, record.clip.fps) == (START, FRAMES - 30, FPS)
    assert record.tracked == record.clip.frames
    assert list(record.figures) == list(FIGURES)
    assert np.isfinite(list(record.figures.values())).all()
    assert record.figures["reprojection_median_percent"] < 1.0
    assert record.figures["rotation_jitter_filtered_degrees"] < record.figures["rotation_jitter_solved_degrees"]
    parts = [record.figures[f"{part}_ms"] for part in ("decode", "landmarks", "solve", "filter")]
    assert record.figures["total_ms"] == pytest.approx(sum(parts))
    assert record.other_cores is None or record.other_cores < (os.cpu_count() or 1)
    assert set(record.seconds) == {"landmarks", "calibrate", "measure"}
    assert record.environment.command.startswith("nerfcall")
    assert {"mediapipe", "numpy", "nerfcall"} <= record.environment.versions.keys()


def test_a_second_run_measures_nothing_and_prints_the_same(measured, head, monkeypatch, capsys):
    def refuse(*_):
        raise AssertionError("it is there already")

    monkeypatch.setattr(measuring, "detect", refuse)
    path = record_path(measured, "head")
    before = path.read_bytes()
    assert bench(measured, f"{head}@{START}") == 0
    said = capsys.readouterr().out
    assert "head: there already" in said
    assert "reprojection_median_percent" in said
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", ["code", "second", "length"])
def test_another_measurement_is_made_anew(measured, head, monkeypatch, change):
    class MeasuredError(Exception):
        pass

    def detect(*_):
        raise MeasuredError

    monkeypatch.setattr(measuring, "detect", detect)
    if change == "code":
        monkeypatch.setattr(measuring, "code_digest", lambda: "1" * 64)
    second, more = (1.4 if change == "second" else START), (("--seconds", "1") if change == "length" else ())
    with pytest.raises(MeasuredError):
        run(measured, f"{head}@{second}", *more)


def run(folder, clip, *more):
    parser = argparse.ArgumentParser()
    tracking.add_arguments(parser)
    return tracking.run(parser.parse_args(["--clips", clip, "-o", str(folder), "--threads", *more]))


def test_the_tracker_is_calibrated_on_nothing_that_is_held_out(pictures, tmp_path):
    """The face comes only with the held-out frames."""
    path = tmp_path / "late.mp4"
    write_clip(path, [np.full_like(image, 100) if index < 30 else image for index, image in enumerate(pictures[:40])])
    with pytest.raises(NoFaceError, match=r"late\.mp4 .* before second 1\.2 a face is seen in 0 of 30 pictures"):
        run(tmp_path, f"{path}@{START}")
    assert not (tmp_path / "tracking").exists()


def test_held_out_frames_without_a_face_have_no_figures(pictures, tmp_path, monkeypatch, capsys):
    model = MorphableModel.load()
    mean_face = Calibration.mean_face(len(model.identity_basis), model.digest)
    monkeypatch.setattr(measuring, "_calibration", lambda *_: mean_face)
    path = tmp_path / "gone.mp4"
    write_clip(path, [image if index < 30 else np.full_like(image, 100) for index, image in enumerate(pictures[:38])])
    assert bench(tmp_path, f"{path}@{START}") == 0
    record = read_record(record_path(tmp_path, "gone"))
    assert (record.tracked, record.clip.frames) == (0, 8)
    assert {name for name, value in record.figures.items() if np.isfinite(value)} == {
        "decode_ms", "landmarks_ms", "solve_ms", "filter_ms", "total_ms",
    }  # fmt: skip
    assert "nan" in capsys.readouterr().out


def test_no_more_is_read_than_was_asked_for(head):
    found = measuring.detect(ClipSpec(head, START), START, 0.2)
    assert (found.begin, found.frames, len(found.smoothed)) == (30, 5, 5)
    assert len(found.track.landmarks) == 35
    assert found.wall_seconds > found.detect_seconds > 0
    with pytest.raises(ClipError, match="shows nothing from 9 s on"):
        measuring.detect(ClipSpec(head, START), 9.0)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system confines no process to a core")
@pytest.mark.parametrize("threads", [False, True])
def test_without_more_threads_it_takes_one_core(monkeypatch, tmp_path, threads):
    allowed, seen = os.sched_getaffinity(0), []

    def options(args):
        seen.append(os.sched_getaffinity(0))
        raise UsageError("no clip")

    monkeypatch.setattr(tracking, "clip_options", options)
    parser = argparse.ArgumentParser()
    tracking.add_arguments(parser)
    more = ["--threads"] if threads else []
    with pytest.raises(UsageError, match="no clip"):
        tracking.run(parser.parse_args(["--clips", "a.mp4@1", "-o", str(tmp_path), *more]))
    assert seen == [allowed if threads else {max(allowed)}]
    assert os.sched_getaffinity(0) == allowed


def test_other_code_has_another_digest(tmp_path, monkeypatch):
    before = measuring.code_digest()
    assert before == measuring.code_digest()
    other = tmp_path / "motion.py"
    other.write_text("# other code")
    monkeypatch.setattr(measuring.motion, "__file__", str(other))
    assert measuring.code_digest() != before


@pytest.mark.parametrize("option", [["--codecs", "hevc"], ["--stride", "2"], ["--minutes", "1"], ["--json", "-"]])
def test_options_of_codecs_are_not_taken(option, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "tracking", "--clips", "a.mp4@1", "-o", "x", *option])
    assert option[0] in capsys.readouterr().err
