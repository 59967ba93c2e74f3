"""``nerfcall bench rate``: where the bits of our stream go, how near they come to what is possible, what they show."""

import argparse

from app.bench.options import STRIDE, add_clip_arguments, clip_options

DELAY_MS = 120.0
"""As `app.bench.ours.DELAY`, which comes with the libraries that track."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_clip_arguments(parser)
    parser.add_argument(
        "--minutes", type=float, default=15.0, help="to enrol a person whose avatar is not in DIR/avatars (default: 15)"
    )
    parser.add_argument(
        "--delay",
        type=float,
        default=DELAY_MS,
        metavar="MS",
        help=f"from sending a frame to knowing that it was decoded (default: {DELAY_MS:g})",
    )
    parser.add_argument(
        "--stride", type=int, default=STRIDE, metavar="N", help=f"quality on every Nth frame (default: {STRIDE})"
    )


def run(args: argparse.Namespace) -> int:
    """Measure every clip, and print a table."""
    from app.bench.options import MeasuringOptions
    from app.bench.rate.clip import results_of
    from app.bench.rate.table import lines
    from app.errors import UsageError

    shared = clip_options(args)
    if args.stride < 1:
        raise UsageError(f"--stride {args.stride} is out of range: 1 looks at every frame")
    if not 0.0 <= args.delay <= 10_000.0:
        raise UsageError(f"--delay {args.delay:g} is out of range: choose 0 to 10000 milliseconds")
    if not 0.5 <= args.minutes <= 24 * 60:
        raise UsageError(f"--minutes {args.minutes:g} is out of range: choose half a minute to a day")
    options = MeasuringOptions(
        shared.clips, shared.folder, shared.seconds, args.minutes, args.minutes, None, args.stride
    )
    results = [result for spec in options.clips for result in results_of(spec, options, args.delay / 1000)]
    print("\n".join(lines(results)))
    return 0
