"""A decoder in the middle of a call, and packets whose checksums a hostile sender has computed for it."""

import binascii
import copy
from contextlib import AbstractContextManager
from functools import cache
from unittest.mock import ANY, patch

from codec.decoder import FrameDecoder, _latest
from codec.errors import PacketError
from codec.message import Bundler, Message
from codec.packet import HEADER_SIZE as ALONE_SIZE
from codec.predicted_packet import SHORT_SEQUENCE_MODULUS, PredictedPacket, checksum, is_predicted
from codec.short_packet import ShortPacket
from tests.codec.faces import face_states, literal_tables
from tests.codec.predictions import call, literal_cross, literal_filter, literal_prediction

PRIMED = 20
"""Frames that the decoder has seen."""
FPS = 25.0
START = 100.0 + PRIMED / FPS
"""Seconds: when its next frame is due."""


def trusting() -> AbstractContextManager[object]:
    """Return the context in which short packets are taken whatever their checksum."""
    return patch.object(ShortPacket, "checksum", return_value=ANY)


@cache
def _conversation(short: bool) -> tuple[FrameDecoder, list[bytes], list[bytes]]:
    """Return the decoder, packets that it takes next, and some that were coded alone."""
    encoder, decoder = call(literal_tables(), literal_prediction(literal_cross(), literal_filter()), short=short)
    coming, alone, waiting = [], [], Bundler()
    for index, state in enumerate(face_states(PRIMED + 12, size=3)):
        packet = encoder.encode(state, waiting.along)
        data = bytes(packet)
        if index < PRIMED:
            decoder.decode(data, state.timestamp)
            encoder.acknowledge((index,))
        elif short:
            message = waiting.add(index, packet, urgent=False, frames=1 + index % 3, repeats=0)
            coming += [] if message is None else Message.parse(message.data).packets
        else:
            coming.append(data)
        if not is_predicted(data):
            alone.append(data)
    return decoder, coming, alone


def decoder(*, short: bool = False) -> FrameDecoder:
    """Return a decoder that has seen `PRIMED` frames, in packets with long headers or in short ones."""
    primed = _conversation(short)[0]
    # What it keeps of frames is never changed, so that it need not be copied: a fuzzer makes a thousand a second.
    fresh = copy.copy(primed)
    fresh._history = copy.copy(primed._history)
    fresh._history._records = dict(primed._history._records)
    fresh._unsettled = dict(primed._unsettled)
    fresh._amended = copy.copy(primed._amended)
    return fresh


def packets(*, short: bool = False) -> list[bytes]:
    """Return packets of all kinds, the first of which such a decoder takes."""
    _, coming, alone = _conversation(short)
    return [*coming, *alone]


def mended(decoder: FrameDecoder, data: bytes) -> bytes:
    """Return a packet with the checksum that its sender would compute; it may have other flaws.

    That of a short packet is known when all else is: see `trusting`.
    """
    if decoder.short and is_predicted(data):
        return data
    if not is_predicted(data):
        if len(data) < ALONE_SIZE:
            return data
        head = data[:1] + decoder._avatar_id + data[3 : ALONE_SIZE - 2]
        check = binascii.crc_hqx(head + data[ALONE_SIZE:], 0xFFFF)
        return head + check.to_bytes(2, "big") + data[ALONE_SIZE:]
    try:
        packet = PredictedPacket.parse(data)
    except PacketError:
        return data
    header = packet.header
    sequence = _latest(header.sequence, decoder.sequence, SHORT_SEQUENCE_MODULUS)
    newest = decoder.record(sequence - header.gap)
    before = decoder.record(sequence - header.gap - 1) if header.order == 1 else None
    if newest is None or (header.order == 1 and before is None):
        return data
    check = checksum(decoder._context, sequence, header, packet.payload, newest, before)
    return bytes(PredictedPacket(header, check, packet.payload))
