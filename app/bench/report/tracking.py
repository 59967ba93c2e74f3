"""The page of the tracking bench."""

import math
from collections.abc import Mapping, Sequence

from app.bench.report.markdown import NONE, table
from app.bench.report.provenance import environment_lines, footage_table, wall_time_line
from app.bench.speed.load import NOTICEABLE
from app.bench.tracking.record import TrackingRecord

INTRODUCTION = """\
# Tracking

How exact, how steady, how late and how fast the face tracker is: calibrated on what a clip shows before the held-out
frames, measured on these.
"""

EXACT = """\
Reprojection: how far the landmarks of the fitted face lie from the 478 that were detected, before the filter, in % of
the seen distance between the eyes' outer corners:
"""

STEADY = """\
Jitter: the RMS second difference from frame to frame, of which a part is real motion. The rotation in degrees: by
MediaPipe from the same landmarks; by MediaPipe as it comes, from landmarks that it has smoothed, about half a frame
late; by our fit, before and after our filter. Landmarks in pixels of a picture of 256 x 256, and the 79 expression
coefficients together in units:
"""

LATE = """\
Lag: by how many frames the filtered signal comes after the fitted one:
"""

FAST = """\
A frame's mean wall time, ms:
"""

BUSY = f"† Other work kept {NOTICEABLE:g} cores or more of the machine busy meanwhile.\n"

Columns = Mapping[str, tuple[str, int]]
"""Title and digits behind the point by a figure's name."""

REPROJECTION: Columns = {
    "reprojection_median_percent": ("median", 2),
    "reprojection_p95_percent": ("95 %", 2),
}
JITTER: Columns = {
    "rotation_jitter_mediapipe_degrees": ("rotation, °: MediaPipe", 3),
    "rotation_jitter_mediapipe_smoothed_degrees": ("MediaPipe, smoothed", 3),
    "rotation_jitter_solved_degrees": ("fitted", 3),
    "rotation_jitter_filtered_degrees": ("filtered", 3),
    "landmark_jitter_detected_px": ("landmarks, px: detected", 3),
    "landmark_jitter_solved_px": ("fitted", 3),
    "landmark_jitter_filtered_px": ("filtered", 3),
    "expression_jitter_solved": ("expression: fitted", 3),
    "expression_jitter_filtered": ("filtered", 3),
}
LAG: Columns = {
    "rotation_lag_frames": ("rotation", 2),
    "expression_lag_frames": ("expression", 2),
}
TIME: Columns = {
    "decode_ms": ("reading the clip", 1),
    "landmarks_ms": ("landmarks", 1),
    "solve_ms": ("fit", 1),
    "filter_ms": ("filter", 1),
    "total_ms": ("in all", 1),
}


def tracking_page(records: Sequence[TrackingRecord]) -> str:
    """Return the page as Markdown."""
    seen = [
        [record.clip.name, f"{record.tracked} of {record.clip.frames}", *_cells(record, REPROJECTION)]
        for record in records
    ]
    timed = [
        [record.clip.name + _mark(record), str(record.environment.cores), *_cells(record, TIME)] for record in records
    ]
    made = environment_lines([record.environment for record in records])
    made.append(wall_time_line([record.seconds for record in records]))
    parts = [
        INTRODUCTION,
        EXACT,
        table(["clip", "frames with a face", *_titles(REPROJECTION)], seen),
        STEADY,
        table(["clip", *_titles(JITTER)], _rows(records, JITTER)),
        LATE,
        table(["clip", *_titles(LAG)], _rows(records, LAG)),
        FAST,
        table(["clip", "cores", *_titles(TIME)], timed),
        *([BUSY] if any(map(_mark, records)) else []),
        "## How it was measured\n",
        "\n".join(made) + "\n",
        footage_table({record.clip for record in records}, "calibrated on the first"),
    ]
    return "\n".join(parts)


def _rows(records: Sequence[TrackingRecord], columns: Columns) -> list[list[str]]:
    return [[record.clip.name, *_cells(record, columns)] for record in records]


def _cells(record: TrackingRecord, columns: Columns) -> list[str]:
    values = [(record.figures[name], digits) for name, (_, digits) in columns.items()]
    return [NONE if math.isnan(value) else f"{value:.{digits}f}" for value, digits in values]


def _mark(record: TrackingRecord) -> str:
    return " †" if (record.other_cores or 0.0) >= NOTICEABLE else ""


def _titles(columns: Columns) -> list[str]:
    return [title for title, _ in columns.values()]
