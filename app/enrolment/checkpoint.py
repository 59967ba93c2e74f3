"""A training that was broken off, on disk beside the avatar that it is to become."""

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from app.errors import UserError
from codec.errors import CodecError
from codec.files import read_bounded, write_atomic

MAX_BYTES = 1 << 30
_HEADER = struct.Struct("<8sI")
_MAGIC = b"NCTRAIN1"


class CheckpointError(UserError):
    """A checkpoint cannot be read or belongs to another enrolment."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What training goes on from."""

    arguments: dict[str, object]
    """What was asked for: a checkpoint continues the very same enrolment only."""
    seconds: float
    """Of the time budget, spent."""
    tensors: dict[str, torch.Tensor]

    def write(self, path: Path) -> None:
        """Write the checkpoint, or leave the earlier one."""
        description = json.dumps({"arguments": self.arguments, "seconds": self.seconds}).encode()
        body = _HEADER.pack(_MAGIC, len(description)) + description + save(self.tensors)
        write_atomic(path, body + hashlib.sha256(body).digest(), CodecError, "checkpoint")

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint.

        Raises:
            CheckpointError: it is damaged.
        """
        remedy = f"delete {path} to begin anew"
        data = read_bounded(path, MAX_BYTES, CodecError, "checkpoint", remedy)
        body, digest = data[:-32], data[-32:]
        try:
            if hashlib.sha256(body).digest() != digest:
                raise ValueError("wrong digest")
            magic, size = _HEADER.unpack_from(body)
            if magic != _MAGIC:
                raise ValueError("no checkpoint")
            description = json.loads(body[_HEADER.size : _HEADER.size + size])
            tensors = load(body[_HEADER.size + size :])
            return cls(dict(description["arguments"]), float(description["seconds"]), tensors)
        except (ValueError, KeyError, TypeError, struct.error, SafetensorError) as error:
            raise CheckpointError(f"the checkpoint {path} is damaged: {remedy}") from error
