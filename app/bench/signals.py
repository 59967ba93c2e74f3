"""Measures of tracked motion: jitter, lag, quantiles."""

import numpy as np
from numpy.typing import NDArray

from codec.rotation import matrix_to_rotation_vector

Array = NDArray[np.float64]

MAX_LAG = 6
"""Frames, either way, within which a lag is looked for."""


def runs(mask: NDArray[np.bool_]) -> list[slice]:
    """Return the stretches in which ``mask`` (N,) holds: differences are not taken across a gap."""
    padded = np.concatenate([[False], mask, [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded))
    return [slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def rotation_jitter(rotations: Array, mask: NDArray[np.bool_]) -> float:
    """Return the RMS second difference of the rotations (N, 3, 3) from frame to frame, degrees; NaN if none is there.

    Angular velocities (radians a frame) are differences on the group; the change of one is the second difference.
    """
    changes = []
    for run in runs(mask):
        stretch = rotations[run]
        velocity = matrix_to_rotation_vector(stretch[1:] @ stretch[:-1].transpose(0, 2, 1))
        changes.append(np.diff(velocity, axis=0))
    return float(np.rad2deg(_rms_length(changes)))


def jitter(values: Array, mask: NDArray[np.bool_]) -> float:
    """Return the RMS length of the second difference of ``values`` (N, ..., D) from frame to frame, or NaN."""
    return _rms_length([np.diff(values[run], n=2, axis=0) for run in runs(mask)])


def _rms_length(changes: list[Array]) -> float:
    squares = [(change**2).sum(axis=-1).ravel() for change in changes if len(change)]
    return float(np.sqrt(np.concatenate(squares).mean())) if squares else float("nan")


def lag(filtered: Array, raw: Array, mask: NDArray[np.bool_]) -> float:
    """Return by how many frames ``filtered`` (N, D) comes after ``raw`` (N, D); NaN where nothing moves.

    The peak of the cross-correlation of both signals, mean removed, summed over the D components, with a parabola
    through the three highest values for the fraction.
    """
    correlation = np.zeros(2 * MAX_LAG + 1)
    for run in runs(mask):
        if run.stop - run.start <= 4 * MAX_LAG:
            continue
        late, early = filtered[run] - filtered[run].mean(axis=0), raw[run] - raw[run].mean(axis=0)
        inner = late[MAX_LAG:-MAX_LAG]
        for index, delay in enumerate(range(-MAX_LAG, MAX_LAG + 1)):
            # Only the shared middle, so that every delay sums as many products.
            shifted = early[MAX_LAG - delay : len(early) - MAX_LAG - delay]
            # Least squares rather than the product: a drift does not move the minimum.
            correlation[index] -= ((inner - shifted) ** 2).sum()
    peak = int(correlation.argmax())
    if peak in (0, 2 * MAX_LAG) or not np.any(correlation):
        return float("nan")
    before, at, after = correlation[peak - 1 : peak + 2]
    return float(peak - MAX_LAG + 0.5 * (before - after) / (before - 2 * at + after))
