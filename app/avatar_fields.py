"""An avatar's fields <-> the sections of its file: what there is to render from, and its planes from coarse to fine."""

import numpy as np
import torch

from codec.avatar_file import AvatarFile
from codec.pyramid import Pyramid, PyramidShape
from codec.pyramid_coder import decode_part, encode_part
from renderer.avatar import Avatar
from renderer.field_file import FieldBase, PackedFields, open_fields, pack_fields
from renderer.paper.avatar import PaperAvatar
from renderer.paper.file import pack_paper
from renderer.portrait import Portrait
from renderer.portrait_file import unpack_whole

BASE = "field"
BACKGROUND = "background"
"""Whole at once: it fills most of a picture, in a few kilobytes."""
SHIFTS = (2, 1, 0)
"""Bit planes that the head's and the torso's planes lack after each part; a part is about twice as long as the last."""


def part_name(shift: int) -> str:
    """Return the section that brings the planes to a shift."""
    return f"planes.{shift}"


SECTIONS = (BASE, BACKGROUND, *map(part_name, SHIFTS))
"""In the order in which a receiver needs them; it can render from the first three."""


def pack_sections(portrait: Portrait) -> dict[str, bytes]:
    """Return the sections of a portrait's fields in their order; the paper's field has but one.

    Raises:
        TypeError: there is no file for this kind of portrait.
    """
    if isinstance(portrait, PaperAvatar):
        return {BASE: pack_paper(portrait)}
    if not isinstance(portrait, Avatar):
        raise TypeError(f"no file holds a {type(portrait).__name__}")
    return _coded(pack_fields(portrait))


def _coded(packed: PackedFields) -> dict[str, bytes]:
    pyramids = {
        name: Pyramid.of([band.numpy() for band in levels], packed.sides[name])
        for name, levels in packed.planes.items()
    }
    background = pyramids.pop(BACKGROUND)
    parts = [encode_part(list(pyramids.values()), shift, shift == SHIFTS[0]) for shift in SHIFTS]
    return dict(zip(SECTIONS, [packed.base, encode_part([background], 0, True), *parts], strict=True))


def unpack_sections(file: AvatarFile) -> Portrait:
    """Return the portrait, as fine as the sections that are there allow, on the CPU.

    Raises:
        FieldFileError, AvatarFileError: a section is damaged, or too little is there to render from.
    """
    if not is_progressive(file):
        return unpack_whole(file[BASE])
    base = open_fields(file[BASE])
    shapes = {name: PyramidShape(count, side) for name, (count, side) in base.planes.items()}
    background = decode_part(file[BACKGROUND], [shapes.pop(BACKGROUND)], None)
    moving = list(shapes.values())
    known, reached = decode_part(file[part_name(SHIFTS[0])], moving, None), SHIFTS[0]
    for shift in SHIFTS[1:]:
        if (part := file.sections.get(part_name(shift))) is None:
            break
        known, reached = decode_part(part, moving, known), shift
    return _rendering(base, dict(zip((BACKGROUND, *shapes), [*background, *known], strict=True)), reached)


def _rendering(base: FieldBase, pyramids: dict[str, Pyramid], shift: int) -> Avatar:
    levels = {name: [torch.from_numpy(np.asarray(band)) for band in found.bands] for name, found in pyramids.items()}
    return base.avatar(levels, {name: 0 if name == BACKGROUND else shift for name in levels})


def is_progressive(file: AvatarFile) -> bool:
    """Return whether a file renders from its first part already."""
    return part_name(SHIFTS[0]) in file.names


def repacked(file: AvatarFile) -> AvatarFile:
    """Return the same avatar with its sections in the order of today, its fields coded as today.

    Raises:
        FieldFileError, AvatarFileError: its fields are damaged.
    """
    fields = {name: file[name] for name in SECTIONS} if is_progressive(file) else pack_sections(unpack_sections(file))
    first = {name: file[name] for name in ("meta", "tables", "prediction") if name in file.sections}
    rest = {name: content for name, content in file.sections.items() if name not in first and name not in fields}
    return AvatarFile(first | fields | rest)
