"""``nerfcall bench loss``: what our stream does over networks that lose, delay, reorder and fail."""

import argparse
from typing import Final

SOAK_FRAMES: Final = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder of results; replaces what it has of this bench"
    )
    parser.add_argument("--avatar", metavar="FILE", help="whose tables to code with (default: the shipped one)")
    parser.add_argument(
        "--recording", metavar="FILE.face", help="what to send, embedded for that avatar (default: the shipped one)"
    )
    parser.add_argument(
        "--networks", nargs="+", metavar="NAME", help="only these, such as loss-10, outage-10s, unaffected or soak"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, metavar="X", help="of each call's time, 0.2 to 10 (default: 1, minutes)"
    )
    parser.add_argument(
        "--frames",
        type=int,
        default=SOAK_FRAMES,
        metavar="N",
        help=f"of the soak, which needs about a millisecond for each (default: {SOAK_FRAMES})",
    )


def run(args: argparse.Namespace) -> int:
    """Call over every network, then soak, and print a table."""
    from pathlib import Path

    from app.bench.loss.footage import load_footage
    from app.bench.loss.measure import NAMES, record_of
    from app.bench.loss.table import lines
    from app.demonstration import shipped_demonstration
    from app.errors import UsageError

    if (args.avatar is None) != (args.recording is None):
        raise UsageError("--avatar and --recording belong together: give both or neither")
    if not 0.2 <= args.share <= 10.0:
        raise UsageError(f"--share {args.share:g} is out of range: choose 0.2 to 10")
    if not 1000 <= args.frames <= 100_000_000:
        raise UsageError(f"--frames {args.frames} is out of range: choose 1000 to 100000000")
    if unknown := set(args.networks or ()) - set(NAMES):
        raise UsageError(f"--networks {sorted(unknown)[0]} is none of {', '.join(NAMES)}")
    if args.avatar is None:
        avatar, recording = shipped_demonstration()
    else:
        avatar, recording = Path(args.avatar), Path(args.recording)
    footage = load_footage(avatar, recording)
    names = [name for name in NAMES if args.networks is None or name in args.networks]
    records = [record_of(name, footage, Path(args.output), args.share, args.frames) for name in names]
    print("\n".join(lines(records)))
    return 0
