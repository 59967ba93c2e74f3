"""``nerfcall bench quality``: every codec at the rate of ours, with all metrics (paper tables 1 and 2)."""

import argparse

from app.bench.options import add_measuring_arguments, measuring_options

SIZE = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_measuring_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, clip by clip."""
    from app.bench.rivals import animation_codecs
    from app.bench.avatars import bench_avatar
    from app.bench.codecs.registry import OPERATING_POINTS, conventional_codecs
    from app.bench.measurement import ClipMeasurement
    from app.bench.operating_point import lowest_rate_above
    from app.bench.ours import OurCodec

    options = measuring_options(args)
    for spec in options.clips:
        avatar = bench_avatar(spec, options)
        measurement = ClipMeasurement("quality", spec, avatar, SIZE, options)
        videos = options.folder / "quality" / spec.name
        measurement.keep_original(videos / "original.mkv")
        ours = measurement.measure(OurCodec(avatar), video=videos / "ours.mkv")
        assert ours.result.rate is not None
        if options.wants("ours-plain"):
            plain = bench_avatar(spec, options, "plain")
            measurement.measure(OurCodec(plain, "ours-plain", "nerfcall, plain"), video=videos / "ours-plain.mkv")
        for name, codec_at in conventional_codecs().items():
            if options.wants(name):
                point, coded = lowest_rate_above(
                    codec_at, OPERATING_POINTS[name], measurement.footage, ours.result.rate.payload_kbps
                )
                measurement.measure(codec_at(point), coded=coded, video=videos / f"{name}.mkv")
        if options.wants("animation"):
            codec = animation_codecs(spec, avatar, options)[0]
            measurement.measure(codec, video=videos / f"{codec.name}.mkv")
    return 0
