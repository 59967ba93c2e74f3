"""``nerfcall bench tracking``: how exact, how steady, how late and how fast the face tracker is."""

import argparse
from contextlib import nullcontext

from app.bench.one_core import one_core
from app.bench.options import ClipOptions, add_clip_arguments, clip_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_clip_arguments(parser)
    parser.add_argument("--threads", action="store_true", help="do not confine the measurement to one core")


def run(args: argparse.Namespace) -> int:
    """Measure every clip whose result is not there yet, and print a table."""
    with nullcontext() if args.threads else one_core():
        _measure(clip_options(args))
    return 0


def _measure(options: ClipOptions) -> None:
    from app.bench.tracking.clip import record_of
    from app.bench.tracking.table import lines

    print("\n".join(lines([record_of(spec, options) for spec in options.clips])))
