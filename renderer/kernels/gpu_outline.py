"""Finds the pixels at the outline of a head, and marches several rays through each (`renderer.outline`)."""

import triton
import triton.language as tl

from renderer import outline
from renderer.kernels.gpu_march import HIT, march_rays
from renderer.kernels.gpu_rays import head_space_direction
from renderer.kernels.gpu_search import look_along, quantile_along

STEP = tl.constexpr(outline.STEP)
PLACES = tl.constexpr(len(outline.PLACES))
RIGHT = tl.constexpr(tuple(right for right, _ in outline.PLACES))
DOWN = tl.constexpr(tuple(down for _, down in outline.PLACES))
"""Of the rays through a pixel."""


@triton.jit(do_not_specialize=["width", "height"])  # type: ignore[untyped-decorator]
def find_outline(
    window: tl.tensor,
    head: tl.tensor,
    found: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    PIXELS: tl.constexpr,
) -> None:
    """List the pixels at the outline, in any order (`outline.outline`). The grid is (tiles of pixels, row by row).

    Args:
        window: (4,) int32, first row and column of the head's window in the picture, its height and width.
        head: (4, height, width) of ``march``.
        found: (height width,) int32, written as far as ``count`` says: the pixels' numbers, row by row.
        count: (1,) int32, added to.
        width: of the picture, pixels.
        height: of the picture.
        PIXELS: of a program.
    """
    index = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    y, x = index // width, index % width
    top, left = tl.load(window), tl.load(window + 1)
    below, right = top + tl.load(window + 2), left + tl.load(window + 3)
    inside = (y >= top) & (y < below) & (x >= left) & (x < right)
    transmittance = head + 3 * width * height
    own = tl.load(transmittance + index, inside, 0.0)
    highest, lowest = own, own
    for neighbour in tl.static_range(9):
        row, column = y + (neighbour // 3 - 1), x + (neighbour % 3 - 1)
        there = inside & (row >= top) & (row < below) & (column >= left) & (column < right)
        passed = tl.load(transmittance + row * width + column, there, 0.0)
        highest = tl.where(there, tl.maximum(highest, passed), highest)
        lowest = tl.where(there, tl.minimum(lowest, passed), lowest)
    marked = (highest - lowest > STEP).to(tl.int32)
    pixels = tl.sum(marked)
    if pixels > 0:
        place = tl.atomic_add(count, pixels) + tl.cumsum(marked) - 1
        tl.store(found + place, index, marked != 0)


@triton.jit(do_not_specialize=["width", "height"])  # type: ignore[untyped-decorator]
def march_outline(
    pose: tl.tensor,
    found: tl.tensor,
    count: tl.tensor,
    density: tl.tensor,
    grid_low: tl.tensor,
    grid_high: tl.tensor,
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
    searched: tl.tensor,
    counts: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    grid_size: tl.tensor,
    bins: tl.tensor,
    size: tl.tensor,
    focal: tl.tensor,
    cx: tl.tensor,
    cy: tl.tensor,
    SAMPLES: tl.constexpr,
    BINS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    WIDTH: tl.constexpr,
    PIXELS: tl.constexpr,
    DTYPE: tl.constexpr,
    COUNT: tl.constexpr,
) -> None:
    """March the rays of some pixels of the outline again, each by a search of its own (`outline.sample_outline`).

    How many there are, the device alone knows: a program takes the next few until there are none.

    Args:
        pose: (12,) origin in head space, rotation from head space to camera space.
        found: (height width,) int32 of ``find_outline``.
        count: (1,) int32, how many there are.
        density: (grid_size, grid_size, grid_size) along z, y, x, per centimetre.
        grid_low: (3,) lower corner of the grid.
        grid_high: (3,) upper corner.
        planes: as for `march`; likewise all of the head's field that follow.
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
        head: (4, height, width) of ``march``, written at the outline: premultiplied colour, transmittance.
        searched: (programs, PIXELS PLACES, SAMPLES + 2) scratch of the programs: a ray's edges, and its opacity.
        counts: (5,) int64, see `renderer.kernels.gpu_launch.Counts`, added to.
        width: of the picture, pixels.
        height: of the picture.
        grid_size: voxels a side.
        bins: lookups a ray.
        size: texels a side of a plane.
        focal: of the camera; likewise ``cx``, ``cy``.
        cx: see `Camera`.
        cy: see `Camera`.
        SAMPLES: intervals a ray.
        BINS: a power of two, not less than ``bins``.
        CHANNELS: of a plane.
        PADDED: a power of two, at least CHANNELS and 16.
        WIDTH: units of a hidden layer.
        PIXELS: taken at a time.
        DTYPE: in which the layers multiply; they add in float32.
        COUNT: whether to count.
    """
    rays: tl.constexpr = PIXELS * PLACES
    numbers: tl.constexpr = SAMPLES + 2
    pixels = tl.load(count)
    first = tl.program_id(0) * PIXELS
    kept = searched + tl.program_id(0) * rays * numbers
    while first < pixels:
        # What was searched before has been marched by all threads.
        tl.debug_barrier()
        pixel = tl.arange(0, PIXELS)
        exists = first + pixel < pixels
        index = tl.load(found + first + pixel, exists, 0)
        x, y = (index % width).to(tl.float32), (index // width).to(tl.float32)
        for place in tl.static_range(PLACES):
            rx, ry, rz = head_space_direction(x + RIGHT[place], y + DOWN[place], width, height, focal, cx, cy, pose)
            opacity, near, step, share, lookups = look_along(
                tl.load(pose),
                tl.load(pose + 1),
                tl.load(pose + 2),
                rx,
                ry,
                rz,
                tl.full([PIXELS], 0.5, tl.float32),
                exists,
                density,
                grid_low,
                grid_high,
                grid_size,
                bins,
                PIXELS,
                BINS,
            )
            row = kept + (pixel * PLACES + place) * numbers
            for edge in tl.static_range(SAMPLES + 1):
                quantile = tl.full([PIXELS], edge * ((1.0 - 1e-5) / SAMPLES), tl.float32)
                tl.store(row + edge, quantile_along(quantile, near, step, share, bins, BINS))
            tl.store(row + SAMPLES + 1, opacity)
            if COUNT:
                tl.atomic_add(counts, lookups)
        tl.debug_barrier()
        ray = tl.arange(0, rays)
        exists = first + ray // PLACES < pixels
        index = tl.load(found + first + ray // PLACES, exists, 0)
        right, down = tl.zeros([rays], tl.float32), tl.zeros([rays], tl.float32)
        for place in tl.static_range(PLACES):
            right = tl.where(ray % PLACES == place, RIGHT[place], right)
            down = tl.where(ray % PLACES == place, DOWN[place], down)
        x, y = (index % width).to(tl.float32) + right, (index // width).to(tl.float32) + down
        rx, ry, rz = head_space_direction(x, y, width, height, focal, cx, cy, pose)
        row = kept + ray * numbers
        rgb, passed = march_rays(
            rx,
            ry,
            rz,
            exists & (tl.load(row + SAMPLES + 1) > HIT),
            row,
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
            rays,
            DTYPE,
            COUNT,
        )
        exists = first + pixel < pixels
        place = head + tl.load(found + first + pixel, exists, 0)
        area = width * height
        channel = tl.arange(0, rgb.shape[1])[None, :]
        mean = tl.sum(tl.reshape(rgb, [PIXELS, PLACES, rgb.shape[1]]), 1) / PLACES
        tl.store(place[:, None] + channel * area, mean, exists[:, None] & (channel < 3))
        tl.store(place + 3 * area, tl.sum(tl.reshape(passed, [PIXELS, PLACES]), 1) / PLACES, exists)
        first += tl.num_programs(0) * PIXELS
