"""``nerfcall inspect FILE``: what is in an avatar or a recording, in words."""

import argparse
from pathlib import Path

from app.call_options import byte_number

HELP = "tell what is in an .avatar or .face file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="an .avatar or .face file")
    parser.add_argument(
        "--first", type=byte_number, metavar="BYTES", help="tell what the first BYTES of an avatar hold"
    )


def run(args: argparse.Namespace) -> int:
    """Print the description."""
    from app.inspection import describe

    print(describe(args.file, args.first))
    return 0
