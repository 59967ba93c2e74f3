"""``nerfcall bench tracking``: how exact, how steady, how late and how fast the face tracker is."""

import argparse

from app.bench.options import add_clip_arguments, clip_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_clip_arguments(parser)
    parser.add_argument("--threads", action="store_true", help="do not confine the measurement to one core")


def run(args: argparse.Namespace) -> int:
    """Measure every clip whose result is not there yet, and print a table."""
    import os

    if not args.threads and hasattr(os, "sched_setaffinity"):
        # Before numpy is loaded, whose linear algebra makes as many threads as it sees cores.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from app.bench.tracking.clip import record_of
    from app.bench.tracking.table import lines

    options = clip_options(args)
    records = [record_of(spec, options) for spec in options.clips]
    print("\n".join(lines(records)))
    return 0
