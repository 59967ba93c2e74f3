"""The compiled parts of the training march: values and gradients against torch's own."""

import pytest
import torch
from torch import Tensor

from app.assets import cache_folder
from codec.embedding import ExpressionEmbedding
from renderer.head_field import POSE
from renderer.kernels import cpu
from renderer.training.trainer import Trainer, TrainingSettings
from tests.renderer.scenes import SMALL, USUAL, ball_footage, ball_surface, turned, usual_avatar


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    assert cpu.prepare(cache_folder() / "kernels"), "the kernels cannot be compiled here: see the warning"


def gradients(outputs: tuple[Tensor, ...], inputs: list[Tensor]) -> tuple[Tensor, ...]:
    torch.manual_seed(5)
    return torch.autograd.grad(outputs, inputs, [torch.randn(output.shape) for output in outputs])


@pytest.mark.parametrize("samples", [1, 8])
def test_jittered_search(samples: int) -> None:
    grid = usual_avatar().grid
    directions = torch.cat((torch.rand(60, 2) * 0.5 - 0.25, torch.full((60, 1), -1.0)), 1)
    rays = torch.tensor([[0.5, -1.0, 60.0]]), directions
    edges, opacity = grid.propose(*rays, samples, jitter=torch.Generator().manual_seed(3))
    found_edges, found_opacity = cpu.propose(grid, *rays, samples, torch.Generator().manual_seed(3))
    assert 0.2 < float((opacity > 0.5).float().mean()) < 0.9
    assert torch.allclose(found_opacity, opacity, atol=1e-4)
    apart = (found_edges - edges)[opacity > 2e-3].abs()
    # A bin whose weight is at the threshold for a share of the intervals may get it here and not there.
    assert (apart < 1e-3).float().mean() > 0.99
    assert apart.max() < 0.3


def test_no_ray_is_no_trouble() -> None:
    avatar = usual_avatar()
    edges, opacity = cpu.propose(avatar.grid, torch.zeros(1, 3), torch.zeros(0, 3), 4, torch.Generator())
    assert (edges.shape, opacity.shape) == ((0, 5), (0,))
    planes = avatar.head.blend(torch.zeros(1, 30))[0].requires_grad_()
    features = cpu.read_planes(avatar.head, planes, torch.zeros(0, 3))
    (slope,) = torch.autograd.grad(features.sum(), planes)
    assert features.shape == (0, 48)
    assert not slope.any()


@pytest.mark.parametrize("threads", [1, 2])
def test_reading_planes(threads: int) -> None:
    head = usual_avatar().head
    torch.manual_seed(0)
    planes = torch.randn(3, 32, 32, 16, requires_grad=True)
    # Some beyond the box, whose border goes on there.
    points = (torch.rand(100, 3) * 24.0 - 12.0).requires_grad_()
    assert ((points.abs() > 10.0).any(-1)).sum() > 10
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        inputs = [planes, points]
        twin = head.features(planes.permute(0, 3, 1, 2), points)
        found = cpu.read_planes(head, planes.permute(0, 3, 1, 2), points)
        assert torch.allclose(found, twin, atol=1e-5)
        for one, other in zip(gradients((found,), inputs), gradients((twin,), inputs), strict=True):
            assert other.abs().max() > 0.1
            assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)
    finally:
        torch.set_num_threads(before)


def test_what_is_not_a_number_is_read_at_the_first_texel() -> None:
    head = usual_avatar().head
    planes = head.blend(torch.zeros(1, 30))[0]
    features = cpu.read_planes(head, planes, torch.full((1, 3), torch.nan))
    # How far it lies beyond that texel is not a number either, or none: but nothing outside is read.
    assert features.shape == (1, 48)


def test_a_training_ray_marches_as_in_torch() -> None:
    """The same colours, and the same gradients of every parameter and of the pose."""
    avatar = usual_avatar().requires_grad_(True)
    torch.manual_seed(1)
    directions = torch.cat((torch.rand(400, 2) * 0.3 - 0.15, torch.full((400, 1), -1.0)), 1)
    rotation = turned(0.2, 0.1).requires_grad_()
    translation = torch.tensor([0.5, 1.0, -60.0], requires_grad=True)
    expression = torch.randn(1, 30)
    parameters = [*avatar.head.parameters(), avatar.consistency_code, rotation, translation]
    planes = avatar.head.blend(expression, torch.ones(1, POSE))[0]
    marched = []
    for backend in ("torch", "compiled"):
        found = avatar.render_head(planes, directions, rotation, translation, 6, backend=backend)
        marched.append((found, torch.autograd.grad(found[0].sum(), parameters, retain_graph=True)))
    (twin, twin_slopes), (found, slopes) = marched
    assert 0.05 < float(twin[1].detach().mean()) < 0.95
    for one, other in zip(found, twin, strict=True):
        assert torch.allclose(one, other, atol=1e-2)
        assert (one - other).detach().abs().mean() < 1e-4
    for one, other in zip(slopes, twin_slopes, strict=True):
        assert (one - other).norm() < 0.02 * other.norm() + 1e-6


@pytest.mark.parametrize(("shape", "reads"), [(USUAL, True), (SMALL, False)])
def test_training_goes_on_with_either(shape: object, reads: bool) -> None:
    footage = ball_footage(40, 32)
    embedding = ExpressionEmbedding()
    embedding.initialise(footage.expressions, torch.eye(79))
    settings = TrainingSettings(rays=400, geometry_steps=20)
    trainer = Trainer(footage, embedding, ball_surface(), settings, shape)  # type: ignore[arg-type]
    assert cpu.reads(trainer.avatar.head) is reads
    losses = [trainer.step(step / 80) for step in range(80)]
    assert sum(losses[-8:]) < 0.3 * sum(losses[:8])
