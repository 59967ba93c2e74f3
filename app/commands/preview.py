"""``nerfcall preview``: see yourself as the other side will see you."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.call_options import add_backdrop_argument
from app.preview_command import add_preview_arguments

if TYPE_CHECKING:
    from app.window.call_window import PreviewWindow

HELP = "see yourself as the other side will: the camera picture beside the rendering"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--avatar", required=True, metavar="FILE", help="your avatar, made by `nerfcall enrol`")
    parser.add_argument(
        "--source",
        default="camera:0",
        metavar="CLIP|camera:N",
        help="clip, .face recording or camera (default: camera:0)",
    )
    parser.add_argument("--loop", action="store_true", help="begin the clip again at its end")
    add_backdrop_argument(parser)
    add_preview_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Call oneself through two processes and a real connection."""
    from app.demonstration import refuse_driving
    from app.paced_recorder import PacedRecorder
    from app.preview_command import Preview, require_screen
    from codec.avatar_file import AvatarFile

    require_screen(args)
    recorded = args.source.endswith(".face")
    if not recorded:
        refuse_driving(AvatarFile.read(args.avatar), args.avatar, args.source)
    recorder = PacedRecorder(args.record) if args.record is not None else None
    preview = Preview(args, args.avatar, args.seconds)
    from app.loopback import SenderCommand

    if args.headless and recorder is None:
        command = SenderCommand(args.avatar, args.source, args.loop, point=args.point, backdrop=args.backdrop)
        return preview.finish(preview.in_terminal(command))

    from app.picture_share import PictureShare
    from app.window.preview import CameraPreview, SignalPreview

    with PictureShare.create() as share:
        picture = None if recorded else str(share.path)
        sender = SenderCommand(args.avatar, args.source, args.loop, picture, point=args.point, backdrop=args.backdrop)

        def make_window(painted: Callable[[Any], None]) -> "PreviewWindow":
            if recorded:
                return SignalPreview(preview.name, painted)
            return CameraPreview(preview.name, share, preview.principal, painted)

        ending = preview.on_window(make_window, sender, show=not args.headless, recorder=recorder)
    return preview.finish(ending)
