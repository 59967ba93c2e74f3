"""Named tensors and a description in a compressed safetensors container, within bounds."""

import json
import lzma
import struct
from collections.abc import Mapping

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

MAX_BYTES = 128 << 20
"""Of the container when decompressed."""
_MEMORY = 16 << 20
"""Bytes that decompression may take beside its output: the compressor looks 8 MiB back."""


class FieldFileError(ValueError):
    """The bytes are no avatar's fields."""


def pack_container(tensors: Mapping[str, Tensor], description: dict[str, str]) -> bytes:
    """Return the bytes of tensors and a description; ``unpack_container`` is the inverse."""
    # Neighbouring texels are alike in ways that zlib does not see: this is a quarter smaller.
    return lzma.compress(save({name: value.contiguous() for name, value in tensors.items()}, description), preset=6)


def unpack_container(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return tensors and description.

    Raises:
        FieldFileError: ``data`` is no container, or expands to more than `MAX_BYTES`.
    """
    try:
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        container = decompressor.decompress(data, MAX_BYTES)
    except (lzma.LZMAError, MemoryError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error
    if not decompressor.eof or decompressor.unused_data:
        raise FieldFileError("the avatar's fields are cut off or too large")
    try:
        tensors = load(container)
        # The reader has checked the size of its header.
        (size,) = struct.unpack_from("<Q", container)
        found = json.loads(container[8 : 8 + size])["__metadata__"]
        return tensors, {str(name): str(value) for name, value in found.items()}
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error
