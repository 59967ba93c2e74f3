"""The options that every command with a call takes. Imports nothing heavy: the command line's help shows them."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from app.errors import UsageError
from codec.operating_point import NORMAL, OPERATING_POINTS

DEFAULT_SERVER = "ws://127.0.0.1:8765"
DEFAULT_POINT = NORMAL.name
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
    loss: float = 0.0
    """[0, 1): share of arriving datagrams thrown away on purpose."""
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
            loss=args.loss,
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
    group.add_argument(
        "--loss", type=probability, default=0.0, metavar="P", help="throw away this share of arriving packets, 0 to 0.9"
    )


def add_headless_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what machines without a screen need."""
    group = parser.add_argument_group("without a screen")
    group.add_argument("--headless", action="store_true", help="open no window")
    group.add_argument("--seconds", type=positive, metavar="N", help="end by itself after N seconds of call")
    group.add_argument("--record", metavar="OUT.mp4", help="record the picture to a video file")
    group.add_argument("--json", metavar="OUT.json", help="write the figures of the call to a file at its end")


def add_point_argument(parser: argparse.ArgumentParser) -> None:
    """Declare how finely a face is sent."""
    parser.add_argument(
        "--point",
        choices=[point.name for point in OPERATING_POINTS],
        default=DEFAULT_POINT,
        help="how finely the face is sent as long as the network carries it: thrifty takes half the rate, and its"
        f" frames wait up to 80 ms for each other (default: {DEFAULT_POINT})",
    )


def check_outputs(args: argparse.Namespace) -> None:
    """Raise `UsageError` when --json could not be written at the end of the call."""
    if args.json is not None and not Path(args.json).resolve().parent.is_dir():
        raise UsageError(f"{args.json}: the folder {Path(args.json).parent} does not exist; make it first")


def probability(text: str) -> float:
    """Parse a share in [0, 0.9]: beyond that no call comes about."""
    value = float(text)
    if not 0.0 <= value <= 0.9:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.9")
    return value


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


def port_number(text: str) -> int:
    """Parse a port, 0 for any free one."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to 65535")
    return value
