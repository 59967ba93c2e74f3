"""``nerfcall bench quality``: every codec at the rate of ours, with all metrics (paper tables 1 and 2)."""

import argparse

from app.bench.options import add_measuring_arguments, measuring_options

SIZE = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_measuring_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, clip by clip."""
    from app.bench.avatars import bench_avatar
    from app.bench.codecs.registry import OPERATING_POINTS, conventional_codecs
    from app.bench.equal_rate import measure_at_equal_rate
    from app.bench.measurement import ClipMeasurement
    from app.bench.ours import OurCodec
    from app.bench.rivals import animation_codecs

    options = measuring_options(args)
    for spec in options.clips:
        avatar = bench_avatar(spec, options)
        measurement = ClipMeasurement("quality", spec, avatar, SIZE, options)
        measurement.keep_original()
        ours = measurement.measure(OurCodec(avatar), keep=True)
        assert ours.rate is not None
        kbps = ours.rate.payload_kbps
        if options.wants("ours-plain"):
            plain = bench_avatar(spec, options, "plain")
            measurement.measure(OurCodec(plain, "ours-plain", "nerfcall, plain"), keep=True)
        for name, codec_at in conventional_codecs().items():
            if options.wants(name):
                points = range(min(OPERATING_POINTS[name]), max(OPERATING_POINTS[name]) + 1)
                measure_at_equal_rate(measurement, name, codec_at, points, kbps)
        if options.wants("animation"):
            from_fine = list(animation_codecs(spec, avatar, options).values())[::-1]
            measure_at_equal_rate(measurement, "animation", from_fine.__getitem__, range(len(from_fine)), kbps)
    return 0
