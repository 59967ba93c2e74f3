"""The warping error on videos whose flicker is known."""

import cv2
import numpy as np
import pytest

from app.bench.metrics.flicker import WarpingError, occluded, warp

SIDE = 96


def texture(seed=0, side=SIDE):
    noise = np.random.default_rng(seed).uniform(0, 255, (side, side, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128 + 5 * (smooth - smooth.mean()), 60, 190).astype(np.uint8)


def moving(frames=6, speed=2):
    """A window that slides over a texture by whole pixels, to the right."""
    wide = texture(1, SIDE + frames * speed)
    return np.stack([wide[:SIDE, speed * i : speed * i + SIDE] for i in range(frames)])


def test_a_still_video_has_none_and_alternating_brightness_has_its_square():
    still = np.stack([texture()] * 5)
    error = WarpingError(still)
    assert error.measure(still) == 0.0
    brighter = still.copy()
    brighter[::2] += 20
    assert error.measure(brighter) == pytest.approx((20 / 255) ** 2, rel=1e-6)


def test_independent_noise_has_twice_its_variance():
    still = np.stack([texture()] * 8)
    noise = np.random.default_rng(2).normal(0, 10, still.shape)
    noisy = np.clip(np.round(still + noise), 0, 255).astype(np.uint8)
    # Rounding adds a twelfth.
    assert WarpingError(still).measure(noisy) == pytest.approx(2 * (100 + 1 / 12) / 255**2, rel=0.02)


def test_motion_of_the_scene_is_no_flicker_but_a_picture_that_stands_still_is():
    video = moving()
    error = WarpingError(video)
    own = error.measure(video)
    assert own < (1.5 / 255) ** 2
    brighter = video.copy()
    brighter[::2] += 20
    assert error.measure(brighter) == pytest.approx((20 / 255) ** 2, rel=0.1)
    assert error.measure(np.stack([video[0]] * len(video))) > 20 * own


def test_one_frame_has_no_flicker_to_measure():
    assert np.isnan(WarpingError(texture()[None]).measure(texture()[None]))


def test_warping_a_gradient_adds_the_flow():
    rows, columns = np.indices((40, 50), dtype=np.float32)
    gradient = np.stack([columns, 2 * rows], axis=2)
    flow = np.full((40, 50, 2), (1.25, -0.5), np.float32)
    inner = (slice(2, -2), slice(2, -2))
    expected = gradient + np.array([1.25, -1.0])
    assert warp(gradient, flow)[inner] == pytest.approx(expected[inner], abs=1e-4)


def test_what_leaves_the_picture_or_is_covered_is_left_out():
    forward = np.zeros((30, 40, 2), np.float32)
    forward[..., 0] = 5
    hidden = occluded(forward, -forward)
    assert hidden[:, 35:].all(), "these columns leave the picture"
    assert not hidden[:, :35].any()
    backward = -forward
    backward[10:20, 20:30] = (7, 7)
    covered = occluded(forward, backward)
    assert covered[11:19, 16:24].all(), "whence the way back leads elsewhere"
    assert not covered[:8, :30].any()
    edge = np.zeros((30, 40, 2), np.float32)
    edge[:, 20:, 1] = 3
    assert occluded(edge, -edge)[10, 19:21].all(), "where two motions meet"
