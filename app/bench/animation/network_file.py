"""The file that both sides hold: the network's weights in half precision, its shape and the tables."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from app.bench.animation.key_point_tables import KeyPointTables
from app.bench.animation.network import AnimationNetwork, NetworkShape
from app.errors import UserError
from codec.errors import CodecError

FORMAT = "nerfcall animation codec 1"

_TABLES = "tables."
_NETWORK = "network."
_DESCRIPTION = "description"


class NetworkFileError(UserError):
    """A file that is no animation codec's."""


@dataclass(frozen=True, eq=False)
class AnimationModel:
    """A trained animation codec, as it was read from its file."""

    network: AnimationNetwork = field(repr=False)
    tables: KeyPointTables
    data: bytes = field(repr=False)
    """The file."""

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) of the file, whose first two bytes every message carries."""
        return hashlib.sha256(self.data).digest()


def write_model(network: AnimationNetwork, tables: KeyPointTables, path: Path) -> int:
    """Write the file and return its size in bytes."""
    tensors = {_NETWORK + name: value.half().contiguous() for name, value in network.state_dict().items()}
    tensors |= {_TABLES + name: value for name, value in tables.tensors().items()}
    # As a tensor: the order of the format's own metadata differs from one writing to the next.
    description = json.dumps({"format": FORMAT, "shape": asdict(network.shape)}).encode()
    tensors[_DESCRIPTION] = torch.tensor(list(description), dtype=torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes(save(tensors))


def read_model(path: Path) -> AnimationModel:
    """Read what :func:`write_model` wrote; :class:`NetworkFileError` for anything else."""
    try:
        data = path.read_bytes()
        tensors = load(data)
        described = json.loads(bytes(tensors[_DESCRIPTION].tolist()))
        if described["format"] != FORMAT:
            raise ValueError("another format")
        network = AnimationNetwork(NetworkShape.of(described["shape"]))
        weights = {n.removeprefix(_NETWORK): v.float() for n, v in tensors.items() if n.startswith(_NETWORK)}
        network.load_state_dict(weights)
        network.use_channels_last()
        tables = {n.removeprefix(_TABLES): v for n, v in tensors.items() if n.startswith(_TABLES)}
        return AnimationModel(network.eval(), KeyPointTables.from_tensors(tables), data)
    except FileNotFoundError:
        raise NetworkFileError(f"there is no animation codec {path}: train it first") from None
    except (OSError, SafetensorError, CodecError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise NetworkFileError(f"{path} is no animation codec's network ({error}): train it again") from error
