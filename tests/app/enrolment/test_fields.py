"""The kinds of field that can be enrolled."""

import torch

import app.bench.fields
import app.commands.enrol
import app.enrolment.fields
from app.enrolment.fields import FIELDS
from codec.embedding import PlainExpression
from renderer.avatar import Avatar
from renderer.paper.avatar import PaperAvatar
from tests.app.enrolment.ball import ball_enrolment
from tests.renderer.scenes import ball_surface


def test_commands_offer_the_fields_that_there_are() -> None:
    assert set(app.commands.enrol.FIELDS) == set(FIELDS)
    assert set(app.bench.fields.MINUTES) == set(FIELDS)


def test_each_field_takes_what_can_be_left_out(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(app.enrolment.fields, "head_surface", lambda calibration: ball_surface())
    footage, embedding = ball_enrolment(training=8, held_out=1), PlainExpression()
    made = {name: start(footage, embedding, False, torch.device("cpu"), None).avatar for name, start in FIELDS.items()}
    assert {name: type(avatar) for name, avatar in made.items()} == {"fast": Avatar, "paper": PaperAvatar}
    for avatar in made.values():
        assert not avatar.consistency_code.requires_grad
    assert made["fast"].head.shape.expression == made["paper"].shape.expression == 79
    # The paper's own sizes.
    assert (made["paper"].network.layers, made["paper"].network.width) == (8, 256)
    assert (made["paper"].passes.coarse, made["paper"].passes.fine) == (64, 128)
