"""Trains one field on one clip and looks at it now and then; broken off, it goes on where it was."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from app.bench.clips import ClipSpec
from app.bench.environment import environment
from app.bench.fields.record import BENCH, Check, FieldRecord, Shipped, find_record, stem
from app.bench.results import Clip, ResultError, write
from app.enrolment.checkpoint import Checkpoint, CheckpointError
from app.enrolment.export import finish
from app.enrolment.fields import FIELDS, Training
from app.enrolment.footage import EnrolmentFootage
from app.enrolment.starting_embedding import starting_embedding
from app.lpips_weights import load_perceptual_loss
from app.progress import Progress
from renderer.process_settings import flush_denormals, keep_buffers_mapped
from renderer.training.dataset import Footage

FRAMES = 4
"""Held-out frames that are compared at every look: the slow field takes seconds for each."""
FIRST_LOOK = 5.0
"""Seconds of training."""
GROWTH = 0.25
"""By which share of the training so far the next look is later."""
LOOK_SHARE = 8.0
"""How many times longer than the last look the training goes on at least."""
CHECKPOINT_SECONDS = 60.0
NOBODY = bytes(32)
"""Public key of an owner whom nobody is: what the bench trains is driven in no call."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A training."""

    spec: ClipSpec
    field: str
    size: int
    budget_s: float
    """Processor time of one core."""
    folder: Path
    """Of all results."""
    shipped: bool = True
    """Whether to make an avatar and to measure it as a receiver sees it: five hundred pictures and more."""

    def path(self, ending: str) -> Path:
        """Return where what has this ending lies."""
        return self.folder / BENCH / (stem(self.spec.name, self.field, self.size) + ending)


def record_of(wanted: Wanted, collect: Callable[[], EnrolmentFootage]) -> FieldRecord:
    """Train and measure a field and write its record and its avatar, unless they are there already.

    Args:
        wanted: what to train.
        collect: gives the clip's footage, where it is needed.

    Raises:
        CheckpointError: what waits beside the record is damaged or of another training.
        ResultError: the record cannot be written.
    """
    path, name = wanted.path(".json"), wanted.spec.name
    there = find_record(path, name, wanted.field, wanted.size, wanted.budget_s, wanted.shipped)
    if there is not None:
        print(f"{name} {wanted.size}² {wanted.field}: there already")
        return there
    keep_buffers_mapped()
    flush_denormals()
    _make_folder(path.parent)
    began = time.perf_counter()
    footage = collect()
    embedding = starting_embedding(footage.training.expressions)
    training = FIELDS[wanted.field](footage, embedding, True, torch.device("cpu"), load_perceptual_loss())
    prepared = time.perf_counter()
    run = _Run(wanted, training, _some(footage.held_out, FRAMES))
    run.train()
    numbers = sum(value.numel() for value in [*training.avatar.parameters(), *embedding.parameters()])
    seconds = {"prepare": prepared - began, "train": run.wall_s, "look": run.look_s}
    shipped = None
    if wanted.shipped:
        began = time.perf_counter()
        file, measured = finish(training, embedding, footage, name, NOBODY, run.cpu_s / 60)
        file.write(wanted.path(".avatar"))
        shipped = Shipped(
            round(measured.quality.psnr, 3),
            round(measured.quality.head_psnr, 3),
            round(measured.payload_kbps, 3),
            len(file["field"]),
        )
        seconds["ship"] = time.perf_counter() - began
    record = FieldRecord(
        Clip(name, round(wanted.spec.held_out_from(), 3), len(run.frames), footage.fps),
        wanted.size,
        wanted.field,
        wanted.budget_s,
        numbers,
        run.checks,
        shipped,
        {part: round(value, 3) for part, value in seconds.items()},
        environment(),
    )
    write(path, record)
    wanted.path(".training").unlink(missing_ok=True)
    return record


class _Run:
    """A training with what has been seen of it."""

    def __init__(self, wanted: Wanted, training: Training, frames: Footage):
        self.frames = frames
        self.checks: list[Check] = []
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self.look_s = 0.0
        self._wanted = wanted
        self._training = training
        self._arguments: dict[str, object] = {
            "clip": str(wanted.spec.path.resolve()),
            "trained_to": wanted.spec.trained_to,
            "size": wanted.size,
            "field": wanted.field,
        }

    def train(self) -> None:
        """Train until the budget is used."""
        self._resume()
        budget, training = self._wanted.budget_s, self._training
        next_look = max(FIRST_LOOK, (1.0 + GROWTH) * self.checks[-1].cpu_s if self.checks else 0.0)
        kept = self.wall_s
        note, loss = "", math.nan
        with Progress(budget, f"{self._wanted.spec.name} {self._wanted.size}² {self._wanted.field}") as progress:
            while self.cpu_s < budget:
                cpu, wall = time.process_time(), time.perf_counter()
                latest = training.step(self.cpu_s / budget)
                self.cpu_s += time.process_time() - cpu
                self.wall_s += time.perf_counter() - wall
                loss = latest if math.isnan(loss) else loss + 0.02 * (latest - loss)
                if self.cpu_s >= min(next_look, budget):
                    cost = self._look()
                    next_look = self.cpu_s + max(GROWTH * self.cpu_s, LOOK_SHARE * cost)
                    note = f", held out {self.checks[-1].psnr_db:.2f} dB, head {self.checks[-1].head_psnr_db:.2f} dB"
                progress.update(self.cpu_s, f"step {training.steps}, loss {loss:.5f}{note}")
                if self.wall_s - kept >= CHECKPOINT_SECONDS:
                    self._keep()
                    kept = self.wall_s
        if not self.checks or self.checks[-1].steps != training.steps:
            self._look()

    def _look(self) -> float:
        """Compare the held-out frames and return how much processor time that took."""
        cpu, wall = time.process_time(), time.perf_counter()
        # What is random in a training must not depend on when it is looked at.
        with torch.random.fork_rng():
            quality = self._training.evaluate(self.frames)
        self.look_s += time.perf_counter() - wall
        figures = (self.cpu_s, self.wall_s, quality.psnr, quality.head_psnr)
        self.checks.append(Check(self._training.steps, *(round(figure, 3) for figure in figures)))
        return time.process_time() - cpu

    def _keep(self) -> None:
        tensors = self._training.state()
        rows = [(c.steps, c.cpu_s, c.wall_s, c.psnr_db, c.head_psnr_db) for c in self.checks]
        tensors["bench.checks"] = torch.tensor(rows, dtype=torch.float64).view(-1, 5)
        tensors["bench.times"] = torch.tensor([self.cpu_s, self.wall_s, self.look_s], dtype=torch.float64)
        Checkpoint(self._arguments, self.cpu_s, tensors).write(self._wanted.path(".training"))

    def _resume(self) -> None:
        path = self._wanted.path(".training")
        if not path.exists():
            return
        earlier = Checkpoint.read(path)
        try:
            if earlier.arguments != self._arguments:
                raise ValueError("of another clip")
            rows = earlier.tensors.pop("bench.checks").tolist()
            self.cpu_s, self.wall_s, self.look_s = earlier.tensors.pop("bench.times").tolist()
            self.checks = [Check(int(row[0]), *row[1:]) for row in rows]
            self._training.restore(earlier.tensors)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(f"{path} is of another training: delete it to begin anew") from error
        print(f"going on with the training that was broken off after {self.cpu_s / 60:.1f} minutes")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{folder} cannot be made ({error.strerror}): choose a folder you can write to"
        raise ResultError(reason) from None


def _some(footage: Footage, count: int) -> Footage:
    """Return ``count`` frames, evenly."""
    return footage.select(torch.linspace(0, len(footage) - 1, min(count, len(footage))).round().long())
