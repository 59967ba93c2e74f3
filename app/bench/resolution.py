"""``nerfcall bench resolution``: the same bits at every size, against codecs that code each size (paper fig. 6)."""

import argparse

from app.bench.options import add_measuring_arguments, measuring_options

SENDER_SIZE = 256
"""Of the pictures that our sender tracks, whatever size they are shown at."""
SIZES = (128, 256, 512, 1024)
CODECS = ("ours", "hevc", "vvc")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_measuring_arguments(parser)
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=int,
        default=list(SIZES),
        metavar="N",
        help="sides of the pictures (default: 128 256 512 1024); those larger than a clip's own pictures are left out",
    )


def run(args: argparse.Namespace) -> int:
    """Measure, clip by clip and size by size."""
    from functools import cache, partial

    from app.bench.avatars import bench_avatar
    from app.bench.codecs.registry import OPERATING_POINTS, conventional_codecs
    from app.bench.measurement import ClipMeasurement
    from app.bench.ours import OurCodec, avatar_framing
    from app.bench.upscaled import UpscaledCodec
    from app.errors import UsageError

    options = measuring_options(args)
    if min(args.sizes) < 64 or max(args.sizes) > 2048:
        raise UsageError("--sizes are out of range: choose 64 to 2048 pixels")
    for spec in options.clips:
        avatar = bench_avatar(spec, options)
        framing = avatar_framing(avatar)
        sender = ClipMeasurement("resolution", spec, avatar, SENDER_SIZE, options)
        bits = cache(partial(sender.encode, OurCodec(avatar)))
        for size in args.sizes:
            if size > framing.side:
                print(f"{spec.name} has {framing.side}² pixels: nothing to compare with at {size}²")
                continue
            measurement = ClipMeasurement("resolution", spec, avatar, size, options)
            measurement.measure(OurCodec(avatar), coded=bits)
            if size > SENDER_SIZE:
                measurement.measure(UpscaledCodec(OurCodec(avatar), SENDER_SIZE), coded=bits)
            for name, codec_at in conventional_codecs().items():
                if options.wants(name) if options.codecs else name in CODECS:
                    for point in OPERATING_POINTS[name]:
                        measurement.measure(codec_at(point), point)
    return 0
