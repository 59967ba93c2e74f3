"""Searches rays in the density grid: all lookups of a ray at once, their weights, and intervals of equal weight."""

import triton
import triton.language as tl

from renderer.kernels.gpu_rays import cell, head_space_direction


@triton.jit  # type: ignore[untyped-decorator]
def _entry(low: tl.tensor, high: tl.tensor, origin: tl.tensor, direction: tl.tensor) -> tl.tensor:
    """Return where rays enter and leave the slab between two planes across an axis."""
    inverse = 1.0 / tl.where(tl.abs(direction) < 1e-9, 1e-9, direction)
    a, b = (low - origin) * inverse, (high - origin) * inverse
    return tl.minimum(a, b), tl.maximum(a, b)


@triton.jit  # type: ignore[untyped-decorator]
def look_along(
    ox: tl.tensor,
    oy: tl.tensor,
    oz: tl.tensor,
    rx: tl.tensor,
    ry: tl.tensor,
    rz: tl.tensor,
    shift: tl.tensor,
    exists: tl.tensor,
    density: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    size: tl.tensor,
    bins: tl.tensor,
    RAYS: tl.constexpr,
    BINS: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """Look along rays through the density grid, in bins of equal length.

    Args:
        ox: of the origin, head space; likewise ``oy``, ``oz``.
        oy: see above.
        oz: see above.
        rx: (RAYS,) of the directions; likewise ``ry``, ``rz``.
        ry: see above.
        rz: see above.
        shift: (RAYS,) where in each bin is looked, 0 at its beginning and 1 at its end.
        exists: (RAYS,) which rays there are.
        density: (size, size, size) along z, y, x, per centimetre.
        low: (3,) lower corner of the grid.
        high: (3,) upper corner.
        size: voxels a side.
        bins: of a ray.
        RAYS: how many.
        BINS: a power of two, not less than ``bins``.

    Returns:
        ``opacity`` (RAYS,); ``near`` (RAYS,) where the first bin begins and ``step`` (RAYS,) its length, in units of
        the ray parameter; ``share`` (RAYS, BINS) of the weight up to the end of each bin, ascending to 1; and how many
        lookups there were.
    """
    lx, ly, lz = tl.load(low), tl.load(low + 1), tl.load(low + 2)
    hx, hy, hz = tl.load(high), tl.load(high + 1), tl.load(high + 2)
    near, far = _entry(lx, hx, ox, rx)
    nearer, farther = _entry(ly, hy, oy, ry)
    near, far = tl.maximum(near, nearer), tl.minimum(far, farther)
    nearer, farther = _entry(lz, hz, oz, rz)
    near, far = tl.maximum(tl.maximum(near, nearer), 0.0), tl.minimum(far, farther)
    far = tl.maximum(far, near)
    step = (far - near) / bins
    length = step * tl.sqrt(rx * rx + ry * ry + rz * rz)

    bin_index = tl.arange(0, BINS)
    looked = exists[:, None] & (bin_index < bins)[None, :] & (far > near)[:, None]
    middle = near[:, None] + (bin_index.to(tl.float32)[None, :] + shift[:, None]) * step[:, None]
    limit = (size - 1).to(tl.float32)
    px = (ox + middle * rx[:, None] - lx) * (limit / (hx - lx))
    py = (oy + middle * ry[:, None] - ly) * (limit / (hy - ly))
    pz = (oz + middle * rz[:, None] - lz) * (limit / (hz - lz))
    ix, fx = cell(px, size)
    iy, fy = cell(py, size)
    iz, fz = cell(pz, size)
    at = density + (iz * size + iy) * size + ix
    a, b = tl.load(at, looked, 0.0), tl.load(at + 1, looked, 0.0)
    c, d = tl.load(at + size, looked, 0.0), tl.load(at + size + 1, looked, 0.0)
    front = (a + fx * (b - a)) * (1.0 - fy) + (c + fx * (d - c)) * fy
    at += size * size
    a, b = tl.load(at, looked, 0.0), tl.load(at + 1, looked, 0.0)
    c, d = tl.load(at + size, looked, 0.0), tl.load(at + size + 1, looked, 0.0)
    behind = (a + fx * (b - a)) * (1.0 - fy) + (c + fx * (d - c)) * fy
    thickness = (front + fz * (behind - front)) * length[:, None]

    depth = tl.cumsum(thickness, 1)
    weights = tl.where(looked, tl.exp(thickness - depth) - tl.exp(-depth), 0.0)
    opacity = 1.0 - tl.exp(-tl.sum(thickness, 1))
    # A bin takes its neighbours' weight too: the grid is coarse and the surface may lie just beside it.
    everywhere = tl.zeros([RAYS, BINS], tl.int32) + bin_index[None, :]
    before = tl.gather(weights, tl.maximum(everywhere - 1, 0), 1)
    after = tl.gather(weights, tl.minimum(everywhere + 1, BINS - 1), 1)
    spread = tl.maximum(weights, tl.maximum(before, after))
    spread = tl.where(looked, spread + tl.where(spread > 1e-3, 0.01, 0.0), 0.0)
    total = tl.maximum(tl.sum(spread, 1), 1e-9)
    share = tl.cumsum(spread, 1) / total[:, None]
    return opacity, near, step, share, tl.sum(looked.to(tl.int64))


@triton.jit  # type: ignore[untyped-decorator]
def quantile_along(
    quantile: tl.tensor, near: tl.tensor, step: tl.tensor, share: tl.tensor, bins: tl.tensor, BINS: tl.constexpr
) -> tl.tensor:
    """Return the ray parameters (RAYS,) up to which a part ``quantile`` (RAYS,) of the weight lies."""
    bin_index = tl.arange(0, BINS)[None, :]
    # The bin in which it lies is the first whose end lies behind it; the last one ends it in any case.
    passed = (share <= quantile[:, None]) & (bin_index < bins - 1)
    index = tl.sum(passed.to(tl.int32), 1)
    lower = tl.max(tl.where(passed, share, 0.0), 1)
    upper = tl.sum(tl.where(bin_index == index[:, None], share, 0.0), 1)
    part = (quantile - lower) / tl.maximum(upper - lower, 1e-9)
    return near + step * (index.to(tl.float32) + tl.minimum(tl.maximum(part, 0.0), 1.0))


@triton.jit(do_not_specialize=["width", "height", "columns"])  # type: ignore[untyped-decorator]
def search(
    pose: tl.tensor,
    window: tl.tensor,
    density: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    edges: tl.tensor,
    opacity: tl.tensor,
    counts: tl.tensor,
    width: tl.tensor,
    height: tl.tensor,
    columns: tl.tensor,
    size: tl.tensor,
    bins: tl.tensor,
    focal: tl.tensor,
    cx: tl.tensor,
    cy: tl.tensor,
    BLOCK: tl.constexpr,
    SAMPLES: tl.constexpr,
    BINS: tl.constexpr,
    RAYS: tl.constexpr,
    COUNT: tl.constexpr,
) -> None:
    """Search the mean rays of some blocks of a row (`stages.search`, `DensityGrid.propose`).

    The grid is (tiles of blocks, rows of blocks) of the whole picture: where the head is, the device alone knows.

    Args:
        pose: (12,) origin in head space, rotation from head space to camera space.
        window: (4,) int32, first row and column of the head's window in the picture, its height and width.
        density: (size, size, size) along z, y, x, per centimetre.
        low: (3,) lower corner of the grid.
        high: (3,) upper corner.
        edges: (rows of blocks, columns, SAMPLES + 1), written: ray parameters; they mean nothing where nothing is hit.
        opacity: (rows of blocks, columns), written.
        counts: (5,) int64, see `renderer.kernels.gpu_launch.Counts`, added to.
        width: of the picture, pixels.
        height: of the picture.
        columns: of blocks in the picture.
        size: voxels a side.
        bins: lookups a ray.
        focal: of the camera; likewise ``cx``, ``cy``.
        cx: see `Camera`.
        cy: see `Camera`.
        BLOCK: pixels a side of a block.
        SAMPLES: intervals a ray.
        BINS: a power of two, not less than ``bins``.
        RAYS: of a program.
        COUNT: whether to count.
    """
    top, left = tl.load(window), tl.load(window + 1)
    rows, across = tl.load(window + 2), tl.load(window + 3)
    row = tl.program_id(1)
    column = tl.program_id(0) * RAYS + tl.arange(0, RAYS)
    if row * BLOCK >= rows or tl.program_id(0) * RAYS * BLOCK >= across:
        return
    inside = column * BLOCK < across
    # The mean of a block's rays is the ray through its middle; the last blocks may be cut off.
    y = top + 0.5 * (row * BLOCK + tl.minimum(row * BLOCK + BLOCK, rows) - 1).to(tl.float32)
    x = left + 0.5 * (column * BLOCK + tl.minimum(column * BLOCK + BLOCK, across) - 1).to(tl.float32)
    rx, ry, rz = head_space_direction(x, y, width, height, focal, cx, cy, pose)
    found, near, step, share, lookups = look_along(
        tl.load(pose),
        tl.load(pose + 1),
        tl.load(pose + 2),
        rx,
        ry,
        rz,
        tl.full([RAYS], 0.5, tl.float32),
        inside,
        density,
        low,
        high,
        size,
        bins,
        RAYS,
        BINS,
    )
    block = row * columns + column
    tl.store(opacity + block, found, inside)
    for edge in tl.static_range(SAMPLES + 1):
        quantile = tl.full([RAYS], edge * ((1.0 - 1e-5) / SAMPLES), tl.float32)
        value = quantile_along(quantile, near, step, share, bins, BINS)
        tl.store(edges + block * (SAMPLES + 1) + edge, value, inside)
    if COUNT:
        tl.atomic_add(counts, lookups)
