"""The 9/7 wavelet against what is known of it."""

import pytest
import torch

from renderer.wavelet import levels_of, restore, transform


@pytest.mark.parametrize(("side", "levels"), [(1, 0), (4, 0), (6, 0), (8, 1), (12, 1), (64, 4), (100, 2), (256, 6)])
def test_planes_are_halved_down_to_four(side, levels):
    assert levels_of(side) == levels
    bands = transform(torch.zeros(2, side, side))
    coarse = side >> levels
    assert [tuple(band.shape) for band in bands] == [
        (2, coarse, coarse),
        *((3, 2, coarse << level, coarse << level) for level in range(levels)),
    ]


@pytest.mark.parametrize("side", [3, 8, 20, 64])
def test_what_is_transformed_is_restored(side):
    planes = torch.randn(5, side, side, generator=torch.Generator().manual_seed(side))
    assert (restore(transform(planes)) - planes).abs().max() < 1e-5


def test_a_flat_plane_has_no_details_and_a_cubic_none_away_from_the_border():
    flat = transform(torch.full((1, 32, 32), 3.0))
    assert max(float(band.abs().max()) for band in flat[1:]) < 1e-5
    # Four vanishing moments.
    x = torch.linspace(-1, 1, 64, dtype=torch.float64)
    cubic = (1 + x - 2 * x**2 + x**3)[None, :, None] * (2 - x + x**3)[None, None, :]
    finest = transform(cubic)[-1][..., 4:-4, 4:-4]
    assert finest.abs().max() < 1e-9 * cubic.abs().max()


def test_one_step_means_nearly_the_same_error_in_every_band():
    """So a single quantiser step a plane is right: a unit in any band changes the planes by about a unit in all."""
    bands = transform(torch.zeros(1, 64, 64))
    for index, band in enumerate(bands):
        for orientation in range(1 if index == 0 else 3):
            unit = [torch.zeros_like(other) for other in bands]
            middle = band.shape[-1] // 2
            (unit[0] if index == 0 else unit[index][orientation])[0, middle, middle] = 1.0
            assert 0.55 < float(restore(unit).norm()) < 1.45
