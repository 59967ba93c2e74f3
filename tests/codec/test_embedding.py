"""The attention embedding."""

import pytest
import torch

from codec.embedding import Embedding, ExpressionEmbedding, PlainExpression, embedding_of


def footage(frames: int = 400) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    factors = torch.randn(frames, 12, generator=generator)
    mixing = torch.randn(12, 79, generator=generator) * torch.linspace(1.0, 0.1, 12)[:, None]
    return factors @ mixing * 0.1 + 0.01 * torch.randn(frames, 79, generator=generator)


def unexplained(wanted: torch.Tensor, embedding: ExpressionEmbedding, given: torch.Tensor | None = None) -> float:
    """What share of the variance of ``wanted`` (N, D) cannot be told from what is embedded of it, or of ``given``."""
    with torch.no_grad():
        embedded = embedding(wanted if given is None else given)
    design = torch.cat((embedded, torch.ones(len(embedded), 1)), 1)
    left = design @ torch.linalg.lstsq(design, wanted).solution - wanted
    return float(left.square().mean() / wanted.var(0).mean())


def test_it_maps_79_to_30_in_any_batch_shape() -> None:
    embedding = ExpressionEmbedding()
    assert embedding(torch.zeros(79)).shape == (30,)
    assert embedding(torch.zeros(2, 5, 79)).shape == (2, 5, 30)


def test_it_starts_as_a_projection_that_keeps_what_varies() -> None:
    expressions, embedding = footage(), ExpressionEmbedding()
    embedding.initialise(expressions, torch.eye(79))
    assert unexplained(expressions, embedding) < 0.05


def test_what_it_keeps_is_what_moves_the_face() -> None:
    generator = torch.Generator().manual_seed(4)
    # The last 49 coefficients vary more, and hardly show.
    expressions = torch.randn(400, 79, generator=generator) * torch.where(torch.arange(79) < 30, 0.05, 0.1)
    displacements = torch.randn(200, 79, generator=generator) * torch.where(torch.arange(79) < 30, 1.0, 0.01)
    embedding = ExpressionEmbedding()
    embedding.initialise(expressions, displacements)
    assert unexplained(expressions @ displacements.T, embedding, expressions) < 0.02
    assert unexplained(expressions[:, 30:], embedding, expressions) > 0.8


def test_standardised_components_have_unit_variance_and_the_map_back_is_exact() -> None:
    expressions, embedding = footage(), ExpressionEmbedding()
    embedding.initialise(expressions, torch.eye(79))
    with torch.no_grad():
        before = embedding(expressions)
    shift, scale = embedding.standardise(expressions)
    with torch.no_grad():
        after = embedding(expressions)
    assert torch.allclose(after.mean(0), torch.zeros(30), atol=1e-3)
    assert torch.allclose(after.std(0), torch.ones(30), atol=1e-2)
    assert torch.allclose(shift + scale * after, before, atol=1e-3)


def test_an_expression_far_from_the_footage_stays_bounded() -> None:
    expressions, embedding = footage(), ExpressionEmbedding()
    embedding.initialise(expressions, torch.eye(79))
    embedding.standardise(expressions, headroom=0.5)
    with torch.no_grad():
        wild = embedding(torch.full((79,), 50.0))
        seen = embedding(expressions)
    assert (wild <= seen.amax(0) + 0.51).all()
    assert (wild >= seen.amin(0) - 0.51).all()


def test_what_it_attends_to_is_learned() -> None:
    embedding = ExpressionEmbedding()
    embedding(torch.randn(79)).square().sum().backward()
    for name, parameter in embedding.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_plain_expression_keeps_all_79_in_units_of_their_own() -> None:
    expressions, plain = footage(), PlainExpression()
    plain.initialise(expressions)
    before = plain(expressions)
    shift, scale = plain.standardise(expressions)
    after = plain(expressions)
    assert after.shape == expressions.shape
    assert torch.allclose(after.mean(0), torch.zeros(79), atol=1e-4)
    assert torch.allclose(after.std(0), torch.ones(79), atol=1e-3)
    assert torch.allclose(shift + scale * after, before, atol=1e-3)
    assert torch.allclose(plain.mean + plain.scale * after, expressions, atol=1e-4)
    assert (plain(torch.full((79,), 50.0)) <= after.amax(0) + 0.51).all()


@pytest.mark.parametrize("embedding", [ExpressionEmbedding(), PlainExpression()])
def test_an_embedding_is_told_by_its_state(embedding: Embedding) -> None:
    if isinstance(embedding, ExpressionEmbedding):
        embedding.initialise(footage(), torch.eye(79))
    else:
        embedding.initialise(footage())
    again = embedding_of(embedding.state_dict())
    assert type(again) is type(embedding)
    probe = torch.randn(79)
    assert torch.equal(again(probe), embedding(probe))


def test_a_state_of_neither_is_refused() -> None:
    with pytest.raises(RuntimeError):
        embedding_of({"something": torch.zeros(3)})
