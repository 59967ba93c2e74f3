"""What crosses the WebSocket between a peer and the rendezvous server: small JSON objects, checked field by field.

Neither side trusts the other. A message is parsed into one of the frozen classes here or refused with `MessageError`;
whoever shows text to a person composes it from the code of a `Refused`, never from words that came over the wire.
"""

import json
import re
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from signaling.errors import SignalingError

PROTOCOL_VERSION: Final = 1
"""Version of the rendezvous protocol; both ends must name the same."""

MAX_MESSAGE_BYTES: Final = 16 * 1024
"""Largest message either end accepts. An SDP with a dozen candidates is about 2 kB."""

MAX_SDP_CHARACTERS: Final = 12 * 1024
"""Largest session description in a `Description`."""

MAX_WAIT_SECONDS: Final = 600.0
"""Longest time a peer may ask to wait for a room that nobody has opened yet."""

_ROOM_CODE: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{1,62})[a-z0-9]")
_CODE_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that cannot be mistaken for each other when read aloud or typed from paper."""


class MessageError(SignalingError):
    """A message of the rendezvous protocol is malformed."""


def normalise_room_code(text: str) -> str:
    """Return a room code in lower case; raise `MessageError` when it is not 3 to 64 of ``a-z 0-9 _ -``."""
    code = text.strip().lower()
    if not _ROOM_CODE.fullmatch(code):
        shown = ascii(text if len(text) <= 64 else text[:61] + "...")
        raise MessageError(f"{shown} is not a room code: use 3 to 64 letters and digits, with '-' or '_' between them")
    return code


def make_room_code() -> str:
    """Return a fresh code such as ``k7fm-q2xd``: 31 to the power of 8, about 40 bits."""
    letters = [secrets.choice(_CODE_ALPHABET) for _ in range(8)]
    return "".join(letters[:4]) + "-" + "".join(letters[4:])


@dataclass(frozen=True, slots=True)
class Join:
    """Peer to server, once and first: take a seat in a room."""

    room: str
    """Room code in its normal form."""
    opens: bool
    """Open the room when nobody has; otherwise the room must exist, or come to exist within ``wait``."""
    wait: float = 0.0
    """Seconds, [0, 600]: how long to wait for somebody else to open the room."""
    version: int = PROTOCOL_VERSION

    def __post_init__(self) -> None:
        if normalise_room_code(self.room) != self.room:
            raise MessageError("the room code is not in its normal form")
        if not 0.0 <= self.wait <= MAX_WAIT_SECONDS:
            raise MessageError("the time to wait for the room is out of range")


@dataclass(frozen=True, slots=True)
class Description:
    """Peer to peer by way of the server: a session description with all its candidates (there is no trickle)."""

    kind: str
    """``offer`` or ``answer``."""
    sdp: str
    """RFC 8866 text, at most `MAX_SDP_CHARACTERS`."""

    def __post_init__(self) -> None:
        if self.kind not in ("offer", "answer"):
            raise MessageError("a description is neither an offer nor an answer")
        if not 0 < len(self.sdp) <= MAX_SDP_CHARACTERS:
            raise MessageError("a session description is empty or too long")


@dataclass(frozen=True, slots=True)
class Joined:
    """Server to peer: the seat is taken."""

    first: bool
    """True for the peer that was here first: it waits, then makes the offer."""


@dataclass(frozen=True, slots=True)
class PeerArrived:
    """Server to the first peer: the other seat has been taken."""


@dataclass(frozen=True, slots=True)
class PeerGone:
    """Server to a peer: the other one's connection to the server has ended."""


REFUSALS: Final = (
    "bad-message",
    "expired",
    "full-room",
    "server-busy",
    "too-fast",
    "unknown-room",
    "version",
)
"""Codes of `Refused`."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Server to peer, always the last message: why the connection ends."""

    code: str
    """One of `REFUSALS`."""

    def __post_init__(self) -> None:
        if self.code not in REFUSALS:
            raise MessageError("the server refused for a reason that this version does not know")


Message = Join | Description | Joined | PeerArrived | PeerGone | Refused

_TYPES: Final[dict[str, type[Message]]] = {
    "join": Join,
    "description": Description,
    "joined": Joined,
    "peer-arrived": PeerArrived,
    "peer-gone": PeerGone,
    "refused": Refused,
}
_NAMES: Final = {message_type: name for name, message_type in _TYPES.items()}


def serialise(message: Message) -> str:
    """Return the JSON text of a message, ASCII only."""
    return json.dumps({"type": _NAMES[type(message)], **asdict(message)}, separators=(",", ":"))


def parse(text: str | bytes) -> Message:
    """Parse one message; raise `MessageError` for anything that is not exactly one of the classes above."""
    if isinstance(text, bytes):
        raise MessageError("a message of the rendezvous protocol is text, not binary")
    if len(text) > MAX_MESSAGE_BYTES:
        raise MessageError("a message is too long")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageError("a message is not JSON") from None
    if not isinstance(content, dict):
        raise MessageError("a message is not a JSON object")
    name = content.pop("type", None)
    message_type = _TYPES.get(name) if isinstance(name, str) else None
    if message_type is None:
        raise MessageError("a message is of an unknown type")
    return message_type(**_checked_fields(message_type, content))


def _checked_fields(message_type: type[Message], content: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a message when names and JSON types fit its class exactly."""
    expected = {field.name: field.type for field in fields(message_type)}
    if content.keys() != expected.keys():
        raise MessageError("a message has missing or unknown fields")
    for name, value in content.items():
        kind = expected[name]
        # bool is an int in Python, so types are compared exactly; an integer is a fine float on the wire.
        if kind is float and type(value) is int:
            content[name] = float(value) if abs(value) < 1 << 53 else float("inf")
        elif type(value) is not kind:
            raise MessageError(f"field {name} of a message has the wrong type")
    return content
