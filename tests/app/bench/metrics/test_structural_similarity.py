"""SSIM against scikit-image, MS-SSIM against pytorch-msssim, both on photographs and on noise."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_msssim import ms_ssim
from skimage.metrics import structural_similarity as skimage_ssim

from app.bench.metrics.structural_similarity import BORDER, MS_SSIM_MIN_SIDE, structural_similarity


def independent_ssim(first, second, full=False):
    return skimage_ssim(
        first,
        second,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
        full=full,
    )


def independent_ms_ssim(first, second):
    pair = (torch.tensor(picture).permute(2, 0, 1)[None].double() for picture in (first, second))
    return ms_ssim(*pair, data_range=255).item()


def degraded(picture, kind):
    if kind == "noise":
        noise = np.random.default_rng(3).normal(0, 20, picture.shape)
        return np.clip(picture + noise, 0, 255).astype(np.uint8)
    if kind == "blur":
        return cv2.GaussianBlur(picture, (0, 0), 2.5)
    if kind == "dark":
        return (picture * 0.7).astype(np.uint8)
    if kind == "inverted":
        return 255 - picture
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_COLOR)


KINDS = ("noise", "blur", "dark", "inverted", "jpeg")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("crop", [(512, 512), (256, 256), (176, 208)])
def test_photographs_give_what_other_implementations_give(kind, crop):
    picture = skimage.data.astronaut()[: crop[0], : crop[1]]
    other = degraded(picture, kind)
    found = structural_similarity(picture, other)
    assert found.ssim == pytest.approx(independent_ssim(picture, other), abs=2e-6)
    assert found.ms_ssim == pytest.approx(independent_ms_ssim(picture, other), abs=1e-5)


def drawn(seed, kind, shape):
    """A picture (H, W, 3): noise, few levels, or almost flat, as bright or dark as can be."""
    rng = np.random.default_rng(seed)
    return {
        "noise": rng.integers(0, 256, shape, np.uint8),
        "black and white": rng.integers(0, 2, shape, np.uint8) * np.uint8(255),
        "dark": rng.integers(0, 2, shape, np.uint8),
        "bright": 255 - rng.integers(0, 2, shape, np.uint8),
        "flat": np.full(shape, rng.integers(0, 256), np.uint8),
    }[kind]


PICTURE_KINDS = st.sampled_from(("noise", "black and white", "dark", "bright", "flat"))


@settings(max_examples=50, deadline=None)
@given(st.integers(11, 40), st.integers(11, 40), st.integers(0, 1000), PICTURE_KINDS, PICTURE_KINDS)
def test_any_picture_gives_what_scikit_image_gives(height, width, seed, kind, other_kind):
    first, second = drawn(seed, kind, (height, width, 3)), drawn(seed + 1, other_kind, (height, width, 3))
    found = structural_similarity(first, second)
    # Single precision is worst for flat pictures far from grey.
    assert found.ssim == pytest.approx(independent_ssim(first, second), abs=1e-4)
    assert found.ssim == pytest.approx(structural_similarity(second, first).ssim, abs=1e-6)
    assert found.ssim <= 1.0 + 1e-6


def test_the_head_is_the_mean_of_scikit_images_map_there():
    picture = skimage.data.astronaut()[:200, 100:300]
    other = degraded(picture, "jpeg")
    mask = np.zeros(picture.shape[:2], bool)
    cv2.ellipse(canvas := mask.astype(np.uint8), (100, 90), (50, 70), 0, 0, 360, 1, -1)
    mask = canvas.astype(bool)
    mask[0, 0] = True  # In the border, around which no whole window lies.
    _, windows = independent_ssim(picture, other, full=True)
    inner = mask.copy()
    inner[0, 0] = False
    found = structural_similarity(picture, other)
    assert found.within(mask) == pytest.approx(windows[inner].mean(), abs=2e-6)
    assert found.map.shape == (200 - 2 * BORDER, 200 - 2 * BORDER)
    only_border = np.zeros_like(mask)
    only_border[0] = True
    assert np.isnan(found.within(only_border))


def test_alike_is_one_and_a_small_picture_has_no_coarse_scales():
    picture = skimage.data.astronaut()
    same = structural_similarity(picture, picture)
    assert same.ssim == same.ms_ssim == 1.0
    small = picture[: MS_SSIM_MIN_SIDE - 1, :256]
    assert np.isnan(structural_similarity(small, small).ms_ssim)
    assert structural_similarity(small, small).ssim == 1.0
