"""The handshake of a call: do both sides mean the same codec, avatar and tables, and may this sender drive the avatar?

A state machine without network or clock. Each side sends a `Hello`; what does not fit is found by both sides from the
same two hellos, so that each says the same in its own words and nobody has to be told. Then the owner of the avatar
proves that it is the one, where the avatar has an owner, and the receiver accepts.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from app.errors import UserError
from codec.backdrop import MAX_BYTES
from signaling.errors import PeerLeft
from signaling.identity import NONCE_SIZE, PUBLIC_KEY_SIZE, SIGNATURE_SIZE, OwnerKey, verify_ownership
from signaling.peer import Peer

HANDSHAKE_VERSION: Final = 1
CODEC_VERSION: Final = 3
"""Of the frames on the wire: those coded alone are of version 2 (`codec.packet`), predicted ones came with 3."""

REFUSED: Final = {"type": "refused"}
"""The receiver to the sender: a packet that reached this side was refused, so predict from nothing sent so far."""

BACKDROP: Final = "backdrop"
"""Type of control messages with pictures of what is behind the person (`codec.backdrop`)."""

HANDSHAKE_SECONDS: Final = 10.0
"""How long the other side may take to say hello."""

MISFIT_SECONDS: Final = 0.5
"""How long a side that found a misfit waits for the other to find it too."""

DIGEST_SIZE: Final = 32

BUNDLES: Final = "bundles"
"""Takes messages of several packets (`codec.message`), some of which had come before."""
SHORT: Final = "short-packets"
"""Takes predicted frames in short packets (`codec.short_packet`)."""
BACKDROPS: Final = "moved-backdrops"
"""Takes pictures of what is behind the person, of either size, and such as have moved: "backdrops" did not."""
CAPABILITIES: Final = frozenset({BUNDLES, SHORT, BACKDROPS})
"""What this program can do beyond what its codec version says. What a peer lacks of it is done without."""
MAX_CAPABILITIES: Final = 32
_CAPABILITY: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


class SessionError(UserError):
    """The two sides do not fit together."""


class Role(Enum):
    """What a side does in a call."""

    SENDER = "sender"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class Hello:
    """What a side says of itself."""

    role: Role
    avatar: bytes
    """Digest of the avatar file, 32 bytes."""
    tables: bytes
    """Digest of the coding tables, 32 bytes."""
    nonce: bytes
    """32 random bytes."""
    codec: int = CODEC_VERSION
    recording: bytes = b""
    """Sender: SHA-256 of the recording that it plays, 32 bytes; empty for a camera or a clip."""
    prediction: bytes = b""
    """Digest of the prediction tables, 32 bytes; empty on a side that codes and decodes each frame alone."""
    capabilities: frozenset[str] = CAPABILITIES

    def message(self) -> dict[str, Any]:
        """Return the control message."""
        return {
            "type": "hello",
            "version": HANDSHAKE_VERSION,
            "role": self.role.value,
            "codec": self.codec,
            "avatar": self.avatar.hex(),
            "tables": self.tables.hex(),
            "nonce": self.nonce.hex(),
            "recording": self.recording.hex(),
            "prediction": self.prediction.hex(),
            "capabilities": sorted(self.capabilities),
        }

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> "Hello":
        """Parse the other side's hello; `SessionError` for anything that is none."""
        if message.get("version") != HANDSHAKE_VERSION:
            raise SessionError("the peer runs another version of nerfcall: update it on both sides")
        codec, role = message.get("codec"), message.get("role")
        if type(codec) is not int or role not in ("sender", "receiver"):
            raise _misfit()
        return cls(
            Role(role),
            _digest(message.get("avatar"), DIGEST_SIZE),
            _digest(message.get("tables"), DIGEST_SIZE),
            _digest(message.get("nonce"), NONCE_SIZE),
            codec,
            _digest(message.get("recording"), 0, DIGEST_SIZE),
            _digest(message.get("prediction", ""), 0, DIGEST_SIZE),
            _capabilities(message.get("capabilities", [])),
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides can do."""

    prediction: bool
    """Frames may be predicted from others."""
    bundles: bool
    """Messages may hold several packets."""
    short: bool
    """Predicted frames may go in short packets."""
    backdrop: bool
    """The sender may tell what is behind the person."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may drive an avatar, as the avatar file says."""

    owner: bytes = b""
    """Public key of the owner; empty when the avatar has none, and anybody with the file may."""
    demo: bool = False
    """A demo avatar plays the recordings it came with and nothing else."""
    recordings: frozenset[bytes] = frozenset()
    """SHA-256 of those recordings' files."""

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "Rights":
        """Read ``owner`` (hex), ``demo`` and ``recordings`` (list of hex) from an avatar's meta section."""
        try:
            owner = bytes.fromhex(meta.get("owner") or "")
            recordings = frozenset(bytes.fromhex(digest) for digest in meta.get("recordings") or [])
        except (TypeError, ValueError):
            raise SessionError("the avatar's description is damaged: copy the file again, or enrol again") from None
        if len(owner) not in (0, PUBLIC_KEY_SIZE) or any(len(digest) != DIGEST_SIZE for digest in recordings):
            raise SessionError("the avatar's description is damaged: copy the file again, or enrol again")
        return cls(owner, bool(meta.get("demo")), recordings)

    def may_play(self, recording: bytes) -> bool:
        """Return whether a demo avatar came with the recording of this digest; True for any other avatar."""
        return not self.demo or recording in self.recordings


class Handshake:
    """One side of it. ``receive`` takes a control message and returns those to send; then look at `done`.

    ``fingerprints`` are those of the DTLS certificates, this side's first. A sender of an avatar that has an owner
    needs the owner's ``key``. Whatever does not fit raises `SessionError`.
    """

    def __init__(
        self, hello: Hello, rights: Rights, fingerprints: tuple[bytes, bytes], key: OwnerKey | None = None
    ) -> None:
        self._hello, self._rights, self._key = hello, rights, key
        self._own, self._other = fingerprints
        self._theirs: Hello | None = None
        self.done = False
        """Both sides fit: frames may flow."""

    @property
    def agreement(self) -> Agreement:
        """What both sides can do, once it is done."""
        assert self._theirs is not None
        shared = self._hello.capabilities & self._theirs.capabilities
        prediction = bool(self._hello.prediction and self._theirs.prediction)
        return Agreement(prediction, BUNDLES in shared, SHORT in shared, BACKDROPS in shared)

    def start(self) -> list[dict[str, Any]]:
        """Return the first messages."""
        return [self._hello.message()]

    def receive(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Act on one message of the other side."""
        kind = message.get("type")
        if kind == "hello" and self._theirs is None:
            self._theirs = Hello.parse(message)
            self._compare(self._theirs)
            return self._answer(self._theirs)
        if kind == "proof" and self._theirs is not None and self._hello.role is Role.RECEIVER and not self.done:
            return self._accept(message)
        if kind == "accepted" and self._theirs is not None and self._hello.role is Role.SENDER:
            self.done = True
            return []
        if kind == "denied" and self._hello.role is Role.SENDER:
            raise SessionError(
                "the receiver did not accept the proof of ownership: enrol again and share the new avatar"
            )
        return []

    def _answer(self, theirs: Hello) -> list[dict[str, Any]]:
        if self._hello.role is Role.RECEIVER:
            if self._rights.owner:
                return []
            self.done = True
            return [{"type": "accepted"}]
        if not self._rights.owner:
            return []
        if self._key is None or self._key.public_key != self._rights.owner:
            raise SessionError("this avatar can be driven only by its owner, whose key is not here")
        signature = self._key.sign(theirs.nonce, self._hello.avatar, self._own, self._other)
        return [{"type": "proof", "signature": signature.hex()}]

    def _accept(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        signature = _digest(message.get("signature"), SIGNATURE_SIZE)
        if not verify_ownership(
            self._rights.owner, signature, self._hello.nonce, self._hello.avatar, self._other, self._own
        ):
            raise OwnershipError(
                "the peer could not prove that it owns this avatar, so it may not drive it: only its owner can send"
            )
        self.done = True
        return [{"type": "accepted"}]

    def _compare(self, theirs: Hello) -> None:
        ours = self._hello
        if theirs.role is ours.role:
            verb, other = ("send", "receive") if ours.role is Role.SENDER else ("receive", "send")
            raise SessionError(f"both sides of this room {verb}: one of them must run `nerfcall {other}`")
        if theirs.codec != ours.codec:
            raise SessionError(
                f"the peer speaks codec version {theirs.codec} and this side {ours.codec}: update the older side"
            )
        if theirs.avatar != ours.avatar:
            raise SessionError(
                f"the peer uses avatar {theirs.avatar.hex()[:8]} and this side {ours.avatar.hex()[:8]}:"
                " give both sides the same .avatar file"
            )
        if theirs.tables != ours.tables:
            raise SessionError("the peer reads other coding tables from the same avatar: update nerfcall on both sides")
        if theirs.prediction and ours.prediction and theirs.prediction != ours.prediction:
            raise SessionError(
                "the peer reads other prediction tables from the same avatar: update nerfcall on both sides"
            )
        sender = ours if ours.role is Role.SENDER else theirs
        if not self._rights.may_play(sender.recording):
            raise SessionError("this is a demo avatar: it plays the recording it came with and cannot be driven")


def backdrop_message(data: bytes) -> dict[str, Any]:
    """Return the control message with a coded backdrop."""
    return {"type": BACKDROP, "picture": base64.b85encode(data).decode()}


def backdrop_of(message: Mapping[str, Any]) -> bytes | None:
    """Return the coded backdrop in a control message, not yet looked into; None where it has none."""
    picture = message.get("picture")
    if message.get("type") != BACKDROP or not isinstance(picture, str) or len(picture) > 5 * MAX_BYTES // 4:
        return None
    try:
        return base64.b85decode(picture)
    except ValueError:
        return None


class OwnershipError(SessionError):
    """The sender is not the owner of the avatar."""


async def shake_hands(
    peer: Peer, make: Callable[[tuple[bytes, bytes]], Handshake], late: Callable[[dict[str, Any]], None]
) -> Agreement:
    """Carry out the handshake over a connected peer, and return what both can do; later messages go to ``late``.

    Also waits until the peer's clock is known. Raises `SessionError`, or `PeerLeft` when the peer goes meanwhile.
    """
    handshake = make((peer.local_fingerprint, peer.remote_fingerprint))
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(message: dict[str, Any]) -> None:
        if finished.done():
            late(message)
            return
        try:
            for answer in handshake.receive(message):
                peer.send_control(answer)
        except SessionError as error:
            if isinstance(error, OwnershipError):
                # The only misfit that the other side cannot see for itself.
                peer.send_control({"type": "denied"})
            finished.set_exception(error)
        else:
            if handshake.done:
                finished.set_result(None)

    for message in handshake.start():
        peer.send_control(message)
    peer.on_control(receive)
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            awaited: set[asyncio.Future[Any]] = {finished, peer.ended}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            while finished.done() and finished.exception() is None and not peer.clock_known:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise SessionError(
            "the peer does not answer as a nerfcall of this version does: update it on both sides"
        ) from None
    if not finished.done():
        raise PeerLeft(peer.ended.result().reason)
    if finished.exception() is not None:
        # The other side finds the same from our hello, when it has it: leave it the time.
        await asyncio.wait({peer.ended}, timeout=MISFIT_SECONDS)
    finished.result()
    return handshake.agreement


def _digest(text: object, *sizes: int) -> bytes:
    """Parse hexadecimal text of one of the given numbers of bytes."""
    try:
        data = bytes.fromhex(text) if isinstance(text, str) and len(text) <= 2 * max(sizes) else None
    except ValueError:
        data = None
    if data is None or len(data) not in sizes:
        raise _misfit()
    return data


def _capabilities(value: object) -> frozenset[str]:
    """Parse a short list of names; those that this program does not know are kept, and mean nothing to it."""
    if not isinstance(value, list) or len(value) > MAX_CAPABILITIES:
        raise _misfit()
    if not all(isinstance(name, str) and _CAPABILITY.fullmatch(name) for name in value):
        raise _misfit()
    return frozenset(value)


def _misfit() -> SessionError:
    return SessionError("the peer's greeting cannot be read: update nerfcall on both sides")
