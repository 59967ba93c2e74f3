"""The options that every command with a call takes. Imports nothing heavy: the command line's help shows them."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from app.errors import UsageError
from codec.operating_point import NORMAL, OPERATING_POINTS
from signaling.impairment import Impairment, ImpairmentError

DEFAULT_SERVER = "ws://127.0.0.1:8765"
DEFAULT_POINT = NORMAL.name
LIVE, ENROLLED = "live", "enrolled"
"""What is shown behind the person."""
SERVER_VARIABLE = "NERFCALL_SERVER"
"""Set in the environment, it names the rendezvous server that is used without --server."""


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Where and how to meet the other side."""

    room: str
    server: str = DEFAULT_SERVER
    stun: str | None = None
    turn: str | None = None
    turn_user: str | None = None
    turn_password: str | None = None
    impairment: Impairment | None = None
    """How bad the network at this side is made on purpose, both ways."""
    wait: float = 30.0
    """Seconds a receiver waits for the room to be opened."""

    @classmethod
    def of(cls, args: argparse.Namespace) -> "CallOptions":
        """Return the options of a parsed command line."""
        return cls(
            room=args.room,
            server=args.server or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER,
            stun=args.stun,
            turn=args.turn,
            turn_user=args.turn_user,
            turn_password=args.turn_password,
            impairment=args.impairment,
            wait=getattr(args, "wait", 0.0),
        )


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how the other side is reached."""
    group = parser.add_argument_group("network")
    group.add_argument(
        "--server",
        metavar="URL",
        help=f"rendezvous server, ws:// or wss:// (default: ${SERVER_VARIABLE}, else {DEFAULT_SERVER})",
    )
    group.add_argument(
        "--stun", metavar="HOST[:PORT]", help="STUN server, for peers in different networks (default: none)"
    )
    group.add_argument("--turn", metavar="HOST[:PORT]", help="TURN server, where no direct way exists (default: none)")
    group.add_argument("--turn-user", metavar="NAME", help="user of the TURN server")
    group.add_argument("--turn-password", metavar="WORD", help="password of the TURN server")
    add_impairment_arguments(group)


def add_impairment_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare how bad the network is made on purpose."""
    example = "loss=0.1,delay=80ms,jitter=20ms,burst=500ms/10s,reorder=0.02,duplicate=0.02,rate=64kbit"
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--impair",
        dest="impairment",
        type=impairment,
        metavar="HOW",
        help=f"make the network here as bad as this, both ways; any of {example}",
    )
    either.add_argument(
        "--loss", dest="impairment", type=lossy, metavar="P", help="the same as --impair loss=P, 0 to 0.9"
    )


def add_first_argument(parser: argparse._ActionsContainer) -> None:
    """Declare how much of an avatar is there."""
    parser.add_argument(
        "--first",
        type=byte_number,
        metavar="BYTES",
        help="render from the first BYTES of the avatar file alone, as if the rest had not arrived",
    )


def add_rest_argument(parser: argparse._ActionsContainer) -> None:
    """Declare when the rest of an avatar is there."""
    parser.add_argument(
        "--rest-after", type=positive, metavar="S", help="with --first: the rest of the avatar arrives after S seconds"
    )


def add_headless_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what machines without a screen need."""
    group = parser.add_argument_group("without a screen")
    group.add_argument("--headless", action="store_true", help="open no window")
    group.add_argument("--seconds", type=positive, metavar="N", help="end by itself after N seconds of call")
    group.add_argument("--record", metavar="OUT.mp4", help="record the picture to a video file")
    group.add_argument("--json", metavar="OUT.json", help="write the figures of the call to a file at its end")
    group.add_argument(
        "--trace",
        metavar="OUT.json",
        help="write when what happened to each frame to a file at the end, for chrome://tracing or ui.perfetto.dev",
    )


def add_point_argument(parser: argparse.ArgumentParser) -> None:
    """Declare how finely a face is sent."""
    parser.add_argument(
        "--point",
        choices=[point.name for point in OPERATING_POINTS],
        default=DEFAULT_POINT,
        help="how finely the face is sent as long as the network carries it: thrifty takes half the rate, and its"
        f" frames wait up to 80 ms for each other (default: {DEFAULT_POINT})",
    )


def add_backdrop_argument(parser: argparse.ArgumentParser) -> None:
    """Declare what is shown behind the person."""
    parser.add_argument(
        "--backdrop",
        choices=[LIVE, ENROLLED],
        default=LIVE,
        help=f"what the other side sees behind you: as it is now, in broad strokes, or as it was at enrolment (default:"
        f" {LIVE})",
    )


def check_outputs(args: argparse.Namespace) -> None:
    """Raise `UsageError` when --json or --trace could not be written at the end of the call."""
    for path in (args.json, args.trace):
        if path is not None and not Path(path).resolve().parent.is_dir():
            raise UsageError(f"{path}: the folder {Path(path).parent} does not exist; make it first")


def impairment(text: str) -> Impairment:
    """Parse the description of a bad network."""
    try:
        return Impairment.parse(text)
    except ImpairmentError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def lossy(text: str) -> Impairment:
    """Parse a share in [0, 0.9] of packets that are lost."""
    return impairment(f"loss={text}")


def positive(text: str) -> float:
    """Parse a finite number above 0."""
    value = float(text)
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def whole_positive(text: str) -> int:
    """Parse a whole number from 1 to 8192."""
    value = int(text)
    if not 1 <= value <= 8192:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 8192")
    return value


def byte_number(text: str) -> int:
    """Parse a whole number of bytes above 0."""
    value = int(text)
    if not 1 <= value <= 1 << 40:
        raise argparse.ArgumentTypeError(f"{text} is no number of bytes above 0")
    return value


def port_number(text: str) -> int:
    """Parse a port, 0 for any free one."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to 65535")
    return value
