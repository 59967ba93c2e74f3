"""Proposes intervals to rays of any direction, displaced at random: the search of training."""

import triton
import triton.language as tl

from renderer.kernels.gpu_search import look_along, quantile_along


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def propose(
    rays_o: tl.tensor,
    rays_d: tl.tensor,
    shift: tl.tensor,
    quantiles: tl.tensor,
    density: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    edges: tl.tensor,
    opacity: tl.tensor,
    count: tl.tensor,
    size: tl.tensor,
    bins: tl.tensor,
    SAMPLES: tl.constexpr,
    BINS: tl.constexpr,
    RAYS: tl.constexpr,
) -> None:
    """Search some rays (`DensityGrid.propose`). The grid is (tiles of rays,).

    Args:
        rays_o: (3,) their origin, head space.
        rays_d: (count, 3) directions.
        shift: (count,) where in each bin is looked, in [0, 1].
        quantiles: (count, SAMPLES + 1) ascending, in [0, 1): between which parts of the weight the intervals lie.
        density: (size, size, size) along z, y, x, per centimetre.
        low: (3,) lower corner of the grid.
        high: (3,) upper corner.
        edges: (count, SAMPLES + 1), written: ray parameters; they mean nothing where nothing is hit.
        opacity: (count,), written.
        count: of the rays.
        size: voxels a side.
        bins: lookups a ray.
        SAMPLES: intervals a ray.
        BINS: a power of two, not less than ``bins``.
        RAYS: of a program.
    """
    ray = tl.program_id(0) * RAYS + tl.arange(0, RAYS)
    exists = ray < count
    found, near, step, share, _ = look_along(
        tl.load(rays_o),
        tl.load(rays_o + 1),
        tl.load(rays_o + 2),
        tl.load(rays_d + ray * 3, exists, 1.0),
        tl.load(rays_d + ray * 3 + 1, exists, 1.0),
        tl.load(rays_d + ray * 3 + 2, exists, 1.0),
        tl.load(shift + ray, exists, 0.5),
        exists,
        density,
        low,
        high,
        size,
        bins,
        RAYS,
        BINS,
    )
    tl.store(opacity + ray, found, exists)
    for edge in tl.static_range(SAMPLES + 1):
        place = ray * (SAMPLES + 1) + edge
        value = quantile_along(tl.load(quantiles + place, exists, 0.0), near, step, share, bins, BINS)
        tl.store(edges + place, value, exists)
