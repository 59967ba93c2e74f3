"""Camera and rays."""

import torch

from renderer.camera import Camera, camera_directions, frame_coordinates, project
from renderer.rays import head_space_rays, intersect_box
from tests.renderer.scenes import turned


def test_a_ray_projects_back_to_its_pixel() -> None:
    camera = Camera(1.7, 0.46, 0.55)
    uv = frame_coordinates(40, 30).reshape(-1, 2)
    depth = torch.rand(len(uv), 1) * 90 + 10
    assert torch.allclose(project(camera, camera_directions(camera, uv) * depth), uv, atol=1e-5)


def test_up_in_the_picture_is_up_in_space() -> None:
    direction = camera_directions(Camera(1.0), torch.tensor([[0.75, 0.25]]))[0]
    assert direction.tolist() == [0.25, 0.25, -1.0]


def test_the_frame_lies_in_the_middle_of_a_wider_picture() -> None:
    uv = frame_coordinates(160, 80)
    assert torch.allclose(uv[:, 40:120], frame_coordinates(80, 80))
    assert float(uv[0, 0, 0]) < 0.0
    assert float(uv[0, -1, 0]) > 1.0


def test_head_space_rays_are_the_inverse_of_the_pose() -> None:
    rotation, translation = turned(0.5, -0.3), torch.tensor([2.0, -3.0, -60.0])
    directions = torch.randn(20, 3)
    rays_o, rays_d = head_space_rays(directions, rotation, translation)
    points = rays_o + 17.0 * rays_d
    assert torch.allclose(points @ rotation.T + translation, 17.0 * directions, atol=1e-4)


def test_a_box_is_entered_and_left_where_geometry_says() -> None:
    low, high = torch.tensor([-1.0, -1.0, -1.0]), torch.tensor([1.0, 2.0, 1.0])
    rays_o = torch.tensor([[0.0, 0.0, 5.0], [0.0, 5.0, 0.0], [5.0, 5.0, 5.0], [0.0, 0.0, 0.0]])
    rays_d = torch.tensor([[0.0, 0.0, -1.0], [0.0, -2.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    nears, fars = intersect_box(rays_o, rays_d, low, high)
    assert nears[:2].tolist() == [4.0, 1.5]
    assert fars[:2].tolist() == [6.0, 3.0]
    assert nears[2] >= fars[2]
    assert (float(nears[3]), float(fars[3])) == (0.0, 1.0)
