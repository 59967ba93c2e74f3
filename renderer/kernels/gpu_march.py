"""Marches rays through the head: plane reading, decoder and quadrature of a tile of rays, on the chip."""

import triton
import triton.language as tl

from renderer import stages
from renderer.kernels.gpu_rays import head_space_direction, read_plane, softplus

SEEN = tl.constexpr(5e-4)
"""Weight from which a tile's colours count: all below together change an 8-bit colour by less than one step."""
OPEN = tl.constexpr(2e-3)
"""Transmittance up to which a ray is followed: what lies behind it changes an 8-bit colour by half a step at most."""
OUTPUTS = tl.constexpr(16)
"""Columns of the colours' matrices, and of the views': the least that a matrix instruction takes."""
HIT = tl.constexpr(stages.HIT)
"""Opacity in the density grid from which a ray is marched."""


@triton.jit  # type: ignore[untyped-decorator]
def march_rays(
    rx: tl.tensor,
    ry: tl.tensor,
    rz: tl.tensor,
    alive: tl.tensor,
    intervals: tl.tensor,
    pose: tl.tensor,
    planes: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    density_weights: tl.tensor,
    density_bias: tl.tensor,
    sigma_weights: tl.tensor,
    sigma_bias: tl.tensor,
    colour_weights: tl.tensor,
    colour_bias: tl.tensor,
    rgb_weights: tl.tensor,
    rgb_bias: tl.tensor,
    counts: tl.tensor,
    size: tl.tensor,
    SAMPLES: tl.constexpr,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    WIDTH: tl.constexpr,
    RAYS: tl.constexpr,
    DTYPE: tl.constexpr,
    COUNT: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """March rays until the last of them is opaque, without colours that none of them can show.

    Args:
        rx: (RAYS,) of the directions in head space; likewise ``ry``, ``rz``.
        ry: see above.
        rz: see above.
        alive: (RAYS,) which are marched at all.
        intervals: (RAYS,) addresses of SAMPLES + 1 ray parameters, between which the samples lie.
        pose: as for `march`; likewise all that follow.
        planes: see above.
        low: see above.
        high: see above.
        density_weights: see above.
        density_bias: see above.
        sigma_weights: see above.
        sigma_bias: see above.
        colour_weights: see above.
        colour_bias: see above.
        rgb_weights: see above.
        rgb_bias: see above.
        counts: see above.
        size: see above.
        SAMPLES: see above.
        CHANNELS: see above.
        PADDED: see above.
        WIDTH: see above.
        RAYS: how many.
        DTYPE: see above.
        COUNT: see above.

    Returns:
        ``rgb`` (RAYS, OUTPUTS), premultiplied, of which the first three columns are colours; ``passed`` (RAYS,).
    """
    passed = tl.full([RAYS], 1.0, tl.float32)
    # Of OUTPUTS columns three are colours: a matrix instruction takes no fewer.
    channel = tl.arange(0, OUTPUTS)
    rgb = tl.zeros([RAYS, OUTPUTS], tl.float32)
    open_rays = tl.sum(alive.to(tl.int32))
    if COUNT:
        tl.atomic_add(counts + 1, open_rays.to(tl.int64))
    if open_rays > 0:
        length = tl.sqrt(rx * rx + ry * ry + rz * rz)
        # In texels of the planes: where a ray begins, and how far a unit of its parameter goes.
        texels = (size - 1).to(tl.float32)
        scale = texels / (tl.load(high) - tl.load(low))
        start_x, step_x = (tl.load(pose) - tl.load(low)) * scale, rx * scale
        scale = texels / (tl.load(high + 1) - tl.load(low + 1))
        start_y, step_y = (tl.load(pose + 1) - tl.load(low + 1)) * scale, ry * scale
        scale = texels / (tl.load(high + 2) - tl.load(low + 2))
        start_z, step_z = (tl.load(pose + 2) - tl.load(low + 2)) * scale, rz * scale

        unit, inner = tl.arange(0, WIDTH), tl.arange(0, WIDTH)[:, None]
        feature = tl.arange(0, PADDED)[:, None]
        column = density_weights + unit[None, :] * (3 * CHANNELS) + feature
        front_weights = tl.load(column, feature < CHANNELS, 0.0).to(DTYPE)
        across_weights = tl.load(column + CHANNELS, feature < CHANNELS, 0.0).to(DTYPE)
        above_weights = tl.load(column + 2 * CHANNELS, feature < CHANNELS, 0.0).to(DTYPE)
        hidden_bias = tl.load(density_bias + unit)[None, :]
        density_row, density_shift = tl.load(sigma_weights + unit)[None, :], tl.load(sigma_bias)
        inner_weights = tl.load(colour_weights + unit[None, :] * (WIDTH + 3) + inner).to(DTYPE)
        # The view direction and a one for the bias, and their weights.
        column, extra = tl.arange(0, OUTPUTS)[None, :], tl.arange(0, OUTPUTS)[:, None]
        view = tl.where(column == 0, (rx / length)[:, None], tl.where(column == 1, (ry / length)[:, None], 0.0))
        view = tl.where(column == 2, (rz / length)[:, None], tl.where(column == 3, 1.0, view)).to(DTYPE)
        view_weights = tl.load(colour_weights + unit[None, :] * (WIDTH + 3) + WIDTH + extra, extra < 3, 0.0)
        view_weights = tl.where(extra == 3, tl.load(colour_bias + unit)[None, :], view_weights).to(DTYPE)
        output_weights = tl.load(rgb_weights + channel[None, :] * WIDTH + inner, channel[None, :] < 3, 0.0).to(DTYPE)
        output_bias = tl.load(rgb_bias + channel, channel < 3, 0.0)[None, :]

        sample = 0
        while (sample < SAMPLES) & (open_rays > 0):
            near, far = tl.load(intervals + sample, alive, 0.0), tl.load(intervals + sample + 1, alive, 0.0)
            middle = 0.5 * (near + far)
            px, py, pz = start_x + middle * step_x, start_y + middle * step_y, start_z + middle * step_z
            plane = size * size * CHANNELS
            read = read_plane(planes, px, py, size, alive, CHANNELS, PADDED).to(DTYPE)
            hidden = tl.dot(read, front_weights, input_precision="tf32")
            read = read_plane(planes + plane, pz, py, size, alive, CHANNELS, PADDED).to(DTYPE)
            hidden = tl.dot(read, across_weights, hidden, input_precision="tf32")
            read = read_plane(planes + 2 * plane, px, pz, size, alive, CHANNELS, PADDED).to(DTYPE)
            hidden = tl.dot(read, above_weights, hidden, input_precision="tf32")
            hidden = tl.maximum(hidden + hidden_bias, 0.0)
            logit = tl.sum(hidden * density_row, 1) + density_shift
            sigma = softplus(logit * 4.0 - 4.0)
            through = tl.where(alive, passed * tl.exp(-sigma * (far - near) * length), passed)
            weight = passed - through
            passed = through
            if COUNT:
                tl.atomic_add(counts + 2, open_rays.to(tl.int64))
            if tl.max(weight) > SEEN:
                colour = tl.dot(hidden.to(DTYPE), inner_weights, input_precision="tf32")
                colour = tl.maximum(tl.dot(view, view_weights, colour, input_precision="tf32"), 0.0)
                logits = tl.dot(colour.to(DTYPE), output_weights, input_precision="tf32") + output_bias
                rgb += weight[:, None] * tl.sigmoid(logits)
                if COUNT:
                    tl.atomic_add(counts + 3, open_rays.to(tl.int64))
            alive = alive & (passed > OPEN)
            open_rays = tl.sum(alive.to(tl.int32))
            sample += 1
    return rgb, passed


@triton.jit(do_not_specialize=["width", "height", "block_columns"])  # type: ignore[untyped-decorator]
def march(
    pose: tl.tensor,
    window: tl.tensor,
    edges: tl.tensor,
    opacity: tl.tensor,
    planes: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    density_weights: tl.tensor,
    density_bias: tl.tensor,
    sigma_weights: tl.tensor,
    sigma_bias: tl.tensor,
    colour_weights: tl.tensor,
    colour_bias: tl.tensor,
    rgb_weights: tl.tensor,
    rgb_bias: tl.tensor,
    head: tl.tensor,
    counts: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    block_columns: tl.tensor,
    size: tl.tensor,
    focal: tl.tensor,
    cx: tl.tensor,
    cy: tl.tensor,
    BLOCK: tl.constexpr,
    SAMPLES: tl.constexpr,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DTYPE: tl.constexpr,
    COUNT: tl.constexpr,
) -> None:
    """March the rays of a tile of pixels through the head (`stages.march`; paper eq. 1 to 3).

    The grid is (tiles across, tiles down) of the whole picture: where the head is, the device alone knows. A tile ends
    when its last ray is opaque, and leaves out colours that none of its rays can show.

    Args:
        pose: (12,) origin in head space, rotation from head space to camera space.
        window: (4,) int32, first row and column of the head's window in the picture, its height and width.
        edges: (rows of blocks, block_columns, SAMPLES + 1) of ``search``.
        opacity: (rows of blocks, block_columns) of ``search``.
        planes: (3, size, size, CHANNELS) of ``blend``.
        low: (3,) lower corner of the head's box.
        high: (3,) upper corner.
        density_weights: (WIDTH, 3 CHANNELS).
        density_bias: (WIDTH,), the consistency code's part in it.
        sigma_weights: (WIDTH,).
        sigma_bias: (1,).
        colour_weights: (WIDTH, WIDTH + 3).
        colour_bias: (WIDTH,).
        rgb_weights: (3, WIDTH).
        rgb_bias: (3,).
        head: (4, height, width), written within the window: premultiplied colour, transmittance.
        counts: (5,) int64, see `renderer.kernels.gpu_launch.Counts`, added to.
        width: of the picture, pixels.
        height: of the picture.
        block_columns: blocks in a row of the picture.
        size: texels a side of a plane.
        focal: of the camera, see `Camera`.
        cx: see `Camera`.
        cy: see `Camera`.
        BLOCK: pixels a side of a block.
        SAMPLES: intervals a ray.
        CHANNELS: of a plane.
        PADDED: a power of two, at least CHANNELS and 16.
        WIDTH: units of a hidden layer.
        ROWS: of a tile.
        COLUMNS: of a tile.
        DTYPE: in which the layers multiply; they add in float32.
        COUNT: whether to count.
    """
    top, left = tl.load(window), tl.load(window + 1)
    rows, across = tl.load(window + 2), tl.load(window + 3)
    first_row, first_column = tl.program_id(1) * ROWS, tl.program_id(0) * COLUMNS
    if first_row >= rows or first_column >= across:
        return
    ray = tl.arange(0, ROWS * COLUMNS)
    y, x = first_row + ray // COLUMNS, first_column + ray % COLUMNS
    inside = (y < rows) & (x < across)
    block = (y // BLOCK) * block_columns + x // BLOCK
    alive = inside & (tl.load(opacity + block, inside, 0.0) > HIT)
    rx, ry, rz = head_space_direction(
        (left + x).to(tl.float32), (top + y).to(tl.float32), width, height, focal, cx, cy, pose
    )
    rgb, passed = march_rays(
        rx,
        ry,
        rz,
        alive,
        edges + block * (SAMPLES + 1),
        pose,
        planes,
        low,
        high,
        density_weights,
        density_bias,
        sigma_weights,
        sigma_bias,
        colour_weights,
        colour_bias,
        rgb_weights,
        rgb_bias,
        counts,
        size,
        SAMPLES,
        CHANNELS,
        PADDED,
        WIDTH,
        ROWS * COLUMNS,
        DTYPE,
        COUNT,
    )
    channel = tl.arange(0, OUTPUTS)
    place = head + (top + y) * width + left + x
    area = width * height
    tl.store(place[:, None] + channel[None, :] * area, rgb, inside[:, None] & (channel < 3)[None, :])
    tl.store(place + 3 * area, passed, inside)
