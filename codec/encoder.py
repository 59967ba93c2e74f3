"""Face states -> packets: embed, quantise, predict within the frame, entropy-code."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from codec.entropy import SymbolEncoder
from codec.errors import FaceStateError
from codec.face_state import FaceState
from codec.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, FrameHeader, Packet, short_id
from codec.quantiser import state_parameters
from codec.tables import CodecTables

Embed = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The avatar's embedding: a tracked expression (79,) -> (E,)."""


class FrameEncoder:
    """Turns the states of one capture into packets, each of which decodes alone.

    ``avatar_id`` is the digest of the avatar or its first bytes. ``embed`` is the avatar's embedding; None when the
    states already hold embedded expressions. ``sequence`` is the number of the first packet.
    """

    def __init__(self, tables: CodecTables, avatar_id: bytes, embed: Embed | None = None, *, sequence: int = 0) -> None:
        self._tables = tables
        self._avatar_id = short_id(avatar_id)
        self._embed = embed
        self._sequence = sequence % SEQUENCE_MODULUS

    def encode(self, state: FaceState) -> Packet:
        """Return the packet of ``state``.

        Any finite state can be coded: what lies beyond the quantiser's bounds is clamped. :class:`FaceStateError` for
        numbers that are not finite and for a wrong shape; the sequence number then stays.
        """
        if not isfinite(state.timestamp):
            raise FaceStateError("The timestamp is not finite: the capture clock is broken.")
        payload = b""
        if state.present:
            if self._embed is not None:
                state = replace(state, expression=np.asarray(self._embed(state.expression)))
            parameters = state_parameters(state, self._tables.expression_size)
            payload = encode_symbols(self._tables, self._tables.quantiser.quantise(parameters).tolist())
        timestamp = round(state.timestamp * 1000) % TIMESTAMP_MODULUS
        header = FrameHeader(self._avatar_id, self._sequence, timestamp, state.present)
        self._sequence = (self._sequence + 1) % SEQUENCE_MODULUS
        return Packet(header, payload)


def encode_symbols(tables: CodecTables, symbols: Sequence[int]) -> bytes:
    """Return the payload of a frame's ``symbols`` (12 + E,), each within its bounds."""
    coder = SymbolEncoder()
    offsets: list[int] = []
    for index, symbol in enumerate(symbols):
        coder.put(tables.residuals[index], symbol - tables.predict(index, offsets))
        offsets.append(symbol - tables.centres[index])
    return coder.finish()
