"""``nerfcall play``: renders a recording with an avatar, on a window or to a video."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from app.call_options import add_first_argument, whole_positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.avatar import LoadedAvatar
    from app.call_statistics import CallStatistics
    from app.window.figures import Status
    from codec.face_state import FaceState

HELP = "render a .face recording, on a window or to a video"
DEFAULT_SIDE = 512
DEFAULT_FPS = 10.0
"""On a window the size is lowered until so many frames a second are rendered."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recording", type=Path, metavar="FILE.face", help="recording, made by `nerfcall track`")
    parser.add_argument("--avatar", type=Path, required=True, metavar="FILE", help="avatar to render it with")
    parser.add_argument("--width", type=whole_positive, default=DEFAULT_SIDE, help="pixels (default: 512)")
    parser.add_argument("--height", type=whole_positive, default=DEFAULT_SIDE, help="pixels (default: 512)")
    parser.add_argument("--record", metavar="OUT.mp4", help="render every frame to a video instead of opening a window")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto)")
    add_first_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Load both files, then render."""
    import os

    from app.errors import UsageError
    from app.library_threads import limit_library_threads
    from app.playback import embedded_states
    from app.video_writer import check_video_path
    from codec.avatar_file import AvatarFile
    from codec.recording import Recording

    if args.record is not None:
        check_video_path(args.record)
    else:
        from app.window.screen import missing_screen

        if (missing := missing_screen()) is not None:
            raise UsageError(f"no window can be opened ({missing}): add --record OUT.mp4 to render to a video")
    recording = Recording.read(args.recording)
    file = AvatarFile.read(args.avatar)

    # One core is left to the video's encoder or the window.
    limit_library_threads(max(1, (os.cpu_count() or 2) - 1))
    from app.avatar import load_avatar

    avatar = load_avatar(args.avatar, args.device, args.first)
    # What is tracked is embedded by whoever sends it, who has the whole file.
    embed = load_avatar(args.avatar, args.device).embed
    states = embedded_states(args.recording, recording, args.avatar, file, embed)
    if args.record is not None:
        return _record(args, avatar, states, recording.fps)
    return _show(args, avatar, states, recording.fps)


def _record(args: argparse.Namespace, avatar: "LoadedAvatar", states: "list[FaceState]", fps: float) -> int:
    """Render every frame, as long as it takes."""
    from app.progress import Progress
    from app.video_writer import VideoWriter

    avatar.prepare()
    with (
        VideoWriter(args.record, args.width, args.height, fps) as writer,
        Progress(len(states), f"rendering on {avatar.device_name}") as progress,
    ):
        for done, state in enumerate(states, 1):
            writer.write(avatar.render(state, args.width, args.height))
            progress.update(done)
    print(f"{args.record}: {len(states)} frames, {args.width} × {args.height}, {fps:g} a second")
    return 0


def _show(args: argparse.Namespace, avatar: "LoadedAvatar", states: "list[FaceState]", fps: float) -> int:
    """Render in real time at the size of the window, again and again, until it is closed."""
    import threading
    import time

    from app.call_statistics import CallMeter
    from app.playback import Playback
    from app.window.application import interruptible, make_application
    from app.window.call_window import CallWindow
    from app.window.figures import local_rows, playing
    from app.window.live import Live
    from renderer.budget import FrameBudget

    application = make_application()
    # Not waited for: the first time on a machine it takes longer than anybody waits for a picture.
    threading.Thread(target=avatar.prepare, name="prepare", daemon=True).start()
    meter = CallMeter(avatar.device_name)
    budget = FrameBudget(DEFAULT_FPS)

    def render(state: "FaceState", width: int, height: int) -> "NDArray[np.uint8]":
        w, h = budget.choose(width, height)
        before = time.perf_counter()
        image: NDArray[np.uint8] = avatar.render(state, w, h, smooth=budget.smooth)
        seconds = time.perf_counter() - before
        budget.report(w, h, seconds)
        meter.frame_rendered(1000 * seconds, w, h, (w, h) != (width, height), time.monotonic())
        return image

    playback = Playback(states, fps, render, min(args.width, args.height))
    window = CallWindow(f"nerfcall: {args.recording.name}", lambda frame: None)
    window.rows = local_rows
    ratio = window.devicePixelRatioF()
    window.resize(round(args.width / ratio), round(args.height / ratio))
    window.closed.connect(application.quit)

    def state() -> "tuple[Status, CallStatistics]":
        if playback.error is not None:
            application.quit()
        return playing(), meter.snapshot()

    live = Live(window, playback.mailbox, state, playback.set_size)
    window.show()
    playback.start()
    with interruptible(application):
        application.exec()
    live.close()
    playback.stop()
    if playback.error is not None:
        raise playback.error
    return 0
