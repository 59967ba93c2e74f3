from pathlib import Path

import numpy as np
import pytest

from app.bench.animation.animation_codec import BUFFER, AnimationCodec
from app.bench.animation.message import HEADER_SIZE, Message, MessageError
from app.bench.animation.network import NetworkShape
from app.bench.animation.network_file import NetworkFileError, read_model
from app.bench.animation.training import train_animation
from app.bench.codec import Coded
from app.errors import UserError
from tests.app.bench.codecs.talking_blob import psnr, talking_blob

SHAPE = NetworkShape((16, 16, 16), (16, 16, 16), (16, 16, 16), 1)
FPS = 25.0


def train(path: Path, steps: int) -> Path:
    frames = talking_blob(32, 256)
    return train_animation(frames, 1.0, path, lambda _: None, steps=steps, shape=SHAPE, perceptual=False)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("animation") / "blob.safetensors", 25)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return talking_blob(12, 256)


def test_another_object_decodes_from_packets_and_file_alone(network: Path, frames: np.ndarray, tmp_path: Path) -> None:
    coded = AnimationCodec(network, threshold=24.0).encode(frames, FPS)
    assert len(coded.packets) == len(frames)
    assert coded.side_bytes == network.stat().st_size
    elsewhere = tmp_path / "elsewhere.safetensors"
    elsewhere.write_bytes(network.read_bytes())
    # Bytes that were never part of the encoder's objects, and a codec whose settings say something else.
    arrived = tuple(bytes(bytearray(packet)) for packet in coded.packets)
    decoded = AnimationCodec(elsewhere, threshold=0.0, reference_qp=51).decode(Coded(arrived), 256)
    assert decoded.shape == frames.shape
    assert decoded.dtype == np.uint8
    assert psnr(frames, decoded) > 24.0
    assert np.array_equal(decoded, AnimationCodec(network).decode(coded, 256))


def test_encoding_does_not_wait_for_later_frames(network: Path, frames: np.ndarray) -> None:
    whole = AnimationCodec(network).encode(frames[:6], FPS).packets
    assert AnimationCodec(network).encode(frames[:3], FPS).packets == whole[:3]


def test_a_higher_threshold_sends_more_references_and_shows_a_better_picture(network: Path, frames: np.ndarray) -> None:
    rates, qualities, references = [], [], []
    for threshold in (0.0, 60.0):
        codec = AnimationCodec(network, threshold, reference_qp=27)
        coded = codec.encode(frames, FPS)
        rates.append(coded.kbps(FPS))
        qualities.append(psnr(frames, codec.decode(coded, 256)))
        references.append([bool(Message.parse(packet).reference) for packet in coded.packets])
    assert references[0] == [True] + [False] * (len(frames) - 1)
    assert sum(references[1]) > 2
    shown = [message for packet in coded.packets if (message := Message.parse(packet)).shown]
    assert all(message.reference for message in shown)
    assert rates[0] < rates[1]
    assert qualities[0] < qualities[1]


def test_an_earlier_reference_serves_again(network: Path) -> None:
    """Two scenes in turn: the second change back costs one byte more than key points, not another picture."""
    here = talking_blob(2, 256)
    there = 255 - here
    codec = AnimationCodec(network, threshold=18.0)
    coded = codec.encode(np.concatenate([here, there, here]), FPS)
    messages = [Message.parse(packet) for packet in coded.packets]
    assert [bool(message.reference) for message in messages] == [True, False, True, False, False, False]
    assert [message.use for message in messages] == [None, None, None, None, 0, None]
    assert len(messages[4].key_points) + HEADER_SIZE + 1 == len(coded.packets[4])
    assert psnr(here, codec.decode(coded, 256)[4:]) > 18.0


def test_the_buffer_forgets_the_oldest(network: Path) -> None:
    """More scenes than places: each is a reference, and the first must be sent anew."""
    rng = np.random.default_rng(0)
    scenes = [
        np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((64, 64, 1))).astype(np.uint8) for _ in range(BUFFER + 1)
    ]
    codec = AnimationCodec(network, threshold=60.0)
    coded = codec.encode(np.stack([*scenes, scenes[0]]), FPS)
    messages = [Message.parse(packet) for packet in coded.packets]
    assert all(message.reference for message in messages)
    codec.decode(coded, 256)


def test_another_size_is_scaled_before_and_after(network: Path) -> None:
    frames = talking_blob(3, 128)
    codec = AnimationCodec(network)
    coded = codec.encode(frames, FPS)
    decoded = codec.decode(coded, 128)
    assert decoded.shape == frames.shape
    assert codec.decode(coded, 512).shape == (3, 512, 512, 3)
    assert psnr(frames, decoded) > 22.0
    assert codec.settings["coded_size"] == 256


def test_damage_and_strangers_are_refused(network: Path, frames: np.ndarray, tmp_path: Path) -> None:
    coded = AnimationCodec(network, threshold=0.0).encode(frames[:2], FPS)
    with pytest.raises(MessageError, match="never sent"):
        AnimationCodec(network).decode(Coded(coded.packets[1:]), 256)
    other = train(tmp_path / "other.safetensors", 1)
    with pytest.raises(MessageError, match="another network"):
        AnimationCodec(other).decode(coded, 256)
    with pytest.raises(NetworkFileError, match="train it first"):
        read_model(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(network.read_bytes()[:-9])
    with pytest.raises(NetworkFileError, match="train it again"):
        read_model(cut)


def test_the_same_seed_and_steps_give_the_same_file(tmp_path: Path) -> None:
    first, second = train(tmp_path / "a.safetensors", 2), train(tmp_path / "b.safetensors", 2)
    assert first.read_bytes() == second.read_bytes()


def test_too_little_to_train_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least"):
        train_animation(np.zeros((3, 256, 256, 3), np.uint8), 1.0, tmp_path / "x.safetensors", print)


def test_it_names_the_versions_of_what_does_the_work(network: Path) -> None:
    versions = AnimationCodec(network).versions()
    assert {"torch", "av", "constriction"} <= set(versions)
    assert all(versions.values())
