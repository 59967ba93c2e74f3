"""Options that several benches share."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STRIDE = 5


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """On what it is measured, and into which folder."""

    clips: tuple[Any, ...]
    """`app.bench.clips.ClipSpec`; Any, so that declaring arguments loads no video library."""
    folder: Path
    seconds: float | None
    """Of held-out footage at most."""


@dataclass(frozen=True, slots=True)
class MeasuringOptions(ClipOptions):
    """What is measured as well, and how thoroughly, where codecs are compared."""

    minutes: float
    """To enrol each person whose avatar is not there yet."""
    animation_minutes: float
    """To train each animation network that is not there yet."""
    codecs: frozenset[str] | None
    """Names of the codecs to measure; None for all."""
    stride: int
    """Every so many frames the metrics are taken that look at single frames."""

    def wants(self, codec: str) -> bool:
        """Return whether a codec is to be measured."""
        return self.codecs is None or codec in self.codecs


def add_clip_arguments(parser: argparse.ArgumentParser, seconds: bool = True) -> None:
    """Declare what a bench of clips takes, whatever it measures; ``seconds`` where it looks at every held-out frame."""
    parser.add_argument(
        "--clips",
        nargs="+",
        required=True,
        metavar="CLIP@SECONDS",
        help="clips of one person each, and the second from which they are held out (without it: the last tenth)",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder of results; goes on with what it has"
    )
    if seconds:
        parser.add_argument("--seconds", type=float, metavar="S", help="of held-out footage at most (default: all)")
    else:
        parser.set_defaults(seconds=None)


def add_measuring_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a bench of codecs takes."""
    add_clip_arguments(parser)
    parser.add_argument(
        "--minutes", type=float, default=15.0, help="to enrol a person whose avatar is not in DIR/avatars (default: 15)"
    )
    parser.add_argument(
        "--animation-minutes",
        type=float,
        default=30.0,
        metavar="MINUTES",
        help="to train the animation codec where it is not in DIR/animation (default: 30)",
    )
    parser.add_argument(
        "--codecs", nargs="+", metavar="NAME", help="only these: ours, ours-plain, animation, hevc, ..."
    )
    parser.add_argument(
        "--stride",
        type=int,
        default=STRIDE,
        metavar="N",
        help=f"single-frame metrics on every Nth frame (default: {STRIDE}); tracking and flicker see all",
    )


def clip_options(args: argparse.Namespace) -> ClipOptions:
    """Check and return them. Raises UsageError."""
    from app.bench.clips import ClipSpec
    from app.errors import UsageError

    if args.seconds is not None and not 0 < args.seconds <= 1e6:
        raise UsageError(f"--seconds {args.seconds:g} is out of range: choose how much to measure, above 0")
    clips = tuple(ClipSpec.parse(text) for text in args.clips)
    names = [clip.name for clip in clips]
    if len(set(names)) < len(names):
        raise UsageError("two of the clips have the same name: results are kept by it, so rename one")
    return ClipOptions(clips, Path(args.output), args.seconds)


def measuring_options(args: argparse.Namespace) -> MeasuringOptions:
    """Check and return them. Raises UsageError."""
    from app.bench.codecs.registry import OPERATING_POINTS
    from app.errors import UsageError

    if args.stride < 1:
        raise UsageError(f"--stride {args.stride} is out of range: 1 looks at every frame")
    for option, minutes in (("--minutes", args.minutes), ("--animation-minutes", args.animation_minutes)):
        if not 0.5 <= minutes <= 24 * 60:
            raise UsageError(f"{option} {minutes:g} is out of range: choose half a minute to a day")
    known = {"ours", "ours-plain", "animation", *OPERATING_POINTS}
    if unknown := set(args.codecs or ()) - known:
        raise UsageError(f"--codecs {sorted(unknown)[0]} is none of {', '.join(sorted(known))}")
    shared = clip_options(args)
    return MeasuringOptions(
        shared.clips,
        shared.folder,
        shared.seconds,
        args.minutes,
        args.animation_minutes,
        None if args.codecs is None else frozenset(args.codecs),
        args.stride,
    )
