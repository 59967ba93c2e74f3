"""Blends the head's planes for an expression: once a frame, straight into the memory order that readings prefer."""

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def blend(
    expression: tl.tensor,
    static: tl.tensor,
    basis: tl.tensor,
    window: tl.tensor,
    planes: tl.tensor,
    size: tl.tensor,
    moving_size: tl.tensor,
    EXPRESSIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
    MOVING: tl.constexpr,
    PADDED: tl.constexpr,
    TEXELS: tl.constexpr,
) -> None:
    """Blend some texels of one plane (`HeadField.blend`). The grid is (tiles of texels, 3 planes).

    Args:
        expression: (E,).
        static: (3, size, size, CHANNELS).
        basis: (E, 3, MOVING, moving_size, moving_size).
        window: (3,) int64, first texel along x, y, z of the window in which the expression acts.
        planes: (3, size, size, CHANNELS), written.
        size: texels a side of a plane.
        moving_size: texels a side of the window.
        EXPRESSIONS: E.
        CHANNELS: of a plane.
        MOVING: how many of them the expression moves.
        PADDED: a power of two, not less than CHANNELS.
        TEXELS: of a program.
    """
    plane = tl.program_id(1)
    texel = (tl.program_id(0) * TEXELS + tl.arange(0, TEXELS))[:, None]
    channel = tl.arange(0, PADDED)[None, :]
    mask = (texel < size * size) & (channel < CHANNELS)
    place = (plane * size * size + texel) * CHANNELS + channel
    value = tl.load(static + place, mask, 0.0)
    # Axes of the planes: (x, y), (z, y), (x, z).
    first_column = tl.load(window + tl.where(plane == 1, 2, 0)).to(tl.int32)
    first_row = tl.load(window + tl.where(plane == 2, 2, 1)).to(tl.int32)
    column, row = texel % size - first_column, texel // size - first_row
    moves = (column >= 0) & (column < moving_size) & (row >= 0) & (row < moving_size) & (texel < size * size)
    if tl.max(moves.to(tl.int32)) > 0:
        moving = moves & (channel < MOVING)
        moved = basis + ((plane * MOVING + channel) * moving_size + row) * moving_size + column
        stride = 3 * MOVING * moving_size * moving_size
        for index in range(EXPRESSIONS):
            value += tl.load(expression + index) * tl.load(moved + index * stride, moving, 0.0)
    tl.store(planes + place, value, mask)
