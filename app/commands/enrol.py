"""``nerfcall enrol``: makes a person's avatar from a minute or two of video."""

import argparse

HELP = "make your avatar from a clip or the camera"
FIELDS = ("fast", "paper")
"""Names of `app.enrolment.fields.FIELDS`, without what loading that takes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="CLIP|camera:N", help="a minute or two of one person, or the camera")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.avatar", help="avatar to write")
    parser.add_argument("--name", default="", help="your name as the other side sees it")
    parser.add_argument("--size", type=int, default=256, help="side of the training pictures in pixels (default: 256)")
    parser.add_argument("--minutes", type=float, default=15.0, help="time to take in all (default: 15)")
    parser.add_argument("--steps", type=int, metavar="N", help="train so many steps instead, whatever time they take")
    parser.add_argument(
        "--field",
        choices=FIELDS,
        default=FIELDS[0],
        help="fast, or the paper's own: coarse and fine networks, hours of training, seconds a picture (for comparison;"
        " default: fast)",
    )
    parser.add_argument(
        "--plain-expression", action="store_true", help="send all 79 coefficients, without embedding (for comparison)"
    )
    parser.add_argument(
        "--no-consistency-code", action="store_true", help="without the code that head and torso share (for comparison)"
    )
    parser.add_argument("--from", dest="start", type=float, default=0.0, metavar="S", help="first second of the clip")
    parser.add_argument(
        "--to",
        dest="stop",
        type=float,
        metavar="S",
        help="last second; what follows is held out (default: the last tenth is held out)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an avatar that is there already")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Record if need be, train, write."""
    import os
    from pathlib import Path

    from app.library_threads import limit_library_threads

    limit_library_threads(os.cpu_count() or 1)

    from app.capture.source import CAMERA_PREFIX
    from app.enrolment.enrol import CHECKPOINT_SUFFIX, EnrolmentOptions, Variant, enrol
    from app.errors import UsageError

    output = Path(args.output)
    if not output.parent.is_dir():
        raise UsageError(f"the folder {output.parent} for the avatar does not exist")
    broken_off = output.with_name(output.name + CHECKPOINT_SUFFIX).exists()
    if output.exists() and not args.overwrite and not broken_off:
        raise UsageError(f"{output} is there already: name another file, or add --overwrite to replace it")
    if not 64 <= args.size <= 1024:
        raise UsageError(f"--size {args.size} is out of range: choose 64 to 1024 pixels")
    if not 0.5 <= args.minutes <= 24 * 60:
        raise UsageError(f"--minutes {args.minutes:g} is out of range: choose half a minute to a day")
    if args.steps is not None and not 1 <= args.steps <= 10**7:
        raise UsageError(f"--steps {args.steps} is out of range: choose 1 to 10 million")
    if args.start < 0 or (args.stop is not None and args.stop <= args.start):
        raise UsageError("--from and --to must be seconds in the clip, --to after --from")

    def options(clip: Path) -> EnrolmentOptions:
        return EnrolmentOptions(
            clip,
            output,
            args.name,
            args.size,
            args.minutes,
            args.start,
            args.stop,
            args.device,
            args.steps,
            Variant(not args.plain_expression, not args.no_consistency_code, args.field),
        )

    if args.source.startswith(CAMERA_PREFIX):
        from app.enrolment.guided_recording import guided_recording

        clip = output.with_name(output.name + ".recording.mp4")
        if not clip.exists():
            guided_recording(args.source, clip, print)
        measured = enrol(options(clip), print)
        if not options(clip).checkpoint.exists():
            clip.unlink()
    else:
        measured = enrol(options(Path(args.source)), print)
    print(
        f"{output}: {output.stat().st_size / 1e6:.2f} MB; {measured.frames} held-out frames as the peer will see them: "
        f"full frame {measured.quality.psnr:.2f} dB, head only {measured.quality.head_psnr:.2f} dB, "
        f"{measured.payload_kbps:.2f} kbit/s payload"
    )
    return 0
