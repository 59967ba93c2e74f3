"""A portrait whose bytes are in one piece: the paper's field, or one of before planes came bit plane by bit plane."""

from renderer.field_file_3 import unpack_fields_3
from renderer.paper.file import is_paper, unpack_paper
from renderer.portrait import Portrait


def unpack_whole(data: bytes) -> Portrait:
    """Rebuild a portrait on the CPU.

    Raises:
        FieldFileError: ``data`` is anything else than what was written; sizes are checked before memory is taken.
    """
    return unpack_paper(data) if is_paper(data) else unpack_fields_3(data)
