"""The two data channels of a call, bounded on both ends.

======== ===== =========== ======================================================================
channel  id    delivery    carries
======== ===== =========== ======================================================================
control  0     reliable    JSON objects, at most 16 kB, a few a second
face     1     unordered,  one packet of the face codec a message, at most 1100 bytes; never sent
               once only   again, never waited for
======== ===== =========== ======================================================================

Both are negotiated in advance (RFC 8832 is skipped), so they are open as soon as the association is.
"""

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCDataChannel, RTCPeerConnection

from signaling.errors import SignalingError
from signaling.rooms import TokenBucket
from signaling.sctp import sctp_of, stream_of
from signaling.statistics import ChannelCounter

MAX_FACE_BYTES: Final = 1100
"""Fits one SCTP packet of aiortc (1160 bytes of user data), so that a message is one datagram."""

MAX_EARLY: Final = 32
"""Face messages that are kept until somebody wants them: more than are sent in a second."""

MAX_CONTROL_BYTES: Final = 16 * 1024
MAX_CONTROL_BACKLOG: Final = 128 * 1024
"""Bytes that may wait on the control channel before the connection counts as broken."""

CONTROL_BURST: Final = 64.0
CONTROL_RATE: Final = 20.0
"""Messages a second that are accepted, after a burst."""

Control = dict[str, Any]
"""A control message: a JSON object with a text ``type``."""


class FaceChannel:
    """Unordered, unreliable messages, each at most one datagram."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        self.counter = ChannelCounter()
        self.channel: RTCDataChannel = connection.createDataChannel(
            "face", ordered=False, maxRetransmits=0, negotiated=True, id=1
        )
        self.channel.on("message", self._message)
        self._sctp = sctp_of(connection)
        self._callback: Callable[[bytes], None] | None = None
        self._early: deque[bytes] = deque(maxlen=MAX_EARLY)

    def on_message(self, callback: Callable[[bytes], None]) -> list[bytes]:
        """Call ``callback(data)`` for each message from now on, and return the newest of those that came before."""
        self._callback = callback
        early = list(self._early)
        self._early.clear()
        return early

    def on_delivered(self, callback: Callable[[Any], None]) -> None:
        """Call ``callback(mark)`` for each message of which it becomes known that it has reached the other side."""
        self._sctp.on_delivered = callback

    def send(self, data: bytes, mark: Any = None, *, urgent: bool = False) -> bool:
        """Send one message; return False when it is held back because earlier ones still wait for the network.

        A message that waited would come too late and delay its successors, so it is better not sent at all. ``mark`` is
        what `on_delivered` is to be told of it; ``urgent``: as soon as can be.
        """
        if not 0 < len(data) <= MAX_FACE_BYTES:
            raise SignalingError(f"a face message has {len(data)} bytes: at most {MAX_FACE_BYTES} fit one datagram")
        if self.channel.readyState != "open" or self.channel.bufferedAmount > 2 * len(data):
            self.counter.messages_held_back += 1
            return False
        self._sctp.mark_next(stream_of(self.channel), mark, urgent=urgent)
        self.channel.send(data)
        self.counter.messages_out += 1
        self.counter.bytes_out += len(data)
        return True

    def _message(self, data: bytes | str) -> None:
        if isinstance(data, str) or not 0 < len(data) <= MAX_FACE_BYTES:
            self.counter.messages_refused += 1
            return
        self.counter.messages_in += 1
        self.counter.bytes_in += len(data)
        if self._callback is not None:
            self._callback(data)
        else:
            self._early.append(data)


class ControlChannel:
    """Reliable JSON objects in order."""

    def __init__(self, connection: RTCPeerConnection, now: Callable[[], float]) -> None:
        self.counter = ChannelCounter()
        self.channel: RTCDataChannel = connection.createDataChannel("control", negotiated=True, id=0)
        self.channel.on("message", self._message)
        self._now = now
        self._bucket = TokenBucket(CONTROL_BURST, CONTROL_RATE, now())
        self._callback: Callable[[Control], None] | None = None
        self._early: deque[Control] = deque(maxlen=int(CONTROL_BURST))

    def on_message(self, callback: Callable[[Control], None]) -> None:
        """Call ``callback(message)`` for each message, those that came before this call first."""
        self._callback = callback
        while self._early:
            callback(self._early.popleft())

    def send(self, message: Control) -> bool:
        """Send one object; return False when the channel is not open any more."""
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        if len(text) > MAX_CONTROL_BYTES:
            raise SignalingError(f"a control message has {len(text)} bytes: at most {MAX_CONTROL_BYTES} are allowed")
        if self.channel.readyState != "open" or self.channel.bufferedAmount > MAX_CONTROL_BACKLOG:
            return False
        self.channel.send(text)
        self.counter.messages_out += 1
        self.counter.bytes_out += len(text)
        return True

    def _message(self, data: bytes | str) -> None:
        message = parse_control(data) if self._bucket.take(self._now()) else None
        if message is None:
            self.counter.messages_refused += 1
            return
        self.counter.messages_in += 1
        self.counter.bytes_in += len(data)
        if self._callback is not None:
            self._callback(message)
        else:
            self._early.append(message)


def parse_control(data: bytes | str) -> Control | None:
    """Return a control message, or None for anything that is not a small JSON object with a text ``type``."""
    if not isinstance(data, str) or len(data) > MAX_CONTROL_BYTES:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and isinstance(message.get("type"), str) else None
