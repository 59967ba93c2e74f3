"""What the fuzzers feed: for each format that comes from the wire or from a file, bytes in, nothing but our errors out.

Where a digest or checksum guards a format, a target mends it first: who sends hostile bytes can compute it as well.
"""

import contextlib
import json
import lzma
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from app.avatar import EMBEDDING_LIMIT, LoadedAvatar
from app.call_statistics import CallMeter
from app.errors import UserError
from app.session import Handshake, Hello, Rights, Role, backdrop_of
from app.tracking.calibration_record import Calibration
from app.tracking.torso_template import TorsoTemplate
from codec.avatar_file import DIGEST_SIZE, AvatarFile
from codec.backdrop import decode_backdrop
from codec.errors import AvatarFileError, CodecError, PacketError
from codec.message import MAX_PACKETS
from codec.playout import PlayoutBuffer
from codec.prediction import PredictionTables
from codec.recording import Recording
from codec.short_packet import MOST_FRAMES
from codec.tables import CodecTables
from renderer.field_container import FieldFileError
from renderer.field_file import open_fields
from signaling.channels import parse_control
from signaling.clock import ClockOffset
from signaling.errors import SignalingError
from signaling.messages import parse
from tests.codec.faces import literal_tables
from tests.fuzz.conversation import FPS, START, decoder, mended, trusting

OURS = (CodecError, FieldFileError, SignalingError, UserError)
"""The only errors that may come out of a parser, each of one room."""


def packet(data: bytes) -> None:
    """Take up to four packets, each behind a byte that says whether to mend its checksum and one for its length.

    The first byte also says whether predicted frames come in short packets.
    """
    short = bool(data) and data[0] & 2 == 2
    receiver, buffer, now = decoder(short=short), PlayoutBuffer(literal_tables().rest_state(0.0)), START
    taken, refused = decoder(short=short).decode_message(data, now)
    assert len(taken) + refused <= MAX_PACKETS * MOST_FRAMES
    for _ in range(4):
        if len(data) < 2:
            return
        mend, length = data[0] & 1, data[1]
        content, data = data[2 : 2 + length], data[2 + length :]
        now += 1 / FPS
        try:
            with trusting() if mend else contextlib.nullcontext():
                state = receiver.decode(mended(receiver, content) if mend else content, now)
        except PacketError:
            continue
        buffer.push(state, now, receiver.sequence)
        shown = buffer.sample(now)
        assert shown is not None
        assert np.isfinite(shown.expression).all()
        assert np.isfinite(shown.torso).all()
        assert np.abs(shown.pose.rotation @ shown.pose.rotation.T - np.eye(3)).max() < 1e-4


def recording(data: bytes) -> None:
    """Take a recording."""
    parsed = Recording.parse(data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little"))
    assert len(Recording.parse(bytes(parsed)).states) == len(parsed.states)


def avatar(data: bytes) -> None:
    """Take a byte that names a part of an avatar file, and that part."""
    AVATAR_PARTS[data[0] % len(AVATAR_PARTS) if data else 0](data[1:])


def control(data: bytes) -> None:
    """Take a message as control, and as one of the rendezvous."""
    _control(data)
    parse(data.decode("latin-1"))


def _control(data: bytes) -> None:
    message = parse_control(data.decode("latin-1"))
    if message is None:
        return
    ClockOffset().take(message, 1.0)
    meter, report = CallMeter(), message.get("report")
    meter.take_report(report if isinstance(report, dict) else message, 1.0)
    json.dumps(meter.summary(), allow_nan=False)
    if (picture := backdrop_of(message)) is not None:
        assert np.isfinite(decode_backdrop(picture).difference).all()
    for role, other in ((Role.SENDER, Role.RECEIVER), (Role.RECEIVER, Role.SENDER)):
        for first in ([], [hello(other).message()]):
            handshake = Handshake(hello(role), Rights(owner=b"\x01" * 32), (bytes(32), bytes(32)))
            try:
                for taken in (*first, message):
                    handshake.receive(taken)
            except UserError:
                continue
            # Nothing that is no proof makes a receiver believe that its peer owns the avatar.
            assert role is Role.SENDER or not handshake.done


def hello(role: Role) -> Hello:
    """Return the greeting of one side."""
    return Hello(role, b"A" * 32, b"T" * 32, b"n" * 32)


def _container(data: bytes) -> None:
    # Version 1 ends with a digest, which no flipped bit would get past.
    body = data[:-DIGEST_SIZE]
    for whole in (data, body + sha256(body).digest()):
        with contextlib.suppress(AvatarFileError):
            file = AvatarFile.parse(whole)
            assert AvatarFile.parse(bytes(file)).sections == file.sections
    part = AvatarFile.parse_first(data)
    assert part.size >= len(part.head) + sum(map(len, part.sections.values()))


def _tables(data: bytes) -> None:
    assert bytes(CodecTables.parse(data)) == data


def _prediction(data: bytes) -> None:
    tables = PredictionTables.parse(data)
    assert bytes(tables) == data
    # Whatever passed must be fit to predict with.
    values = tables.predict(0, 1, tables.centres, tables.centres)
    assert len(tables.residual_tables(0, 1, tables.centres, values)) == tables.layout.size


def _rights(data: bytes) -> None:
    try:
        meta = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(meta, dict):
        Rights.of(meta)


def _calibration(data: bytes) -> None:
    assert Calibration.parse(data).landmark_offsets.shape == (478, 3)


def _torso(data: bytes) -> None:
    assert np.isfinite(TorsoTemplate.parse(data).displacements()).all()


def _field(data: bytes) -> None:
    open_fields(lzma.compress(data, preset=0))


def _embedding(data: bytes) -> None:
    file = AvatarFile({"embedding": data[:EMBEDDING_LIMIT]})
    LoadedAvatar(file, Path("fuzzed"), torch.device("cpu"), literal_tables(), {}).embed(np.zeros(79, np.float32))


AVATAR_PARTS: tuple[Callable[[bytes], None], ...] = (
    _container, _tables, _prediction, _rights, _calibration, _torso, _field, _embedding,
)  # fmt: skip
"""By the first byte of what `avatar` takes."""

TARGETS: dict[str, Callable[[bytes], None]] = {
    "packet": packet,
    "avatar": avatar,
    "recording": recording,
    "control": control,
}


def run(name: str, data: bytes) -> None:
    """Feed one target; only what is none of our errors comes out."""
    said = _refusal(TARGETS[name], data)
    # Whoever reads it gets one sentence.
    assert said is None or (said and "\n" not in said)


def _refusal(take: Callable[[bytes], None], data: bytes) -> str | None:
    try:
        take(data)
    except OURS as error:
        return str(error)
    return None
