"""What several of the kernels for a GPU need: rays of pixels, texels read bilinearly, small functions."""

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def frame_coordinates(x: tl.tensor, y: tl.tensor, width: tl.tensor, height: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """Return u and v of places in a picture, in pixels from its top left pixel (`camera.frame_coordinates`)."""
    side = tl.minimum(width, height)
    scale = 1.0 / side
    u = (x + 0.5 - (width - side) * 0.5) * scale
    v = (y + 0.5 - (height - side) * 0.5) * scale
    return u, v


@triton.jit  # type: ignore[untyped-decorator]
def head_space_direction(
    x: tl.tensor,
    y: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    focal: tl.tensor,
    cx: tl.tensor,
    cy: tl.tensor,
    pose: tl.tensor,
) -> tl.tensor:
    """Return the three parts of the rays through places in a picture, in head space.

    They are those of `camera.camera_directions`, moved as by `rays.head_space_rays`; ``pose`` is the address of the
    rays' origin (3) and the rotation (3, 3) from head space to camera space.
    """
    u, v = frame_coordinates(x, y, width, height)
    dx = (u - cx) / focal
    dy = (cy - v) / focal
    rx = dx * tl.load(pose + 3) + dy * tl.load(pose + 6) - tl.load(pose + 9)
    ry = dx * tl.load(pose + 4) + dy * tl.load(pose + 7) - tl.load(pose + 10)
    rz = dx * tl.load(pose + 5) + dy * tl.load(pose + 8) - tl.load(pose + 11)
    return rx, ry, rz


@triton.jit  # type: ignore[untyped-decorator]
def cell(place: tl.tensor, size: tl.tensor) -> tl.tensor:
    """Return the lower of the two texels about each place along an axis of ``size`` texels, and the way to the upper.

    Places are in texels; what lies beyond the border is moved onto it.
    """
    inside = tl.minimum(tl.maximum(place, 0.0), (size - 1).to(place.dtype))
    lower = tl.minimum(inside.to(tl.int32), size - 2)
    return lower, inside - lower.to(place.dtype)


@triton.jit  # type: ignore[untyped-decorator]
def read_plane(
    plane: tl.tensor,
    column: tl.tensor,
    row: tl.tensor,
    size: tl.tensor,
    wanted: tl.tensor,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
) -> tl.tensor:
    """Return the channels (P, PADDED) of a plane (size, size, CHANNELS) at P places, bilinearly; the rest are 0.

    Args:
        plane: its address.
        column: (P,) texels.
        row: (P,) texels.
        size: texels a side.
        wanted: (P,) which places are read at all.
        CHANNELS: of the plane.
        PADDED: a power of two, not less.
    """
    x, right = cell(column, size)
    y, below = cell(row, size)
    channel = tl.arange(0, PADDED)[None, :]
    mask = wanted[:, None] & (channel < CHANNELS)
    corner = plane + ((y * size + x) * CHANNELS)[:, None] + channel
    a = tl.load(corner, mask, 0.0)
    b = tl.load(corner + CHANNELS, mask, 0.0)
    upper = a + right[:, None] * (b - a)
    corner += size * CHANNELS
    a = tl.load(corner, mask, 0.0)
    b = tl.load(corner + CHANNELS, mask, 0.0)
    lower = a + right[:, None] * (b - a)
    return upper + below[:, None] * (lower - upper)


@triton.jit  # type: ignore[untyped-decorator]
def pick(values: tl.tensor, indices: tl.tensor, index: tl.tensor) -> tl.tensor:
    """Return the one of the values whose index is this."""
    return tl.sum(tl.where(indices == index, values, 0.0), 0)


@triton.jit  # type: ignore[untyped-decorator]
def softplus(x: tl.tensor) -> tl.tensor:
    """Return log(1 + e^x)."""
    return tl.maximum(x, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(x)))
