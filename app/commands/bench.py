"""``nerfcall bench``: measures parts of the program on given material."""

import argparse
from importlib import import_module
from types import ModuleType

from app.errors import UserError

HELP = "measure the system against other codecs, or parts of it"

BENCHES = {
    "quality": "every codec at the rate of ours, with all metrics (paper tables 1 and 2)",
    "rate-distortion": "quality over rate of every codec (paper fig. 5)",
    "resolution": "the same bits at every size against codecs that code each size (paper fig. 6)",
    "ablation": "what the consistency code and the embedding are worth (paper table 3)",
    "speed": "frames a second, latency, memory, and how near the machine's limits they come",
    "fields": "how much sooner the fast field is as good as the paper's own (eq. 1 to 5)",
    "tracking": "reprojection error, jitter, lag and speed of the face tracker, per clip",
    "rate": "where the bits of our stream go, and how near they come to what is possible",
    "views": "contact sheets of views and expressions beyond the enrolled ones, to look at",
    "report": "tables, plots and pictures of what was measured",
    "compare": "two avatars on the same frames, with a difference picture",
    "blind": "which looks better: pairs in random order, side unknown",
}
"""Each is ``app/bench/NAME.py`` (with _ for -) with ``add_arguments(parser)`` and ``run(args) -> int``."""

EXTRA = ("scipy", "matplotlib", "PIL", "dlib", "imageio_ffmpeg")
"""Modules that the extra "bench" brings."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-subcommand for each bench."""
    benches = parser.add_subparsers(dest="bench", metavar="WHAT", title="what to measure", required=True)
    for name, description in BENCHES.items():
        subparser = benches.add_parser(name, help=description, description=description.capitalize() + ".")
        _module(name).add_arguments(subparser)


def run(args: argparse.Namespace) -> int:
    """Run the bench that was asked for."""
    try:
        status: int = _module(args.bench).run(args)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        raise UserError(
            f"nerfcall bench {args.bench} needs {package}, which is not installed: pip install 'nerfcall[bench]', "
            "or make bench in a checkout"
        ) from error
    return status


def _module(bench: str) -> ModuleType:
    return import_module(f"app.bench.{bench.replace('-', '_')}")
