"""From a trained field to an avatar file that a call can open."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.avatar import AvatarError, load_avatar
from app.enrolment.export import finish
from app.enrolment.footage import EnrolmentFootage
from app.inspection import describe
from app.owner_tracker import OwnerTracker
from codec.avatar_file import AvatarFile
from tests.app.enrolment.ball import ball_enrolment, embedding_of_ball, fast_training, paper_training

OWNER = bytes(range(32))
STEPS = {fast_training: 25, paper_training: 60}


@pytest.fixture(scope="module", params=STEPS, ids=["fast", "paper"])
def enrolled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, EnrolmentFootage, float]:
    footage = ball_enrolment()
    embedding = embedding_of_ball(footage)
    trainer = request.param(footage, embedding)
    steps = STEPS[request.param]
    for step in range(steps):
        trainer.step(step / steps)
    before = trainer.evaluate(footage.held_out).psnr
    file, measured = finish(trainer, embedding, footage, "Ball", OWNER, 0.1)
    path = tmp_path_factory.mktemp("avatar") / "ball.avatar"
    file.write(path)
    assert measured.frames == 4
    assert 1.0 < measured.payload_kbps < 15.0
    # What the peer sees through coder, decoder and rounded numbers is what was trained, nearly.
    assert measured.quality.psnr > before - 0.5
    return path, footage, measured.quality.psnr


def test_the_file_opens_as_a_call_needs_it(enrolled: tuple[Path, EnrolmentFootage, float]) -> None:
    path, footage, _ = enrolled
    avatar = load_avatar(path, "cpu")
    assert avatar.meta["name"] == "Ball"
    assert avatar.meta["owner"] == OWNER.hex()
    assert avatar.calibration.model_digest == b"12345678"
    assert avatar.prediction is not None
    assert avatar.prediction.layout.size == 42
    assert avatar.prediction.feedback.any()
    embedded = avatar.embed(footage.states[0].expression)
    assert embedded.shape == (30,)
    picture = avatar.render(replace(footage.states[0], expression=embedded), 40, 30)
    assert picture.shape == (30, 40, 3)
    assert picture.dtype == np.uint8


def test_its_tracker_has_unpacked_what_it_renders_before_the_first_picture(
    enrolled: tuple[Path, EnrolmentFootage, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The footage's calibration is of no face model that is here.
    monkeypatch.setattr("app.owner_tracker.FaceTracker", lambda *given, **named: None)
    avatar = load_avatar(enrolled[0], "cpu")
    assert "field" not in vars(avatar)
    OwnerTracker(avatar)
    assert "field" in vars(avatar)


def test_it_says_which_field_it_holds(enrolled: tuple[Path, EnrolmentFootage, float]) -> None:
    path, _, _ = enrolled
    avatar = load_avatar(path, "cpu")
    described = str(describe(path))
    assert avatar.field.KIND in ("fast field", "the paper's field")
    assert re.search(rf"^  kind +{avatar.field.KIND}$", described, re.MULTILINE)
    assert "tensors" in next(line for line in described.splitlines() if line.strip().startswith("field "))


def test_embedded_expressions_have_unit_variance(enrolled: tuple[Path, EnrolmentFootage, float]) -> None:
    path, footage, _ = enrolled
    avatar = load_avatar(path, "cpu")
    embedded = np.stack([avatar.embed(state.expression) for state in footage.states])
    assert np.allclose(embedded.std(0, ddof=1), 1.0, atol=0.02)


def test_its_measured_quality_stands_in_the_file(enrolled: tuple[Path, EnrolmentFootage, float]) -> None:
    path, _, psnr = enrolled
    assert load_avatar(path, "cpu").meta["training"]["held_out_psnr_db"] == round(psnr, 2)


@pytest.mark.parametrize("section", ["field", "embedding"])
def test_a_damaged_section_is_named_in_one_sentence(
    enrolled: tuple[Path, EnrolmentFootage, float], tmp_path: Path, section: str
) -> None:
    sections = dict(AvatarFile.read(enrolled[0]).sections)
    sections[section] = sections[section][:100] + bytes(100)
    path = tmp_path / "bad.avatar"
    AvatarFile(sections).write(path)
    avatar = load_avatar(path, "cpu")
    with pytest.raises(AvatarError, match=r"bad\.avatar.*enrol again"):
        avatar.field if section == "field" else avatar.embedding  # noqa: B018


def test_a_description_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.avatar"
    AvatarFile({"meta": b"[1]", "tables": b""}).write(path)
    with pytest.raises(AvatarError, match="description"):
        load_avatar(path, "cpu")


def test_torch_is_asked_for_a_gpu_that_is_not_there() -> None:
    if torch.cuda.is_available():
        return
    from app.avatar import DeviceError, choose_device

    with pytest.raises(DeviceError, match="cpu"):
        choose_device("cuda")
    with pytest.raises(DeviceError):
        choose_device("abacus")
