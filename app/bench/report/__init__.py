"""``nerfcall bench report DIR``: makes tables, plots and pictures of what the other benches have measured."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="DIR", help="folder of results, as given to the other benches with -o")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="where the pages go, such as docs/results"
    )
    parser.add_argument(
        "--pictures-of",
        metavar="CLIP[,CLIP]",
        default="",
        help="names of clips of which decoded pictures and a short video are written too (default: none, for they show "
        "somebody's face, and whoever publishes them needs that person's leave)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    from pathlib import Path

    from app.bench.report.pages import write_report

    clips = [name for name in (part.strip() for part in args.pictures_of.split(",")) if name]
    for path in write_report(Path(args.folder), Path(args.output), clips):
        print(path)
    return 0
