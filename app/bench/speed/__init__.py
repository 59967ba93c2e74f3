"""``nerfcall bench speed``: how fast the tracker, the codec, the rendering and the whole call are on this machine."""

import argparse

from app.call_options import positive, whole_positive

PARTS = ("render", "call", "first-picture", "floor", "rivals")
"""What can be measured apart; tracker and codec are always measured, for they give the states to render."""

SIZES = (128, 256, 512)
SCREENS = ((1920, 1080), (3840, 2160))
"""What a GPU renders beside the squares: width and height."""
CALL_SIZES = (256, 512)
THREADS = (1, 2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--avatar", required=True, metavar="FILE", help="avatar of the person in the clip")
    parser.add_argument(
        "--clips",
        required=True,
        metavar="CLIP@SECONDS",
        help="one clip, and the second from which it is held out (without it: the last tenth); or a .face recording",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of results")
    parser.add_argument("--json", metavar="FILE", help="write the result to FILE as well; - for standard output only")
    parser.add_argument(
        "--sizes",
        type=whole_positive,
        nargs="+",
        default=list(SIZES),
        metavar="N",
        help="sides of the rendered squares (default: 128 256 512); on CUDA 1920 x 1080 and 3840 x 2160 as well",
    )
    parser.add_argument(
        "--call-sizes",
        type=whole_positive,
        nargs="+",
        metavar="N",
        help="sides at which the whole call is measured (default: 256 and 512, where --sizes has them)",
    )
    parser.add_argument(
        "--threads",
        type=whole_positive,
        nargs="+",
        default=list(THREADS),
        metavar="N",
        help="threads to render with on the CPU (default: 1 2)",
    )
    parser.add_argument(
        "--seconds",
        type=positive,
        default=30.0,
        metavar="N",
        help="length of each call; each rendering takes a third of it (default: 30)",
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto (the CPU, and CUDA where it is), cpu or cuda"
    )
    parser.add_argument(
        "--only", choices=PARTS, nargs="+", metavar="PART", help=f"measure only these: {', '.join(PARTS)}"
    )
    parser.add_argument("--job", metavar="FILE", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Measure, print and write the figures; with ``--job`` be one of the processes that do the measuring."""
    from pathlib import Path

    if args.job is not None:
        from app.bench.speed.job import run_job

        return run_job(Path(args.job))
    from app.bench.speed.bench import SpeedOptions, measure

    return measure(SpeedOptions.of(args))
