"""The weights of LPIPS on AlexNet, read from their publishers' pickles without running anything in them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from app.assets import asset_path
from app.errors import UserError
from renderer.training.perceptual import PerceptualLoss

CHANNELS = (64, 192, 384, 256, 256)
"""Of AlexNet's five convolutions."""
KERNELS = (11, 5, 3, 3, 3)
"""Sides of their kernels."""


class WeightsError(UserError):
    """A weights file is not what its name says."""


def load_perceptual_loss() -> PerceptualLoss:
    """Return LPIPS as a loss. Raises AssetError or WeightsError as the functions below."""
    return PerceptualLoss(alexnet_convolutions(), lpips_heads())


def alexnet_convolutions(path: Path | None = None) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return weight (out, in, k, k) and bias (out,) of AlexNet's five convolutions, float32.

    Args:
        path: of the checkpoint, None for the one in the user's cache.

    Raises:
        AssetError: it cannot be brought.
        WeightsError: it holds something else.
    """
    path = path or asset_path("alexnet.ckpt")
    try:
        with path.open("rb") as file:
            layers = _ArrayUnpickler(file).load()["AlexNet_0"]
        found = [(layers[f"Conv_{index}"]["kernel"], layers[f"Conv_{index}"]["bias"]) for index in range(len(CHANNELS))]
    except (pickle.UnpicklingError, LookupError, TypeError, ValueError, EOFError, AttributeError) as error:
        raise WeightsError(f"{path} holds no weights of AlexNet: delete it and try again") from error
    convolutions = []
    inputs = 3
    for (kernel, bias), channels, side in zip(found, CHANNELS, KERNELS, strict=True):
        # Flax keeps height, width, input, output; torch output, input, height, width.
        weight, offset = _tensor(kernel), _tensor(bias)
        if weight.shape != (side, side, inputs, channels) or offset.shape != (channels,):
            raise WeightsError(f"{path} holds another network than AlexNet: delete it and try again")
        convolutions.append((weight.permute(3, 2, 0, 1).contiguous(), offset))
        inputs = channels
    return convolutions


def lpips_heads(path: Path | None = None) -> list[torch.Tensor]:
    """Return the weight (C,) of each of the five layers' channels, float32 and none negative.

    Arguments and errors as for `alexnet_convolutions`.
    """
    path = path or asset_path("lpips_alex_v0.1.pth")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        heads = [state[f"lin{index}.model.1.weight"].reshape(channels) for index, channels in enumerate(CHANNELS)]
    except (pickle.UnpicklingError, LookupError, TypeError, AttributeError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{path} holds no weights of LPIPS: delete it and try again") from error
    return [head.float() for head in heads]


def _tensor(array: object) -> torch.Tensor:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        raise WeightsError("the checkpoint of AlexNet holds something else than float32 arrays: delete it")
    return torch.from_numpy(np.array(array))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries of numpy arrays; any other object is refused before it is made."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return _float32_dtype
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _empty_array
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")


def _empty_array(kind: type, shape: tuple[int, ...], code: bytes) -> NDArray[np.generic]:
    """Make what numpy's own pickles ask for before they set an array's contents; nothing else."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("an array of an unknown kind")
    return np.ndarray((0,), np.int8)


def _float32_dtype(code: str, *_: object) -> "np.dtype[np.float32]":
    """Return the one type of number that weights have: no pickle reaches object arrays."""
    if code != "f4":
        raise pickle.UnpicklingError(f"numbers of type {code}")
    # A copy, as the pickle asks for: its byte order is set in place afterwards.
    return np.dtype(np.float32, copy=True)
