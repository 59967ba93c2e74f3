"""``python -m app.bench.animation``: trains the animation codec on a clip."""

import argparse
import sys
from pathlib import Path

from app.errors import UsageError, UserError


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says and return the exit status."""
    parser = argparse.ArgumentParser("python -m app.bench.animation", description="Train the animation codec.")
    parser.add_argument("clip", help="video file with one person")
    parser.add_argument("--from", dest="start", type=float, default=0.0, metavar="SECONDS", help="begin here")
    parser.add_argument("--to", type=float, metavar="SECONDS", help="end here: what follows is held out")
    parser.add_argument("--minutes", type=float, default=30.0, help="of training (default: %(default)s)")
    parser.add_argument("--avatar", type=Path, help="cut the picture as this avatar's enrolment did")
    parser.add_argument("--threads", type=int, default=1, help="processor cores (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.safetensors")
    options = parser.parse_args(arguments)
    try:
        run(options)
    except UserError as error:
        print(f"nerfcall: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def run(options: argparse.Namespace) -> None:
    """Train; the arguments are those of :func:`main`."""
    if options.output.suffix != ".safetensors":
        raise UsageError(f"{options.output} does not end in .safetensors: give it that ending")
    if options.minutes <= 0 or (options.to is not None and options.to <= options.start):
        raise UsageError("there is nothing to train on: give --minutes above 0 and --to after --from")
    from app.library_threads import limit_library_threads

    limit_library_threads(options.threads)
    import torch

    from app.avatar import load_avatar
    from app.bench.animation.footage import training_frames
    from app.bench.animation.training import train_animation
    from app.bench.ours import avatar_framing

    torch.set_num_threads(options.threads)
    framing = None if options.avatar is None else avatar_framing(load_avatar(options.avatar))
    frames = training_frames(options.clip, options.start, options.to, framing)
    train_animation(frames, options.minutes, options.output, print, seed=options.seed)


if __name__ == "__main__":
    sys.exit(main())
