"""The fused stages against their twins in plain torch: on a GPU where there is one, in the interpreter elsewhere."""

import logging
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import renderer.head_field
import renderer.torso_field
from renderer import stages
from renderer.avatar import BLOCK, SAMPLES, SEARCH_BINS, Avatar
from renderer.head_field import POSE, HeadField, HeadFieldShape
from renderer.kernels import cpu, gpu, gpu_frame, gpu_head, gpu_launch, gpu_picture
from renderer.outline import outline, sample_outline
from renderer.view import View
from tests.renderer import scenes
from tests.renderer.scenes import turned

if (sys.platform, platform.machine()) != ("linux", "x86_64"):
    pytest.importorskip("triton", reason="it is not installed where it has no build")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SIZE = 20
ROTATION, TRANSLATION = turned(0.2, 0.1).to(DEVICE), torch.tensor([0.5, 1.0, -60.0], device=DEVICE)
TORSO = torch.tensor([0.02, -0.01, 0.1, 0.0, -0.05, 0.0, 0.02, -0.03, 0.01, 0.0], device=DEVICE)
STEP = 1.0 / 255.0
TOLERANCE = 3.0 if DEVICE.type == "cuda" else 1.0
"""Steps: there the layers multiply in bfloat16. A step is what samples that cannot be seen add up to."""


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the twins compute in float32 throughout."""
    for module in (renderer.head_field, renderer.torso_field):
        monkeypatch.setattr(module, "dense_dtype", lambda device_type: torch.float32)


def usual_avatar() -> Avatar:
    avatar = scenes.usual_avatar()
    for layer in (avatar.pose_correction.from_pose, avatar.pose_correction.from_expression):
        torch.nn.init.normal_(layer.weight, std=0.4)
    torch.nn.init.normal_(avatar.torso.condition_mean, std=0.3)
    return avatar.to(DEVICE)


class Scene:
    """An avatar at a moment, as twins and kernels see it."""

    def __init__(self, block: int = BLOCK, avatar: Avatar | None = None) -> None:
        self.avatar = avatar or usual_avatar()
        self.block = block
        self.view = View.of(self.avatar, SIZE, SIZE)
        self.expression = torch.randn(self.avatar.head.shape.expression, device=DEVICE)
        self.frame = gpu_frame.locate(self.avatar, self.view, self.expression, ROTATION, TRANSLATION, TORSO)
        self.pose = self.avatar.pose_correction(self.expression, ROTATION, TRANSLATION)
        self.window = self.view.head_window(self.avatar.grid, self.avatar.camera, *self.pose, block)
        self.place = (self.view, self.window, *self.pose)

    def searched(self, samples: int = SAMPLES) -> tuple[Tensor, Tensor]:
        """Return the twin's intervals, and opacities, as the kernels lay them out."""
        rows, columns = self.window.blocks
        edges, opacity = stages.search(self.avatar, *self.place, samples, SEARCH_BINS)
        across = -(-SIZE // self.block)
        laid_edges = torch.full((across, across, samples + 1), torch.nan, device=DEVICE)
        laid_opacity = torch.full((across, across), torch.nan, device=DEVICE)
        laid_edges[:rows, :columns] = edges.view(rows, columns, -1)
        laid_opacity[:rows, :columns] = opacity.view(rows, columns)
        return laid_edges, laid_opacity


def test_what_a_frame_shares() -> None:
    scene = Scene()
    avatar, frame, (rotation, translation) = scene.avatar, scene.frame, scene.pose
    assert not torch.allclose(rotation, ROTATION, atol=1e-3)
    assert torch.allclose(frame.pose[:3], -(translation @ rotation), atol=1e-4)
    assert torch.allclose(frame.pose[3:].view(3, 3), rotation, atol=1e-6)
    window = scene.window
    assert frame.window.tolist() == [window.top, window.left, window.height, window.width]
    head, torso = avatar.head, avatar.torso
    bias = head.density_layer.bias + head.code_layer(avatar.consistency_code)
    assert torch.allclose(frame.head_bias, bias, atol=1e-5)
    condition = torch.cat((torso.condition(ROTATION, TRANSLATION, TORSO), avatar.consistency_code))
    assert torch.allclose(frame.torso_bias, torso.shade.bias + torso.shade_condition(condition), atol=1e-5)
    assert torch.equal(frame.shift, TORSO[:2])
    offsets = torso.offsets(TORSO, condition)[0].permute(1, 2, 0)
    assert offsets.std() > 5e-3
    assert torch.allclose(frame.offsets, offsets, atol=1e-5)


def test_a_pose_that_is_not_corrected_stays() -> None:
    scene = Scene(avatar=scenes.usual_avatar().to(DEVICE))
    assert torch.allclose(scene.frame.pose[3:].view(3, 3), ROTATION, atol=1e-7)


@pytest.mark.parametrize("translation", [[500.0, 0.0, -60.0], [0.0, 0.0, 60.0], [3.0, -8.0, -25.0]])
def test_windows_of_heads_that_the_picture_cuts_off(translation: list[float]) -> None:
    avatar = usual_avatar()
    view = View.of(avatar, 31, 20)
    expression, shift = torch.zeros(30, device=DEVICE), torch.tensor(translation, device=DEVICE)
    frame = gpu_frame.locate(avatar, view, expression, ROTATION, shift, TORSO)
    pose = avatar.pose_correction(expression, ROTATION, shift)
    window = view.head_window(avatar.grid, avatar.camera, *pose, BLOCK)
    assert frame.window.tolist() == [window.top, window.left, window.height, window.width]


@pytest.mark.parametrize(
    "shape", [scenes.USUAL, HeadFieldShape(5, 6, 20, 3, 7, 4, 2, 16, 3), HeadFieldShape(5, 6, 20, 3, 7, 0, 0, 16, 3)]
)
def test_blend(shape: HeadFieldShape) -> None:
    torch.manual_seed(1)
    corner = torch.full((3,), 5.0, device=DEVICE)
    with DEVICE:
        head = HeadField(-corner, corner, torch.tensor([2, 5, 9]), shape)
        torch.nn.init.normal_(head.basis_planes)
        torch.nn.init.normal_(head.wide_planes)
        expression, pose = torch.randn(shape.expression), torch.randn(POSE)
    with torch.no_grad():
        planes = head.blend(expression[None], pose[None])[0]
        assert torch.allclose(gpu_head.blend(head, expression, pose).permute(0, 3, 1, 2), planes, atol=1e-5)


@pytest.mark.parametrize(("block", "samples", "bins"), [(1, 3, 64), (BLOCK, SAMPLES, SEARCH_BINS), (4, 5, 50)])
def test_search(block: int, samples: int, bins: int) -> None:
    scene = Scene(block)
    edges, opacity = stages.search(scene.avatar, *scene.place, samples, bins)
    found_edges, found_opacity = gpu_head.search(scene.avatar, scene.view, scene.frame, samples, bins, block)
    rows, columns = scene.window.blocks
    assert (opacity > 0.5).any()
    assert (opacity == 0.0).any()
    assert torch.allclose(found_opacity[:rows, :columns].flatten(), opacity, atol=1e-4)
    hit = opacity > 2.0 * stages.HIT
    apart = (found_edges[:rows, :columns].reshape(-1, samples + 1) - edges)[hit].abs()
    # A bin whose weight is at the threshold for a share of the intervals may get it here and not there; and where the
    # last hundred-thousandth of the weight ends is a matter of rounding.
    assert (apart[:, :-1] < 1e-3).float().mean() > 0.999
    assert apart.max() < 0.2


@pytest.mark.parametrize("samples", [1, 6])
def test_march(samples: int) -> None:
    scene = Scene()
    avatar, window = scene.avatar, scene.window
    planes = avatar.head.blend(scene.expression[None])[0]
    edges, opacity = scene.searched(samples)
    rows, columns = window.blocks
    given = (edges[:rows, :columns].reshape(-1, samples + 1), opacity[:rows, :columns].flatten())
    rgb, passed = stages.march(avatar, planes, *scene.place, *given)
    last = planes.permute(0, 2, 3, 1).contiguous()
    head = gpu_head.march(avatar, scene.view, scene.frame, last, edges, opacity, BLOCK)[:, window.rows, window.columns]
    assert 0.1 < float(passed.mean()) < 0.95
    assert float(rgb.std()) > 0.05
    assert (head[:3].permute(1, 2, 0) - rgb).abs().max() < TOLERANCE * STEP
    assert (head[3] - passed).abs().max() < TOLERANCE * STEP
    assert (head[:3].permute(1, 2, 0) - rgb).square().mean().sqrt() < 0.3 * STEP


def test_finish() -> None:
    scene = Scene()
    avatar, view, window = scene.avatar, scene.view, scene.window
    head = torch.full((4, SIZE, SIZE), torch.nan, device=DEVICE)
    rgb = torch.rand(window.height, window.width, 3, device=DEVICE) * 0.5
    passed = torch.rand(window.height, window.width, device=DEVICE) * 0.5
    passed[:3], rgb[:3], passed[3:6] = 1.0, 0.0, 0.0
    head[:3, window.rows, window.columns] = rgb.permute(2, 0, 1)
    head[3, window.rows, window.columns] = passed
    condition = avatar.torso.condition(ROTATION, TRANSLATION, TORSO)
    picture = stages.finish(avatar, view, window, rgb, passed, TORSO, condition).int()
    found = gpu_picture.finish(avatar, view, scene.frame, head).int()
    assert (picture - (view.background * 255.0).round().int()).abs().float().mean() > 10.0
    assert (found - picture).abs().max() <= (2 if DEVICE.type == "cuda" else 1)
    assert (found != picture).float().mean() < (0.1 if DEVICE.type == "cuda" else 0.02)


def test_the_outline_is_found() -> None:
    scene = Scene()
    window = scene.window
    passed = torch.rand(window.height, window.width, device=DEVICE).square()
    # What lies beyond the window is not looked at.
    head = torch.full((4, SIZE, SIZE), torch.nan, device=DEVICE)
    head[3, window.rows, window.columns] = passed
    wanted = torch.zeros(SIZE, SIZE, dtype=torch.bool, device=DEVICE)
    wanted[window.rows, window.columns] = outline(passed)
    listed, count = gpu_head.find_outline(scene.view, scene.frame, head)
    pixels = listed[: int(count)].long()
    assert 0 < len(pixels) < window.height * window.width
    assert torch.equal(pixels.sort().values, torch.nonzero(wanted.flatten()).squeeze(1))


def test_the_outline_is_marched_again() -> None:
    scene = Scene()
    avatar, view, window = scene.avatar, scene.view, scene.window
    planes = avatar.head.blend(scene.expression[None])[0]
    last = planes.permute(0, 2, 3, 1).contiguous()
    rgb, passed = stages.march(avatar, planes, *scene.place, *stages.search(avatar, *scene.place, SAMPLES, SEARCH_BINS))
    head = torch.full((4, SIZE, SIZE), torch.nan, device=DEVICE)
    head[:3, window.rows, window.columns] = rgb.permute(2, 0, 1)
    head[3, window.rows, window.columns] = passed
    before, marked = passed.clone(), outline(passed)
    gpu_head.sample_outline(avatar, view, scene.frame, last, head, SAMPLES, SEARCH_BINS)
    sample_outline(stages, avatar, planes, *scene.place, rgb, passed, SAMPLES, SEARCH_BINS)
    assert int(marked.sum()) > 3 * gpu_head.OUTLINE_PIXELS
    assert (passed - before)[marked].abs().mean() > 20 * STEP
    found = head[:, window.rows, window.columns]
    assert torch.equal(found[3][~marked], before[~marked])
    assert (found[3] - passed).abs().max() < TOLERANCE * STEP
    assert (found[:3].permute(1, 2, 0) - rgb).abs().max() < TOLERANCE * STEP


@pytest.mark.parametrize(("width", "height", "smooth"), [(SIZE, SIZE, False), (33, 14, True), (1, 1, True)])
def test_pictures(width: int, height: int, smooth: bool) -> None:
    avatar = usual_avatar()
    given = (torch.randn(30, device=DEVICE), ROTATION, TRANSLATION, TORSO, width, height)
    twin = avatar.render(*given, backend="torch", smooth=smooth).int()
    found = avatar.render(*given, backend="triton", smooth=smooth).int()
    assert found.shape == (height, width, 3)
    assert ((found - twin).abs() <= 2).float().mean() > 0.999
    assert (found - twin).float().square().mean() < 0.5


def test_a_picture_of_an_avatar_of_other_sizes() -> None:
    avatar = scenes.small_avatar(modes=3).to(DEVICE)
    given = (torch.randn(30, device=DEVICE), ROTATION, TRANSLATION, TORSO[:5], 16, 16)
    twin = avatar.render(*given, backend="torch").int()
    assert (avatar.render(*given, backend="triton").int() - twin).abs().max() <= 2


def test_a_head_out_of_the_picture_leaves_torso_and_background() -> None:
    avatar = usual_avatar()
    given = (torch.zeros(30, device=DEVICE), ROTATION, torch.tensor([500.0, 0.0, -60.0], device=DEVICE), TORSO, 16, 16)
    twin, found = (avatar.render(*given, backend=name).int() for name in ("torch", "triton"))
    assert (found - twin).abs().max() <= 2


def test_what_is_done_is_counted() -> None:
    avatar = usual_avatar()
    avatar.head.sigma_layer.bias.fill_(1.0)
    scene = Scene(avatar=avatar)
    avatar, view, frame, window = scene.avatar, scene.view, scene.frame, scene.window
    counts = torch.zeros(5, dtype=torch.int64, device=DEVICE)
    planes = gpu_head.blend(avatar.head, scene.expression, torch.zeros(POSE, device=DEVICE))
    edges, opacity = gpu_head.search(avatar, view, frame, SAMPLES, SEARCH_BINS, BLOCK, counts)
    head = gpu_head.march(avatar, view, frame, planes, edges, opacity, BLOCK, counts)
    gpu_picture.finish(avatar, view, frame, head, counts)
    lookups, rays, samples, colours, pixels = counts.tolist()
    rows, columns = window.blocks
    opacity = opacity[:rows, :columns].repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    assert 0 < lookups <= rows * columns * SEARCH_BINS
    assert lookups % SEARCH_BINS == 0
    assert rays == int((opacity[: window.height, : window.width] > stages.HIT).sum())
    assert rays < samples < rays * SAMPLES
    assert rays <= colours <= samples
    passed = torch.ones(SIZE, SIZE, device=DEVICE)
    passed[window.rows, window.columns] = head[3, window.rows, window.columns]
    assert pixels == int((view.torso_shown & (passed > stages.OPAQUE)).sum())


def test_backends_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    avatar = usual_avatar()
    given = (torch.zeros(30, device=DEVICE), ROTATION, TRANSLATION, TORSO, 8, 8)
    odd = scenes.small_avatar().to(DEVICE)
    monkeypatch.setattr(odd.head, "shape", HeadFieldShape(width=48))
    with pytest.raises(ValueError, match="other sizes"):
        odd.render(*given, backend="triton")
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(ValueError, match="triton cannot be imported"):
        avatar.render(*given, backend="triton")
    with pytest.raises(ValueError, match="triton cannot be imported"):
        avatar.render_head(avatar.head.blend(given[0][None])[0], torch.randn(4, 3), *given[1:3], 4, backend="triton")


@pytest.mark.parametrize(
    "sizes",
    [{"width": 48}, {"width": 256}, {"channels": 1024}, {"code": 1024}, {"expression": 1024}, {"resolution": 1}],
)
def test_sizes_that_a_file_may_state_and_no_kernel_takes(
    monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int]
) -> None:
    avatar = scenes.usual_avatar()
    assert gpu.supports(avatar)
    monkeypatch.setattr(avatar.head, "shape", replace(avatar.head.shape, **sizes))
    assert not gpu.supports(avatar)


def test_what_cannot_be_prepared_is_said_once_and_left_to_torch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu, "_prepared", {})
    # What other tests have compiled for the CPU.
    monkeypatch.setattr(cpu, "_compiled", {})
    monkeypatch.setitem(sys.modules, "triton", None)
    avatar = usual_avatar()
    given = (torch.randn(30, device=DEVICE), ROTATION, TRANSLATION, TORSO, 16, 16)
    with caplog.at_level(logging.WARNING):
        assert not gpu.prepare(avatar)
        assert not gpu.prepare(avatar)
    (record,) = caplog.records
    assert "triton cannot be imported" in record.getMessage()
    assert avatar.fastest() == "torch"
    assert torch.equal(avatar.render(*given), avatar.render(*given, backend="torch"))


def test_what_is_prepared_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_prepared", {})
    avatar = usual_avatar()
    given = (torch.randn(30, device=DEVICE), ROTATION, TRANSLATION, TORSO, 8, 8)
    launched = []

    class Noted:
        """A kernel that notes its launches."""

        def __init__(self, name: str, kernel: Any) -> None:
            self._name, self._kernel = name, kernel

        def __getitem__(self, grid: tuple[int, ...]) -> Any:
            launched.append(self._name)
            return self._kernel[grid]

    for name, kernel in gpu_launch.kernels().items():
        monkeypatch.setitem(gpu_launch.kernels(), name, Noted(name, kernel))
    avatar.render(*given)
    assert launched == []
    assert gpu.prepare(avatar, training=True)
    assert gpu.ready(avatar.background.device, training=True)
    launched.clear()
    picture = avatar.render(*given)
    assert launched == ["prepare", "blend", "search", "march", "find_outline", "march_outline", "finish"]
    assert torch.equal(picture, avatar.render(*given, backend="triton"))


def test_triton_is_not_loaded_before_it_is_wanted() -> None:
    code = "import sys, renderer.avatar; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
