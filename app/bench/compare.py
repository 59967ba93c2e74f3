"""``nerfcall bench compare A.avatar B.avatar --clip CLIP@SECONDS``: two avatars of one person on the same frames."""

import argparse

SIZE = 256
FRAMES = 250
STRIDE = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("avatars", nargs=2, metavar="AVATAR", help="the two avatar files, A and B")
    parser.add_argument(
        "--clip",
        required=True,
        metavar="CLIP@SECONDS",
        help="clip, and the second from which neither was trained on it",
    )
    parser.add_argument("-o", "--output", metavar="FOLDER", help="where figures and picture go (default: compare-A-B)")
    parser.add_argument("--size", type=int, default=SIZE, metavar="N", help=f"side of the pictures (default: {SIZE})")
    parser.add_argument(
        "--frames", type=int, default=FRAMES, metavar="N", help=f"held-out frames at most (default: {FRAMES})"
    )
    parser.add_argument(
        "--stride",
        type=int,
        default=STRIDE,
        metavar="N",
        help=f"single-frame metrics on every Nth frame (default: {STRIDE}); tracking and flicker see all",
    )
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu or cuda (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Measure both and print the figures side by side."""
    from pathlib import Path

    from app.avatar import load_avatar
    from app.bench.clips import ClipSpec
    from app.bench.comparison import compare_avatars, comparison_lines, write_comparison
    from app.errors import UsageError
    from app.window.difference_sheet import write_difference_sheet

    for option, value, least, most in (("--size", args.size, 64, 2048), ("--frames", args.frames, 1, 100_000)):
        if not least <= value <= most:
            raise UsageError(f"{option} {value} is out of range: choose {least} to {most}")
    if args.stride < 1:
        raise UsageError(f"--stride {args.stride} is out of range: 1 looks at every frame")
    spec = ClipSpec.parse(args.clip)
    paths = [Path(path) for path in args.avatars]
    folder = Path(args.output or f"compare-{paths[0].stem}-{paths[1].stem}")
    one, other = (load_avatar(path, args.device) for path in paths)
    comparison = compare_avatars(one, other, spec, args.size, args.frames, args.stride)
    print("\n".join(comparison_lines(comparison)))
    figures = write_comparison(folder, comparison)
    picture = write_difference_sheet(folder, comparison)
    print(f"{figures}\n{picture}")
    return 0
