"""The torso's template, learned from the enrolment's pictures."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from app.enrolment.torso_modes import learn_modes
from app.progress import Progress
from app.tracking.torso_alignment import TorsoAligner
from app.tracking.torso_template import SIDE, ColourMix, FrameCamera, Tones, TorsoTemplate, frame_tones
from renderer.training.dataset import BODY, HEAD

PASSES = 2
"""Rounds of aligning all pictures and taking their mean anew."""
PICTURES = 250
"""Of the enrolment, evenly, that make the mean."""
MARGIN = 3
"""Pixels around the torso that belong to the template: its outline tells most. They are averaged like the rest."""
HEADROOM = 2
"""Pixels around wherever a head has been that do not."""
HEAD_SHARE = 0.05
"""Of the pictures; where the head is seen more often the template ends."""

EVERYWHERE = (0, SIDE, 0, SIDE)

Frames = Sequence[NDArray[np.uint8]]


def learn_torso(frames: Frames, masks: NDArray[np.uint8], camera: FrameCamera) -> TorsoTemplate:
    """Return the template of the torso that all pictures show.

    Args:
        frames: of the enrolment in the order of time, see `app.tracking.torso_template.frame_picture`.
        masks: (F, S, S) segmentation of some of the enrolment's frames.
        camera: of the frame.

    Returns:
        A template without pixels where no torso stands out.
    """
    mask = _place(masks)
    chosen = [
        frames[index] for index in np.linspace(0, len(frames) - 1, min(PICTURES, len(frames))).round().astype(int)
    ]
    # The picture that is most like all others is the first template: the mean of what moves is a blur.
    median = np.median(np.stack(chosen), axis=0)
    first = min(chosen, key=lambda frame: float(np.abs(frame - median)[mask].sum()))
    mix = _strongest_mix(first, mask)
    tones = [frame_tones(frame, mix) for frame in chosen]
    template = TorsoTemplate.moving_linearly(camera, mix, frame_tones(first, mix), mask)
    with Progress(2 * PASSES, "learning how the torso moves") as progress:
        for done in range(2 * PASSES):
            # How it deforms is learned from pictures that are aligned as a whole.
            if done >= PASSES:
                template = replace(template, modes=learn_modes(template, tones))
            template = replace(template, tones=_aligned_mean(template, tones))
            progress.update(done + 1)
    return template


def _place(masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where (SIDE, SIDE) the torso is in most pictures and hardly ever a head."""
    small = np.stack([cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) for mask in masks])
    body, head = (small == BODY).mean(0) > 0.5, (small == HEAD).mean(0) > HEAD_SHARE
    return _grown(body, MARGIN) & ~_grown(head, HEADROOM)


def _grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2)) > 0)


def _strongest_mix(frame: NDArray[np.uint8], mask: NDArray[np.bool_]) -> ColourMix:
    """Return the direction in colour space in which the torso has the most contrast."""
    smooth = cv2.GaussianBlur(frame.astype(np.float32), (0, 0), 1.0)
    edges = np.concatenate([cv2.Scharr(smooth, cv2.CV_32F, *axes)[mask] for axes in ((1, 0), (0, 1))])
    # What is added decides where there is no contrast at all: grey then.
    _, directions = np.linalg.eigh(edges.T @ edges + 1e-3 * np.ones((3, 3)))
    return ColourMix.of_direction(directions[:, -1])


def _aligned_mean(template: TorsoTemplate, tones: Sequence[Tones]) -> Tones:
    """Return the mean (SIDE, SIDE) of the frames, each moved so that its torso lies where the template has it."""
    aligner = TorsoAligner(template)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    modes = template.displacements()
    total, count = np.zeros((SIDE, SIDE), np.float64), 0
    motion = aligner.rest
    for frame in tones:
        found = aligner.align(frame, EVERYWHERE, motion)
        if found is None:
            found = aligner.align(frame, EVERYWHERE, aligner.rest)
        if found is None:
            continue
        motion = found.motion
        across, down = SIDE * (motion[:2, None, None] + np.tensordot(motion[2:], modes, 1)).astype(np.float32)
        total += cv2.remap(frame, columns + across, rows + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        count += 1
    return (total / count).astype(np.float32) if count else template.tones
