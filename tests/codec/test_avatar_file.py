import hashlib
import struct
import tracemalloc

import pytest

from codec.avatar_file import MAX_FILE_SIZE, AvatarFile
from codec.errors import AvatarFileError

SECTIONS = {"tables": b"\x01\x02", "meta": b'{"name": "Ada"}', "field": bytes(1000), "empty": b""}


def seal(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def head(count: int, version: int = 1) -> bytes:
    return b"NCAVATAR" + struct.pack("<HH", version, count)


def entry(name: bytes, length: int) -> bytes:
    return bytes([len(name)]) + name + struct.pack("<I", length)


def test_what_is_parsed_is_what_was_written():
    assert AvatarFile.parse(bytes(AvatarFile(SECTIONS))).sections == SECTIONS


def test_identity_is_the_digest_at_the_end_of_the_file():
    avatar = AvatarFile(SECTIONS)
    assert bytes(avatar)[-32:] == avatar.digest == hashlib.sha256(bytes(avatar)[:-32]).digest()
    assert avatar.short_id == avatar.digest[:2]


def test_order_of_sections_does_not_change_the_identity():
    assert AvatarFile(SECTIONS).digest == AvatarFile(dict(reversed(SECTIONS.items()))).digest


def test_any_change_changes_the_identity():
    assert AvatarFile(SECTIONS | {"meta": b"x"}).digest != AvatarFile(SECTIONS).digest


@pytest.mark.parametrize("length", [0, 4, 8, 11, 12, 40, 200, 1044])
def test_a_cut_file_is_refused(length):
    with pytest.raises(AvatarFileError):
        AvatarFile.parse(bytes(AvatarFile(SECTIONS))[:length])


def test_a_changed_byte_is_refused():
    data = bytearray(bytes(AvatarFile(SECTIONS)))
    data[200] ^= 1
    with pytest.raises(AvatarFileError, match="damaged"):
        AvatarFile.parse(bytes(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GIF89a" + bytes(200), "not an avatar"),
        (seal(head(0, version=2)), "version 2"),
        (seal(head(33)), "33 sections"),
        (seal(head(1)), "cut off"),
        (seal(head(1) + b"\xffabc"), "cut off"),
        (seal(head(1) + entry(b"a", 5) + b"1234"), "exactly"),
        (seal(head(1) + entry(b"a", 3) + b"1234"), "exactly"),
        (seal(head(1) + entry(b"a", 0xFFFFFFFF)), "exactly"),
        (seal(head(1) + entry(b"../a", 0)), "wrong entry"),
        (seal(head(1) + entry(b"", 0)), "wrong entry"),
        (seal(head(2) + entry(b"a", 0) + entry(b"a", 0)), "wrong entry"),
        (seal(head(2) + entry(b"b", 0) + entry(b"a", 0)), "wrong entry"),
        (b"NCAVATAR" + bytes(MAX_FILE_SIZE), "larger"),
    ],
)
def test_hostile_files_are_refused_without_allocating(data, reason):
    tracemalloc.start()
    try:
        with pytest.raises(AvatarFileError, match=reason):
            AvatarFile.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["", "Meta", "a/b", "x" * 33, "ü"])
def test_wrong_section_names_are_refused(name):
    with pytest.raises(AvatarFileError, match="section name"):
        AvatarFile({name: b""})


def test_a_missing_section_is_named():
    with pytest.raises(AvatarFileError, match="'tables'"):
        AvatarFile({})["tables"]


def test_write_and_read(tmp_path):
    path = tmp_path / "ada.avatar"
    path.write_bytes(b"old")
    AvatarFile(SECTIONS).write(path)
    assert AvatarFile.read(path).sections == SECTIONS
    assert [entry.name for entry in tmp_path.iterdir()] == ["ada.avatar"]


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    with pytest.raises(AvatarFileError, match=r"nobody\.avatar.*nerfcall enrol"):
        AvatarFile.read(tmp_path / "nobody.avatar")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(AvatarFileError, match="cannot be read"):
        AvatarFile.read(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "broken.avatar"
    path.write_bytes(bytes(AvatarFile(SECTIONS))[:-1])
    with pytest.raises(AvatarFileError, match=r"broken\.avatar: .*damaged"):
        AvatarFile.read(path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "ada.avatar"
    AvatarFile(SECTIONS).write(path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(AvatarFileError, match="No space left"):
        AvatarFile({}).write(path)
    monkeypatch.undo()
    assert AvatarFile.read(path).sections == SECTIONS
    assert len(list(tmp_path.iterdir())) == 1
