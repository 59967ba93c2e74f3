"""The ``.avatar`` container: named sections of bytes under a head that names the hash of each.

Layout, all integers little-endian::

    magic      8 bytes   b"NCAVATAR"
    version    u16       2
    count      u16       number of sections
    directory  count x   (name length u8, name in ASCII, section length u32, SHA-256 of the section, 32 bytes)
    sections   the bytes of each, in the order of the directory

The digest of magic, version, count and directory is the identity of the avatar: a stream is bound to it, and two sides
that hold the same digest hold the same field, embedding and tables. So the first part of a file, or of a transfer, is
as trustworthy as the whole: each section is checked as soon as it is there. What is needed first comes first.

The container compresses nothing, so that a file never grows in memory beyond its size on disk.

Version 1 had no hashes in its directory, names in ascending order, and the SHA-256 of all before it at the end. It is
still read; its identity is that which the same sections have in version 2.
"""

import hashlib
import os
import re
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from codec.errors import AvatarFileError
from codec.files import read_bounded, write_atomic

MAGIC = b"NCAVATAR"
VERSION = 2
DIGEST_SIZE = 32
SHORT_ID_SIZE = 2
"""Bytes of the digest that each packet carries."""

MAX_FILE_SIZE = 64 << 20
MAX_SECTIONS = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
_HEAD = struct.Struct("<8sHH")
_REMEDY = "make one with `nerfcall enrol`, or name an .avatar file"
_CUT_OFF = "This avatar file is cut off: copy it again, or enrol it again."


@dataclass(frozen=True, slots=True)
class Entry:
    """A section as the directory has it."""

    name: str
    size: int
    digest: bytes
    """SHA-256 of the section."""

    def __bytes__(self) -> bytes:
        return bytes([len(self.name)]) + self.name.encode("ascii") + self.size.to_bytes(4, "little") + self.digest


@dataclass(frozen=True)
class AvatarFile:
    """What an ``.avatar`` file holds, or its first part; ``bytes(file)`` is the file and ``parse`` its inverse."""

    sections: dict[str, bytes] = field(repr=False)
    """Content by name in the order of the file: "meta", "tables", "field", "planes.2" and so on."""
    missing: tuple[Entry, ...] = ()
    """Sections that have not arrived: those at the end of the file."""

    def __post_init__(self) -> None:
        names = [*self.sections, *(entry.name for entry in self.missing)]
        if len(names) > MAX_SECTIONS:
            raise AvatarFileError(f"An avatar file holds at most {MAX_SECTIONS} sections, not {len(names)}.")
        for name in names:
            if not _NAME.fullmatch(name):
                raise AvatarFileError(f"{name[:40]!r} is no section name: use lower-case letters, digits, and . _ -.")
        if sum(len(content) for content in self.sections.values()) > MAX_FILE_SIZE - 4096:
            raise AvatarFileError(f"An avatar file is at most {MAX_FILE_SIZE >> 20} MiB: make the field smaller.")

    def __bytes__(self) -> bytes:
        if self.missing:
            raise AvatarFileError(f"This avatar has not arrived whole: {self.missing[0].name} is missing.")
        return b"".join([self.head, *self.sections.values()])

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {len(content)}" for name, content in sorted(self.sections.items()))
        return f"avatar {self.short_id.hex()} ({sizes} bytes)"

    def __getitem__(self, name: str) -> bytes:
        """Return the section ``name``; :class:`AvatarFileError` names it when it is missing."""
        try:
            return self.sections[name]
        except KeyError:
            pass
        if any(entry.name == name for entry in self.missing):
            raise AvatarFileError(f"Too little of this avatar is there: section {name!r} has not arrived.")
        raise AvatarFileError(f"This avatar file has no section {name!r}: enrol it again.")

    @property
    def names(self) -> list[str]:
        """The names of all sections, those that have not arrived among them."""
        return [*self.sections, *(entry.name for entry in self.missing)]

    @cached_property
    def head(self) -> bytes:
        """Magic, version, count and directory: what the digest is of."""
        there = (Entry(name, len(part), hashlib.sha256(part).digest()) for name, part in self.sections.items())
        return b"".join([_HEAD.pack(MAGIC, VERSION, len(self.names)), *map(bytes, (*there, *self.missing))])

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.head) + sum(map(len, self.sections.values())) + sum(entry.size for entry in self.missing)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) of the head, and so of all that it names."""
        return hashlib.sha256(self.head).digest()

    @property
    def short_id(self) -> bytes:
        """First bytes of the digest, as every packet carries them."""
        return self.digest[:SHORT_ID_SIZE]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the sections of a whole file; :class:`AvatarFileError` for anything but an intact one."""
        version = _version(data)
        if version == 1:
            return cls(_sections_1(data))
        file = cls.parse_first(data)
        if file.missing:
            raise AvatarFileError(_CUT_OFF)
        if file.size != len(data):
            raise AvatarFileError("This avatar file's sections do not fill it exactly: enrol it again.")
        return file

    @classmethod
    def parse_first(cls, data: bytes) -> Self:
        """Return what the first bytes of a file hold: whole sections; a section that is cut off is missing.

        :class:`AvatarFileError` for anything but the beginning of an intact file that has its head.
        """
        if _version(data) != VERSION:
            raise AvatarFileError("This avatar file is of an older version, which is read whole or not at all.")
        entries, position = _directory(data)
        sections: dict[str, bytes] = {}
        for entry in entries:
            if position + entry.size > len(data):
                break
            content = data[position : position + entry.size]
            if hashlib.sha256(content).digest() != entry.digest:
                raise AvatarFileError(
                    f"This avatar file is damaged (wrong digest of {entry.name!r}): copy it again, or enrol it again."
                )
            sections[entry.name] = content
            position += entry.size
        return cls(sections, tuple(entries[len(sections) :]))

    @classmethod
    def read(cls, path: str | os.PathLike[str], first: int | None = None) -> Self:
        """Return the avatar file at ``path``, or what its ``first`` bytes hold.

        :class:`AvatarFileError` names the path and what is wrong with it.
        """
        data = read_bounded(path, MAX_FILE_SIZE, AvatarFileError, "avatar", _REMEDY)
        try:
            return cls.parse(data) if first is None else cls.parse_first(data[:first])
        except AvatarFileError as error:
            raise AvatarFileError(f"{path}: {error}") from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file so that ``path`` holds either what it held before or all of this."""
        write_atomic(path, bytes(self), AvatarFileError, "avatar")


def _version(data: bytes) -> int:
    if len(data) > MAX_FILE_SIZE:
        raise AvatarFileError(f"This is larger than any avatar file ({MAX_FILE_SIZE >> 20} MiB): {_REMEDY}.")
    if data[: len(MAGIC)] != MAGIC:
        raise AvatarFileError(f"This is not an avatar file: {_REMEDY}.")
    if len(data) < _HEAD.size:
        raise AvatarFileError(_CUT_OFF)
    _, version, count = _HEAD.unpack_from(data)
    if version not in (1, VERSION):
        raise AvatarFileError(
            f"This avatar file has format version {version} and this program reads {VERSION}: update the older one."
        )
    if count > MAX_SECTIONS:
        raise AvatarFileError(f"This avatar file names {count} sections of at most {MAX_SECTIONS}: enrol it again.")
    return int(version)


def _directory(data: bytes, digest_size: int = DIGEST_SIZE) -> tuple[list[Entry], int]:
    """Return the directory and where it ends."""
    _, _, count = _HEAD.unpack_from(data)
    position = _HEAD.size
    entries: list[Entry] = []
    for _ in range(count):
        name_end = position + 1 + (data[position] if position < len(data) else 0)
        end = name_end + 4 + digest_size
        if end > len(data):
            raise AvatarFileError("This avatar file's directory is cut off: copy it again, or enrol it again.")
        name = data[position + 1 : name_end].decode("latin-1")
        if not _NAME.fullmatch(name) or any(name == entry.name for entry in entries):
            raise AvatarFileError(f"This avatar file's directory has a wrong entry {name[:40]!r}: enrol it again.")
        size = int.from_bytes(data[name_end : name_end + 4], "little")
        entries.append(Entry(name, size, data[name_end + 4 : end]))
        position = end
    if position + sum(entry.size for entry in entries) > MAX_FILE_SIZE:
        raise AvatarFileError(f"This names more than any avatar file holds ({MAX_FILE_SIZE >> 20} MiB): {_REMEDY}.")
    return entries, position


def _sections_1(data: bytes) -> dict[str, bytes]:
    """Return the sections of a file of version 1."""
    if len(data) < _HEAD.size + DIGEST_SIZE:
        raise AvatarFileError(_CUT_OFF)
    body = data[:-DIGEST_SIZE]
    if hashlib.sha256(body).digest() != data[-DIGEST_SIZE:]:
        raise AvatarFileError("This avatar file is damaged (wrong digest): copy it again, or enrol it again.")
    entries, position = _directory(body, 0)
    if position + sum(entry.size for entry in entries) != len(body):
        raise AvatarFileError("This avatar file's sections do not fill it exactly: enrol it again.")
    sections = {}
    for entry in entries:
        sections[entry.name] = body[position : position + entry.size]
        position += entry.size
    return sections
