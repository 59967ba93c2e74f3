"""``nerfcall send``: tracks a face and sends it into a room."""

import argparse
from typing import TYPE_CHECKING

from app.call_options import (
    LIVE,
    CallOptions,
    add_backdrop_argument,
    add_headless_arguments,
    add_network_arguments,
    add_point_argument,
    check_outputs,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.avatar import LoadedAvatar
    from app.face_source import FaceSource, Picture

HELP = "send your face into a room"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "room", metavar="ROOM", nargs="?", help="room code to open (default: a new one, which is printed)"
    )
    parser.add_argument("--avatar", required=True, metavar="FILE", help="your avatar, made by `nerfcall enrol`")
    parser.add_argument(
        "--source",
        default="camera:0",
        metavar="CLIP|camera:N",
        help="clip, .face recording or camera (default: camera:0)",
    )
    parser.add_argument("--loop", action="store_true", help="begin the clip or recording again at its end")
    add_point_argument(parser)
    add_backdrop_argument(parser)
    parser.add_argument("--share-picture", metavar="FILE", help=argparse.SUPPRESS)
    add_network_arguments(parser)
    add_headless_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Load avatar and source, then call."""
    from app.library_threads import limit_library_threads

    # Beside the receiver's renderer on a small machine; tracking and embedding need no more.
    limit_library_threads(1)

    from app.avatar import load_avatar
    from app.call_command import report_end, run_in_terminal
    from app.owner_keys import read_owner_key
    from app.sender import Sender
    from app.session import Rights
    from codec.operating_point import point_named
    from signaling.messages import make_room_code, normalise_room_code

    check_outputs(args)
    args.room = normalise_room_code(args.room) if args.room else make_room_code()
    options = CallOptions.of(args)
    avatar = load_avatar(args.avatar, "cpu")
    rights = Rights.of(avatar.meta)
    key = read_owner_key(rights.owner) if rights.owner and not rights.demo else None
    pictures = _Pictures(args)
    try:
        face = _face(args, avatar, pictures.take if pictures.wanted else None)
        sender = Sender(avatar, face, key, device="cpu", point=point_named(args.point))

        def joined(first: bool) -> None:
            if first:
                print(
                    f"room {options.room} is open; on the other side: nerfcall receive {options.room}"
                    f" --avatar {args.avatar} --server {options.server}",
                    flush=True,
                )

        ending = run_in_terminal(sender, lambda: sender.run(options, args.seconds, joined))
    finally:
        pictures.close()
    return report_end(args, sender, ending)


def _face(args: argparse.Namespace, avatar: "LoadedAvatar", on_picture: "Picture | None") -> "FaceSource":
    """Open what drives the avatar, if it may."""
    import hashlib
    from functools import partial
    from pathlib import Path

    from app.backdrop_follower import BackdropFollower
    from app.capture.source import open_source
    from app.demonstration import refuse_driving
    from app.face_source import RecordedFace, TrackedFace
    from app.playback import embedded_states
    from codec.avatar_file import AvatarFile
    from codec.recording import Recording

    file = AvatarFile.read(args.avatar)
    path = Path(args.source)
    if path.suffix == ".face":
        recording = Recording.read(path)
        states = embedded_states(path, recording, Path(args.avatar), file, avatar.embed)
        return RecordedFace(states, recording.fps, hashlib.sha256(path.read_bytes()).digest(), args.loop)
    # A recording needs neither models nor what follows the person with them.
    from app.backdrop_watching import watching
    from app.owner_tracker import LIVE_BUDGET, OwnerTracker

    refuse_driving(file, args.avatar, args.source)
    source = open_source(args.source, loop=args.loop)
    try:
        backdrop = BackdropFollower(partial(watching, avatar)) if args.backdrop == LIVE else None
        return TrackedFace(source, OwnerTracker(avatar, LIVE_BUDGET), on_picture, backdrop)
    except BaseException:
        source.close()
        raise


class _Pictures:
    """Where captured pictures go besides the tracker: to the preview's window and to a video."""

    def __init__(self, args: argparse.Namespace) -> None:
        from app.paced_recorder import PacedRecorder
        from app.picture_share import PictureShare

        self._recorder = PacedRecorder(args.record) if args.record is not None else None
        self._share = PictureShare.attach(args.share_picture) if args.share_picture is not None else None
        self.wanted = self._recorder is not None or self._share is not None

    def take(self, picture: "NDArray[np.uint8]", timestamp: float) -> None:
        """Pass on a picture (H, W, 3), RGB."""
        if self._share is not None:
            self._share.write(picture, timestamp)
        if self._recorder is not None:
            self._recorder.show(picture)

    def close(self) -> None:
        """Finish the video."""
        if self._share is not None:
            self._share.close()
        if self._recorder is not None:
            self._recorder.close()
