"""Training the animation codec on one person's footage."""

import json
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.bench.animation.deformation import Deformation
from app.bench.animation.key_point_tables import KeyPointTables
from app.bench.animation.losses import equivariance_loss, picture_loss
from app.bench.animation.motion import KeyPoints
from app.bench.animation.network import PICTURE_SIZE, AnimationNetwork, NetworkShape
from app.bench.animation.network_file import write_model
from app.bench.animation.still import coded_and_decoded
from app.errors import UserError
from app.lpips_weights import load_perceptual_loss
from app.progress import Progress
from renderer.process_settings import flush_denormals, keep_buffers_mapped
from renderer.training.perceptual import PerceptualLoss

REFERENCE_QPS = (22, 27, 32, 37, 42)
"""The generator sees references as coarse as the codec may send them, and learns to repair them."""
REFERENCES = 500
"""Coded before training starts; more would be the same pictures again."""
MIN_FRAMES = 32

PERCEPTUAL_WEIGHT = 0.5
"""Of LPIPS on AlexNet, beside the error of the picture."""

_BATCH = 2
_PERCEPTUAL_FROM = 0.25
"""Share of the training after which LPIPS counts: before, the picture is not yet where it belongs."""
_RATE = 6e-4
_LAST_RATE = 2e-5
_WARM_UP_STEPS = 200
_BETAS = (0.9, 0.99)
_LARGEST_GRADIENT = 1.0
_AVERAGE = 0.999
"""Of the running mean of the weights, which is what is kept."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class _References:
    """Coded frames."""

    indices: Tensor
    """(R,) of the frame that each one shows."""
    pictures: Tensor
    """(R, 3, S, S) uint8."""


def train_animation(
    frames: NDArray[np.uint8],
    minutes: float,
    path: Path,
    say: Say,
    *,
    steps: int | None = None,
    seed: int = 0,
    shape: NetworkShape | None = None,
    perceptual: bool = True,
) -> Path:
    """Train on the frames of one person and write the network file and, beside it, its description as JSON.

    Args:
        frames: (N, 256, 256, 3) uint8 RGB in the order of time, N >= 32; none of those that are measured later.
        minutes: for the optimisation; coding the references before and fitting the tables after take a minute more.
        path: of the file that is written, ``.safetensors``.
        say: takes messages for the person at the terminal.
        steps: stop after so many steps instead; the result then depends on nothing but the arguments and the machine.
        seed: of all random choices.
        shape: sizes of the network; by default those that a processor core trains in half an hour.
        perceptual: whether LPIPS is a part of the loss, as a perceptual loss is in FOMM and DAC.

    Returns:
        ``path``.

    Raises:
        UserError: frames of another shape, or too few, or the weights of LPIPS cannot be brought.
    """
    if frames.ndim != 4 or frames.shape[1:] != (PICTURE_SIZE, PICTURE_SIZE, 3) or len(frames) < MIN_FRAMES:
        raise UserError(
            f"animation training takes at least {MIN_FRAMES} frames of {PICTURE_SIZE} x {PICTURE_SIZE} pixels, "
            f"not {frames.shape}: cut the clip differently"
        )
    keep_buffers_mapped()
    flush_denormals()
    torch.manual_seed(seed)
    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).contiguous()
    references = _coded_references(frames, seed)
    network = AnimationNetwork(shape or NetworkShape())
    network.use_channels_last()
    say(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} million parameters, {len(frames)} frames")
    trainer = _Trainer(network, pictures, references, load_perceptual_loss() if perceptual else None, seed)
    began = time.monotonic()
    budget = 60 * minutes
    with Progress(budget if steps is None else steps, "training the animation codec") as progress:
        while True:
            passed = time.monotonic() - began
            done = passed / budget if steps is None else trainer.steps / steps
            if done >= 1:
                break
            trainer.step(done)
            progress.update(passed if steps is None else trainer.steps, trainer.note())
    seconds = time.monotonic() - began
    tables = KeyPointTables.fit(_all_key_points(trainer.averaged, pictures))
    size = write_model(trainer.averaged, tables, path)
    description = {
        "shape": asdict(network.shape),
        "frames": len(frames),
        "steps": trainer.steps,
        "batch": _BATCH,
        "minutes": round(seconds / 60, 2),
        "milliseconds_a_step": round(1000 * seconds / max(trainer.steps, 1), 1),
        "perceptual_weight": PERCEPTUAL_WEIGHT if perceptual else 0.0,
        "training_psnr": round(trainer.psnr, 2),
        "parameters": sum(p.numel() for p in network.parameters()),
        "bytes": size,
        "seed": seed,
    }
    path.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")
    say(f"{trainer.steps} steps in {seconds / 60:.1f} minutes, {size} bytes written to {path}")
    return path


class _Trainer:
    """The state of the optimisation."""

    def __init__(
        self,
        network: AnimationNetwork,
        pictures: Tensor,
        references: _References,
        perceptual: PerceptualLoss | None,
        seed: int,
    ) -> None:
        self.network = network
        self.steps = 0
        self.psnr = 0.0
        self._pictures = pictures
        self._references = references
        self._perceptual = perceptual
        self._draws = torch.Generator().manual_seed(seed)
        self.averaged = deepcopy(network).requires_grad_(False).eval()
        self._optimiser = torch.optim.Adam(network.parameters(), _RATE, _BETAS, foreach=True)

    def note(self) -> str:
        """Return the state for the progress bar."""
        return f"step {self.steps}, {self.psnr:.2f} dB"

    def step(self, done: float) -> None:
        """Take a step; ``done`` in [0, 1] is the share of the time that has passed."""
        rate = _LAST_RATE + (_RATE - _LAST_RATE) * 0.5 * (1 + cos(pi * min(done, 1.0)))
        for group in self._optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self.steps + 1) / _WARM_UP_STEPS)
        chosen = torch.randint(len(self._references.indices), (_BATCH,), generator=self._draws)
        wanted_at = torch.randint(len(self._pictures), (_BATCH,), generator=self._draws)
        source = _floats(self._references.pictures[chosen])
        wanted = _floats(self._pictures[wanted_at])
        shown = _floats(self._pictures[self._references.indices[chosen]])
        deformation = Deformation.draw(1, self._draws)
        deformed_picture = _close(deformation.pictures(wanted[:1]))
        with torch.autocast("cpu", torch.bfloat16):
            found = self.network.detector(torch.cat([shown, wanted, deformed_picture]))
            at_source, at_wanted, deformed = found[:_BATCH], found[_BATCH : 2 * _BATCH], found[2 * _BATCH :]
            made = self.network(source, self._quantised(at_source), self._quantised(at_wanted))
        loss = picture_loss(made, wanted) + equivariance_loss(at_wanted[:1], deformed, deformation)
        if self._perceptual is not None and done >= _PERCEPTUAL_FROM:
            # One picture of the batch stands for all: it costs as much as a fifth of the rest.
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss + PERCEPTUAL_WEIGHT * self._perceptual(made[:1], wanted[:1])
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT, foreach=True)
        self._optimiser.step()
        share = 1 - min(_AVERAGE, (1 + self.steps) / (10 + self.steps))
        for mean, parameter in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(parameter.detach(), share)
        self.steps += 1
        with torch.no_grad():
            errors = (made.clamp(0, 1) - wanted).square().mean((1, 2, 3))
            psnr = float((-10 * errors.clamp_min(1e-7).log10()).mean())
        self.psnr += (psnr - self.psnr) / min(self.steps, 200)

    def _quantised(self, points: KeyPoints) -> KeyPoints:
        """Add what quantising adds: noise as wide as the step, through which gradients pass."""
        numbers = points.vector()
        noise = torch.rand(numbers.shape, generator=self._draws) - 0.5
        return KeyPoints.from_vector(numbers + noise * KeyPointTables.step_sizes())


def _coded_references(frames: NDArray[np.uint8], seed: int) -> _References:
    """Code frames from the whole footage, each at one of the quantisation parameters."""
    count = min(REFERENCES, len(frames))
    indices = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(np.int64))
    qps = np.random.default_rng(seed).choice(REFERENCE_QPS, len(indices))
    coded = np.empty((len(indices), *frames.shape[1:]), np.uint8)
    with Progress(len(indices), "coding references") as progress:
        done = 0
        for qp in REFERENCE_QPS:
            chosen = np.flatnonzero(qps == qp)
            decoded = coded_and_decoded((frames[indices[i]] for i in chosen), PICTURE_SIZE, qp)
            for place, picture in zip(chosen, decoded, strict=True):
                coded[place] = picture
                done += 1
                progress.update(done)
    return _References(torch.from_numpy(indices), torch.from_numpy(coded).permute(0, 3, 1, 2).contiguous())


@torch.no_grad()
def _all_key_points(network: AnimationNetwork, pictures: Tensor) -> NDArray[np.float64]:
    """Return the key points (N, 6 K) of all frames."""
    vectors = [network.detector(_floats(part)).vector() for part in torch.split(pictures, 8)]
    return torch.cat(vectors).double().numpy()


def _floats(pictures: Tensor) -> Tensor:
    """Return uint8 pictures as floats in [0, 1]."""
    return _close(pictures.float().div_(255))


def _close(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)
