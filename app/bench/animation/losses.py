"""What training makes small: the error of the picture at several scales, and key points that do not follow."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from app.bench.animation.deformation import Deformation
from app.bench.animation.motion import KeyPoints, inverse

SCALES = 4
"""Of the pyramid: 256, 128, 64 and 32 pixels."""
GRADIENT_WEIGHT = 1.0
SQUARED_WEIGHT = 4.0
"""Of squared errors, which count most where an error is large, as in a mouth that should be open."""
PLACE_WEIGHT = 0.5
JACOBIAN_WEIGHT = 0.1


def picture_loss(pictures: Tensor, wanted: Tensor) -> Tensor:
    """Return the error of pictures (B, 3, S, S) and of their gradients, summed over a pyramid."""
    error = pictures - wanted
    total = torch.zeros(())
    for scale in range(SCALES):
        if scale:
            error = F.avg_pool2d(error, 2)
        across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
        down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        plain = error.abs().mean() + SQUARED_WEIGHT * error.square().mean()
        total = total + plain + GRADIENT_WEIGHT * (across + down)
    return total


def equivariance_loss(plain: KeyPoints, deformed: KeyPoints, deformation: Deformation) -> Tensor:
    """Return how far key points found in deformed pictures are from those of the plain ones, moved.

    Equations 10 and 11 of Siarohin et al. (2019): places and Jacobians must follow the known deformation.
    """
    places = (deformation.places(deformed.places) - plain.places).abs().mean()
    jacobians = deformation.jacobians(deformed.places) @ deformed.jacobians
    identity = torch.eye(2, device=jacobians.device)
    turned = (inverse(plain.jacobians) @ jacobians - identity).abs().mean()
    return PLACE_WEIGHT * places + JACOBIAN_WEIGHT * turned
