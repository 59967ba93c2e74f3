"""Short packets, of one frame and of several, byte for byte.

These are never edited. Whoever changes what is written adds a version, and a file of vectors beside this one.
"""

from dataclasses import replace

import numpy as np

from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.message import Bundler
from codec.operating_point import FINEST, NORMAL, THRIFTY
from codec.parameters import state_parameters
from tests.codec.faces import AVATAR
from tests.golden.test_codec_golden_4 import LAYOUT, states, tables
from tests.golden.test_codec_golden_6 import prediction

POINTS = [NORMAL, NORMAL, NORMAL, NORMAL, NORMAL, FINEST, FINEST, THRIFTY, THRIFTY, THRIFTY]
"""Of each frame."""
TOGETHER = [1, 1, 1, 2, 2, 2, 2, 3, 3, 3]
"""Frames that a message has, if they can wait."""
HEARD = {1: (0,), 3: (2,), 7: (5, 6)}
"""Before which frame it is heard which others have come."""
MESSAGES = [
    "210001fffa00006ac1d119c792f5d27a57e33dc9814e331046ce9555269656f2f4dc",
    "ef4e484b4f93997cc020ba4fe09e2ae39239",
    "f051e75a52261fe55097555f3ccee7f085aa4ded848a0c4a4561d02ac189",
    "f79449098b833c69ee045213b98eb07c9b3512b38938081cb88abf3b0db5",
    "fd72fea547760353d9154b23a3345586406f117f8f02f7ebea988e360d04cf87709294dd2bc1764048ccea0cc4c4beca74779f8a9e81",
    "87144f5adfd77f8b24eeb0f5167b139acce85be8c3bb0fb485442721117ad8a756945cd39641e473c0b9",
]
VALUES = [26, -2611, 687, -70, -3221, 67167, 37, -41, -31, -30, -9, -37, -75, -7, 52, -85, -83, 28, -49]
"""Of the last frame, in 64ths of a step."""


def faces():
    """Return ten frames; the fifth is as the fourth."""
    rows = [replace(state, timestamp=0.04 * index) for index, state in enumerate((states() * 4)[:10])]
    rows[4] = replace(rows[3], timestamp=rows[4].timestamp)
    return rows


def messages():
    encoder = FrameEncoder(tables(), AVATAR, prediction=prediction(), sequence=65530, short=True)
    bundler, made = Bundler(), []
    for index, (state, point, together) in enumerate(zip(faces(), POINTS, TOGETHER, strict=True)):
        encoder.acknowledge(65530 + number for number in HEARD.get(index, ()))
        encoder.point = point
        packet = encoder.encode(state, bundler.along)
        urgent = encoder.waits_for(packet)
        message = bundler.add(65530 + index, packet, urgent=urgent, frames=together, repeats=0)
        if message is not None:
            made.append(message.data.hex())
    return made


def test_messages():
    assert messages() == MESSAGES


def test_what_they_say():
    decoder = FrameDecoder(tables(), AVATAR, prediction=prediction(), short=True)
    frames = []
    for message in MESSAGES:
        frames += decoder.decode_message(bytes.fromhex(message), 0.2)[0]
    assert [number for number, _ in frames] == list(range(65530, 65540))
    assert decoder.record(65539).values.tolist() == VALUES
    for (number, frame), face in zip(frames, faces(), strict=True):
        coded = prediction().parameters(decoder.record(number).values)
        np.testing.assert_allclose(coded[3:], state_parameters(face, LAYOUT)[3:], atol=0.4)
        assert abs(frame.timestamp - face.timestamp) < 1e-3
