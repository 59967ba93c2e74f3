"""Finishes a picture: shades the torso over the background, puts the head before both, rounds to 8 bits."""

import triton
import triton.language as tl

from renderer import stages
from renderer.kernels.gpu_rays import frame_coordinates, read_plane

OPAQUE = tl.constexpr(stages.OPAQUE)
"""Transmittance of the head below which the torso is not looked for."""


@triton.jit  # type: ignore[untyped-decorator]
def _rounded(value: tl.tensor) -> tl.tensor:
    return tl.minimum(tl.maximum(value * 255.0 + 0.5, 0.0), 255.0).to(tl.uint8)


@triton.jit  # type: ignore[untyped-decorator]
def _over(behind: tl.tensor, alpha: tl.tensor, logit: tl.tensor, passed: tl.tensor, before: tl.tensor) -> tl.tensor:
    """Return a channel's 8 bits: the torso before the background, the head before both."""
    return _rounded((behind + alpha * (tl.sigmoid(logit) - behind)) * passed + before)


@triton.jit(do_not_specialize=["width", "height"])  # type: ignore[untyped-decorator]
def finish(
    window: tl.tensor,
    head: tl.tensor,
    background: tl.tensor,
    extent: tl.tensor,
    shift: tl.tensor,
    offsets: tl.tensor,
    plane: tl.tensor,
    box_min: tl.tensor,
    box_max: tl.tensor,
    shade_weights: tl.tensor,
    shade_bias: tl.tensor,
    colour_weights: tl.tensor,
    colour_bias: tl.tensor,
    picture: tl.tensor,
    counts: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    lattice: tl.tensor,
    size: tl.tensor,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    WIDTH: tl.constexpr,
    PIXELS: tl.constexpr,
    DTYPE: tl.constexpr,
    COUNT: tl.constexpr,
) -> None:
    """Finish some pixels of a picture (`stages.finish`). The grid is (tiles of pixels, row by row).

    Args:
        window: (4,) int32, first row and column of the head's window in the picture, its height and width.
        head: (4, height, width) of ``march``.
        background: (height, width, 3) in [0, 1].
        extent: (height, width) of bytes, 1 where the torso may be seen.
        shift: (2,) displacement of the torso, frame sides.
        offsets: (lattice, lattice, 2) the warp's displacements over the frame, in half frame sides.
        plane: (size, size, CHANNELS) the canonical torso plane.
        box_min: (2,) where in the frame its first texel lies.
        box_max: (2,) its last one.
        shade_weights: (WIDTH, CHANNELS).
        shade_bias: (WIDTH,), the condition's part in it.
        colour_weights: (4, WIDTH).
        colour_bias: (4,).
        picture: (height, width, 3) of bytes, written.
        counts: (5,) int64, see `renderer.kernels.gpu_launch.Counts`, added to.
        width: pixels.
        height: pixels.
        lattice: points a side.
        size: texels a side of the plane.
        CHANNELS: of the plane.
        PADDED: a power of two, at least CHANNELS and 16.
        WIDTH: units of the hidden layer.
        PIXELS: of a program.
        DTYPE: in which the layer multiplies; it adds in float32.
        COUNT: whether to count.
    """
    index = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    area = width * height
    exists = index < area
    y, x = index // width, index % width
    row, column = y - tl.load(window), x - tl.load(window + 1)
    covered = exists & (row >= 0) & (row < tl.load(window + 2)) & (column >= 0) & (column < tl.load(window + 3))
    red, green = tl.load(head + index, covered, 0.0), tl.load(head + area + index, covered, 0.0)
    blue, passed = tl.load(head + 2 * area + index, covered, 0.0), tl.load(head + 3 * area + index, covered, 1.0)
    place = index * 3
    red_behind = tl.load(background + place, exists, 0.0)
    green_behind = tl.load(background + place + 1, exists, 0.0)
    blue_behind = tl.load(background + place + 2, exists, 0.0)
    shown = (tl.load(extent + index, exists, 0) != 0) & (passed > OPAQUE)
    alpha = tl.zeros([PIXELS], tl.float32)
    red_logit, green_logit, blue_logit = alpha, alpha, alpha
    pixels = tl.sum(shown.to(tl.int32))
    if pixels > 0:
        u, v = frame_coordinates(x.to(tl.float32), y.to(tl.float32), width, height)
        canonical_u = tl.minimum(tl.maximum(u, 0.0), 1.0) - tl.load(shift)
        canonical_v = tl.minimum(tl.maximum(v, 0.0), 1.0) - tl.load(shift + 1)
        steps = (lattice - 1).to(tl.float32)
        bent = read_plane(offsets, canonical_u * steps, canonical_v * steps, lattice, shown, 2, 2)
        axis = tl.arange(0, 2)[None, :]
        canonical_u += 0.5 * tl.sum(tl.where(axis == 0, bent, 0.0), 1)
        canonical_v += 0.5 * tl.sum(tl.where(axis == 1, bent, 0.0), 1)
        left, top = tl.load(box_min), tl.load(box_min + 1)
        texels = (size - 1).to(tl.float32)
        place_u = (canonical_u - left) * (texels / (tl.load(box_max) - left))
        place_v = (canonical_v - top) * (texels / (tl.load(box_max + 1) - top))
        read = read_plane(plane, place_u, place_v, size, shown, CHANNELS, PADDED).to(DTYPE)
        unit, feature = tl.arange(0, WIDTH), tl.arange(0, PADDED)[:, None]
        weights = tl.load(shade_weights + unit[None, :] * CHANNELS + feature, feature < CHANNELS, 0.0).to(DTYPE)
        hidden = tl.dot(read, weights, input_precision="tf32") + tl.load(shade_bias + unit)[None, :]
        hidden = tl.maximum(hidden, 0.0)
        channel = colour_weights + unit
        red_logit = tl.sum(hidden * tl.load(channel)[None, :], 1) + tl.load(colour_bias)
        green_logit = tl.sum(hidden * tl.load(channel + WIDTH)[None, :], 1) + tl.load(colour_bias + 1)
        blue_logit = tl.sum(hidden * tl.load(channel + 2 * WIDTH)[None, :], 1) + tl.load(colour_bias + 2)
        opacity = tl.sum(hidden * tl.load(channel + 3 * WIDTH)[None, :], 1) + tl.load(colour_bias + 3)
        alpha = tl.where(shown, tl.sigmoid(opacity * 2.0), 0.0)
        if COUNT:
            tl.atomic_add(counts + 4, pixels.to(tl.int64))
    tl.store(picture + place, _over(red_behind, alpha, red_logit, passed, red), exists)
    tl.store(picture + place + 1, _over(green_behind, alpha, green_logit, passed, green), exists)
    tl.store(picture + place + 2, _over(blue_behind, alpha, blue_logit, passed, blue), exists)
