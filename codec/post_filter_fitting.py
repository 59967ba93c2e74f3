"""Fitting the receiver's post-filter to an enrolment that is coded as a call codes it."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.frame_record import GAPS, FrameClock, FrameRecord
from codec.operating_point import NORMAL, OPERATING_POINTS, OperatingPoint
from codec.path_search import PATHS
from codec.post_filter import PostFilter
from codec.predicted_frame import encode_frame, unchanged
from codec.prediction import SUBDIVISION, PredictionTables
from codec.table_fitting import weight_units

MOST_FRAMES: Final = 1500
"""Of the enrolment that are coded, the last ones."""

_PRIOR = 100.0
"""Frames, each a step away from what is known besides, that speak for showing what was decoded."""
_FOLDS = 5

Integers = NDArray[np.int64]


def fit_post_filter(tables: PredictionTables, parameters: NDArray[np.float64], gap: int) -> PostFilter:
    """Return the filter of a person.

    One matrix serves all operating points and gaps, with a gain for each point: finer steps leave less to correct.

    Args:
        tables: of the person, whatever their filter.
        parameters: (N, D) of the enrolment in the order of time.
        gap: frames from a frame to the one that is predicted from it, usually.
    """
    size = tables.layout.size
    none = PostFilter(np.zeros((size, 2 * size), np.int64), np.zeros((len(OPERATING_POINTS), GAPS), np.int64))
    tables = replace(tables, post_filter=none)
    targets = np.stack([tables.units(row) for row in parameters[-MOST_FRAMES:]])
    coded = {point: _coded(tables, targets, point, gap) for point in OPERATING_POINTS}
    known, errors = coded[NORMAL]
    foreseen = np.zeros_like(errors)
    for stretch in np.array_split(np.arange(len(known)), _FOLDS):
        others = np.delete(np.arange(len(known)), stretch)
        foreseen[stretch] = known[stretch] @ _weights(known[others], errors[others])
    # A fit looks truer in the frames that it was made from: it counts as much as it holds in others.
    weights, holds = _weights(known, errors), min(_share(foreseen, errors), 1.0)
    unit = max(_share(known @ weights, errors), 1.0)
    gains = [holds * _share(seen @ weights, off) / unit for seen, off in coded.values()]
    return PostFilter(weight_units(weights.T), np.repeat(weight_units(np.array(gains))[:, None], GAPS, axis=1))


def _coded(
    tables: PredictionTables, targets: Integers, point: OperatingPoint, gap: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Code ``targets`` (N, D); return what the filter takes of each frame (n, 2 D) and its error (n, D), in steps."""
    number, records = OPERATING_POINTS.index(point), list[FrameRecord]()
    known, errors = [], []
    for sequence, target in enumerate(targets[:: point.stride]):
        if sequence <= gap:
            values = predicted = SUBDIVISION * ((target + SUBDIVISION // 2) // SUBDIVISION)
            records.append(FrameRecord(sequence, FrameClock(0), values, number))
            continue
        newest, before = records[sequence - gap], records[sequence - gap - 1]
        if unchanged(number, target, newest):
            predicted, record = newest.values, replace(newest, sequence=sequence)
        else:
            predicted = tables.predict(number, gap, newest.values, before.values)
            due = newest.clock.expected(gap)
            _, record = encode_frame(tables, number, sequence, target, due, newest, before, PATHS)
        known.append(np.concatenate((records[-1].values - record.values, record.values - predicted)))
        errors.append(target - record.values)
        records.append(record)
    size = tables.layout.size
    steps = [np.reshape(rows, (-1, width)) / SUBDIVISION for rows, width in ((known, 2 * size), (errors, size))]
    return steps[0], steps[1]


def _weights(known: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights (2 D, D) of what is ``known`` (n, 2 D) for the ``errors`` (n, D), by ridge regression."""
    inputs, wanted = _with_changes(known), _with_changes(errors)
    normal = inputs.T @ inputs + _PRIOR * np.eye(inputs.shape[1])
    return np.linalg.solve(normal, inputs.T @ wanted).astype(np.float64)


def _share(foreseen: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Return by how much what is ``foreseen`` (n, D) comes true: least squares over all numbers."""
    told, wanted = _with_changes(foreseen), _with_changes(errors)
    share = (told * wanted).sum() / (np.square(told).sum() + 1e-9)
    return float(np.clip(share, 0.0, 4.0))


def _with_changes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``rows`` (n, ...) of frames, and behind them the changes from each to the next.

    An error that changes is seen as trembling: counted like this, up to a tenth less of it, at the same PSNR.
    """
    return np.concatenate((rows, rows[1:] - rows[:-1]))
