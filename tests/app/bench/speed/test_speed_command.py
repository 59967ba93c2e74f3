"""The whole command on a small avatar with a real field: processes, network and file are the real ones."""

import argparse
import asyncio
import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from app.avatar_fields import pack_sections
from app.bench import speed
from app.bench.results import Clip, ResultError
from app.bench.speed import bench, first_picture, table
from app.bench.speed.job import JobError, prepare_job
from app.bench.speed.record import SpeedRecord, read_record, read_records, record_path, write_record
from app.bench.speed.states import load_states, save_states
from app.errors import UsageError
from codec.avatar_file import AvatarFile
from codec.recording import Recording
from tests.e2e.small_avatar import tables_of, wandering_states
from tests.renderer.scenes import small_avatar


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A demonstration with a field of a few texels, and the recording that came with it."""
    folder = tmp_path_factory.mktemp("speed")
    states = wandering_states(100)
    face = folder / "small.face"
    Recording(25.0, states, b"small").write(face)
    tables = tables_of(states)
    meta = {"name": "Small", "demo": True, "recordings": [hashlib.sha256(face.read_bytes()).hexdigest()]}
    avatar = folder / "small.avatar"
    parts = {"meta": json.dumps(meta).encode(), "tables": bytes(tables), **pack_sections(small_avatar())}
    AvatarFile(parts).write(avatar)
    return avatar, face


def arguments(avatar, clip, folder, *more):
    parser = argparse.ArgumentParser()
    speed.add_arguments(parser)
    return parser.parse_args(["--avatar", str(avatar), "--clips", str(clip), "-o", str(folder), *map(str, more)])


@pytest.fixture(scope="module")
def measured(files, tmp_path_factory):
    """A run of all parts that a recording allows but the first picture."""
    folder = tmp_path_factory.mktemp("results")
    options = ("--sizes", 32, "--call-sizes", 48, "--threads", 1, "--seconds", 2, "--device", "cpu")
    args = arguments(*files, folder, *options, "--only", "render", "floor", "call", "--json", folder / "copy.json")
    assert speed.run(args) == 0
    return folder


def numbers(found):
    if isinstance(found, dict):
        return [value for below in found.values() for value in numbers(below)]
    if isinstance(found, list):
        return [value for below in found for value in numbers(below)]
    return [found] if isinstance(found, int | float) else []


def test_the_file_is_whole(measured):
    path = record_path(measured, "small")
    content = json.loads(path.read_text())
    assert (content["schema"], content["bench"]) == (1, "speed")
    assert content["clip"] == {"name": "small", "held_out_from_s": 0.0, "frames": 100, "fps": 25.0}
    figures = content["speed"]
    assert all(math.isfinite(value) and value >= 0 for value in numbers(figures))
    assert figures["tracker"] is None
    assert figures["codec"]["frames"] == 100
    assert 5 < figures["codec"]["bytes_a_frame"] < 60
    (row,) = figures["render"]
    assert (row["device_type"], row["width"], row["size"], row["threads"]) == ("cpu", 32, 32, 1)
    # The avatar's layers are not of the sizes that kernels for the CPU are compiled for.
    assert (row["backend"], row["parity"]) == ("torch", None)
    assert row["frames"] >= 20
    assert row["fps"] == pytest.approx(1e3 / row["ms"]["median"], rel=1e-3)
    assert 50 < row["peak_rss_mb"] < 4000
    assert content == json.loads((measured / "copy.json").read_text())
    assert SpeedRecord.from_json(path.read_text()).to_json() == path.read_text()
    assert [record.clip.name for record in read_records(measured)] == ["small"]


def test_the_floor_lies_below_what_was_measured(measured):
    figures = read_record(record_path(measured, "small")).speed
    (peak,), (floor,), (profile,) = figures["peak"], figures["floor"], figures["profile"]
    assert peak["dtype"] in ("float32", "bfloat16")
    assert peak["gemm_gflops"] >= peak["decoder_gemm_gflops"] > 0
    assert floor["counts"]["pixels"] == 32**2
    assert floor["floor_ms"] == max(floor["compute_ms"], floor["memory_ms"], floor["cache_ms"])
    assert 0 < floor["share"] < 1
    assert sum(floor["operations"].values()) == pytest.approx(
        floor["dense_operations"] + floor["other_operations"], abs=5
    )
    assert sum(stage["share"] for stage in profile["stages"]) == pytest.approx(1.0, abs=0.01)
    assert sum(stage["ms"] for stage in profile["stages"]) == pytest.approx(profile["frame_ms"], rel=0.01)
    assert any(operator["name"].startswith("aten::grid_sampler") for operator in profile["operators"])


def test_the_call_was_a_real_one(measured):
    (call,) = read_record(record_path(measured, "small")).speed["call"]
    assert call["size"] == 48
    assert not call["lowered"]
    assert call["frames"]["painted"] >= 2
    assert call["frames"]["received"] <= call["frames"]["sent"] <= call["frames"]["due"] + 1
    assert call["latency_ms"]["p95"] >= call["latency_ms"]["median"] > 0
    assert call["payload_kbps"] < call["wire_kbps"]
    assert set(call["processes"]) == {"receiver", "sender"}
    peaks = [process["peak_rss_mb"] for process in call["processes"].values()]
    assert max(peaks) / 2 < call["memory_mb"] < sum(peaks)


def test_the_figures_are_told_in_words(measured):
    found = "\n".join(table.lines(read_record(record_path(measured, "small")).speed))
    for words in ("rendering alone", "a call at 48²", "floor", "where the time goes", "load average"):
        assert words in found


def test_the_first_picture_of_a_receiver(files, tmp_path, monkeypatch):
    avatar, face = files
    monkeypatch.setattr(first_picture, "CALL_SECONDS", 0.2)
    states = tmp_path / "states.npz"
    save_states(states, wandering_states(100), 25.0, hashlib.sha256(face.read_bytes()).digest())
    own = ["--avatar", str(avatar), "--clips", str(face), "-o", str(tmp_path)]

    def make_job(words):
        return prepare_job("call", {"command": words, "files": True}, tmp_path, own)

    played = first_picture.Face(*load_states(states))
    run = asyncio.run(first_picture._receive(avatar, played, 32, 1, "cpu", make_job))
    marks = list(run["marks"].values())
    assert marks == sorted(marks)
    assert marks[0] > 0
    assert run["seconds"] == marks[-1]
    assert any("torch" in name for name in run["files"])


def test_figures_are_kept_for_the_same_code_machine_and_work_alone(files, tmp_path):
    def another(**settings):
        options = bench.SpeedOptions.of(arguments(*files, tmp_path))
        one = bench.SpeedBench(replace(options, **settings), tmp_path)
        one._clip, one._avatar = clip, avatar
        one._environment = replace(one._environment, commit="1" * 40, dirty=False)
        return one

    clip, avatar = Clip("small", 0.0, 100, 25.0), {"name": "Small", "sha256": "0" * 64, "bytes": 5}
    first = another()
    figures = {"avatar": avatar, "settings": first._options.settings(), "render": []}
    write_record(first._path, SpeedRecord(clip, first._environment, figures))
    assert first._kept() == figures
    assert another(parts=frozenset({"call"}))._kept() == figures
    assert another(seconds=20.0)._kept() == another(sizes=(64,))._kept() == {}
    changed = another()
    for environment in ({"commit": "2" * 40}, {"commit": None}, {"dirty": True}, {"cpu": "other"}, {"cores": 99}):
        changed._environment = replace(first._environment, **environment)
        assert changed._kept() == {}
    changed = another()
    changed._avatar = {**avatar, "sha256": "1" * 64}
    assert changed._kept() == {}
    changed = another()
    changed._clip = replace(clip, frames=99)
    assert changed._kept() == {}


def test_an_error_of_a_part_is_the_commands_own(files, tmp_path):
    avatar, face = files
    (tmp_path / "other.face").write_bytes(face.read_bytes()[:40])
    with pytest.raises(JobError, match=r"other\.face"):
        speed.run(arguments(avatar, tmp_path / "other.face", tmp_path))


def test_a_command_line_that_cannot_work_is_refused(files, tmp_path):
    for more in (("--device", "tpu"), ("--seconds", "1"), ("--json", tmp_path / "no" / "such.json")):
        with pytest.raises(UsageError):
            bench.SpeedOptions.of(arguments(*files, tmp_path, *more))


def test_a_gpu_renders_screens_too(files, tmp_path):
    options = bench.SpeedOptions.of(arguments(*files, tmp_path, "--sizes", 512, 256))
    one = bench.SpeedBench(options, tmp_path)
    assert one._sizes("cpu") == [(256, 256), (512, 512)]
    assert one._sizes("cuda") == [(256, 256), (512, 512), (1920, 1080), (3840, 2160)]


def test_the_clip_of_a_call_is_named_without_its_beginning(tmp_path):
    options = bench.SpeedOptions.of(arguments("a.avatar", "my@home/me.mp4@60", tmp_path))
    assert options.source == "my@home/me.mp4"
    assert options.call_sizes == (256, 512)


def test_a_damaged_record_is_refused(tmp_path):
    path = record_path(tmp_path, "clip")
    path.parent.mkdir()
    for text in ("", "[]", "{}", '{"schema": 1, "bench": "quality"}', "\xff"):
        path.write_text(text)
        with pytest.raises(ResultError, match=r"clip\.json"):
            read_record(path)


def test_states_survive_their_file(tmp_path):
    states = wandering_states(5)
    save_states(tmp_path / "states.npz", states, 30.0, b"x" * 32)
    found, fps, digest = load_states(tmp_path / "states.npz")
    assert (fps, digest) == (30.0, b"x" * 32)
    for before, after in zip(states, found, strict=True):
        np.testing.assert_array_equal(before.expression, after.expression)
        np.testing.assert_array_equal(before.pose.rotation, after.pose.rotation)
        np.testing.assert_array_equal(before.pose.translation, after.pose.translation)
        np.testing.assert_array_equal(before.torso, after.torso)
        assert before.timestamp == after.timestamp
