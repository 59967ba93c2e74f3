"""The counting of operations and bytes: against hand counts, and against torch's own counter on the real field."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from app.bench.speed.floor import Floor, frame_floor
from app.bench.speed.operations import FieldSizes, Work, frame_work
from app.bench.speed.peak import Peak
from app.bench.speed.stages import STAGES, Counts
from renderer.head_field import POSE
from tests.renderer.scenes import small_avatar

TINY = FieldSizes(
    expression=2,
    channels=1,
    resolution=4,
    moving_channels=1,
    moving_resolution=2,
    wide_resolution=1,
    wide_expression=1,
    width=2,
    code=1,
    grid=2,
    torso_channels=1,
    torso_resolution=2,
    torso_width=1,
    torso_code=1,
    torso_lattice=4,
    torso_encoded=2,
    torso_modes=4,
    torso_conditions=12,
)


def test_a_field_small_enough_to_count_by_hand():
    counts = Counts(frames=1, pixels=10, search_rays=3, grid_lookups=6, intervals=3, head_samples=5, torso_pixels=7)
    counts.head_colours = 4
    # Decoder: 3 features to 2 units, 2 to 1 density, 2 + 3 to 2 units, 2 to 3 colours.
    density, colour = 3 * 2 + 2 * 1, 5 * 2 + 2 * 3
    # Warp: 2 + 12 + 1 inputs to 1 unit, 1 to 1, 1 to 2; shading: 1 to 1, 1 to 4.
    warp, shading = 15 * 1 + 1 * 1 + 1 * 2, 1 * 1 + 1 * 4
    # 3 planes of 1 channel, 2 x 2 texels, 2 basis planes: a multiply-add each, and the sum on the static plane.
    blend = 2 * 2 * 12 + 12
    # 1 + 6 more of 1 texel each, read and added at 4 x 4 texels.
    wide = 7 * 3
    blend += 2 * wide + 3 * 16 * (16 + 1)
    torso_numbers = 4 + shading + warp
    assert frame_work(TINY, counts) == {
        "blend": Work(other=blend, compulsory=4 * (2 * 12 + wide + 2 * 48)),
        "search": Work(other=6 * 54 + 3 * 8, compulsory=4 * 8, gathered=4 * 6 * 8),
        "read planes": Work(other=5 * (12 + 3 * 16), compulsory=4 * 48, gathered=4 * 5 * 3 * 4),
        "decoder": Work(
            dense=5 * 2 * density + 4 * 2 * colour + 2 * 1 * 2,
            other=5 * (2 * 2 + 5) + 4 * (2 * 2 + 12),
            compulsory=4 * (density + colour),
        ),
        "torso": Work(
            dense=7 * 2 * shading,
            other=7 * (2 + 24 + 16 + 2 * 1 + 4 + 12) + 4 * (2 * warp + 4 * 1 + 2 + 4 * 4) + 2 * 13 * 1,
            compulsory=4 * torso_numbers,
            # 4 corners on the torso's plane and 4 on the lattice of 2 channels.
            gathered=4 * 7 * (4 + 8),
        ),
        "quadrature": Work(other=5 * 4 + 4 * 6),
        "assemble": Work(other=10 * 21, compulsory=10 * 15),
    }


def products_counted(work) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def test_the_dense_layers_are_what_torch_counts():
    avatar = small_avatar()
    sizes = FieldSizes.of(avatar)
    samples, pixels = 37, 23
    counted = frame_work(sizes, Counts(frames=1, head_samples=samples, head_colours=samples, torso_pixels=pixels))
    head = products_counted(
        lambda: avatar.head.decode(
            torch.rand(samples, 3 * sizes.channels), torch.rand(samples, 3), avatar.consistency_code
        )
    )
    assert counted["decoder"].dense == head
    torso = products_counted(
        lambda: avatar.torso(torch.rand(pixels, 2), torch.zeros(10), torch.zeros(16), avatar.consistency_code)
    )
    warp = 2 * sizes.torso_lattice * sizes.warp_products + 2 * (16 + sizes.torso_code) * sizes.torso_width
    # The sum of the modes is a product, too.
    modes = 4 * 8 * sizes.torso_lattice
    assert counted["torso"].dense + warp + modes == torso
    blend = products_counted(lambda: avatar.head.blend(torch.zeros(1, sizes.expression), torch.zeros(1, POSE)))
    widening = 3 * 32**2 * (8 + 9 * 4)
    assert counted["blend"].other == blend + sizes.moving_texels + widening


def test_the_bytes_of_the_real_arrays():
    avatar = small_avatar()
    work = frame_work(FieldSizes.of(avatar), Counts(frames=1))
    # Static planes are read, blended ones of the same size written and read.
    arrays = [
        avatar.head.basis_planes,
        avatar.head.wide_planes,
        *[avatar.head.static_planes] * 3,
        avatar.grid.density,
        avatar.torso.plane,
    ]
    layers = (avatar.head.density_layer, avatar.head.sigma_layer, avatar.head.colour_layer, avatar.head.rgb_layer)
    layers += (avatar.torso.shade, avatar.torso.colour, *[avatar.torso.warp[index] for index in (0, 2, 4)])
    expected = sum(array.nbytes for array in arrays) + sum(layer.weight.nbytes for layer in layers)
    assert sum(stage.compulsory for stage in work.values()) == expected


def test_the_stages_are_those_of_the_profile():
    assert tuple(frame_work(TINY, Counts())) == STAGES


def test_the_floor_is_the_slowest_of_three():
    work = Work(dense=4e9, other=3e9, compulsory=2e9, gathered=50e9)
    assert Floor.of(work, Peak("bfloat16", 2.0, 1.0, 1.0, 1.0, 100.0)) == Floor(5000.0, 2000.0, 500.0)
    assert Floor(5000.0, 2000.0, 500.0).ms == 5000.0
    assert Floor(1.0, 2000.0, 500.0).ms == 2000.0
    assert Floor(1.0, 2.0, 500.0).ms == 500.0


def test_a_frames_floor_is_that_of_all_stages_together():
    counts = Counts(frames=1, pixels=1e6, grid_lookups=1e6, head_samples=1e6, torso_pixels=1e6)
    work = frame_work(TINY, counts)
    floor = frame_floor(work, counts, Peak("bfloat16", 2.0, 1.0, 1.0, 10.0, 100.0), 1e4)
    compute = sum(stage.dense / 2e6 + stage.other / 1e6 for stage in work.values())
    assert floor["compute_ms"] == floor["floor_ms"] == pytest.approx(compute, rel=1e-3)
    assert floor["share"] == pytest.approx(compute / 1e4, rel=1e-3)
    assert floor["bytes"]["gathered"] == sum(floor["gathered_bytes"].values())
