"""Files made here are described with their true figures; damaged ones in one sentence."""

import json
import lzma
import struct
import tracemalloc

import numpy as np
import pytest

from app.cli import main
from app.inspection import describe, printable, tensor_shapes
from codec.avatar_file import AvatarFile
from codec.errors import CodecError
from codec.face_state import FaceState, HeadPose
from codec.recording import Recording


def turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def states(count, size, seen=lambda index: True):
    return [
        FaceState(
            np.full(size, 0.5 * (index % 2), np.float32),
            HeadPose(turned(-10 + 30 * index / (count - 1)), np.array([0, 0, -60], np.float32)),
            index / 25,
            seen(index),
            np.array([0.05 - 0.1 * index / (count - 1), 0.03, 0, 0.07 * (index % 2), 0, 0], np.float32),
        )
        for index in range(count)
    ]


def tensors(**shapes):
    header, offset = {}, 0
    for name, shape in shapes.items():
        length = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + length]}
        offset += length
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(offset)


@pytest.fixture
def avatar(tmp_path):
    meta = {"name": "Jo", "demo": True, "size": 256, "training": {"psnr": 27.251, "minutes": 15}, "odd": "a\x1b[2Jb"}
    file = AvatarFile({"meta": json.dumps(meta).encode(), "field": tensors(a=(2, 3), b=(4,)), "tables": bytes(1500)})
    file.write(tmp_path / "jo.avatar")
    return tmp_path / "jo.avatar", file


def test_an_avatar_in_words(avatar, capsys):
    path, file = avatar
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("jo.avatar: an avatar, ")
    assert file.digest.hex() in text
    assert "cannot be driven by a camera" in text
    assert "psnr 27.25, minutes 15" in text
    assert "2 tensors, 10 numbers" in text
    assert "1.5 kB" in text
    assert "\x1b" not in text


def test_a_tracked_recording_in_words(tmp_path):
    path = tmp_path / "jo.face"
    Recording(25.0, states(50, 79, lambda index: index < 40)).write(path)
    text = str(describe(path))
    assert "2.0 s, 50 frames at 25 a second" in text
    assert "in 80 % of the frames" in text
    assert "any avatar can embed them" in text
    assert "turns -10 to 14°" in text
    assert "60 to 60 cm" in text
    # A fifth of the frames has no face: what is held there does not count.
    assert "moves -3 to 5 % of the frame to the right and 3 to 3 % down, warps by up to 7 %" in text


def test_an_embedded_recording_names_its_avatar(tmp_path):
    path = tmp_path / "jo.face"
    Recording(25.0, states(10, 30), b"\xab" * 32).write(path)
    assert "abababababababab" in str(describe(path))


@pytest.mark.parametrize("kind", ["avatar", "face"])
def test_every_flipped_byte_is_one_sentence(tmp_path, avatar, kind):
    path = avatar[0]
    if kind == "face":
        path = tmp_path / "jo.face"
        Recording(25.0, states(5, 30), b"\xab" * 32).write(path)
    whole = path.read_bytes()
    for position in range(8, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        with pytest.raises(CodecError):
            describe(path)


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "cannot be read"), (b"", "neither an avatar nor a recording"), (b"PK", "neither")]
)
def test_what_is_neither_is_refused_in_one_sentence(tmp_path, capsys, content, sentence):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    assert main(["inspect", str(path)]) == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert sentence in complaint
    assert str(path) in complaint


def test_an_owner_is_named(tmp_path):
    AvatarFile({"meta": json.dumps({"owner": "ab" * 32}).encode()}).write(tmp_path / "a.avatar")
    assert "abababababababab: only who holds the owner's key can drive it" in str(describe(tmp_path / "a.avatar"))


def test_an_avatar_without_a_description_is_refused(tmp_path, capsys):
    AvatarFile({"meta": b"[1, 2"}).write(tmp_path / "a.avatar")
    assert main(["inspect", str(tmp_path / "a.avatar")]) == 1
    assert "description is damaged" in capsys.readouterr().err


def test_compressed_tensors_are_counted_too():
    assert tensor_shapes(lzma.compress(tensors(a=(2, 3), b=(4,)))) == {"a": [2, 3], "b": [4]}


def test_a_compressed_section_is_not_unpacked_whole():
    bomb = lzma.compress(struct.pack("<Q", 1 << 20) + bytes(200 << 20), preset=1)
    tracemalloc.start()
    assert tensor_shapes(bomb) == {}
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "content", [b"", bytes(7), b"\xfd7zXZ\x00xx", struct.pack("<Q", 1 << 60) + b"{}", struct.pack("<Q", 2) + b"[]"]
)
def test_hostile_tensor_headers_are_no_tensors(content):
    assert tensor_shapes(content) == {}


def test_text_from_a_file_cannot_command_a_terminal():
    assert printable("a\x1b]0;x\x07\n\u202eb") == "a?]0;x???b"
