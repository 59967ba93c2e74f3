"""Enrolment: footage in, avatar out, within a time budget; broken off, it goes on where it was."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import torch

from app.assets import AssetError
from app.avatar import choose_device, device_name
from app.enrolment.checkpoint import Checkpoint, CheckpointError
from app.enrolment.export import Measured, finish
from app.enrolment.face_alignment import with_aligned_faces
from app.enrolment.fields import FIELDS, Training
from app.enrolment.footage import EnrolmentFootage, collect_footage
from app.enrolment.starting_embedding import starting_embedding
from app.errors import UserError
from app.lpips_weights import load_perceptual_loss
from app.owner_keys import make_owner_key
from app.progress import Progress
from renderer.process_settings import flush_denormals, keep_buffers_mapped
from renderer.training.perceptual import PerceptualLoss

CHECKPOINT_SUFFIX = ".training"
CHECK_SECONDS = 60.0
"""Between checkpoints, and at least between looks at the validation frames."""
CHECK_SHARE = 10.0
"""How many times longer than the last look the training goes on before the next one, at least."""
FINISH_SECONDS = 45.0
"""Kept of the budget for tables, what they need to know of the picture, packing and the last measurement."""
ALIGN_SECONDS = 0.015
"""For each frame of the clip, to correct the poses and expressions that the tables are fitted to."""
ALIGN_AT = (0.3, 0.6)
"""Shares of the training after which the faces that the field is trained on are corrected by what it knows of them:
what it learns from then on is sharper."""
ALIGN_SHARE = 0.04
"""Of the training that this may take for it to be done again."""
PICTURES_ALONE = 1 / 3
"""Share of a clip's frames that are kept as pictures from which on they alone are aligned in between: what was found
for one is then not forgotten before the next."""
LEAST_SHARE = 0.3
"""Of the budget that goes into training, however long the preparation takes."""


class BrokenOffError(UserError):
    """Enrolment was stopped before there was anything worth keeping."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What may be left out or put in place of something, to see what it is worth (paper table 3)."""

    embedded: bool = True
    """The attention embedding (79 -> 30); without it all 79 coefficients are sent."""
    consistency_code: bool = True
    """The learned code that head and torso share; without it, it stays zero."""
    field: str = "fast"
    """A name of `app.enrolment.fields.FIELDS`."""


@dataclass(frozen=True, slots=True)
class EnrolmentOptions:
    """What is to be made."""

    clip: Path
    output: Path
    name: str
    size: int
    minutes: float
    start: float
    stop: float | None
    device: str
    steps: int | None = None
    """Training ends after so many steps, whatever time they take, in place of ``minutes``."""
    variant: Variant = Variant()

    @property
    def checkpoint(self) -> Path:
        """Where a broken-off training waits."""
        return self.output.with_name(self.output.name + CHECKPOINT_SUFFIX)

    def arguments(self) -> dict[str, object]:
        """Return what a checkpoint must have in common with this enrolment."""
        span = {"clip": str(self.clip.resolve()), "size": self.size, "start": self.start, "stop": self.stop}
        return span | asdict(self.variant)


def enrol(options: EnrolmentOptions, say: Callable[[str], None]) -> Measured:
    """Train an avatar and write it.

    An interrupt (Ctrl-C) ends the training with the best field so far and leaves a checkpoint, so that the same command
    goes on from there.

    Args:
        options: what to make.
        say: prints a sentence.

    Raises:
        SourceError, NoFaceError, FootageError: the clip does not serve.
        CheckpointError: what waits beside the output is damaged or of another enrolment.
        BrokenOffError: it was stopped before anything was trained.
    """
    keep_buffers_mapped()
    flush_denormals()
    began = time.monotonic()
    device = choose_device(options.device)
    length = f"{options.minutes:g} minutes in all" if options.steps is None else f"{options.steps} steps"
    say(f"enrolling at {options.size}² on {device_name(device)}, {length}")
    earlier = _earlier(options)
    perceptual = _perceptual_loss(say)
    footage = collect_footage(str(options.clip), options.start, options.stop, options.size)
    embedding = starting_embedding(footage.training.expressions, embedded=options.variant.embedded)
    trainer = FIELDS[options.variant.field](footage, embedding, options.variant.consistency_code, device, perceptual)
    spent = 0.0
    if earlier is not None:
        _restore(trainer, earlier, options)
        spent = earlier.seconds
        say(f"going on with the training that was broken off after {spent / 60:.1f} minutes")
    total = 60.0 * options.minutes
    finishing = FINISH_SECONDS + ALIGN_SECONDS * len(footage.tracked.states)
    budget = max(total - (time.monotonic() - began) - finishing, LEAST_SHARE * total) + spent
    trained, finished = _train(trainer, footage, options, spent, budget)
    if trainer.steps == 0:
        raise BrokenOffError("stopped before the training began; nothing was written")
    footage = with_aligned_faces(footage, trainer)
    file, measured = finish(trainer, embedding, footage, options.name, make_owner_key(), trained / 60)
    file.write(options.output)
    if finished:
        options.checkpoint.unlink(missing_ok=True)
    else:
        say(f"stopped early: the same command goes on from {options.checkpoint}")
    return measured


def _perceptual_loss(say: Callable[[str], None]) -> PerceptualLoss | None:
    try:
        return load_perceptual_loss()
    except AssetError as error:
        say(f"training without the perceptual loss, so that hair and skin come out smoother: {error}")
        return None


def _earlier(options: EnrolmentOptions) -> Checkpoint | None:
    if not options.checkpoint.exists():
        return None
    earlier = Checkpoint.read(options.checkpoint)
    if earlier.arguments != options.arguments():
        raise CheckpointError(
            f"{options.checkpoint} is of another enrolment: give its clip, size and span again, or delete it"
        )
    return earlier


def _restore(trainer: Training, earlier: Checkpoint, options: EnrolmentOptions) -> None:
    try:
        trainer.restore(earlier.tensors)
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{options.checkpoint} was made by another version of the program: delete it to begin anew"
        ) from error


def _train(
    trainer: Training, footage: EnrolmentFootage, options: EnrolmentOptions, spent: float, budget: float
) -> tuple[float, bool]:
    """Train until the budget (seconds in all, ``spent`` of them before; or steps) is used or an interrupt comes.

    The trainer ends with the field that was best on the validation frames.

    Returns:
        Seconds trained in all, and whether the budget was used up.
    """
    best: dict[str, torch.Tensor] | None = None
    least, note = float("inf"), ""
    due = list(ALIGN_AT)
    checked = kept = spent
    next_check = CHECK_SECONDS
    loss = 0.0

    def used() -> float:
        return spent / budget if options.steps is None else trainer.steps / options.steps

    with _interrupts() as interrupted, Progress(1.0, "training") as progress:

        def show() -> None:
            progress.update(min(used(), 1.0), f"step {trainer.steps}, loss {loss:.5f}{note}")

        while used() < 1.0 and not interrupted():
            started = time.monotonic()
            if due and used() >= due[0]:
                alone = len(footage.tracked.kept) >= PICTURES_ALONE * len(footage.tracked.states)
                footage = with_aligned_faces(footage, trainer, pictures_alone=alone)
                trainer.footage = footage.training.to(trainer.device)
                # The whole training takes about ``spent / used()``.
                again = (time.monotonic() - started) * used() <= ALIGN_SHARE * spent
                due = [share for share in due if again and share > used()]
                # What was best with the poses of before is not to be compared with what comes.
                least, best = float("inf"), None
            latest = trainer.step(used())
            loss = latest if loss == 0.0 else loss + 0.02 * (latest - loss)
            spent += time.monotonic() - started
            show()
            ending = used() >= 1.0 or interrupted()
            if spent - checked >= next_check or ending:
                started = time.monotonic()
                quality = trainer.evaluate(footage.validation)
                note = f", unseen {quality.psnr:.2f} dB, head {quality.head_psnr:.2f} dB"
                show()
                if quality.loss < least:
                    least, best = quality.loss, trainer.state()
                next_check = max(CHECK_SECONDS, CHECK_SHARE * (time.monotonic() - started))
                spent += time.monotonic() - started
                checked = spent
            if (spent - kept >= CHECK_SECONDS or ending) and used() < 1.0:
                Checkpoint(options.arguments(), spent, trainer.state()).write(options.checkpoint)
                kept = spent
        finished = used() >= 1.0
    if best is not None:
        trainer.restore(best)
    return spent, finished


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a question that can be asked; a second one acts as usual."""
    seen = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: seen
    finally:
        signal.signal(signal.SIGINT, before)
