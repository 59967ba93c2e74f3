"""The picture from the reference and the motion: features are warped, hidden ones dropped, and the gaps painted in."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from app.bench.animation.layers import SLOPE, ResidualBlock, doubled, warp
from app.bench.animation.motion import REDUCTION, DenseMotion

LEVELS = 3
"""Of occlusion maps, for 32, 64 and 128 pixels. The full size lies 2 x 2 pixels in the channels of one, which a
processor computes fastest."""


class Generator(nn.Module):
    """Warps a reference and repairs what warping leaves.

    As in the First Order Motion Model the warped features are weighted by an occlusion map before the decoder. Unlike
    there every level of the encoder is warped and handed on, not only the coarsest (as in its successors), the decoder
    sees the motion network's features, and the picture is a blend of the warped reference and of what is painted.
    """

    def __init__(self, widths: tuple[int, int, int], motion_width: int, blocks: int) -> None:
        """Make one of ``widths`` channels at 128, 64 and 32 pixels, with ``blocks`` residual blocks at the last."""
        super().__init__()
        fine, middle, coarse = widths
        self.entry = nn.Conv2d(3 * REDUCTION**2, middle, 3, 1, 1)
        self.down = nn.Conv2d(middle, coarse, 3, 2, 1)
        self.coarse_moved = nn.Conv2d(coarse, coarse, 3, 1, 1)
        self.coarse_motion = nn.Conv2d(motion_width, coarse, 3, 2, 1)
        self.coarse = nn.Sequential(*[ResidualBlock(coarse) for _ in range(blocks)])
        self.middle_coarse = nn.Conv2d(coarse, middle, 3, 1, 1)
        self.middle_moved = nn.Conv2d(middle, middle, 3, 1, 1)
        self.middle_motion = nn.Conv2d(motion_width, middle, 3, 1, 1)
        self.middle = nn.Sequential(ResidualBlock(middle), ResidualBlock(middle))
        self.fine_middle = nn.Conv2d(middle, fine, 3, 1, 1)
        self.fine_moved = nn.Conv2d(12, fine, 3, 1, 1)
        self.fine = ResidualBlock(fine)
        self.paint = nn.Conv2d(fine, 16, 3, 1, 1)
        assert self.paint.bias is not None
        with torch.no_grad():
            self.paint.weight.mul_(0.1)
            self.paint.bias[12:].fill_(1.0)

    def forward(self, source: Tensor, motion: DenseMotion) -> Tensor:
        """Return the pictures (B, 3, S, S), about in [0, 1], from references (B, 3, S, S) and the motion."""
        middle = F.leaky_relu(self.entry(F.pixel_unshuffle(source, REDUCTION) * 2 - 1), SLOPE)
        coarse = F.leaky_relu(self.down(middle), SLOPE)

        places = motion.places.permute(0, 3, 1, 2)
        visible = motion.visible
        half = F.avg_pool2d(places, 2).permute(0, 2, 3, 1)
        double = F.interpolate(visible[:, 2:], scale_factor=2, mode="bilinear", align_corners=False)
        full = F.interpolate(places, scale_factor=REDUCTION, mode="bilinear", align_corners=False)
        moved_coarse = _close(warp(coarse, half) * F.avg_pool2d(visible[:, :1], 2))
        moved_middle = _close(warp(middle, motion.places) * visible[:, 1:2])
        moved = warp(source, full.permute(0, 2, 3, 1))
        moved_fine = _close((F.pixel_unshuffle(moved, 2) * 2 - 1) * double)

        coarse = self.coarse_moved(moved_coarse) + self.coarse_motion(motion.features)
        coarse = self.coarse(F.leaky_relu(coarse, SLOPE))
        middle = doubled(self.middle_coarse(coarse)) + self.middle_moved(moved_middle)
        middle = self.middle(F.leaky_relu(middle + self.middle_motion(motion.features), SLOPE))
        fine = doubled(self.fine_middle(middle)) + self.fine_moved(moved_fine)
        painted = self.paint(self.fine(F.leaky_relu(fine, SLOPE))).float().contiguous()
        colour = F.pixel_shuffle(painted[:, :12], 2) + 0.5
        share = F.pixel_shuffle(painted[:, 12:], 2).sigmoid()
        return colour + share * (moved - colour)


def _close(features: Tensor) -> Tensor:
    """Return features with the channels of a pixel side by side in memory, which convolutions want."""
    return features.contiguous(memory_format=torch.channels_last)
