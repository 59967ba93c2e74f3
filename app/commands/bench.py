"""``nerfcall bench``: measures parts of the program on given material."""

import argparse
from importlib import import_module

HELP = "measure a part of the program: tracking"

BENCHES = {"tracking": "reprojection error, jitter, lag and speed of the face tracker, per clip"}
"""Each is a module ``app/bench/NAME.py`` with ``add_arguments(parser)`` and ``run(args) -> int``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-subcommand for each bench."""
    benches = parser.add_subparsers(dest="bench", metavar="WHAT", title="what to measure", required=True)
    for name, description in BENCHES.items():
        subparser = benches.add_parser(name, help=description, description=description.capitalize() + ".")
        import_module(f"app.bench.{name}").add_arguments(subparser)


def run(args: argparse.Namespace) -> int:
    """Run the bench that was asked for."""
    status: int = import_module(f"app.bench.{args.bench}").run(args)
    return status
