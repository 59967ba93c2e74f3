"""L1 and PSNR against scikit-image and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from skimage.metrics import peak_signal_noise_ratio

from app.bench.metrics.fidelity import MAX_PSNR, mean_absolute_error, psnr

PICTURES = arrays(np.uint8, (5, 4, 3))


def test_values_worked_out_by_hand():
    black = np.zeros((8, 8, 3), np.uint8)
    grey = np.full_like(black, 51)
    assert mean_absolute_error(black, grey) == pytest.approx(0.2)
    # A fifth of the peak everywhere: 20 log10(5).
    assert psnr(black, grey) == pytest.approx(13.9794, abs=1e-4)
    assert psnr(black, 255 - black) == 0.0
    assert psnr(black, black) == MAX_PSNR


@given(PICTURES, PICTURES)
def test_psnr_is_that_of_scikit_image(first, second):
    if (first == second).all():
        return
    assert psnr(first, second) == pytest.approx(peak_signal_noise_ratio(first, second, data_range=255), abs=1e-9)


@given(PICTURES, PICTURES, arrays(bool, (5, 4)))
def test_l1_is_symmetric_and_that_of_plain_arithmetic_within_the_mask(first, second, mask):
    within = mean_absolute_error(first, second, mask)
    assert mean_absolute_error(second, first, mask) == within or not mask.any()
    if mask.any():
        differences = [abs(int(a) - int(b)) for a, b in zip(first[mask].ravel(), second[mask].ravel(), strict=True)]
        assert within == pytest.approx(sum(differences) / len(differences) / 255)


def test_a_mask_leaves_out_the_rest():
    reference = np.zeros((4, 6, 3), np.uint8)
    decoded = reference.copy()
    decoded[:, 3:] = 255
    right = np.zeros((4, 6), bool)
    right[:, 3:] = True
    assert psnr(reference, decoded, ~right) == MAX_PSNR
    assert psnr(reference, decoded, right) == 0.0
    assert mean_absolute_error(reference, decoded, right) == 1.0
    assert np.isnan(psnr(reference, decoded, np.zeros((4, 6), bool)))
    assert np.isnan(mean_absolute_error(reference, decoded, np.zeros((4, 6), bool)))


def test_a_very_large_picture_does_not_overflow():
    black = np.zeros((2200, 2200, 3), np.uint8)
    assert psnr(black, black + np.uint8(255)) == 0.0
