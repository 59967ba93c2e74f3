"""What is in an avatar or a recording, in words."""

import json
import lzma
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import UserError
from app.window.figures import byte_count
from codec import avatar_file, recording
from codec.avatar_file import AvatarFile
from codec.face_state import FaceState
from codec.recording import Recording

MAX_TENSOR_HEADER = 1 << 20
"""Bytes of a tensor file's directory: ours have a few kilobytes."""

_XZ = b"\xfd7zXZ\x00"
"""What every xz stream begins with."""
MAX_MEMORY = 16 << 20
"""Bytes that decompression may take."""

FIRST_PICTURE, *FINER_PICTURES = "planes.2", "planes.1", "planes.0"
"""Sections that complete what a picture can be rendered from (see `app.avatar_fields`)."""

_KNOWN = ("name", "created", "demo", "size", "owner", "recordings")


class InspectionError(UserError):
    """The file is neither an avatar nor a recording."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is known about a file."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Description:
    """What a file is, and what is in it."""

    title: str
    lines: Sequence[Line]

    def __str__(self) -> str:
        width = max((len(line.name) for line in self.lines), default=0)
        return "\n".join([self.title, *(f"  {line.name:{width}}   {line.value}" for line in self.lines)])


def describe(path: Path, first: int | None = None) -> Description:
    """Describe the file at ``path``; of an avatar, if asked for, what its ``first`` bytes hold.

    Raises:
        InspectionError: it is neither an avatar nor a recording, or cannot be opened.
        CodecError: it is one, and damaged.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
            size = path.stat().st_size
    except OSError as error:
        raise InspectionError(f"{path} cannot be read ({error.strerror}); name an .avatar or .face file") from error
    if start.startswith(avatar_file.MAGIC):
        return describe_avatar(path.name, AvatarFile.read(path, first), size)
    if start.startswith(recording.MAGIC):
        return describe_recording(path.name, Recording.read(path), size)
    raise InspectionError(f"{path} is neither an avatar nor a recording; name an .avatar or .face file")


def describe_avatar(name: str, avatar: AvatarFile, size: int) -> Description:
    """Describe an avatar that was read from a file of ``size`` bytes."""
    meta = read_meta(avatar)
    lines = []
    if isinstance(meta.get("name"), str):
        lines.append(Line("name", printable(meta["name"])))
    if "created" in meta:
        lines.append(Line("made", words(meta["created"])))
    lines.append(Line("identity", f"{avatar.digest.hex()} (packets carry {avatar.short_id.hex()})"))
    if "size" in meta:
        lines.append(Line("trained at", f"{words(meta['size'])} × {words(meta['size'])} pixels; renders at any size"))
    if meta.get("demo"):
        lines.append(Line("demo", "yes: it plays the recording it came with and cannot be driven by a camera or clip"))
    elif meta.get("owner"):
        lines.append(Line("owner", f"{words(meta['owner'])[:16]}: only who holds the owner's key can drive it"))
    lines += [Line(key.replace("_", " "), words(value)) for key, value in meta.items() if key not in _KNOWN]
    end = len(avatar.head)
    for section, content in avatar.sections.items():
        end += len(content)
        if section != "meta":
            stage = f"; a picture from the first {byte_count(end)} on" if section == FIRST_PICTURE else ""
            stage = f"; a finer one from {byte_count(end)} on" if section in FINER_PICTURES else stage
            lines.append(Line(section, section_words(content) + stage))
    for entry in avatar.missing:
        lines.append(Line(entry.name, f"{byte_count(entry.size)}, not there"))
    return Description(f"{name}: an avatar, {byte_count(size)}", lines)


def describe_recording(name: str, face: Recording, size: int) -> Description:
    """Describe a recording that was read from a file of ``size`` bytes."""
    count = len(face.states)
    seen = [state for state in face.states if state.present]
    coefficients = len(face.states[0].expression)
    if face.avatar_id is None:
        bound = f"nobody: {coefficients} numbers of expression as tracked, any avatar can embed them"
    else:
        bound = (
            f"avatar {face.avatar_id.hex()[:16]}: {coefficients} embedded numbers of expression, no other plays them"
        )
    lines = [
        Line("length", f"{face.duration:.1f} s, {count} frames at {face.fps:g} a second"),
        Line("bound to", bound),
        Line("face seen", f"in {100 * len(seen) / count:.0f} % of the frames"),
        Line("stored in", f"{8 * size / count:.0f} bits a frame, {size * 8 / 1000 / face.duration:.2f} kbit/s"),
    ]
    if seen:
        lines += [Line("head", head_words(seen)), Line("torso", torso_words(seen))]
        lines.append(Line("expression", expression_words(seen)))
    return Description(f"{name}: a recording, {byte_count(size)}", lines)


def read_meta(avatar: AvatarFile) -> dict[str, Any]:
    """Return what an avatar says about itself.

    Raises:
        InspectionError: that part is missing or no JSON object.
    """
    try:
        meta = json.loads(avatar["meta"])
    except (ValueError, RecursionError) as error:
        raise InspectionError("the avatar's description is damaged; enrol it again") from error
    if not isinstance(meta, dict):
        raise InspectionError("the avatar's description is damaged; enrol it again")
    return meta


def head_words(states: Iterable[FaceState]) -> str:
    """Say how far the head turns and nods, and how far away it is."""
    states = list(states)
    nose = np.stack([state.pose.rotation[:, 2] for state in states]).astype(np.float64)
    turn = np.degrees(np.arctan2(nose[:, 0], nose[:, 2]))
    nod = np.degrees(np.arcsin(np.clip(nose[:, 1], -1.0, 1.0)))
    distance = np.array([-float(state.pose.translation[2]) for state in states])
    return f"turns {span(turn)}° to the right of the picture, rises {span(nod)}°, {span(distance)} cm from the camera"


def torso_words(states: Iterable[FaceState]) -> str:
    """Say how far the torso moves in the frame, and how much it leans, turns and grows."""
    torsos = 100 * np.stack([state.torso for state in states]).astype(np.float64)
    right, down, warp = span(torsos[:, 0]), span(torsos[:, 1]), np.abs(torsos[:, 2:]).max()
    return f"moves {right} % of the frame to the right and {down} % down, warps by up to {warp:.0f} %"


def expression_words(states: Iterable[FaceState]) -> str:
    """Say how large the expression's numbers are, and how much they move from frame to frame."""
    values = np.stack([state.expression for state in states]).astype(np.float64)
    moves = np.abs(np.diff(values, axis=0)).mean() if len(values) > 1 else 0.0
    return f"{values.min():.2f} to {values.max():.2f}, standard deviation {values.std():.2f}, moves {moves:.3f} a frame"


def span(values: Any) -> str:
    """Return the least and the greatest as whole numbers."""
    return f"{round(float(np.min(values)))} to {round(float(np.max(values)))}"


def section_words(content: bytes) -> str:
    """Return the size of a section, and its tensors if it holds some."""
    shapes = tensor_shapes(content)
    if not shapes:
        return byte_count(len(content))
    numbers = sum(math.prod(shape) for shape in shapes.values())
    return f"{byte_count(len(content))}, {len(shapes)} tensors, {numbers:,} numbers"


def tensor_shapes(content: bytes) -> dict[str, list[int]]:
    """Return name and shape of each tensor in a safetensors file, compressed or not; none if it is something else."""
    if content.startswith(_XZ):
        try:
            # No more than the directory: what a hostile file would expand to stays packed.
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY)
            content = decompressor.decompress(content, 8 + MAX_TENSOR_HEADER)
        except lzma.LZMAError:
            return {}
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= length <= min(MAX_TENSOR_HEADER, len(content) - 8):
        return {}
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        return {}
    if not isinstance(header, dict):
        return {}
    shapes = {}
    for name, entry in header.items():
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if isinstance(shape, list) and all(isinstance(side, int) and side >= 0 for side in shape):
            shapes[name] = shape
    return shapes


def words(value: Any) -> str:
    """Return a value of the description on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{printable(str(key)).replace('_', ' ')} {words(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(words(entry) for entry in value)
    return printable(str(value))


def printable(text: str) -> str:
    """Return text from a file without anything that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)[:400]
