"""``nerfcall bench fields``: how much sooner the fast field is as good as the paper's own, on one core."""

import argparse
from collections.abc import Mapping

from app.bench.one_core import one_core
from app.bench.options import ClipOptions, add_clip_arguments, clip_options

SIZE = 64
MINUTES = {"paper": 60.0, "fast": 5.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_clip_arguments(parser, seconds=False)
    parser.add_argument(
        "--size", type=int, default=SIZE, metavar="N", help=f"side of the pictures in pixels (default: {SIZE})"
    )
    for field, minutes in MINUTES.items():
        parser.add_argument(
            f"--{field}-minutes",
            type=float,
            default=minutes,
            metavar="MINUTES",
            help=f"processor time to train the {field} field (default: {minutes:g})",
        )
    parser.add_argument(
        "--no-avatars",
        action="store_true",
        help="make no avatars of what is trained, and do not measure them as a receiver sees them",
    )


def run(args: argparse.Namespace) -> int:
    """Train every field on every clip whose result is not there yet, and print a table."""
    from app.errors import UsageError
    from app.library_threads import limit_library_threads

    budgets = {field: float(getattr(args, f"{field}_minutes")) for field in MINUTES}
    if not all(0.01 <= minutes <= 24 * 60 for minutes in budgets.values()):
        raise UsageError("the minutes of training are out of range: choose a hundredth of a minute to a day")
    if not 64 <= args.size <= 1024:
        raise UsageError(f"--size {args.size} is out of range: choose 64 to 1024 pixels")
    limit_library_threads(1)
    # One core for every field: how well each would use several is another question.
    with one_core():
        _measure(clip_options(args), budgets, args.size, with_avatars=not args.no_avatars)
    return 0


def _measure(options: ClipOptions, budgets: Mapping[str, float], size: int, *, with_avatars: bool) -> None:
    from functools import cache, partial

    from app.bench.fields.table import lines
    from app.bench.fields.training import Wanted, record_of
    from app.enrolment.footage import collect_footage

    records = []
    for spec in options.clips:
        collect = cache(partial(collect_footage, str(spec.path), 0.0, spec.held_out_from(), size))
        for field, minutes in budgets.items():
            wanted = Wanted(spec, field, size, 60.0 * minutes, options.folder, with_avatars)
            records.append(record_of(wanted, collect))
    print("\n".join(lines(records)))
