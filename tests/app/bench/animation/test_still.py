import numpy as np
import pytest

from app.bench.animation.still import QP_RANGE, StillDecoder, StillEncoder, StillError, coded_and_decoded, nal_type
from app.bench.codecs.payload import nal_units
from tests.app.bench.codecs.talking_blob import psnr, talking_blob


def test_pictures_come_back_and_a_finer_step_costs_more() -> None:
    pictures = talking_blob(3, 128)
    sizes, qualities = [], []
    for qp in (22, 32, 42):
        encoder, decoder = StillEncoder(128, qp), StillDecoder()
        coded = [encoder.encode(picture) for picture in pictures]
        decoded = np.stack([decoder.decode(data) for data in coded])
        sizes.append(sum(map(len, coded)))
        qualities.append(psnr(pictures, decoded))
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]
    assert qualities[0] > 39 > qualities[1] > qualities[2] > 24


def test_the_parameter_sets_are_sent_once() -> None:
    encoder = StillEncoder(64, 32)
    first, *later = [encoder.encode(picture) for picture in talking_blob(3, 64)]
    # Video, sequence and picture parameter set before the picture, an IDR frame without leading pictures.
    assert [nal_type(unit) for unit in nal_units(first)] == [32, 33, 34, 20]
    assert [nal_type(data) for data in later] == [20, 20]


def test_the_stream_is_intra_frames_alone() -> None:
    """The second picture, decoded after another first one of the same size, is the same."""
    a, b, c = talking_blob(3, 64)
    encoder = StillEncoder(64, 27)
    encoder.encode(a)
    third = encoder.encode(c)
    other = StillDecoder()
    other.decode(StillEncoder(64, 27).encode(b))
    (wanted,) = coded_and_decoded([c], 64, 27)
    assert np.array_equal(other.decode(third), wanted)


def test_damage_and_wrong_parameters_are_named() -> None:
    with pytest.raises(StillError):
        StillDecoder().decode(b"no picture at all")
    with pytest.raises(ValueError, match="not within"):
        StillEncoder(64, QP_RANGE[1] + 1)
