"""``nerfcall receive``: renders the face that somebody sends into a room."""

import argparse
from typing import TYPE_CHECKING

from app.call_options import (
    CallOptions,
    add_first_argument,
    add_headless_arguments,
    add_network_arguments,
    add_rest_argument,
    check_outputs,
    positive,
    whole_positive,
)

if TYPE_CHECKING:
    from app.receiver import Receiver
    from signaling.peer import Ending

HELP = "render the face that somebody sends into a room"
DEFAULT_SIDE = 256
"""Pixels, without a window."""
DEFAULT_FPS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("room", metavar="ROOM", help="room code, as the sender's command printed it")
    parser.add_argument("--avatar", required=True, metavar="FILE", help="the sender's avatar")
    parser.add_argument(
        "--wait", type=positive, default=30.0, metavar="S", help="wait so long for the room (default: 30 s)"
    )
    add_network_arguments(parser)
    add_render_arguments(parser)
    add_headless_arguments(parser)


def add_render_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how it is rendered."""
    group = parser.add_argument_group("rendering")
    group.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto)")
    group.add_argument("--width", type=whole_positive, default=DEFAULT_SIDE, help="without a window (default: 256)")
    group.add_argument("--height", type=whole_positive, default=DEFAULT_SIDE, help="without a window (default: 256)")
    group.add_argument(
        "--fps",
        type=positive,
        default=DEFAULT_FPS,
        metavar="N",
        help="frame rate to hold: where the machine cannot, it renders smaller (default: 10)",
    )
    group.add_argument(
        "--threads", type=whole_positive, metavar="N", help="CPU threads to render with (default: cores - 1)"
    )
    add_first_argument(group)
    add_rest_argument(group)


def run(args: argparse.Namespace) -> int:
    """Load the avatar, then call, with a window or without."""
    import os

    from app.call_command import report_end
    from app.errors import UsageError
    from app.library_threads import limit_library_threads

    threads = args.threads or max(1, (os.cpu_count() or 2) - 1)
    limit_library_threads(threads)
    check_outputs(args)
    if not args.headless:
        from app.window.screen import missing_screen

        if (missing := missing_screen()) is not None:
            raise UsageError(f"no window can be opened ({missing}): add --headless, with --record for a video")

    from app.avatar import load_avatar, refine_later
    from app.receiver import Receiver
    from renderer.budget import FrameBudget
    from signaling.messages import normalise_room_code

    args.room = normalise_room_code(args.room)
    options = CallOptions.of(args)
    avatar = load_avatar(args.avatar, args.device, args.first)
    receiver = Receiver(
        avatar, FrameBudget(args.fps), device=avatar.device_name, size=(args.width, args.height), threads=threads
    )
    refine_later(avatar, args.rest_after)
    show = _headless if args.headless else _windowed
    return report_end(args, receiver, show(args, receiver, options))


def _windowed(args: argparse.Namespace, receiver: "Receiver", options: CallOptions) -> "Ending":
    from app.window.call import show_call

    return show_call(receiver, f"nerfcall: {options.room}", lambda: receiver.run(options, args.seconds), args.record)


def _headless(args: argparse.Namespace, receiver: "Receiver", options: CallOptions) -> "Ending":
    import threading

    from app.call_command import run_in_terminal
    from app.paced_recorder import PacedRecorder
    from app.scaling import scaled

    recorder = PacedRecorder(args.record) if args.record is not None else None

    def consume() -> None:
        while (frame := receiver.mailbox.take(None)) is not None:
            receiver.painted(frame)
            if recorder is not None:
                recorder.show(scaled(frame.image, frame.wanted_width, frame.wanted_height))

    consumer = threading.Thread(target=consume, name="paint", daemon=True)
    consumer.start()
    try:
        return run_in_terminal(receiver, lambda: receiver.run(options, args.seconds))
    finally:
        receiver.mailbox.close()
        consumer.join()
        if recorder is not None:
            recorder.close()
