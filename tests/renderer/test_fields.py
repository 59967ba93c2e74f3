"""Fields, avatar and its rendering."""

import pytest
import torch

from renderer.occupancy import DensityGrid
from tests.renderer.scenes import SMALL, small_avatar, turned

POSE = (turned(0.1, 0.05), torch.tensor([0.5, 1.0, -60.0]), torch.tensor([0.02, -0.01, 0.1, 0.0, -0.05, *[0.0] * 5]))


def test_planes_are_static_planes_plus_the_combination_of_the_basis() -> None:
    head = small_avatar(wide=0).head
    expressions = torch.randn(2, 30)
    planes = torch.stack(head.blend(expressions))
    moving = torch.einsum("fe,epcyx->fpcyx", expressions, head.basis_planes)
    expected = head.static_planes.expand(2, -1, -1, -1, -1).clone()
    # Axes (column, row) of the planes are (x, y), (z, y), (x, z); the window starts at texel (8, 8, 16) of (x, y, z).
    expected[:, 0, :4, 8:24, 8:24] += moving[:, 0]
    expected[:, 1, :4, 8:24, 16:32] += moving[:, 1]
    expected[:, 2, :4, 16:32, 8:24] += moving[:, 2]
    assert torch.allclose(planes, expected, atol=1e-5)


def test_expression_and_pose_move_all_of_the_head() -> None:
    avatar = small_avatar()
    avatar.pose_correction.pose_scale.fill_(0.5)
    rotation, translation, _ = POSE
    expression = 0.5 * torch.randn(30)
    avatar.head.basis_planes.zero_()
    moved = avatar.blend(expression[None], rotation[None], translation[None])[0] - avatar.head.static_planes
    pose = avatar.pose_correction.standardised(rotation, translation).clamp(-2.5, 2.5)
    assert pose.abs().max() == 2.5, "farther than at enrolment it does nothing more"
    coarse = torch.einsum("e,epcyx->pcyx", torch.cat((expression, pose)), avatar.head.wide_planes)
    assert torch.allclose(moved[:, :4, ::31, ::31], coarse[..., ::7, ::7], atol=1e-5)
    assert (moved[:, 4:] == 0).all()
    # In other units of the expression it is the same.
    shift, scale = 0.1 * torch.randn(30), 0.2 * torch.rand(30) + 0.9
    avatar.rescale_expression(shift, scale)
    again = avatar.blend(((expression - shift) / scale)[None], rotation[None], translation[None])[0]
    still = small_avatar().head.static_planes
    assert torch.allclose(again[:, :4, ::31, ::31] - moved[:, :4, ::31, ::31], still[:, :4, ::31, ::31], atol=1e-4)


def test_the_wildest_expression_does_no_more_to_all_of_the_head_than_a_strong_one() -> None:
    head = small_avatar().head
    direction = torch.randn(30).sign()[None]
    assert torch.allclose(head.wide(2.5 * direction), head.wide(8.0 * direction))
    assert (head.wide(2.5 * direction) - head.wide(direction)).abs().max() > 0.1


def test_the_expression_is_learned_from_the_face_alone() -> None:
    head = small_avatar().head.requires_grad_(True)
    head.basis_planes.requires_grad_(False).zero_()
    expression, pose = torch.randn(1, 30, requires_grad=True), torch.randn(1, 6, requires_grad=True)
    head.blend(expression, pose)[0].square().sum().backward()
    assert pose.grad is not None
    assert pose.grad.abs().sum() > 0
    assert expression.grad is None or expression.grad.abs().sum() == 0


def test_features_at_a_texel_are_the_texel() -> None:
    head = small_avatar().head
    planes = head.blend(torch.zeros(1, 30))[0]
    texel = torch.tensor([5, 9, 20])
    point = head.box_min + texel / (SMALL.resolution - 1) * (head.box_max - head.box_min)
    features = head.features(planes, point[None])[0].view(3, SMALL.channels)
    assert torch.allclose(features[0], planes[0, :, 9, 5], atol=1e-4)
    assert torch.allclose(features[1], planes[1, :, 9, 20], atol=1e-4)
    assert torch.allclose(features[2], planes[2, :, 20, 5], atol=1e-4)


def test_blending_passes_gradients_to_static_and_basis_planes() -> None:
    head = small_avatar().head.requires_grad_(True)
    expression = torch.randn(1, 30, requires_grad=True)
    planes = head.blend(expression, torch.randn(1, 6))[0]
    sigma, rgb = head(planes, torch.randn(50, 3) * 4, torch.randn(50, 3), torch.zeros(8))
    (sigma.sum() + rgb.sum()).backward()
    for parameter in (expression, head.static_planes, head.basis_planes, head.wide_planes):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_density_and_colour_are_in_range() -> None:
    head = small_avatar().head
    sigma, rgb = head(
        head.blend(torch.randn(1, 30) * 5)[0], torch.randn(200, 3) * 9, torch.randn(200, 3), torch.zeros(8)
    )
    assert sigma.dtype == rgb.dtype == torch.float32
    assert (sigma >= 0).all()
    assert ((rgb >= 0) & (rgb <= 1)).all()


def test_the_grid_proposes_where_its_density_is() -> None:
    grid = DensityGrid(torch.full((3,), -10.0), torch.full((3,), 10.0), 41)
    centres = grid.voxel_centres()
    grid.density.view(-1).copy_((centres[:, 2].abs() < 2.0).float() * 5.0)
    rays_o, rays_d = torch.tensor([[0.0, 0.0, 50.0]]), torch.tensor([[0.0, 0.0, -1.0], [3.0, 0.0, -1.0]])
    edges, opacity = grid.propose(rays_o, rays_d, 6)
    assert float(opacity[0]) == pytest.approx(1.0, abs=1e-3)
    assert float(opacity[1]) == 0.0
    z = 50.0 - edges[0]
    assert (z < 3.2).all()
    assert float(z[0]) > 1.5
    assert float(z[1]) > 0.5, "the density's front takes most samples"


@pytest.mark.parametrize(("width", "height"), [(64, 64), (33, 20), (20, 47), (1, 1), (2, 2)])
def test_any_size_renders(width: int, height: int) -> None:
    picture = small_avatar().render(torch.zeros(30), *POSE, width, height)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == torch.uint8


def test_a_larger_rendering_shows_the_same_picture() -> None:
    avatar = small_avatar()
    small = avatar.render(torch.zeros(30), *POSE, 64, 64).float()
    large = avatar.render(torch.zeros(30), *POSE, 256, 256).float()
    shrunk = torch.nn.functional.avg_pool2d(large.permute(2, 0, 1), 4).permute(1, 2, 0)
    assert (small - shrunk).abs().mean() < 6.0


def test_a_head_out_of_the_picture_leaves_torso_and_background() -> None:
    avatar = small_avatar()
    away = avatar.render(torch.zeros(30), POSE[0], torch.tensor([500.0, 0.0, -60.0]), POSE[2], 32, 32)
    behind = avatar.render(torch.zeros(30), POSE[0], torch.tensor([0.0, 0.0, 60.0]), POSE[2], 32, 32)
    assert torch.isfinite(away.float()).all()
    assert behind.shape == away.shape


def test_new_expression_units_leave_the_picture_as_it_is() -> None:
    avatar = small_avatar()
    expression, shift, scale = torch.randn(30), torch.randn(30), torch.rand(30) + 0.5
    before = avatar.render(expression, *POSE, 48, 48).int()
    avatar.rescale_expression(shift, scale)
    after = avatar.render((expression - shift) / scale, *POSE, 48, 48).int()
    assert (before - after).abs().max() <= 2
