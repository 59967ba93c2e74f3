"""The fused parts of the training march: values and gradients against torch's own, and against finite differences."""

import platform
import sys

import pytest
import torch
from torch import Tensor

from codec.embedding import ExpressionEmbedding
from renderer.compositing import composite, render_weights
from renderer.head_field import POSE
from renderer.kernels import gpu
from renderer.portrait import Backend
from renderer.training.trainer import Trainer, TrainingSettings
from tests.renderer.scenes import SMALL, ball_footage, ball_surface, turned, usual_avatar

if (sys.platform, platform.machine()) != ("linux", "x86_64"):
    pytest.importorskip("triton", reason="it is not installed where it has no build")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def leaf(*shape: int, dtype: torch.dtype = torch.float32, low: float = 0.0, high: float = 1.0) -> Tensor:
    return (torch.rand(shape, dtype=dtype, device=DEVICE) * (high - low) + low).requires_grad_()


def gradients(outputs: tuple[Tensor, ...], inputs: list[Tensor]) -> tuple[Tensor, ...]:
    torch.manual_seed(5)
    return torch.autograd.grad(outputs, inputs, [torch.randn(output.shape, device=DEVICE) for output in outputs])


@pytest.mark.parametrize("samples", [1, 8])
def test_jittered_search(samples: int) -> None:
    grid = usual_avatar().to(DEVICE).grid
    directions = torch.cat((leaf(60, 2, low=-0.25, high=0.25), torch.full((60, 1), -1.0, device=DEVICE)), 1).detach()
    rays = torch.tensor([[0.5, -1.0, 60.0]], device=DEVICE), directions
    edges, opacity = grid.propose(*rays, samples, jitter=torch.Generator(DEVICE).manual_seed(3))
    found_edges, found_opacity = gpu.propose(grid, *rays, samples, torch.Generator(DEVICE).manual_seed(3))
    assert 0.2 < float((opacity > 0.5).float().mean()) < 0.9
    assert torch.allclose(found_opacity, opacity, atol=1e-4)
    apart = (found_edges - edges)[opacity > 2e-3].abs()
    # A bin whose weight is at the threshold for a share of the intervals may get it here and not there.
    assert (apart < 1e-3).float().mean() > 0.99
    assert apart.max() < 0.3


@pytest.mark.parametrize("samples", [1, 8])
def test_composite(samples: int) -> None:
    torch.manual_seed(0)
    inputs = [leaf(150, samples, high=3.0), leaf(150, samples), leaf(150, samples, 3)]
    sigma, deltas, colours = inputs
    # A ray in a void and one behind a wall.
    sigma.data[0], sigma.data[1, 0] = 0.0, 1e4
    weights, passed = render_weights(sigma, deltas)
    twin = (composite(weights, colours), passed)
    found = gpu.composite(sigma, deltas, colours)
    for one, other in zip(found, twin, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    for one, other in zip(gradients(found, inputs), gradients(twin, inputs), strict=True):
        assert other.abs().max() > 0.1
        assert torch.allclose(one, other, atol=2e-5, rtol=1e-4)


def test_the_gradient_of_composite_is_the_slope() -> None:
    torch.manual_seed(1)
    inputs = (leaf(3, 4, dtype=torch.float64), leaf(3, 4, dtype=torch.float64), leaf(3, 4, 3, dtype=torch.float64))
    assert torch.autograd.gradcheck(gpu.composite, inputs, fast_mode=True)


def test_a_homogeneous_medium_passes_what_beer_and_lambert_say() -> None:
    sigma, length = 0.3, 7.0
    given = torch.full((1, 9), sigma, device=DEVICE), torch.full((1, 9), length / 9, device=DEVICE)
    rgb, passed = gpu.composite(*given, torch.full((1, 9, 3), 0.4, device=DEVICE))
    expected = torch.tensor(-sigma * length).exp()
    assert float(passed) == pytest.approx(float(expected), rel=1e-5)
    assert rgb[0].tolist() == pytest.approx([0.4 * (1.0 - float(expected))] * 3, rel=1e-5)


def test_no_ray_is_no_trouble() -> None:
    sigma, deltas, colours = leaf(0, 4), leaf(0, 4), leaf(0, 4, 3)
    searched, _ = gpu.propose(usual_avatar().to(DEVICE).grid, leaf(1, 3), leaf(0, 3), 4, torch.Generator(DEVICE))
    assert searched.shape == (0, 5)
    rgb, passed = gpu.composite(sigma, deltas, colours)
    (rgb.sum() + passed.sum()).backward()
    assert rgb.shape == (0, 3)
    assert sigma.grad is not None
    assert len(sigma.grad) == 0


def test_reading_planes() -> None:
    avatar = usual_avatar().to(DEVICE)
    torch.manual_seed(0)
    planes = leaf(3, 32, 32, 16, low=-1.0)
    # Some beyond the box, whose border goes on there.
    points = leaf(100, 3, low=-12.0, high=12.0)
    assert ((points.abs() > 10.0).any(-1)).sum() > 10
    twin = avatar.head.features(planes.permute(0, 3, 1, 2), points)
    found = gpu.read_planes(avatar.head, planes.permute(0, 3, 1, 2), points)
    assert torch.allclose(found, twin, atol=1e-5)
    inputs = [planes, points]
    for one, other in zip(gradients((found,), inputs), gradients((twin,), inputs), strict=True):
        assert other.abs().max() > 0.1
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)


def test_the_gradient_of_reading_planes_is_the_slope() -> None:
    from renderer.kernels.gpu_planes import ReadPlanes

    torch.manual_seed(2)
    low, high = (torch.full((3,), value, dtype=torch.float64, device=DEVICE) for value in (-1.0, 1.0))
    planes = leaf(3, 4, 4, 2, dtype=torch.float64)
    # Within texels: at their borders there are two slopes.
    points = (torch.tensor([[-0.8, 0.1, 0.5], [0.0, -0.1, 0.9], [1.4, -0.6, 0.2]], dtype=torch.float64)).to(DEVICE)
    points.requires_grad_()
    read = lambda *inputs: ReadPlanes.apply(*inputs, low, high)  # noqa: E731
    assert torch.autograd.gradcheck(read, (planes, points), fast_mode=True)


def test_a_training_ray_marches_as_in_torch() -> None:
    """The same colours, and the same gradients of every parameter and of the pose."""
    avatar = usual_avatar().to(DEVICE).requires_grad_(True)
    directions = torch.cat((leaf(40, 2, low=-0.15, high=0.15), torch.full((40, 1), -1.0, device=DEVICE)), 1).detach()
    rotation = turned(0.2, 0.1).to(DEVICE).requires_grad_()
    translation = torch.tensor([0.5, 1.0, -60.0], device=DEVICE, requires_grad=True)
    expression = torch.randn(1, 30, device=DEVICE)
    parameters = [*avatar.head.parameters(), avatar.consistency_code, rotation, translation]

    def march(backend: Backend, seed: int | None = None) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        planes = avatar.head.blend(expression, torch.ones(1, POSE, device=DEVICE))[0]
        jitter = None if seed is None else torch.Generator(DEVICE).manual_seed(seed)
        found = avatar.render_head(planes, directions, rotation, translation, 6, jitter, backend)
        return found, gradients(found, parameters)

    (twin, twin_slopes), (found, slopes) = march("torch"), march("triton")
    assert 0.05 < float(twin[1].detach().mean()) < 0.95
    for one, other in zip(found, twin, strict=True):
        # An edge that moves by a rounding error, amid texels that are noise, shows in a ray or two.
        apart = (one - other).detach().abs()
        assert (apart < 1e-4).float().mean() > 0.9
        assert apart.max() < 5e-3
    for one, other in zip(slopes, twin_slopes, strict=True):
        assert other.abs().max() > 0.0
        # The layers may multiply in bfloat16, where a last bit more or less is another rounding.
        assert torch.allclose(one, other, atol=2e-2 * float(other.abs().max()), rtol=1e-2)
    # Displaced by the same random numbers; an edge moves a little with the rounding, and texels are noise here.
    (jittered, _), (found, _) = march("torch", 4), march("triton", 4)
    apart = (found[0] - jittered[0]).detach().abs().mean()
    assert apart < 1e-3
    assert apart < 0.1 * (twin[0] - jittered[0]).detach().abs().mean()


def test_a_training_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    footage = ball_footage(40, 32)
    composited = []

    def compositing(*given: Tensor) -> tuple[Tensor, Tensor]:
        composited.append(len(given[0]))
        return compositing_rays(*given)

    compositing_rays = gpu.composite
    monkeypatch.setattr(gpu, "composite", compositing)

    def losses(fused: bool) -> list[float]:
        monkeypatch.setattr(gpu, "_prepared", {})
        torch.manual_seed(5)
        embedding = ExpressionEmbedding()
        embedding.initialise(footage.expressions, torch.eye(79))
        settings = TrainingSettings(frames=1, rays=128, background_knots=1)
        training = Trainer(footage, embedding, ball_surface(300), settings, SMALL, DEVICE)
        monkeypatch.setattr(gpu, "_prepared", {(training.avatar.background.device, True): fused})
        torch.manual_seed(6)
        return [training.step(0.0) for _ in range(3)]

    plain = losses(False)
    assert composited == []
    found = losses(True)
    assert len(composited) == 3
    assert min(composited) > 10
    assert plain[2] != plain[0]
    assert found == pytest.approx(plain, rel=1e-2)
