"""The network of the paper's field (eq. 1): position, view direction and condition to density and colour."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.encodings import encoded_size, positional_encoding
from renderer.precision import dense, dense_dtype


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Sizes of a network; the usual ones are those of NeRF and AD-NeRF."""

    layers: int = 8
    width: int = 256
    skip: int = 4
    """After so many layers the encoded position and the condition enter once more."""
    octaves: int = 10
    """Of the position."""
    view_octaves: int = 4
    """Of the view direction."""


class RadianceNetwork(nn.Module):
    """N(condition, view direction, position) -> (colour, density) (paper eq. 1).

    The condition holds for all points of a frame and the view direction for all points of a ray, so what they add to
    a layer is computed once for each and added as a bias: the same sums, in another order.
    """

    def __init__(self, condition: int, shape: NetworkShape | None = None):
        """Make a network.

        Args:
            condition: how many numbers drive it: the expression, the code, the torso's pose.
            shape: sizes; None for the usual ones.
        """
        super().__init__()
        self.shape = shape = shape or NetworkShape()
        if not 0 < shape.skip < shape.layers:
            raise ValueError("the position enters again after the first layer and before the last")
        position = encoded_size(3, shape.octaves)
        sizes = [position, *[shape.width] * (shape.layers - 1)]
        sizes[shape.skip] += position
        self.layers = nn.ModuleList(nn.Linear(size, shape.width) for size in sizes)
        self.condition_first = nn.Linear(condition, shape.width, bias=False)
        self.condition_again = nn.Linear(condition, shape.width, bias=False)
        self.sigma = nn.Linear(shape.width, 1)
        self.feature = nn.Linear(shape.width, shape.width)
        self.colour = nn.Linear(shape.width, shape.width // 2)
        self.view = nn.Linear(encoded_size(3, shape.view_octaves), shape.width // 2, bias=False)
        self.rgb = nn.Linear(shape.width // 2, 3)

    def forward(self, points: Tensor, views: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the network.

        Args:
            points: (R, S, 3), the modelled space filling [-1, 1]³.
            views: (R, 3) unit view directions, one a ray.
            condition: (C,) of the frame.

        Returns:
            ``sigma`` (R, S) per cm and ``rgb`` (R, S, 3) in [0, 1], float32.
        """
        rays, samples, _ = points.shape
        dtype = dense_dtype(points.device.type)
        encoded = positional_encoding(points.reshape(-1, 3), self.shape.octaves).to(dtype)
        biases = {0: self.condition_first(condition), self.shape.skip: self.condition_again(condition)}
        hidden = encoded
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            if index == self.shape.skip:
                hidden = torch.cat((encoded, hidden), -1)
            hidden = F.relu(dense(layer, hidden, layer.bias + biases.get(index, 0.0)))
        sigma = dense(self.sigma, hidden, self.sigma.bias).float().view(rays, samples)
        feature = dense(self.feature, hidden, self.feature.bias)
        colour = dense(self.colour, feature, self.colour.bias).view(rays, samples, -1)
        seen = self.view(positional_encoding(views, self.shape.view_octaves)).to(dtype)
        colour = F.relu(colour + seen.unsqueeze(1))
        rgb = dense(self.rgb, colour.view(rays * samples, -1), self.rgb.bias).float()
        # Of a mist at first: a density that begins at 0 by a ReLU may never learn that anything is there.
        return F.softplus(sigma * 4.0 - 4.0), torch.sigmoid(rgb).view(rays, samples, 3)

    @torch.no_grad()
    def rescale_condition(self, shift: Tensor, scale: Tensor) -> None:
        """Take the first numbers of the condition in new units: ``old = shift + scale * new``, (E,) each."""
        for layer, enters in ((self.condition_first, 0), (self.condition_again, self.shape.skip)):
            first = layer.weight[:, : len(shift)]
            again = self.layers[enters]
            assert isinstance(again, nn.Linear)
            again.bias.add_(first @ shift)
            first.mul_(scale)
