"""``nerfcall demo``: a call on this machine with the shipped avatar and recording; no camera needed."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.preview_command import add_preview_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.window.contact_sheet import Moment

HELP = "a call on this machine with the shipped avatar: no camera needed"
VIDEO, SHEET = "demo.mp4", "demo.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_preview_arguments(parser)
    parser.add_argument("--sheet", metavar="OUT.png", help=f"write a contact sheet (without a screen: {SHEET})")


def run(args: argparse.Namespace) -> int:
    """Play the shipped recording through two processes and a real connection."""
    from app.demonstration import shipped_demonstration
    from app.window.screen import missing_screen

    avatar, recording = shipped_demonstration()
    if not args.headless and (missing := missing_screen()) is not None:
        print(f"No window can be opened ({missing}): the demo is recorded instead.", flush=True)
        args.headless = True
        args.record, args.sheet = args.record or VIDEO, args.sheet or SHEET
    return play(args, avatar, recording)


def play(args: argparse.Namespace, avatar: Path, recording: Path) -> int:
    """Carry the call, on a window or recorded, and write what the command line asks for."""
    from app.errors import UsageError
    from app.paced_recorder import PacedRecorder
    from app.preview_command import Preview, summary_lines
    from codec.recording import Recording

    if args.sheet is not None and not Path(args.sheet).resolve().parent.is_dir():
        raise UsageError(f"{args.sheet}: the folder {Path(args.sheet).parent} does not exist; make it first")
    recorder = PacedRecorder(args.record) if args.record is not None else None
    # On a window it goes on until somebody has seen enough.
    loop = not args.headless
    seconds = args.seconds if loop else args.seconds or Recording.read(recording).duration
    preview = Preview(args, str(avatar), seconds)
    from app.loopback import SenderCommand

    # The receiver's clock starts at the first packet: the recording must not end before.
    sender = SenderCommand(str(avatar), str(recording), loop=True, point=args.point)
    if args.headless and recorder is None and args.sheet is None:
        return preview.finish(preview.in_terminal(sender))

    from app.receiver import RenderedFrame
    from app.window.contact_sheet import MomentKeeper
    from app.window.preview import SignalPreview

    keeper = MomentKeeper()
    first: list[float] = []

    def make_window(painted: Callable[[Any], None]) -> SignalPreview:
        return SignalPreview(f"demo · {preview.name}" if preview.name else "demo", painted)

    def frame_taken(frame: RenderedFrame) -> None:
        first.append(frame.capture_time) if not first else None
        keeper.offer(frame.image, frame.capture_time - first[0])

    ending = preview.on_window(make_window, sender, show=not args.headless, recorder=recorder, frame_taken=frame_taken)
    if args.sheet is not None:
        lines = [" ".join(line.split()) for line in summary_lines(preview.receiver.meter.summary())]
        write_sheet(args.sheet, f"nerfcall demo: {preview.name}", lines, keeper.choose())
    status = preview.finish(ending)
    written = [path for path in (args.record, args.sheet) if path is not None]
    if written:
        print(f"written   {', '.join(written)}")
    return status


def write_sheet(path: str, title: str, notes: "Sequence[str]", moments: "Sequence[Moment]") -> None:
    """Write a contact sheet as PNG.

    Raises:
        UserError: the file cannot be written.
    """
    from app.errors import UserError
    from app.window.contact_sheet import paint_contact_sheet

    if not paint_contact_sheet(title, notes, moments).save(path, "PNG"):
        raise UserError(f"{path} cannot be written: choose another place with --sheet")
