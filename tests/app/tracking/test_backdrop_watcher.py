"""What is behind the person: when it counts as changed, and what is told of it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tracking.backdrop_watcher import (
    CHANGED,
    FIRST_SAVED_SECONDS,
    FIRST_SECONDS,
    LOOK_SECONDS,
    LOOKS,
    RATE,
    SAVED_SECONDS,
    SEEN_SIDE,
    BackdropWatcher,
    spread,
)
from app.tracking.torso_template import FrameCamera
from codec.backdrop import SIDES, decode_backdrop, encode_backdrop
from renderer.training.dataset import BACKGROUND, BODY

SIDE = SIDES[0]
CAMERA = FrameCamera(2.0, 0.5, 0.5)
WALL = np.array([0.5, 0.4, 0.3], np.float32)
RED = (255, 0, 0)


class RedIsAPerson:
    """Takes what is pure red for the person."""

    def segment(self, image: np.ndarray) -> np.ndarray:
        red = (image[..., 0] > 200) & (image[..., 1] < 50)
        return np.where(red, BODY, BACKGROUND).astype(np.uint8)


def watcher(background: np.ndarray | None = None) -> BackdropWatcher:
    enrolled = np.broadcast_to(WALL, (128, 128, 3)).copy() if background is None else background
    return BackdropWatcher(enrolled.astype(np.float32), CAMERA, 2.0, RedIsAPerson())


def picture(colour: np.ndarray = WALL, person: bool = True) -> np.ndarray:
    """Return a camera's picture (240, 320, 3), of which the frame is the middle: a person in front of a wall."""
    image = np.broadcast_to(np.rint(255 * colour), (240, 320, 3)).astype(np.uint8)
    if person:
        image[100:, 110:210] = RED
    return image


def told(one: BackdropWatcher, images: list[np.ndarray], start: float = 0.0) -> tuple[list[tuple[float, bytes]], float]:
    """Show pictures whenever one is due; return what is told, when, and the time of the next."""
    found, now = [], start
    for image in images:
        while not one.due(now):
            now += 0.04
        if (data := one.look(image, now)) is not None:
            found.append((now, data))
    return found, now


def test_a_wall_as_it_was_is_not_worth_a_word() -> None:
    found, _ = told(watcher(), [picture()] * 10)
    assert found == []


def test_pictures_are_looked_at_often_only_in_the_beginning() -> None:
    _, now = told(watcher(), [picture()] * (LOOKS + 4))
    assert now == pytest.approx((LOOKS - 1) * FIRST_SECONDS + 4 * LOOK_SECONDS, abs=0.5)


@pytest.mark.parametrize("person", [False, True])
def test_a_wall_in_another_light_is_told_once(person: bool) -> None:
    darker = WALL - np.array([0.1, 0.05, 0.08], np.float32)
    found, _ = told(watcher(), [picture(darker, person)] * 30)
    assert len(found) == 1
    when, data = found[0]
    assert when == pytest.approx((LOOKS - 1) * FIRST_SECONDS, abs=0.1)
    # Behind the person it has changed as it has around.
    told_of = decode_backdrop(data)
    np.testing.assert_allclose(told_of.difference, np.broadcast_to(darker - WALL, told_of.difference.shape), atol=0.015)
    assert not told_of.motion.any()


def test_who_passes_by_is_not_part_of_the_wall() -> None:
    images = [picture()] * 12
    images[5] = picture(np.array([0.1, 0.9, 0.1], np.float32))
    assert told(watcher(), images)[0] == []


def test_what_changes_again_is_told_again_and_not_too_often() -> None:
    rng = np.random.default_rng(0)
    one, found, now = watcher(), [], 0.0
    for _ in range(12):
        colour = rng.uniform(0.2, 0.8, 3).astype(np.float32)
        some, now = told(one, [picture(colour)] * 6, now)
        found += some
    assert len(found) > 4
    sizes = [8 * len(data) for _, data in found]
    assert sum(sizes[:-1]) <= RATE * (FIRST_SAVED_SECONDS + found[-1][0])


def test_a_screen_behind_the_person_is_told_where_it_is() -> None:
    image = picture(person=False)
    image[20:60, 60:120] = 250
    (_, data), *rest = told(watcher(), [image] * 6)[0]
    assert rest == []
    difference = decode_backdrop(data).difference
    side = len(difference)
    # The frame is the picture's middle 240 x 240 pixels.
    rows, columns = slice(20 * side // 240 + 1, 60 * side // 240 - 1), slice(20 * side // 240 + 1, 80 * side // 240 - 1)
    np.testing.assert_allclose(difference[rows, columns].mean((0, 1)), 250 / 255 - WALL, atol=0.03)
    assert np.abs(difference[40 * side // 64 :]).max() < 0.05


def test_what_stays_is_told_once_more_when_the_rate_for_it_is_saved() -> None:
    stripes = picture(person=False)
    stripes[:, 40:280:6] = 200
    found, _ = told(watcher(), [stripes] * 90)
    (first, coarse), (second, fine) = found
    assert [len(decode_backdrop(data).difference) for data in (coarse, fine)] == list(SIDES)
    assert first < 2.0 < second
    assert 8 * (len(coarse) + len(fine)) <= RATE * (FIRST_SAVED_SECONDS + second)
    # The frame is 240 pixels of the camera's: a stripe of one of them is 2/3 of one of 128's.
    shown = [np.abs(decode_backdrop(data).difference).mean(axis=(0, 2)) for data in (coarse, fine)]
    assert np.ptp(shown[1]) > 2 * np.ptp(shown[0])


def test_a_camera_that_has_moved_takes_a_few_bytes() -> None:
    rng = np.random.default_rng(4)
    room = cv2.GaussianBlur(rng.uniform(0.0, 1.0, (300, 400, 3)).astype(np.float32), (0, 0), 6)
    room = (room - room.min()) / np.ptp(room)

    def seen(right: int, down: int) -> np.ndarray:
        image = np.rint(255 * room[30 + down : 270 + down, 40 + right : 360 + right]).astype(np.uint8)
        image[100:, 130:190] = RED
        return image

    enrolled = np.asarray(cv2.resize(room[30:270, 80:320], (128, 128), interpolation=cv2.INTER_AREA))
    one = watcher(enrolled)
    assert told(one, [seen(0, 0)] * 4)[0] == []
    found, _ = told(one, [seen(15, -9)] * 6, 10.0)
    first = decode_backdrop(found[0][1])
    np.testing.assert_allclose(first.motion, [[0.0, 0.0, 15 / 240], [0.0, 0.0, -9 / 240]], atol=0.01)
    # What has come in at the border is told as well.
    elsewhere = cv2.resize(room[21:261, 95:335], (128, 128), interpolation=cv2.INTER_AREA)
    assert len(found[0][1]) < 0.5 * len(encode_backdrop(elsewhere - enrolled, found[0][1][13] % 128))
    inside = first.difference[len(first.difference) // 8 : -len(first.difference) // 8, : -len(first.difference) // 8]
    assert np.abs(inside).mean() < 0.01


def test_a_change_is_told_finely_when_much_is_saved() -> None:
    one = watcher()
    quiet, now = told(one, [picture()] * round(SAVED_SECONDS / LOOK_SECONDS))
    found, _ = told(one, [picture(WALL + np.float32(0.1))] * 20, now)
    assert quiet == []
    assert [len(decode_backdrop(data).difference) for _, data in found] == [SIDES[1]]


def test_what_the_camera_does_not_show_is_taken_from_around() -> None:
    """The frame reaches beyond the picture, which is black there."""
    one = BackdropWatcher(np.broadcast_to(WALL, (128, 128, 3)).copy(), FrameCamera(1.0, 0.5, 0.5), 2.0, RedIsAPerson())
    found, _ = told(one, [picture(WALL + np.float32(0.1))] * 6)
    np.testing.assert_allclose(decode_backdrop(found[0][1]).difference, 0.1, atol=0.02)


def test_somebody_who_fills_the_picture_hides_everything() -> None:
    image = np.full((240, 320, 3), RED, np.uint8)
    assert told(watcher(), [image] * 8)[0] == []


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_what_is_known_stays_and_the_rest_lies_between(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values, known = rng.normal(size=(16, 16, 3)).astype(np.float32), rng.random((16, 16)) < share
    filled = spread(np.where(known[..., None], values, np.nan).astype(np.float32), known)
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[known], values[known])
    if known.any():
        seen = values[known]
        assert (filled >= seen.min(0) - 1e-3).all()
        assert (filled <= seen.max(0) + 1e-3).all()
    else:
        assert not filled.any()


def test_constants_fit_each_other() -> None:
    assert SEEN_SIDE % SIDES[1] == SIDES[1] % SIDES[0] == 0
    assert CHANGED < (4 / 255) ** 2
