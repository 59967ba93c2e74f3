"""The compiled stages against their twins in plain torch."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import renderer.head_field
import renderer.kernels
import renderer.torso_field
from app.assets import cache_folder
from renderer import stages
from renderer.avatar import BLOCK, SAMPLES, SEARCH_BINS, Avatar
from renderer.head_field import HeadField
from renderer.kernels import cpu, cpu_launch, cpu_picture
from renderer.view import View
from renderer.window import HeadWindow
from tests.renderer.scenes import USUAL, small_avatar, turned, usual_avatar

ROTATION, TRANSLATION = turned(0.2, 0.1), torch.tensor([0.5, 1.0, -60.0])
TORSO = torch.tensor([0.02, -0.01, 0.1, 0.0, -0.05, 0.0, 0.02, -0.03, 0.01, 0.0])
STEP = 1.0 / 255.0


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    assert cpu.prepare(cache_folder() / "kernels"), "the kernels cannot be compiled here: see the warning"


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the twins compute in float32 throughout."""
    for module in (renderer.head_field, renderer.torso_field):
        monkeypatch.setattr(module, "dense_dtype", lambda device_type: torch.float32)


def scene(size: int, block: int = BLOCK) -> tuple[Avatar, View, HeadWindow, Tensor]:
    avatar = usual_avatar()
    view = View.of(avatar, size, size)
    window = view.head_window(avatar.grid, avatar.camera, ROTATION, TRANSLATION, block)
    return avatar, view, window, avatar.head.blend(torch.randn(1, 30))[0]


@pytest.mark.parametrize("block", [1, 2, 4])
def test_search(block: int) -> None:
    avatar, view, window, _ = scene(90, block)
    given = (avatar, view, window, ROTATION, TRANSLATION, SAMPLES, SEARCH_BINS)
    edges, opacity = stages.search(*given)
    found_edges, found_opacity = cpu_picture.search(*given)
    assert (opacity > 0.5).any()
    assert (opacity == 0.0).any()
    assert torch.allclose(found_opacity, opacity, atol=1e-4)
    hit = opacity > 2.0 * stages.HIT
    apart = (found_edges - edges)[hit].abs()
    # A bin whose weight is at the threshold for a share of the intervals may get it here and not there; and where the
    # last hundred-thousandth of the weight ends is a matter of rounding.
    assert (apart[:, :-1] < 1e-3).float().mean() > 0.999
    assert apart.max() < 0.2


@pytest.mark.parametrize("wide", [0, 2, 32])
def test_blend(wide: int) -> None:
    avatar = usual_avatar()
    head = HeadField(avatar.head.box_min, avatar.head.box_max, avatar.head.window, replace(USUAL, wide_resolution=wide))
    torch.nn.init.normal_(head.basis_planes)
    torch.nn.init.normal_(head.wide_planes)
    avatar.head = head.requires_grad_(False)
    expression = torch.randn(30) * 2.0
    planes = avatar.blend(expression[None], ROTATION[None], TRANSLATION[None])[0]
    found = cpu_picture.blend(avatar, expression, ROTATION, TRANSLATION)
    assert (planes - head.static_planes).abs().max() > 1.0
    # By 66 numbers of about 1, each rounded to a 32767th of the largest of its texels, of about 4.
    assert (found - planes).abs().max() < 4e-3
    assert (found - planes).square().mean().sqrt() < 5e-4


def test_planes_that_changed_are_blended_once_the_old_ones_are_forgotten() -> None:
    avatar = usual_avatar()
    given = torch.randn(30), ROTATION, TRANSLATION
    before = cpu_picture.blend(avatar, *given)
    avatar.head.basis_planes.mul_(2.0)
    assert torch.equal(cpu_picture.blend(avatar, *given), before)
    avatar.forget()
    anew = avatar.blend(*(each[None] for each in given))[0]
    assert torch.allclose(cpu_picture.blend(avatar, *given), anew, atol=1e-3)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("samples", [1, 5, 9])
def test_march(samples: int) -> None:
    avatar, view, window, planes = scene(90)
    place = (view, window, ROTATION, TRANSLATION)
    found = stages.search(avatar, *place, samples, SEARCH_BINS)
    rgb, passed = stages.march(avatar, planes, *place, *found)
    found_rgb, found_passed = cpu_picture.march(avatar, planes, *place, *found)
    assert 0.1 < float(passed.mean()) < 0.95
    assert float(rgb.std()) > 0.05
    # In bfloat16 a step and a half, as the twin in bfloat16; a step is what lies behind where a ray is opaque.
    bound = 3.0 if cpu.bfloat16() else 1.0
    assert (found_rgb - rgb).abs().max() < bound * STEP
    assert (found_passed - passed).abs().max() < bound * STEP
    assert (found_rgb - rgb).square().mean().sqrt() < 0.3 * STEP


@pytest.mark.usefixtures("exact")
def test_finish() -> None:
    avatar, view, window, _ = scene(90)
    rgb = torch.rand(window.height, window.width, 3) * 0.5
    passed = torch.rand(window.height, window.width) * 0.5
    passed[:10], rgb[:10], passed[10:20] = 1.0, 0.0, 0.0
    condition = avatar.torso.condition(ROTATION, TRANSLATION, TORSO)
    given = (avatar, view, window, rgb, passed, TORSO, condition)
    picture, found = stages.finish(*given).int(), cpu_picture.finish(*given).int()
    assert (picture - (view.background * 255.0).round().int()).abs().float().mean() > 10.0
    assert (found - picture).abs().max() <= (2 if cpu.bfloat16() else 1)
    assert (found != picture).float().mean() < 0.1


@pytest.mark.parametrize(("width", "height"), [(96, 96), (33, 20), (20, 47), (1, 1), (2, 2)])
def test_pictures(width: int, height: int) -> None:
    avatar = usual_avatar()
    expression = torch.randn(30)
    given = (expression, ROTATION, TRANSLATION, TORSO, width, height)
    twin = avatar.render(*given, backend="torch").int()
    found = avatar.render(*given, backend="compiled").int()
    assert ((found - twin).abs() <= 2).float().mean() > 0.999
    assert (found - twin).float().square().mean() < 0.5


def test_a_head_out_of_the_picture_leaves_torso_and_background() -> None:
    avatar = usual_avatar()
    for translation in (torch.tensor([500.0, 0.0, -60.0]), torch.tensor([0.0, 0.0, 60.0])):
        given = (torch.zeros(30), ROTATION, translation, TORSO, 48, 48)
        twin, found = (avatar.render(*given, backend=name).int() for name in ("torch", "compiled"))
        assert (found - twin).abs().max() <= 2


def test_threads_make_the_same_picture() -> None:
    avatar = usual_avatar()
    given = (torch.randn(30), ROTATION, TRANSLATION, TORSO, 96, 96)
    threads = torch.get_num_threads()
    for smooth in (False, True):
        try:
            pictures = []
            for count in (1, 2, 3):
                torch.set_num_threads(count)
                pictures.append(avatar.render(*given, backend="compiled", smooth=smooth))
        finally:
            torch.set_num_threads(threads)
        # Not to the last bit: with other neighbours in a register a number may be rounded otherwise, and then a pixel
        # may lie at the outline or not.
        for picture in pictures[1:]:
            apart = (picture.int() - pictures[0].int()).abs() > 1
            assert apart.float().mean() < (0.001 if smooth else 1e-9)


def test_pictures_in_inference_mode() -> None:
    avatar = usual_avatar()
    given = (torch.randn(30), ROTATION, TRANSLATION, TORSO, 40, 40)
    with torch.inference_mode():
        picture = avatar.render(*given, backend="compiled")
    assert torch.equal(picture, avatar.render(*given, backend="compiled"))


def test_an_avatar_of_unusual_sizes_is_left_to_torch() -> None:
    avatar = small_avatar()
    given = (torch.zeros(30), ROTATION, TRANSLATION, TORSO, 24, 24)
    assert torch.equal(avatar.render(*given), avatar.render(*given, backend="torch"))
    with pytest.raises(ValueError, match="usual sizes"):
        avatar.render(*given, backend="compiled")


def test_planes_of_one_texel_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    avatar = usual_avatar()
    assert cpu.supports(avatar)
    monkeypatch.setattr(avatar.torso, "shape", replace(avatar.torso.shape, resolution=1))
    assert not cpu.supports(avatar)


def test_a_place_that_is_no_number_reads_nothing_out_of_bounds() -> None:
    # In a process of its own, which such a reading would end.
    code = """
import torch
from app.assets import cache_folder
from renderer.kernels import cpu, cpu_launch, cpu_picture
from tests.renderer.test_cpu_kernels import ROTATION, TRANSLATION, scene
assert cpu.prepare(cache_folder() / "kernels")
avatar, view, window, planes = scene(90)
place = avatar, view, window, ROTATION, torch.full((3,), torch.nan)
edges, opacity = cpu_picture.search(*place, 5, 40)
edges, opacity = torch.full_like(edges, torch.nan), torch.ones_like(opacity)
print(tuple(cpu_picture.march(avatar, planes, *place[1:], edges, opacity)[0].shape) == (window.height, window.width, 3))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr


@pytest.mark.parametrize(
    ("place", "found"), [(0.0, 0), (0.9, 0), (5.5, 5), (62.0, 62), (63.0, 62), (float("nan"), 0), (float("-inf"), 0)]
)
def test_the_texel_before_a_place(place: float, found: int) -> None:
    from renderer.kernels.cpu_vector import texel  # The compiler, which is not loaded before it is wanted.

    assert texel(np.float32(place), 64) == found


def test_the_compiler_is_not_loaded_before_it_is_wanted() -> None:
    names = {
        name.split(".")[0]
        for module in (cpu, cpu_launch, cpu_picture)
        for node in ast.parse(Path(module.__file__).read_text()).body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not names & {"numba", "llvmlite"}


def test_exp_and_softplus() -> None:
    from numba import njit

    from renderer.kernels.cpu_vector import exp, softplus

    @njit  # type: ignore[untyped-decorator]
    def both(x, e, s):  # type: ignore[no-untyped-def]
        for index in range(len(x)):
            e[index], s[index] = exp(x[index]), softplus(x[index])

    x = np.linspace(-80.0, 80.0, 20001).astype(np.float32)
    e, s = np.empty_like(x), np.empty_like(x)
    both(x, e, s)
    assert np.abs(e / np.exp(x.astype(np.float64)) - 1.0).max() < 5e-7
    assert np.abs(s - np.logaddexp(0.0, x.astype(np.float64))).max() < 1e-5
    assert np.abs(s - np.logaddexp(0.0, x.astype(np.float64)))[np.abs(x) < 10].max() < 2e-6


@pytest.mark.parametrize("matrices", [False, True])
@pytest.mark.parametrize(("inputs", "heads"), [(8, 4), (10, 3), (32, 1), (48, 1), (68, 3)])
def test_a_layer(inputs: int, heads: int, matrices: bool) -> None:
    from numba import njit

    from renderer.kernels.cpu_features import BFLOAT16, MATRICES, NUMBER, NUMBER_BYTES
    from renderer.kernels.cpu_layer import ROWS, WIDTH, layer

    if matrices and not MATRICES:
        pytest.skip("this processor does not multiply matrices")
    wide = layer(inputs, heads, WIDTH * NUMBER_BYTES, matrices)

    @njit  # type: ignore[untyped-decorator]
    def apply(count, rows, weights, bias, narrow, outputs, results):  # type: ignore[no-untyped-def]
        wide(
            count,
            rows.ctypes.data,
            weights.ctypes.data,
            bias.ctypes.data,
            narrow.ctypes.data,
            outputs.ctypes.data,
            results.ctypes.data,
            results.strides[0],
        )

    torch.manual_seed(3)
    count = 2 * ROWS + 1
    rows, weights = torch.randn(count + ROWS, inputs), torch.randn(WIDTH, inputs)
    bias, narrow = torch.randn(WIDTH), torch.randn(heads, WIDTH)
    if BFLOAT16:
        rows, weights = rows.bfloat16().float(), weights.bfloat16().float()
        held = rows.bfloat16().view(torch.int16).numpy()
    else:
        held = rows.numpy()
    outputs, results = np.zeros((count + ROWS, WIDTH), NUMBER), np.zeros((heads, count + ROWS), np.float32)
    apply(count, held, cpu_picture.pack(weights), bias.numpy(), narrow.numpy(), outputs, results)
    expected = torch.relu(rows @ weights.T + bias)[:count]
    stored = torch.from_numpy(outputs)
    stored = (stored.view(torch.bfloat16).float() if BFLOAT16 else stored)[:count]
    assert torch.allclose(stored, expected, atol=1e-5, rtol=5e-3)
    assert torch.allclose(torch.from_numpy(results[:, :count]), narrow @ expected.T, atol=1e-3)
    assert not results[:, count + ROWS - 1].any()
