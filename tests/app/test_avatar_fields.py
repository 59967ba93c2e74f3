"""An avatar's file from its first part on: what there is to see, and what hostile files do."""

import json
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.avatar import AvatarError, load_avatar, refine_later
from app.avatar_fields import SECTIONS, is_progressive, pack_sections, repacked, unpack_sections
from app.cli import main
from app.errors import UserError
from codec.avatar_file import AvatarFile
from codec.backdrop import SIDES, Backdrop
from codec.backdrop_motion import still
from codec.errors import AvatarFileError, CodecError
from codec.face_state import FaceState, HeadPose
from codec.pyramid import MAX_MAGNITUDE
from renderer.backdrop import FRAMES
from renderer.field_container import FieldFileError
from renderer.plane_levels import LARGEST_LEVEL
from tests.e2e.small_avatar import tables_of, wandering_states
from tests.renderer.scenes import small_avatar
from tests.renderer.test_field_file import pack_version_3

META = {"meta": json.dumps({"name": "Ada"}).encode(), "tables": bytes(tables_of(wandering_states(60)))}
ORIGINAL = small_avatar()
FILE = AvatarFile({**META, **pack_sections(small_avatar()), "embedding": b"of the owner's"})
WHOLE = bytes(FILE)
STATE = FaceState(
    np.random.default_rng(1).normal(size=30).astype(np.float32),
    HeadPose(np.eye(3, dtype=np.float32), np.array([0.0, 1.0, -60.0], np.float32)),
    0.0,
    torso=np.zeros(10, np.float32),
)


def end_of(name):
    names = list(FILE.sections)
    return len(FILE.head) + sum(len(FILE.sections[other]) for other in names[: names.index(name) + 1])


def picture(avatar):
    torch.manual_seed(0)
    pose = torch.from_numpy(STATE.pose.rotation), torch.from_numpy(STATE.pose.translation)
    torso = torch.zeros(2 + avatar.torso.shape.modes)
    return avatar.render(torch.from_numpy(STATE.expression), *pose, torso, 64, 64).float()


def error(avatar, original=ORIGINAL):
    return float((picture(avatar) - picture(original)).square().mean().sqrt())


def test_a_picture_from_the_first_part_and_finer_ones_as_more_arrives():
    errors = [error(unpack_sections(AvatarFile.parse_first(WHOLE[: end_of(name)]))) for name in SECTIONS[2:]]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 2.0
    # What is half there does not count.
    between = AvatarFile.parse_first(WHOLE[: end_of(SECTIONS[3]) - 1])
    assert error(unpack_sections(between)) == errors[0]


def test_a_large_background_without_any_grey_is_kept():
    avatar = small_avatar()
    painted = torch.ones(512, 512, 3)
    painted[:, 200:] = torch.tensor([0.0, 0.3, 1.0])
    painted[::8] = 0.0
    avatar.background = painted
    file = AvatarFile({**META, **pack_sections(avatar), "embedding": b"of the owner's"})
    kept = unpack_sections(AvatarFile.parse_first(bytes(file))).background
    assert kept.shape == painted.shape
    assert (kept - painted).abs().mean() < 2.0 / 255.0
    assert LARGEST_LEVEL < MAX_MAGNITUDE


def test_too_little_to_render_from_is_said_in_a_sentence():
    for name in ("tables", SECTIONS[0], SECTIONS[1]):
        with pytest.raises(AvatarFileError, match=r"^Too little of this avatar is there: section .* has not arrived"):
            unpack_sections(AvatarFile.parse_first(WHOLE[: end_of(name)]))


def test_the_owner_s_parts_come_last():
    assert list(FILE.sections) == ["meta", "tables", *SECTIONS, "embedding"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_hostile_sections_raise_only_our_errors(data):
    """As an owner could write them: the hashes are right, the content is not."""
    sections = dict(FILE.sections)
    name = data.draw(st.sampled_from(SECTIONS))
    content = bytearray(sections[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    sections[name] = bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    try:
        avatar = unpack_sections(AvatarFile(sections))
    except (CodecError, FieldFileError):
        return
    assert all(bool(value.isfinite().all()) for value in avatar.state_dict().values() if value.is_floating_point())


def test_parts_of_another_avatar_are_refused(tmp_path):
    path, other = tmp_path / "ada.avatar", AvatarFile({**FILE.sections, "embedding": b"?"})
    FILE.write(path)
    loaded = load_avatar(path, "cpu", end_of("planes.2"))
    with pytest.raises(AvatarError, match="of another avatar"):
        loaded.refine(other)


def test_the_rest_arrives_while_frames_are_rendered(tmp_path):
    path = tmp_path / "ada.avatar"
    FILE.write(path)
    whole, loaded = load_avatar(path, "cpu"), load_avatar(path, "cpu", end_of("planes.2"))
    assert loaded.digest == whole.digest
    end = whole.render(STATE, 64, 64).astype(float)
    pictures = [loaded.render(STATE, 64, 64).astype(float) for _ in range(2)]
    assert np.array_equal(*pictures)
    refine_later(loaded, 0.01)
    waited = time.monotonic()
    while not loaded.refining:
        assert time.monotonic() - waited < 60
        time.sleep(0.01)
    pictures += [loaded.render(STATE, 64, 64).astype(float) for _ in range(20)]
    distances = [float(np.sqrt(np.square(picture - end).mean())) for picture in pictures]
    steps = [float(np.sqrt(np.square(b - a).mean())) for a, b in pairwise(pictures)]
    assert distances[-1] == 0.0
    assert not loaded.refining
    assert max(steps) < 0.5 * distances[0]


def test_another_backdrop_fades_in_and_the_enrolled_background_comes_back(tmp_path):
    path = tmp_path / "ada.avatar"
    FILE.write(path)
    avatar = load_avatar(path, "cpu")
    before = avatar.render(STATE, 64, 64).astype(int)
    avatar.show_backdrop(Backdrop(np.full((SIDES[0], SIDES[0], 3), 0.2, np.float32), still()))
    pictures = [before]
    while avatar.refining:
        pictures.append(avatar.render(STATE, 64, 64).astype(int))
    assert len(pictures) == 1 + FRAMES
    assert pictures[-1].mean() > before.mean() + 5
    assert max(np.abs(b - a).max() for a, b in pairwise(pictures)) <= 0.2 * 255 / FRAMES + 2
    avatar.show_enrolled()
    np.testing.assert_array_equal(avatar.render(STATE, 64, 64), before)


def test_an_older_avatar_is_read_and_repacked(tmp_path, capsys):
    old, new, original = tmp_path / "old.avatar", tmp_path / "new.avatar", small_avatar(modes=4)
    states = [replace(state, torso=state.torso[:6]) for state in wandering_states(60)]
    meta = {**META, "tables": bytes(tables_of(states))}
    AvatarFile({**meta, "field": pack_version_3(original), "embedding": b"of the owner's"}).write(old)
    assert not is_progressive(AvatarFile.read(old))
    assert error(load_avatar(old, "cpu").field, original) < 2.0
    assert main(["repack", str(old), "-o", str(new)]) == 0
    file = AvatarFile.read(new)
    assert str(file.size) in capsys.readouterr().out
    assert list(file.sections) == list(FILE.sections)
    assert error(load_avatar(new, "cpu").field, original) < 3.0
    assert repacked(file).digest == file.digest


def test_fields_and_tables_of_two_avatars_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / "mixed.avatar"
    for field in (small_avatar(modes=4), small_avatar(modes=9)):
        AvatarFile({**META, **pack_sections(field)}).write(path)
        with pytest.raises(AvatarError, match="its fields and its coding tables are of two avatars; enrol again"):
            load_avatar(path, "cpu").field  # noqa: B018


def test_a_damaged_older_avatar_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "old.avatar"
    AvatarFile({**META, "field": b"\xfd7zXZ\x00" + bytes(20)}).write(path)
    with pytest.raises(UserError, match="damaged"):
        load_avatar(path, "cpu").field  # noqa: B018
    assert main(["repack", str(path), "-o", str(tmp_path / "new.avatar")]) == 1


def test_inspect_tells_from_where_on_there_is_a_picture(tmp_path, capsys):
    path = tmp_path / "ada.avatar"
    FILE.write(path)
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert "a picture from the first" in text
    assert text.count("a finer one from") == 2
    assert main(["inspect", str(path), "--first", str(end_of("planes.2"))]) == 0
    text = capsys.readouterr().out
    assert "a picture from the first" in text
    assert text.count("not there") == 3
