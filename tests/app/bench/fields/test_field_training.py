"""Training fields for the bench: what is there is kept, what was broken off goes on."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import app.enrolment.footage
from app.avatar import load_avatar
from app.bench.clips import ClipSpec
from app.bench.fields import training
from app.bench.fields.record import read_record
from app.bench.fields.training import Wanted, record_of
from app.bench.results import ResultError
from app.cli import main
from app.enrolment import sensitivity
from app.enrolment.checkpoint import CheckpointError
from app.enrolment.footage import EnrolmentFootage
from tests.app.enrolment.ball import ball_enrolment, fast_training, paper_training

FOOTAGE = ball_enrolment(training=40, held_out=3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "FIELDS", {"fast": fast_training, "paper": paper_training})
    monkeypatch.setattr(training, "FIRST_LOOK", 0.2)
    # Of what each number does to the picture nothing here depends on.
    monkeypatch.setattr(sensitivity, "PROBE_FRAMES", 1)
    monkeypatch.setattr(ClipSpec, "held_out_from", lambda self: 1.6)


def wanted(folder: Path, field: str = "paper", budget: float = 1.0, clip: str = "ball.mp4") -> Wanted:
    return Wanted(ClipSpec(Path(clip), 1.6), field, 64, budget, folder)


def no_footage() -> EnrolmentFootage:
    raise AssertionError("it is there already")


@pytest.mark.parametrize("field", ["fast", "paper"])
def test_a_training_leaves_a_record_and_an_avatar(tmp_path: Path, field: str) -> None:
    record = record_of(wanted(tmp_path, field), lambda: FOOTAGE)
    assert read_record(tmp_path / "fields" / f"ball_{field}_64.json") == record
    last = record.checks[-1]
    assert 1.0 <= last.cpu_s < 6.0
    assert last.steps > 0
    assert (record.clip.frames, record.clip.held_out_from_s, record.size) == (3, 1.6, 64)
    assert set(record.seconds) == {"prepare", "train", "look", "ship"}
    assert record.shipped is not None
    assert record.shipped.psnr_db > 10.0
    avatar = load_avatar(tmp_path / "fields" / f"ball_{field}_64.avatar", "cpu")
    assert record.shipped.field_bytes == len(avatar.file["field"])
    assert avatar.meta["training"]["steps"] == last.steps
    assert not list((tmp_path / "fields").glob("*.training"))
    assert record_of(wanted(tmp_path, field), no_footage) == record


def test_without_an_avatar_there_is_none(tmp_path: Path) -> None:
    bare = replace(wanted(tmp_path, budget=0.1), shipped=False)
    record = record_of(bare, lambda: FOOTAGE)
    assert record.shipped is None
    assert "ship" not in record.seconds
    assert [path.suffix for path in (tmp_path / "fields").iterdir()] == [".json"]
    assert record_of(bare, no_footage) == record
    with pytest.raises(AssertionError, match="there already"):
        record_of(replace(bare, shipped=True), no_footage)


def test_another_budget_is_another_training(tmp_path: Path) -> None:
    record_of(wanted(tmp_path, budget=0.1), lambda: FOOTAGE)
    with pytest.raises(AssertionError, match="there already"):
        record_of(wanted(tmp_path, budget=0.2), no_footage)


def test_a_folder_that_cannot_be_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "fields").write_text("in the way")
    with pytest.raises(ResultError, match="cannot be made"):
        record_of(wanted(tmp_path), no_footage)


def broken_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Break a training off after a look and a checkpoint, and return how many steps it had taken."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    took: list[int] = []

    def limited(footage: EnrolmentFootage, *rest: object) -> object:
        made = paper_training(footage, *rest)  # type: ignore[arg-type]
        step: Callable[[float], float] = made.step

        def stopping(progress: float) -> float:
            if progress > 0.5:
                took.append(made.steps)
                raise KeyboardInterrupt
            return step(progress)

        made.step = stopping  # type: ignore[method-assign]
        return made

    with monkeypatch.context() as patch:
        patch.setattr(training, "FIELDS", {"paper": limited})
        with pytest.raises(KeyboardInterrupt):
            record_of(wanted(folder), lambda: FOOTAGE)
    return took[0]


def test_a_training_that_was_broken_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = broken_off(tmp_path, monkeypatch)
    assert (tmp_path / "fields" / "ball_paper_64.training").exists()
    record = record_of(wanted(tmp_path), lambda: FOOTAGE)
    assert "going on" in capsys.readouterr().out
    assert record.checks[-1].steps > steps
    assert record.checks[0].steps <= steps
    times = [check.cpu_s for check in record.checks]
    assert times == sorted(times)
    assert not (tmp_path / "fields" / "ball_paper_64.training").exists()


@pytest.mark.parametrize("other", ["clip", "field", "damage"])
def test_what_waits_of_another_training_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    broken_off(tmp_path, monkeypatch)
    waits = tmp_path / "fields" / "ball_paper_64.training"
    if other == "damage":
        waits.write_bytes(waits.read_bytes()[:-40])
        with pytest.raises(CheckpointError, match="damaged"):
            record_of(wanted(tmp_path), lambda: FOOTAGE)
        return
    again = wanted(tmp_path, clip="elsewhere/ball.mp4") if other == "clip" else wanted(tmp_path, "fast")
    if other == "field":
        waits.rename(tmp_path / "fields" / "ball_fast_64.training")
    with pytest.raises(CheckpointError, match="another training"):
        record_of(again, lambda: FOOTAGE)


def test_a_look_changes_nothing_of_the_training(tmp_path: Path) -> None:
    from tests.app.enrolment.ball import embedding_of_ball

    losses = []
    for looks in (False, True):
        made = paper_training(FOOTAGE, embedding_of_ball(FOOTAGE))
        run = training._Run(wanted(tmp_path), made, training._some(FOOTAGE.held_out, 1))
        made.step(0.0)
        if looks:
            run._look()
        losses.append([made.step(0.0) for _ in range(3)])
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "option", [["--size", "32"], ["--paper-minutes", "0"], ["--fast-minutes", "1e9"], ["--size", "4096"]]
)
def test_impossible_options_are_told(option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "fields", "--clips", "a.mp4@60", "-o", str(tmp_path), *option]) == 2
    assert "out of range" in capsys.readouterr().err


def test_the_command_trains_every_field_on_one_core_and_says_the_ratio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    confined: list[int] = []
    collected: list[int] = []

    def collect(clip: str, start: float, stop: float, size: int) -> EnrolmentFootage:
        collected.append(size)
        confined.append(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        return FOOTAGE

    monkeypatch.setattr(app.enrolment.footage, "collect_footage", collect)
    command = ["bench", "fields", "--clips", "ball.mp4@1.6", "-o", str(tmp_path)]
    assert main([*command, "--paper-minutes", "0.015", "--fast-minutes", "0.015"]) == 0
    said = capsys.readouterr().out
    assert "the fast field" in said
    assert "shipped" in said
    assert collected == [64], "both fields train on the same footage"
    assert confined == [1]
    assert {path.name for path in (tmp_path / "fields").iterdir()} == {
        "ball_paper_64.json", "ball_paper_64.avatar", "ball_fast_64.json", "ball_fast_64.avatar",
    }  # fmt: skip
