"""The figures of the tracking bench as text."""

from collections.abc import Sequence

from app.bench.tracking.record import FIGURES, TrackingRecord

DIGITS = {"percent": 2, "degrees": 3, "px": 3, "solved": 3, "filtered": 3, "frames": 2, "ms": 1}
"""Behind the point, by the end of a figure's name."""

EXPLANATION = """\
Calibrated on what each clip shows before the held-out frames; all figures are of the held-out frames.
reprojection: all 478 landmarks, in % of the seen distance between the eyes' outer corners, before the filter.
jitter: RMS second difference from frame to frame; landmarks in pixels of a 256 x 256 picture; the 79 expression
coefficients together in units. mediapipe: the rotation of its own 4 x 4 matrix from the same unsmoothed landmarks;
mediapipe_smoothed: as it gives it by default, from landmarks that it has smoothed (about half a frame late).
solved, filtered: before and after our filter. lag: of the filtered signal behind the solved one.
ms: a frame's mean wall time; other_cores: what other work took of the machine meanwhile, which makes it longer."""

NONE = "-"


def lines(records: Sequence[TrackingRecord]) -> list[str]:
    """Return a table with a column for each clip, and what its figures are."""
    width = max(map(len, FIGURES))
    rows = [
        ("clip", [record.clip.name for record in records]),
        ("frames", [str(record.clip.frames) for record in records]),
        ("cores", [str(record.environment.cores) for record in records]),
        ("other_cores", [NONE if record.other_cores is None else f"{record.other_cores:.2f}" for record in records]),
        ("tracked", [str(record.tracked) for record in records]),
        *((name, [figure_text(name, record.figures[name]) for record in records]) for name in FIGURES),
    ]
    table = [" ".join([f"{name:{width}}", *(f"{cell:>18}" for cell in cells)]) for name, cells in rows]
    return [*table, EXPLANATION]


def figure_text(name: str, value: float) -> str:
    """Return a figure as printed."""
    return f"{value:.{DIGITS[name.rpartition('_')[2]]}f}"
