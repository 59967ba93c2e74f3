"""What preview and demo share: options, the receiver, a call with oneself on a window or without one."""

import argparse
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from app.call_options import check_outputs
from app.errors import UsageError

if TYPE_CHECKING:
    from app.loopback import SenderCommand
    from app.paced_recorder import PacedRecorder
    from app.window.call import MakeWindow
    from app.window.figures import CallFigures, Status
    from signaling.peer import Ending


def add_preview_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the network is made to do."""
    from app.call_options import add_headless_arguments, add_point_argument, probability
    from app.commands.receive import add_render_arguments

    parser.add_argument(
        "--loss", type=probability, default=0.0, metavar="P", help="throw away this share of the packets, 0 to 0.9"
    )
    add_point_argument(parser)
    add_render_arguments(parser)
    add_headless_arguments(parser)


class Preview:
    """A call with oneself, ready to be carried on a window or without one."""

    def __init__(self, args: argparse.Namespace, avatar: str, seconds: float | None) -> None:
        """Load the avatar that ``avatar`` names and prepare its receiver, as the command line says."""
        from app.library_threads import limit_library_threads

        self.threads = args.threads or max(1, (os.cpu_count() or 2) - 1)
        limit_library_threads(self.threads)
        check_outputs(args)

        from app.avatar import load_avatar
        from app.receiver import Receiver
        from renderer.budget import FrameBudget

        self._args, self._seconds = args, seconds
        loaded = load_avatar(avatar, args.device)
        self.name = str(loaded.meta.get("name") or "")
        camera = loaded.field.camera
        self.principal = (camera.cx, camera.cy)
        """Where the middle of the camera's picture lies in the square that the avatar shows, in sides of the square."""
        size = (args.width, args.height)
        self.receiver = Receiver(
            loaded, FrameBudget(args.fps), device=loaded.device_name, size=size, threads=self.threads
        )

    @property
    def mailbox(self) -> Any:
        """Where the newest rendered frame lies."""
        return self.receiver.mailbox

    def set_size(self, width: int, height: int) -> None:
        """Render at this size from now on."""
        self.receiver.set_size(width, height)

    def painted(self, frame: Any) -> None:
        """Take note that a frame was painted."""
        self.receiver.painted(frame)

    def stop(self) -> None:
        """End the call."""
        self.receiver.stop()

    def state(self) -> "tuple[Status, CallFigures]":
        """Return the state in words: before the first packet, what it waits for is the sender's own start."""
        from app.loopback import starting
        from app.window.figures import connecting

        status, figures = self.receiver.state()
        return (starting() if status == connecting() else status), figures

    def on_window(
        self,
        make_window: "MakeWindow",
        sender: "SenderCommand",
        *,
        show: bool,
        recorder: "PacedRecorder | None",
        frame_taken: Callable[[Any], None] = lambda frame: None,
    ) -> "Ending":
        """Carry the call on a window, or on one that is painted for the recorder alone."""
        from app.loopback import loopback
        from app.window.call import carry_call

        def run() -> "Coroutine[Any, Any, Ending]":
            return loopback(self.receiver, sender, loss=self._args.loss, seconds=self._seconds)

        return carry_call(make_window, self, run, show=show, recorder=recorder, frame_taken=frame_taken)

    def in_terminal(self, sender: "SenderCommand") -> "Ending":
        """Carry the call without any picture: a frame counts as painted when it is taken."""
        from app.call_command import run_in_terminal
        from app.loopback import loopback

        def consume() -> None:
            while (frame := self.receiver.mailbox.take(None)) is not None:
                self.receiver.painted(frame)

        consumer = threading.Thread(target=consume, name="paint", daemon=True)
        consumer.start()
        try:
            return run_in_terminal(
                self.receiver, lambda: loopback(self.receiver, sender, loss=self._args.loss, seconds=self._seconds)
            )
        finally:
            self.receiver.mailbox.close()
            consumer.join()

    def finish(self, ending: "Ending") -> int:
        """Print the figures, write ``--json``, and return the exit status."""
        from app.call_statistics import write_json
        from signaling.errors import SignalingError

        summary = self.receiver.meter.summary()
        if self._args.json is not None:
            write_json(summary, self._args.json)
        if summary["frames_received"]:
            print("\n".join(summary_lines(summary)), flush=True)
        if not ending.farewell:
            raise SignalingError(ending.reason)
        return 0


def require_screen(args: argparse.Namespace) -> None:
    """Raise `UsageError` when a window is wanted and none can be opened."""
    if not args.headless:
        from app.window.screen import missing_screen

        if (missing := missing_screen()) is not None:
            raise UsageError(f"no window can be opened ({missing}): add --headless, with --record for a video")


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return the figures of a whole call in words, from the keys of ``--json``."""
    wire_out, wire_in = summary["wire_kbps_out"], summary["wire_kbps_in"]
    latency, render = summary["latency_ms"], summary["render_ms"]
    lines = [
        f"frames    {summary['frames_sent']} sent, {summary['frames_received']} received, "
        f"{summary['frames_rendered']} rendered, {summary['fps_rendered']:.1f} a second",
        f"payload   {summary['payload_kbps']:.1f} kbit/s",
        f"wire      {wire_out + wire_in:.1f} kbit/s ({wire_in:.1f} in, {wire_out:.1f} out)",
    ]
    if latency["median"] is not None:
        lines.append(f"latency   {latency['median']:.0f} ms from capture to paint, 95 %: {latency['p95']:.0f} ms")
    if render["median"] is not None:
        lines.append(
            f"rendering {render['median']:.0f} ms a frame, 95 %: {render['p95']:.0f} ms, "
            f"at {summary['width']} × {summary['height']} on {summary['device']}"
        )
    return lines
