"""``nerfcall bench rate-distortion``: quality over rate of every codec (paper fig. 5)."""

import argparse

from app.bench.options import add_measuring_arguments, measuring_options

SIZE = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_measuring_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, clip by clip."""
    from functools import cache, partial

    from app.bench.avatars import bench_avatar
    from app.bench.coarseness import COARSENESS, coarser, training_states
    from app.bench.codecs.registry import OPERATING_POINTS, conventional_codecs
    from app.bench.measurement import ClipMeasurement
    from app.bench.rivals import animation_codecs

    options = measuring_options(args)
    for spec in options.clips:
        avatar = bench_avatar(spec, options)
        measurement = ClipMeasurement("rate-distortion", spec, avatar, SIZE, options)
        for name, label, variant in (("ours", "nerfcall", ""), ("ours-plain", "nerfcall, plain", "plain")):
            if options.wants(name):
                sender = bench_avatar(spec, options, variant)
                # Tracked once, and only where a point is missing.
                states = cache(partial(training_states, spec, sender))
                for coarseness in COARSENESS:
                    ours = coarser(sender, states, coarseness, name, label)
                    measurement.measure(ours, f"{coarseness:g}", ready=ours.fit)
        for name, codec_at in conventional_codecs().items():
            if options.wants(name):
                for point in OPERATING_POINTS[name]:
                    measurement.measure(codec_at(point), point)
        if options.wants("animation"):
            for point, codec in list(animation_codecs(spec, avatar, options).items())[::2]:
                measurement.measure(codec, point)
    return 0
