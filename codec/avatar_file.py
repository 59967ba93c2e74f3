"""The ``.avatar`` container: named sections of bytes under one digest.

Layout, all integers little-endian::

    magic      8 bytes   b"NCAVATAR"
    version    u16       1
    count      u16       number of sections
    directory  count x   (name length u8, name in ASCII, section length u32), names strictly ascending
    sections   the bytes of each, in the order of the directory
    digest     32 bytes  SHA-256 of everything before it

Nothing is compressed, so that a file never grows in memory beyond its size on disk. The digest is the identity of the
avatar: a stream is bound to it, and two sides that hold the same digest hold the same field, embedding and tables.
"""

import hashlib
import os
import re
import struct
from dataclasses import dataclass, field
from typing import Self

from codec.errors import AvatarFileError
from codec.files import read_bounded, write_atomic

MAGIC = b"NCAVATAR"
VERSION = 1
DIGEST_SIZE = 32
SHORT_ID_SIZE = 2
"""Bytes of the digest that each packet carries."""

MAX_FILE_SIZE = 64 << 20
MAX_SECTIONS = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
_HEAD = struct.Struct("<8sHH")
_REMEDY = "make one with `nerfcall enrol`, or name an .avatar file"


@dataclass(frozen=True)
class AvatarFile:
    """What an ``.avatar`` file holds; ``bytes(avatar_file)`` is the file and ``parse`` its inverse."""

    sections: dict[str, bytes] = field(repr=False)
    """Content by name: "meta", "calibration", "tables", "embedding", "field"."""

    def __post_init__(self) -> None:
        if len(self.sections) > MAX_SECTIONS:
            raise AvatarFileError(f"An avatar file holds at most {MAX_SECTIONS} sections, not {len(self.sections)}.")
        for name in self.sections:
            if not _NAME.fullmatch(name):
                raise AvatarFileError(f"{name[:40]!r} is no section name: use lower-case letters, digits, and . _ -.")
        if sum(len(content) for content in self.sections.values()) > MAX_FILE_SIZE - 4096:
            raise AvatarFileError(f"An avatar file is at most {MAX_FILE_SIZE >> 20} MiB: make the field smaller.")

    def __bytes__(self) -> bytes:
        body = self._body()
        return body + hashlib.sha256(body).digest()

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {len(content)}" for name, content in sorted(self.sections.items()))
        return f"avatar {self.short_id.hex()} ({sizes} bytes)"

    def __getitem__(self, name: str) -> bytes:
        """Return the section ``name``; :class:`AvatarFileError` names it when it is missing."""
        try:
            return self.sections[name]
        except KeyError:
            raise AvatarFileError(f"This avatar file has no section {name!r}: enrol it again.") from None

    @property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) over magic, directory and all sections."""
        return hashlib.sha256(self._body()).digest()

    @property
    def short_id(self) -> bytes:
        """First bytes of the digest, as every packet carries them."""
        return self.digest[:SHORT_ID_SIZE]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the sections of a whole file; :class:`AvatarFileError` for anything but an intact one."""
        if len(data) > MAX_FILE_SIZE:
            raise AvatarFileError(f"This is larger than any avatar file ({MAX_FILE_SIZE >> 20} MiB): {_REMEDY}.")
        if data[: len(MAGIC)] != MAGIC:
            raise AvatarFileError(f"This is not an avatar file: {_REMEDY}.")
        if len(data) < _HEAD.size + DIGEST_SIZE:
            raise AvatarFileError("This avatar file is cut off: copy it again, or enrol it again.")
        _, version, count = _HEAD.unpack_from(data)
        if version != VERSION:
            raise AvatarFileError(
                f"This avatar file has format version {version} and this program reads {VERSION}: update the older one."
            )
        body = memoryview(data)[:-DIGEST_SIZE]
        if hashlib.sha256(body).digest() != data[-DIGEST_SIZE:]:
            raise AvatarFileError("This avatar file is damaged (wrong digest): copy it again, or enrol it again.")
        if count > MAX_SECTIONS:
            raise AvatarFileError(f"This avatar file names {count} sections of at most {MAX_SECTIONS}: enrol it again.")
        position = _HEAD.size
        directory: list[tuple[str, int]] = []
        for _ in range(count):
            name_end = position + 1 + (body[position] if position < len(body) else 0)
            if name_end + 4 > len(body):
                raise AvatarFileError("This avatar file's directory is cut off: enrol it again.")
            name = bytes(body[position + 1 : name_end]).decode("latin-1")
            if not _NAME.fullmatch(name) or (directory and name <= directory[-1][0]):
                raise AvatarFileError(f"This avatar file's directory has a wrong entry {name[:40]!r}: enrol it again.")
            directory.append((name, int.from_bytes(body[name_end : name_end + 4], "little")))
            position = name_end + 4
        if position + sum(length for _, length in directory) != len(body):
            raise AvatarFileError("This avatar file's sections do not fill it exactly: enrol it again.")
        sections = {}
        for name, length in directory:
            sections[name] = bytes(body[position : position + length])
            position += length
        return cls(sections)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Return the avatar file at ``path``; :class:`AvatarFileError` names the path and what is wrong with it."""
        data = read_bounded(path, MAX_FILE_SIZE, AvatarFileError, "avatar", _REMEDY)
        try:
            return cls.parse(data)
        except AvatarFileError as error:
            raise AvatarFileError(f"{path}: {error}") from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file so that ``path`` holds either what it held before or all of this."""
        write_atomic(path, bytes(self), AvatarFileError, "avatar")

    def _body(self) -> bytes:
        names = sorted(self.sections)
        directory = b"".join(
            bytes([len(name)]) + name.encode("ascii") + len(self.sections[name]).to_bytes(4, "little") for name in names
        )
        head = _HEAD.pack(MAGIC, VERSION, len(names))
        return b"".join([head, directory, *(self.sections[name] for name in names)])
