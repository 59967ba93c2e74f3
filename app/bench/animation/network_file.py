"""The file that both sides hold: the network's weights in half precision, its shape and the tables."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from app.bench.animation.key_point_tables import KeyPointTables
from app.bench.animation.network import AnimationNetwork, NetworkShape
from app.errors import UserError
from codec.errors import CodecError

FORMAT = "nerfcall animation codec 1"

_TABLES = "tables."
_NETWORK = "network."


class NetworkFileError(UserError):
    """A file that is no animation codec's."""


@dataclass(frozen=True)
class AnimationModel:
    """A trained animation codec."""

    network: AnimationNetwork = field(repr=False)
    tables: KeyPointTables

    @cached_property
    def data(self) -> bytes:
        """The file's bytes."""
        tensors = {_NETWORK + name: value.half().contiguous() for name, value in self.network.state_dict().items()}
        tensors |= {_TABLES + name: value for name, value in self.tables.tensors().items()}
        return save(tensors, {"format": FORMAT, "shape": json.dumps(asdict(self.network.shape))})

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) of the file, whose first two bytes every packet carries."""
        return hashlib.sha256(self.data).digest()


def write_model(model: AnimationModel, path: Path) -> int:
    """Write the file and return its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes(model.data)


def read_model(path: Path) -> AnimationModel:
    """Read what :func:`write_model` wrote; :class:`NetworkFileError` for anything else."""
    try:
        with safe_open(path, "pt") as file:
            described = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if described.get("format") != FORMAT:
            raise ValueError("another format")
        network = AnimationNetwork(NetworkShape.of(json.loads(described["shape"])))
        weights = {n.removeprefix(_NETWORK): v.float() for n, v in tensors.items() if n.startswith(_NETWORK)}
        network.load_state_dict(weights)
        tables = {n.removeprefix(_TABLES): v for n, v in tensors.items() if n.startswith(_TABLES)}
        network.use_channels_last()
        model = AnimationModel(network.eval(), KeyPointTables.from_tensors(tables))
    except FileNotFoundError:
        raise NetworkFileError(
            f"there is no animation codec {path}: train one with python -m app.bench.animation"
        ) from None
    except (OSError, SafetensorError, CodecError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise NetworkFileError(f"{path} is no animation codec's network ({error}): train it again") from error
    return model
