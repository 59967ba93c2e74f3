"""``nerfcall bench ablation``: what the consistency code and the embedding are worth (paper table 3)."""

import argparse

from app.bench.options import add_measuring_arguments, measuring_options

SIZE = 256
STEPS = 5000
LABELS = {"": "nerfcall", "no-code": "without the consistency code", "plain": "without the embedding"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_measuring_arguments(parser)
    parser.add_argument(
        "--steps",
        type=int,
        default=STEPS,
        metavar="N",
        help=f"of training, the same for each variant, whatever time they take (default: {STEPS})",
    )


def run(args: argparse.Namespace) -> int:
    """Train and measure each variant, clip by clip."""
    from app.bench.avatars import bench_avatar
    from app.bench.measurement import ClipMeasurement
    from app.bench.ours import OurCodec

    options = measuring_options(args)
    for spec in options.clips:
        for variant, label in LABELS.items():
            avatar = bench_avatar(spec, options, variant, args.steps)
            measurement = ClipMeasurement("ablation", spec, avatar, SIZE, options)
            name = "-".join(filter(None, ("ours", variant)))
            measurement.measure(OurCodec(avatar, name, label))
    return 0
