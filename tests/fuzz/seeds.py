"""Inputs that are right: what the fuzzers begin from."""

import json
import lzma
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import torch

from app.avatar import pack_embedding
from app.session import REFUSED, Role, backdrop_message
from app.tracking.calibration_record import Calibration
from app.tracking.torso_template import SIDE, ColourMix, FrameCamera, TorsoTemplate
from codec.avatar_file import AvatarFile
from codec.backdrop import SIDES, encode_backdrop
from codec.embedding import ExpressionEmbedding, PlainExpression
from codec.message import Message
from codec.recording import Recording
from renderer.avatar import Avatar
from renderer.camera import Camera
from renderer.field_file import pack_fields
from renderer.head_field import HeadField, HeadFieldShape
from renderer.occupancy import DensityGrid
from renderer.torso_field import TorsoField, TorsoFieldShape
from signaling.messages import Description, Join, Joined, PeerArrived, PeerGone, Refused, serialise
from tests.codec.faces import face_states, literal_tables
from tests.codec.predictions import literal_cross, literal_filter, literal_prediction
from tests.codec.test_backdrop import slope
from tests.fuzz.conversation import packets
from tests.fuzz.targets import AVATAR_PARTS, hello

TINY_HEAD = HeadFieldShape(
    expression=2, channels=4, resolution=8, moving_channels=2, moving_resolution=4, wide_expression=2, width=8
)
TINY_TORSO = TorsoFieldShape(resolution=4)


def packet_seeds() -> list[bytes]:
    """Return packets one by one, four in a row, and in messages."""
    framed = [bytes([mend, len(data)]) + data for data in packets() for mend in (0, 1)]
    short = [bytes([mend, len(data)]) + data for data in packets(short=True) for mend in (2, 3)]
    messages = [bytes(Message(tuple(packets(short=kind)[first : first + 3]))) for first in (0, 4) for kind in (0, 1)]
    rows = [b"".join(kind[mend:8:2]) for kind in (framed, short) for mend in (0, 1)]
    return [*framed, *short, *rows, *messages]


def recording_seeds() -> list[bytes]:
    """Return short recordings, as tracked and embedded."""
    states = face_states(12, size=79)
    absent = [replace(state, present=index % 4 > 0) for index, state in enumerate(states)]
    embedded = Recording(25.0, face_states(30), b"avatar")
    return [
        bytes(Recording(25.0, states)),
        bytes(Recording(29.97, absent)),
        bytes(embedded),
        bytes(Recording(25.0, states[:1])),
    ]


def tiny_avatar() -> Avatar:
    """Return fields of a few kilobytes."""
    torch.manual_seed(1)
    low, high = torch.full((3,), -10.0), torch.full((3,), 10.0)
    head = HeadField(low, high, torch.tensor([2, 2, 4]), TINY_HEAD)
    return Avatar(head, TorsoField(TINY_TORSO), DensityGrid(low, high, 2), torch.rand(2, 2, 3), Camera(2.0))


def avatar_seeds() -> list[bytes]:
    """Return each part of an avatar file behind its number."""
    tones = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE) % 256
    meta = json.dumps({"name": "x", "owner": "ab" * 32, "demo": True, "recordings": ["cd" * 32]}).encode()
    parts = (
        bytes(AvatarFile({"meta": meta, "tables": b"tables", "field": b"field"})),
        bytes(literal_tables()),
        bytes(literal_prediction(literal_cross(), literal_filter())),
        meta,
        bytes(Calibration.mean_face(8, b"12345678")),
        bytes(TorsoTemplate.moving_linearly(FrameCamera(1.5, 0.5, 0.5), ColourMix(0.3, 0.4, 0.3), tones, tones > 100)),
        lzma.decompress(pack_fields(tiny_avatar()).base),
        pack_embedding(PlainExpression()),
    )
    assert len(parts) == len(AVATAR_PARTS)
    return [bytes([number]) + part for number, part in enumerate(parts)] + [
        bytes([len(parts) - 1]) + pack_embedding(ExpressionEmbedding())
    ]


def control_seeds() -> list[bytes]:
    """Return messages of all types."""
    beat = {"type": "beat", "t": 12.5, "echo": 12.0, "held": 0.1, "report": {"frames_sent": 25, "fps_sent": 25.0}}
    proof = {"type": "proof", "signature": "ab" * 64}
    own = [hello(Role.SENDER).message(), hello(Role.RECEIVER).message(), beat, proof, {"type": "accepted"}]
    own += [{"type": "denied"}, {"type": "bye"}, REFUSED]
    backdrops = [0.2 * slope(side) for side in SIDES]
    motions = (None, np.array([[0.01, 0.0, 0.1], [0.0, -0.02, -0.05]]))
    coded = [encode_backdrop(*each) for each in product(backdrops, (8, 64), motions)]
    own += [backdrop_message(data) for data in coded]
    room = [Join("amber-fox", True, 2.5), Description("offer", "v=0\r\n"), Joined(True), PeerArrived(), PeerGone()]
    lines = [*(json.dumps(message) for message in own), *map(serialise, room), serialise(Refused("expired"))]
    return [line.encode() for line in lines]


SEEDS = {"packet": packet_seeds, "avatar": avatar_seeds, "recording": recording_seeds, "control": control_seeds}


@cache
def seeds(name: str) -> list[bytes]:
    """Return the inputs of a target."""
    return SEEDS[name]()
