import hashlib
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.avatar_file import MAX_FILE_SIZE, AvatarFile, Entry
from codec.errors import AvatarFileError

SECTIONS = {"tables": b"\x01\x02", "meta": b'{"name": "Ada"}', "field": bytes(1000), "empty": b"", "last": b"end"}
WHOLE = bytes(AvatarFile(SECTIONS))
HEAD = AvatarFile(SECTIONS).head


def head(count: int, version: int = 2) -> bytes:
    return b"NCAVATAR" + struct.pack("<HH", version, count)


def entry(name: bytes, size: int, content: bytes = b"") -> bytes:
    return bytes([len(name)]) + name + struct.pack("<I", size) + hashlib.sha256(content).digest()


def version_1(sections: dict[str, bytes]) -> bytes:
    directory = b"".join(bytes([len(n)]) + n.encode() + struct.pack("<I", len(c)) for n, c in sorted(sections.items()))
    body = head(len(sections), 1) + directory + b"".join(content for _, content in sorted(sections.items()))
    return body + hashlib.sha256(body).digest()


def test_what_is_parsed_is_what_was_written():
    parsed = AvatarFile.parse(WHOLE)
    assert list(parsed.sections.items()) == list(SECTIONS.items())
    assert parsed.missing == ()
    assert parsed.size == len(WHOLE)


def test_identity_is_the_digest_of_the_head():
    avatar = AvatarFile(SECTIONS)
    assert avatar.digest == hashlib.sha256(HEAD).digest()
    assert avatar.short_id == avatar.digest[:2]
    assert WHOLE.startswith(HEAD)


def test_any_change_changes_the_identity():
    assert AvatarFile(SECTIONS | {"meta": b"x"}).digest != AvatarFile(SECTIONS).digest
    assert AvatarFile(dict(reversed(SECTIONS.items()))).digest != AvatarFile(SECTIONS).digest


@given(st.integers(0, len(WHOLE) - 1))
def test_a_first_part_has_what_has_arrived_and_the_identity_of_the_whole(length):
    if length < len(HEAD):
        with pytest.raises(AvatarFileError):
            AvatarFile.parse_first(WHOLE[:length])
        return
    part = AvatarFile.parse_first(WHOLE[:length])
    count = len(part.sections)
    assert list(part.sections.items()) == list(SECTIONS.items())[:count]
    assert [missing.name for missing in part.missing] == list(SECTIONS)[count:]
    assert part.digest == AvatarFile(SECTIONS).digest
    assert part.size == len(WHOLE)
    # As much as is there, no less.
    arrived = len(HEAD) + sum(map(len, part.sections.values()))
    assert arrived <= length < arrived + part.missing[0].size
    with pytest.raises(AvatarFileError, match="not arrived whole"):
        bytes(part)
    with pytest.raises(AvatarFileError, match="has not arrived"):
        part["last"]
    with pytest.raises(AvatarFileError, match="cut off"):
        AvatarFile.parse(WHOLE[:length])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_is_another_avatar(position, flip):
    data = bytearray(WHOLE)
    data[position] ^= flip
    try:
        avatar = AvatarFile.parse(bytes(data))
    except AvatarFileError:
        return
    # Only a name can change without a contradiction: then it is another avatar, and no handshake takes it for this one.
    assert position < len(HEAD)
    assert avatar.digest != AvatarFile(SECTIONS).digest


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GIF89a" + bytes(200), "not an avatar"),
        (head(0, version=3), "version 3"),
        (head(33), "33 sections"),
        (head(1), "cut off"),
        (head(1) + b"\xffabc", "cut off"),
        (head(1) + entry(b"a", 5) + b"1234", "cut off"),
        (head(1) + entry(b"a", 3, b"123") + b"1234", "exactly"),
        (head(1) + entry(b"a", 4, b"123") + b"1234", "wrong digest of 'a'"),
        (head(1) + entry(b"a", 0xFFFFFFFF), "64 MiB"),
        (head(1) + entry(b"../a", 0), "wrong entry"),
        (head(1) + entry(b"", 0), "wrong entry"),
        (head(2) + entry(b"a", 0) + entry(b"a", 0), "wrong entry"),
        (b"NCAVATAR" + bytes(MAX_FILE_SIZE), "larger"),
        (version_1(SECTIONS)[:-1], "damaged"),
        (version_1(SECTIONS)[:30], "cut off"),
        (head(1, 1) + bytes(32), "damaged"),
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


@given(st.binary(max_size=300))
def test_anything_raises_only_our_error(data):
    for prefix in (b"", head(2), head(2, 1)):
        for parse in (AvatarFile.parse, AvatarFile.parse_first):
            with pytest.raises(AvatarFileError):
                parse(prefix + data)


def test_a_file_of_version_1_is_read_whole_or_not_at_all():
    old = version_1(SECTIONS)
    assert AvatarFile.parse(old).sections == SECTIONS
    with pytest.raises(AvatarFileError, match="older version"):
        AvatarFile.parse_first(old)


@pytest.mark.parametrize("name", ["", "Meta", "a/b", "x" * 33, "ü"])
def test_wrong_section_names_are_refused(name):
    with pytest.raises(AvatarFileError, match="section name"):
        AvatarFile({name: b""})
    with pytest.raises(AvatarFileError, match="section name"):
        AvatarFile({}, (Entry(name, 0, bytes(32)),))


def test_a_missing_section_is_named():
    with pytest.raises(AvatarFileError, match="'tables'"):
        AvatarFile({})["tables"]


def test_write_and_read(tmp_path):
    path = tmp_path / "ada.avatar"
    path.write_bytes(b"old")
    AvatarFile(SECTIONS).write(path)
    assert AvatarFile.read(path).sections == SECTIONS
    assert AvatarFile.read(path, len(HEAD) + 2).sections == {"tables": b"\x01\x02"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["ada.avatar"]


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    with pytest.raises(AvatarFileError, match=r"nobody\.avatar.*nerfcall enrol"):
        AvatarFile.read(tmp_path / "nobody.avatar")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(AvatarFileError, match="cannot be read"):
        AvatarFile.read(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "broken.avatar"
    path.write_bytes(WHOLE[:-1] + b"?")
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
