"""A portrait as bytes, whichever field it holds."""

from renderer.avatar import Avatar
from renderer.field_file import FieldFileError, pack_fields, unpack_fields
from renderer.paper.avatar import PaperAvatar
from renderer.paper.file import is_paper, pack_paper, unpack_paper
from renderer.portrait import Portrait

__all__ = ["FieldFileError", "pack_portrait", "unpack_portrait"]


def pack_portrait(portrait: Portrait) -> bytes:
    """Return the bytes of a portrait; ``unpack_portrait`` is the inverse up to the rounding.

    Raises:
        TypeError: there is no file for this kind of portrait.
    """
    if isinstance(portrait, Avatar):
        return pack_fields(portrait)
    if isinstance(portrait, PaperAvatar):
        return pack_paper(portrait)
    raise TypeError(f"no file holds a {type(portrait).__name__}")


def unpack_portrait(data: bytes) -> Portrait:
    """Rebuild a portrait on the CPU.

    Raises:
        FieldFileError: ``data`` is anything else than what ``pack_portrait`` writes; sizes are checked before memory
            is taken.
    """
    return unpack_paper(data) if is_paper(data) else unpack_fields(data)
