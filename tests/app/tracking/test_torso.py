"""The torso: its template, how it is aligned, and how it is followed."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.enrolment.torso import learn_torso
from app.tracking.torso_alignment import MAX_BEND, TorsoAligner
from app.tracking.torso_template import (
    SIDE,
    ColourMix,
    FrameCamera,
    TorsoTemplate,
    TorsoTemplateError,
    frame_picture,
    frame_tones,
)
from app.tracking.torso_tracker import TorsoTracker
from renderer.torso_modes import LINEAR
from renderer.training.dataset import BACKGROUND, BODY, HEAD

CAMERA = FrameCamera(2.0, 0.5, 0.5)
GREY = ColourMix(0.3, 0.4, 0.3)
WHOLE = (0, SIDE, 0, SIDE)
REST = np.zeros(6)
CENTRE = np.array([0.5, 0.8])


def shirt(size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (size, size, 3) of shoulders before a wall, and its segmentation."""
    picture = np.full((size, size, 3), (40, 60, 120), np.uint8)
    mask = np.full((size, size), BACKGROUND, np.uint8)
    scale = size / 256
    outline = (np.array([[20, 300], [30, 190], [95, 165], [160, 165], [226, 190], [240, 300]]) * scale).astype(np.int32)
    cv2.fillPoly(picture, [outline], (150, 140, 130))
    cv2.fillPoly(mask, [outline], BODY)
    collar = (np.array([[95, 165], [128, 215], [160, 165]]) * scale).astype(np.int32)
    cv2.fillPoly(picture, [collar], (235, 235, 240))
    stripe = (np.array([[122, 205], [134, 205], [140, 256], [116, 256]]) * scale).astype(np.int32)
    cv2.fillPoly(picture, [stripe], (180, 40, 40))
    return picture, mask


def moved(picture: np.ndarray, motion: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the picture as it looks after a motion about ``centre``."""
    size = len(picture)
    middle = centre * size - 0.5
    linear = np.eye(2) + motion[2:].reshape(2, 2)
    shift = middle + motion[:2] * size - linear @ middle
    return cv2.warpAffine(
        picture, np.column_stack([linear, shift]), (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def middle(template: TorsoTemplate) -> np.ndarray:
    """Return what a linear part of its motion turns about."""
    rows, columns = np.nonzero(template.mask)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / SIDE


def tones_of(picture: np.ndarray) -> np.ndarray:
    return frame_tones(frame_picture(picture, (0, 0, len(picture)))[0], GREY)


@pytest.fixture(scope="module")
def template() -> TorsoTemplate:
    picture, mask = shirt()
    small = cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) == BODY
    return TorsoTemplate.moving_linearly(
        CAMERA, GREY, tones_of(picture), cv2.dilate(small.astype(np.uint8), np.ones((5, 5))) > 0
    )


motions = st.tuples(st.floats(-0.04, 0.04), st.floats(-0.04, 0.04), *(st.floats(-0.06, 0.06) for _ in range(4))).map(
    np.array
)


@settings(deadline=None, max_examples=25)
@given(motion=motions, gain=st.floats(0.7, 1.05))
def test_a_known_motion_is_found_whatever_the_exposure(motion: np.ndarray, gain: float) -> None:
    picture, mask = shirt()
    small = cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) == BODY
    template = TorsoTemplate.moving_linearly(
        CAMERA, GREY, tones_of(picture), cv2.dilate(small.astype(np.uint8), np.ones((5, 5))) > 0
    )
    # Bright as far as the collar is not yet clipped: what is white all over has lost its edges.
    seen = np.rint(moved(picture, motion, middle(template)).astype(float) * gain).astype(np.uint8)
    found = TorsoAligner(template).align(tones_of(seen), WHOLE, REST)
    assert found is not None
    assert found.correlation > 0.97
    assert np.abs(found.motion[:2] - motion[:2]).max() < 0.5 / SIDE
    assert np.abs(found.motion[2:] - motion[2:]).max() < 0.02


def test_a_hand_before_it_is_doubted(template: TorsoTemplate) -> None:
    motion = np.array([0.02, -0.01, 0.0, 0.0, 0.0, 0.0])
    seen = moved(shirt()[0], motion, middle(template))
    cv2.circle(seen, (70, 225), 28, (220, 180, 160), -1)
    found = TorsoAligner(template).align(tones_of(seen), WHOLE, REST)
    assert found is not None
    assert np.abs(found.motion[:2] - motion[:2]).max() < 0.7 / SIDE


def strip() -> tuple[TorsoTemplate, np.ndarray]:
    """Return a template of the shoulders' upper edge alone, low in the frame, and a blurred picture of it."""
    picture = np.full((256, 256, 3), (40, 60, 120), np.uint8)
    cv2.fillPoly(
        picture, [np.array([[0, 232], [90, 205], [166, 205], [256, 232], [256, 256], [0, 256]])], (150, 140, 130)
    )
    picture = cv2.GaussianBlur(picture, (0, 0), 2.0)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[100:] = True
    return TorsoTemplate.moving_linearly(CAMERA, GREY, tones_of(picture), mask), picture


@pytest.mark.parametrize("down", [-0.06, -0.03, 0.03, 0.06])
def test_a_narrow_strip_of_shirt_moves_and_does_not_bend(down: float) -> None:
    template, picture = strip()
    motion = np.array([0.0, down, 0.0, 0.0, 0.0, 0.0])
    seen = moved(picture, motion, middle(template))
    # Grain, as a camera has it, bends what nothing holds.
    grain = np.random.default_rng(2).normal(0, 12, seen.shape)
    seen = np.clip(seen + grain, 0, 255).astype(np.uint8)
    found = TorsoAligner(template).align(tones_of(seen), WHOLE, REST)
    assert found is not None
    assert abs(found.motion[1] - down) < 0.02
    assert np.abs(found.motion[2:]).max() < 0.1


def test_shoulders_are_followed_until_next_to_nothing_of_them_is_left(template: TorsoTemplate) -> None:
    aligner, motion = TorsoAligner(template), REST
    for down in np.arange(0.0, 0.24, 0.01):
        seen = moved(shirt()[0], np.array([0.0, down, 0.0, 0.0, 0.0, 0.0]), middle(template))
        found = aligner.align(tones_of(seen), WHOLE, motion)
        assert found is not None, down
        motion = found.motion
    assert abs(motion[1] - 0.23) < 0.015


def test_what_is_no_torso_is_not_seen(template: TorsoTemplate) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    assert TorsoAligner(template).align(tones_of(noise), WHOLE, REST) is None
    assert TorsoAligner(template).align(np.zeros((SIDE, SIDE), np.float32), (0, 0, 0, 0), REST) is None


def test_a_template_without_torso_finds_nothing() -> None:
    empty = TorsoTemplate.moving_linearly(
        CAMERA, GREY, np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), bool)
    )
    tracker = TorsoTracker(TorsoTemplate.parse(bytes(empty)), 2.0)
    assert not tracker.track(shirt()[0], 0.0).any()


def test_no_motion_is_bent_beyond_what_is_sent(template: TorsoTemplate) -> None:
    raised = moved(shirt()[0], np.array([0.0, -0.05, 0.0, 0.0, 0.0, 0.8]), middle(template))
    found = TorsoAligner(template).align(tones_of(raised), WHOLE, REST)
    assert found is None or np.abs(found.motion[2:]).max() <= MAX_BEND + 1e-9


def test_a_still_torso_stands_still_and_a_moving_one_is_followed(template: TorsoTemplate) -> None:
    tracker = TorsoTracker(template, CAMERA.focal)
    rest = [tracker.track(shirt()[0], index / 25) for index in range(5)]
    assert np.abs(np.stack(rest)).max() < 2e-3
    for index in range(25):
        motion = np.array([0.002 * index, 0.0, 0.0, 0.0, 0.0, 0.0])
        seen = tracker.track(moved(shirt()[0], motion, middle(template)), 0.2 + index / 25)
        assert abs(seen[0] - motion[0]) < 0.004
    assert seen[0] > 0.044


def test_it_is_held_where_it_is_hidden_and_glided_to_where_it_is_found_again(template: TorsoTemplate) -> None:
    tracker = TorsoTracker(template, CAMERA.focal)
    for index in range(10):
        tracker.track(shirt()[0], index / 25)
    black = np.zeros_like(shirt()[0])
    held = [tracker.track(black, 0.4 + index / 25) for index in range(25)]
    assert np.ptp(np.stack(held), axis=0).max() < 1e-6
    motion = np.array([0.04, 0.0, 0.0, 0.0, 0.0, 0.0])
    again = moved(shirt()[0], motion, middle(template))
    path = np.array([held[-1][0], *(tracker.track(again, 1.4 + index / 25)[0] for index in range(40))])
    assert np.abs(np.diff(path)).max() < 0.012, "less than a third of the way at once"
    assert abs(path[-1] - 0.04) < 0.003


@pytest.mark.parametrize("size", [128, 256, 768])
def test_any_size_of_the_picture_tells_the_same(template: TorsoTemplate, size: int) -> None:
    motion = np.array([0.03, 0.01, 0.02, 0.0, 0.0, -0.02])
    picture = cv2.resize(moved(shirt(768)[0], motion, middle(template)), (size, size), interpolation=cv2.INTER_AREA)
    assert np.abs(TorsoTracker(template, CAMERA.focal).track(picture, 0.0) - motion).max() < 0.015


def test_the_frame_lies_where_the_camera_has_it() -> None:
    # A wide picture of height 200 and focal length 2 heights; the frame is its middle 100 x 100 pixels.
    assert FrameCamera(4.0, 0.5, 0.5).square(2.0, 320, 200) == (110, 50, 100)
    picture = np.zeros((200, 320, 3), np.uint8)
    picture[50:150, 110:210] = 200
    frame, extent = frame_picture(picture, (110, 50, 100))
    assert frame.shape == (SIDE, SIDE, 3)
    assert frame.min() == 200
    assert extent == WHOLE


def test_a_frame_beyond_the_picture_knows_where_the_picture_ends() -> None:
    picture = np.full((100, 100, 3), 99, np.uint8)
    frame, (left, right, top, bottom) = frame_picture(picture, (50, -50, 100))
    assert (left, right, top, bottom) == (0, SIDE // 2, SIDE // 2, SIDE)
    assert (frame[top:bottom, left:right] == 99).all()
    assert frame.sum() == 3 * 99 * (SIDE // 2) ** 2
    _, nothing = frame_picture(picture, (500, 500, 100))
    assert nothing == (0, 0, 0, 0)


def test_a_template_is_learned_from_pictures_that_move() -> None:
    picture, mask = shirt()
    mask = mask.copy()
    mask[:150, 90:166] = HEAD
    generator = np.random.default_rng(3)
    path = np.cumsum(generator.normal(size=(60, 6)) * [0.004, 0.003, 0.004, 0.004, 0.004, 0.004], axis=0)
    path -= path.mean(0)
    frames = [frame_picture(moved(picture, motion, CENTRE), (0, 0, 256))[0] for motion in path]
    learned = learn_torso(frames, np.stack([mask] * 5), CAMERA)
    assert learned.mask.sum() > 2000
    assert not learned.mask[: SIDE // 2].any()
    tracker = TorsoAligner(learned)
    start, errors = tracker.rest, []
    for frame, motion in zip(frames, path, strict=True):
        found = tracker.align(frame_tones(frame, learned.mix), WHOLE, start)
        assert found is not None
        start = found.motion
        # Where the template itself rests is free: differences from the first frame count.
        errors.append(found.motion[:2] - motion[:2])
    # A bend shifts the template, too, whose modes have other centres than the path.
    assert np.std(errors, axis=0).max() < 1.0 / SIDE


def test_how_a_torso_deforms_is_learned() -> None:
    picture, mask = shirt()
    rows, columns = np.mgrid[:256, :256].astype(np.float32)
    # The left half shrugs, the right half stays: no linear part does that.
    bulge = np.exp(-(((columns - 70) / 50) ** 2))
    lifts = 0.02 * np.sin(np.arange(60) / 4)
    frames = [
        cv2.remap(
            picture, columns, rows + np.float32(256 * lift) * bulge, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        for lift in lifts
    ]
    frames = [frame_picture(frame, (0, 0, 256))[0] for frame in frames]
    learned = learn_torso(frames, np.stack([mask] * 5), CAMERA)
    linear = TorsoTemplate.moving_linearly(learned.camera, learned.mix, learned.tones, learned.mask)
    found = {}
    for name, template in (("learned", learned), ("linear", linear)):
        aligner = TorsoAligner(template)
        found[name] = [aligner.align(frame_tones(frame, learned.mix), WHOLE, aligner.rest) for frame in frames]
    missed = {name: 1.0 - np.mean([one.correlation for one in each]) for name, each in found.items()}
    assert missed["learned"] < 0.3 * missed["linear"]
    # One number says how far it is lifted.
    strongest = [one.motion[2] for one in found["learned"]]
    assert abs(np.corrcoef(strongest, lifts)[0, 1]) > 0.98


def test_a_torso_that_never_moved_bends_linearly() -> None:
    picture, mask = shirt()
    generator = np.random.default_rng(4)
    frames = [
        np.clip(frame_picture(picture, (0, 0, 256))[0] + generator.normal(0, 2, (SIDE, SIDE, 3)), 0, 255).astype(
            np.uint8
        )
        for _ in range(40)
    ]
    modes = learn_torso(frames, np.stack([mask] * 5), CAMERA).modes
    assert len(modes) == LINEAR
    size = np.abs(modes).max()
    assert all(np.abs(np.diff(modes, 2, axis=axis)).max() < 0.1 * size for axis in (2, 3))


def test_a_template_of_before_there_were_modes_is_read(template: TorsoTemplate) -> None:
    data = bytes(template)
    modes = 2 * template.modes.size
    linear = data[:4] + b"\1" + data[5:29] + data[30 + modes :]
    assert np.allclose(TorsoTemplate.parse(linear).modes, template.modes, atol=1e-6)
    four = data[:4] + b"\2" + data[5:29] + data[30:]
    assert np.allclose(TorsoTemplate.parse(four).modes, template.modes, atol=1e-3)


@pytest.mark.parametrize("count", [0, 17, 255])
def test_a_template_with_no_modes_or_too_many_is_refused(template: TorsoTemplate, count: int) -> None:
    data = bytes(template)
    with pytest.raises(TorsoTemplateError):
        TorsoTemplate.parse(data[:29] + bytes([count]) + data[30:] + bytes(1 << 16))


def test_a_shirt_as_bright_as_the_wall_is_told_apart_by_its_colour() -> None:
    frame = np.full((SIDE, SIDE, 3), (90, 100, 200), np.uint8)
    frame[70:, 20:110] = (150, 100, 100)
    masks = np.where(frame[:, :, 0] == 150, BODY, BACKGROUND).astype(np.uint8)[None]
    learned = learn_torso([frame] * 4, masks, CAMERA)
    assert np.ptp(learned.tones) > 40


def test_a_template_survives_the_file(template: TorsoTemplate) -> None:
    again = TorsoTemplate.parse(bytes(template))
    assert np.abs(again.tones - template.tones).max() <= 0.5
    assert (again.mask == template.mask).all()
    assert np.abs(again.modes - template.modes).max() < 1e-3
    assert again.camera == template.camera
    assert np.allclose([again.mix.red, again.mix.green, again.mix.blue], [0.3, 0.4, 0.3])
    assert len(bytes(template)) < 20_000


@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(TorsoTemplateError):
        TorsoTemplate.parse(data)


@settings(deadline=None, max_examples=60)
@given(where=st.integers(0, 5000), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_template_raises_our_error_or_is_a_template(where: int, bit: int, cut: bool) -> None:
    tones = np.zeros((SIDE, SIDE), np.float32)
    whole = bytes(TorsoTemplate.moving_linearly(CAMERA, GREY, tones, tones > 0))
    where %= len(whole)
    data = whole[:where] if cut else whole[:where] + bytes([whole[where] ^ 1 << bit]) + whole[where + 1 :]
    try:
        parsed = TorsoTemplate.parse(data)
    except TorsoTemplateError:
        return
    assert parsed.tones.shape == (SIDE, SIDE)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(200_000_000), 9)
    with pytest.raises(TorsoTemplateError, match="enrol again"):
        TorsoTemplate.parse(struct.pack("<4sB6f", b"NCTO", 1, 2.0, 0.5, 0.5, 0.3, 0.4, 0.3) + bomb)
