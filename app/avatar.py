"""An avatar file opened for a call: what drives it and what renders it."""

import json
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save

from app.assets import cache_folder
from app.avatar_fields import unpack_sections
from app.errors import UsageError, UserError
from app.tracking.calibration_record import Calibration
from app.tracking.torso_template import TorsoTemplate
from codec.avatar_file import AvatarFile
from codec.backdrop import Backdrop
from codec.embedding import Embedding, embedding_of
from codec.errors import AvatarFileError
from codec.face_state import FaceState
from codec.parameters import ParameterLayout
from codec.prediction import PredictionTables, prediction_of
from codec.tables import CodecTables
from renderer.avatar import Avatar
from renderer.backdrop import BackdropFade
from renderer.field_container import FieldFileError
from renderer.kernels import cpu, gpu
from renderer.paper.avatar import PaperAvatar
from renderer.portrait import Portrait
from renderer.process_settings import flush_denormals, keep_buffers_mapped
from renderer.refinement import Refinement

META_LIMIT = 1 << 16
EMBEDDING_LIMIT = 1 << 20


class AvatarError(UserError):
    """An avatar cannot be used."""


class DeviceError(UsageError):
    """The device that was asked for is not there."""


def choose_device(wanted: str = "auto") -> torch.device:
    """Return the device to render or train on.

    Args:
        wanted: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        DeviceError: a GPU was asked for and there is none that torch can use.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise DeviceError(f"{wanted} is no device: use auto, cpu, cuda or cuda:0") from error
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"{wanted} is not supported: use auto, cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"{wanted} was asked for, but torch sees no CUDA GPU: use --device cpu, or see nerfcall doctor"
        )
    return device


def device_name(device: torch.device) -> str:
    """Return a device as a person calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


@dataclass(eq=False)
class LoadedAvatar:
    """An avatar file, or its first part, with its parts opened as they are needed."""

    file: AvatarFile
    path: Path
    device: torch.device
    tables: CodecTables
    meta: dict[str, Any]
    prediction: PredictionTables | None = None
    """What frames are predicted with; None for an avatar of before there was prediction: each frame is coded alone."""
    _refinement: Refinement | None = None
    _fade: BackdropFade | None = None

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the avatar file, 32 bytes."""
        return self.file.digest

    @property
    def short_id(self) -> bytes:
        """What every packet carries of the digest."""
        return self.file.short_id

    @property
    def device_name(self) -> str:
        """The device as a person calls it."""
        return device_name(self.device)

    @cached_property
    def field(self) -> Portrait:
        """The fields, on the device. Raises AvatarError, AvatarFileError."""
        return self._unpacked(self.file)

    @property
    def refining(self) -> bool:
        """Whether the next picture of the same face will be another one: finer, or before another background."""
        return self._refinement is not None or self._fade is not None

    @cached_property
    def background(self) -> NDArray[np.float32]:
        """The enrolled background (S, S, 3), 0 to 1. Raises AvatarError, AvatarFileError."""
        return self.field.background.cpu().numpy().copy()

    def show_backdrop(self, backdrop: Backdrop) -> None:
        """Let the next pictures fade to a background that differs so from the enrolled one."""
        enrolled = torch.from_numpy(self.background).to(self.device)
        difference, motion = (
            torch.tensor(numbers, dtype=torch.float32) for numbers in (backdrop.difference, backdrop.motion)
        )
        self._fade = BackdropFade(self.field, enrolled, difference, motion)

    def refine(self, file: AvatarFile) -> None:
        """Render from more of the same file from now on; frames go on meanwhile, in whichever thread renders them.

        Raises:
            AvatarError, AvatarFileError: it is another avatar's, or damaged.
        """
        if file.digest != self.digest:
            raise AvatarError(f"{self.path}: what arrived is of another avatar; get the file again")
        finer = self._unpacked(file)
        field, self.file = self.field, file
        # The paper's field is whole as soon as it is there.
        if isinstance(field, Avatar) and isinstance(finer, Avatar):
            self._refinement = Refinement(field, finer)

    def _unpacked(self, file: AvatarFile) -> Portrait:
        try:
            field = unpack_sections(file)
        except FieldFileError as error:
            raise AvatarError(f"{self.path}: {error}; get the file again or enrol again") from error
        if not _takes(field, self.tables.layout):
            raise AvatarError(f"{self.path}: its fields and its coding tables are of two avatars; enrol again")
        return field.to(self.device)

    @cached_property
    def calibration(self) -> Calibration:
        """What the tracker knows of the owner. Raises CalibrationError; AvatarFileError for a demonstration."""
        return Calibration.parse(self.file["calibration"])

    @cached_property
    def torso(self) -> TorsoTemplate:
        """What the owner's torso looks like. Raises TorsoTemplateError; AvatarFileError for a demonstration."""
        return TorsoTemplate.parse(self.file["torso"])

    @cached_property
    def embedding(self) -> Embedding:
        """The expression embedding. Raises AvatarError; AvatarFileError for a demonstration, which has none."""
        data = self.file["embedding"]
        try:
            if len(data) > EMBEDDING_LIMIT:
                raise ValueError("too large")
            embedding = embedding_of(load(data))
        except (SafetensorError, RuntimeError, ValueError) as error:
            raise AvatarError(f"{self.path}: its expression embedding is damaged; enrol again") from error
        return embedding.requires_grad_(False).eval()

    def embed(self, expression: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed a tracked expression (79,) to (E,)."""
        embedded: NDArray[np.float32] = self.embedding(torch.from_numpy(np.asarray(expression, np.float32))).numpy()
        return embedded

    @property
    def expression_bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The least and the greatest (E,) that the numbers of an embedded expression may be."""
        lower, upper = self.embedding.lower.numpy(), self.embedding.upper.numpy()
        return lower, upper

    def show_enrolled(self) -> None:
        """Let the next pictures show the enrolled background, at once."""
        self._fade = None
        # The fields may have been opened while a picture was rendered, in this mode.
        with torch.inference_mode():
            self.field.background.copy_(torch.from_numpy(self.background))
        self.field.forget_view()

    @property
    def fast(self) -> bool:
        """Whether what renders quickly is ready."""
        return isinstance(self.field, Avatar) and self.field.fastest() != "torch"

    def prepare(self) -> None:
        """Compile what renders on the device, or load it: the first time on a machine that takes seconds.

        Meanwhile, and where it cannot be compiled, pictures are rendered at a quarter of the speed.
        """
        if self.device.type == "cpu":
            cpu.prepare(cache_folder() / "kernels")
        elif isinstance(self.field, Avatar):
            gpu.prepare(self.field)

    def render(self, state: FaceState, width: int, height: int, *, smooth: bool = True) -> NDArray[np.uint8]:
        """Return the picture (height, width, 3), RGB, of a state whose expression is embedded.

        Unless it is to be ``smooth``, the outline of the head may jag, for less time; see `Avatar.render`.
        """
        with torch.inference_mode():
            refinement = self._refinement
            if refinement is not None and refinement.step() and self._refinement is refinement:
                self._refinement = None
            fade = self._fade
            if fade is not None and fade.step() and self._fade is fade:
                self._fade = None
            given = *self._head(state), self._tensor(state.torso), width, height
            if isinstance(self.field, Avatar):
                picture = self.field.render(*given, smooth=smooth)
            else:
                picture = self.field.render(*given)
        image: NDArray[np.uint8] = picture.cpu().numpy()
        return image

    def head_distance(self, state: FaceState, width: int, height: int) -> NDArray[np.float32]:
        """Return how far away (height, width) the head is in a picture, see `Avatar.head_distance`.

        Raises:
            ValueError: its field is none that renders quickly.
        """
        if not isinstance(self.field, Avatar):
            raise ValueError("only the fast field knows where its head's surface is")
        with torch.inference_mode():
            distance = self.field.head_distance(*self._head(state), width, height)
        found: NDArray[np.float32] = distance.cpu().numpy()
        return found

    def _head(self, state: FaceState) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return expression, rotation and translation on the device."""
        pose = state.pose
        return self._tensor(state.expression), self._tensor(pose.rotation), self._tensor(pose.translation)

    def _tensor(self, values: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.array(values, np.float32)).to(self.device)


def load_avatar(path: str | Path, device: str = "auto", first: int | None = None) -> LoadedAvatar:
    """Open an avatar file and check all that the call will rely on but the fields, which load on first use.

    With ``first``, it is opened as if only so many bytes of it were there.

    Raises:
        AvatarError, AvatarFileError, TablesError: the file is missing, damaged or of another version; the sentence
            names it and the remedy.
    """
    keep_buffers_mapped()
    flush_denormals()
    file = AvatarFile.read(path, first)
    try:
        if len(file["meta"]) > META_LIMIT:
            raise ValueError("too large")
        meta = json.loads(file["meta"])
        if not isinstance(meta, dict):
            raise TypeError("no object")
    except (ValueError, TypeError, RecursionError) as error:
        raise AvatarError(f"{path}: its description is damaged; get the file again or enrol again") from error
    try:
        tables = CodecTables.parse(file["tables"])
        prediction = prediction_of(file)
        if prediction is not None and prediction.layout != tables.layout:
            raise ValueError("its prediction and its coding tables are of two avatars; enrol again")
    except AvatarFileError:
        raise
    except ValueError as error:
        raise AvatarError(f"{path}: {error}") from error
    return LoadedAvatar(file, Path(path), choose_device(device), tables, meta, prediction)


def _takes(field: Portrait, layout: ParameterLayout) -> bool:
    """Return whether a field is driven by numbers so laid out."""
    if isinstance(field, Avatar):
        head, torso = field.head.shape, field.torso.shape
        return head.expression == layout.expression_size and 2 + torso.modes == layout.torso_size
    # The paper's does not look at the torso's motion.
    return isinstance(field, PaperAvatar) and field.shape.expression == layout.expression_size


def refine_later(avatar: LoadedAvatar, seconds: float | None) -> None:
    """Let the whole file arrive after so many seconds, while frames are rendered from its first part; None: never."""
    if seconds is None:
        return

    def arrive() -> None:
        avatar.refine(AvatarFile.read(avatar.path))

    timer = threading.Timer(seconds, arrive)
    timer.daemon = True
    timer.start()


def pack_embedding(embedding: Embedding) -> bytes:
    """Return the bytes of an embedding's section."""
    return save({name: value.detach().cpu().contiguous() for name, value in embedding.state_dict().items()})
