"""``nerfcall bench tracking CLIP...``: how exact, how steady, how late and how fast the face tracker is."""

import argparse

COLUMNS = (
    ("clip", "{}"),
    ("frames", "{:.0f}"),
    ("tracked", "{:.0f}"),
    ("reprojection_median_percent", "{:.2f}"),
    ("reprojection_p95_percent", "{:.2f}"),
    ("rotation_jitter_mediapipe_degrees", "{:.3f}"),
    ("rotation_jitter_mediapipe_smoothed_degrees", "{:.3f}"),
    ("rotation_jitter_solved_degrees", "{:.3f}"),
    ("rotation_jitter_filtered_degrees", "{:.3f}"),
    ("landmark_jitter_detected_px", "{:.3f}"),
    ("landmark_jitter_solved_px", "{:.3f}"),
    ("landmark_jitter_filtered_px", "{:.3f}"),
    ("expression_jitter_solved", "{:.3f}"),
    ("expression_jitter_filtered", "{:.3f}"),
    ("rotation_lag_frames", "{:.2f}"),
    ("expression_lag_frames", "{:.2f}"),
    ("decode_ms", "{:.1f}"),
    ("landmarks_ms", "{:.1f}"),
    ("solve_ms", "{:.1f}"),
    ("filter_ms", "{:.1f}"),
    ("total_ms", "{:.1f}"),
)
"""Figures of a clip in the order of the printed table, with their format."""

EXPLANATION = """\
Calibrated on the first half of each clip; errors, jitter and lag are those of the second half.
reprojection: all 478 landmarks, in % of the seen distance between the eyes' outer corners, before the filter.
jitter: RMS second difference from frame to frame; landmarks in pixels of a 256 x 256 picture; the 79 expression
coefficients together in units. mediapipe: the rotation of its own 4 x 4 matrix from the same unsmoothed landmarks;
mediapipe_smoothed: as it gives it by default, from landmarks that it has smoothed (about half a frame late).
solved, filtered: before and after our filter. lag: of the filtered signal behind the solved one.
ms: a frame's mean wall time on one core."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="clip with one person's face")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE as well; - for standard output only")
    parser.add_argument("--threads", action="store_true", help="do not confine the measurement to one core")


def run(args: argparse.Namespace) -> int:
    """Measure every clip and print a table."""
    import json
    import os
    from pathlib import Path

    if not args.threads and hasattr(os, "sched_setaffinity"):
        # Before numpy is loaded, whose linear algebra makes as many threads as it sees cores.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from app.bench.tracking_clip import measure_clip

    results = [measure_clip(clip) for clip in args.clips]
    if args.json == "-":
        print(json.dumps(results, indent=2))
        return 0
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=2) + "\n")
    width = max(len(name) for name, _ in COLUMNS)
    for name, form in COLUMNS:
        cells = [form.format(Path(str(result[name])).name if name == "clip" else result[name]) for result in results]
        print(f"{name:{width}}", *(f"{cell:>18}" for cell in cells))
    print(EXPLANATION)
    return 0
