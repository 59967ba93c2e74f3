"""The look into a rendered frame: what it counts, what it times, and that it leaves nothing behind."""

import pytest
import torch

import renderer.stages
from app.assets import cache_folder
from app.bench.speed.stages import COMPILED, FUSED, METHODS, StageClock, StageCounter, looked_into
from renderer.avatar import SAMPLES, SEARCH_BINS
from renderer.kernels import cpu
from tests.renderer.scenes import small_avatar, usual_avatar

SIZE = 32
NEAR = torch.tensor([0.0, 0.0, -20.0])
"""So near that the head's box fills the frame."""


def render(avatar, translation):
    return avatar.render(torch.zeros(30), torch.eye(3), translation, torch.zeros(10), SIZE, SIZE)


def count(avatar, translation):
    counter = StageCounter()
    with looked_into(avatar, counter):
        counter.frame(render(avatar, translation))
    return counter.counts.a_frame()


def test_every_ray_of_a_head_that_fills_the_frame_is_counted():
    avatar = small_avatar()
    avatar.grid.density.fill_(5.0)
    avatar.torso_extent.zero_()
    counts = count(avatar, NEAR)
    assert counts.pixels == counts.head_rays == SIZE**2
    assert counts.head_samples == SIZE**2 * SAMPLES
    # One search for each block of 2 x 2 pixels.
    assert counts.search_rays == SIZE**2 / 4
    assert counts.grid_lookups == SIZE**2 / 4 * SEARCH_BINS
    assert counts.intervals == SIZE**2 / 4 * SAMPLES
    assert counts.torso_pixels == 0


def test_without_a_head_there_is_only_the_torso():
    avatar = small_avatar()
    avatar.grid.density.zero_()
    counts = count(avatar, NEAR)
    assert counts.head_samples == 0
    assert counts.torso_pixels == SIZE**2


def test_counts_are_a_mean_over_frames():
    avatar = small_avatar()
    counter = StageCounter()
    with looked_into(avatar, counter):
        for _ in range(3):
            counter.frame(render(avatar, NEAR))
    assert counter.counts.frames == 3
    assert counter.counts.a_frame() == count(avatar, NEAR)


def test_looking_changes_no_picture_and_leaves_nothing_behind():
    avatar = small_avatar()
    functions = (renderer.stages.render_weights, renderer.stages.composite)
    before = render(avatar, NEAR)
    with looked_into(avatar, StageClock(lambda: None)):
        assert torch.equal(render(avatar, NEAR), before)
        assert renderer.stages.composite is not functions[1]
    assert (renderer.stages.render_weights, renderer.stages.composite) == functions
    for part, method in METHODS.values():
        assert method not in vars(getattr(avatar, part))


def test_an_error_leaves_nothing_behind_either():
    avatar = small_avatar()
    functions = (renderer.stages.render_weights, renderer.stages.composite)
    with pytest.raises(ZeroDivisionError), looked_into(avatar, StageClock(lambda: None)):
        raise ZeroDivisionError
    assert (renderer.stages.render_weights, renderer.stages.composite) == functions
    assert "propose" not in vars(avatar.grid)


def test_every_stage_of_a_frame_is_seen():
    avatar = small_avatar()
    clock = StageClock(lambda: None)
    with looked_into(avatar, clock):
        render(avatar, NEAR)
    assert set(clock.seconds) == {*METHODS, "quadrature"}
    assert min(clock.seconds.values()) >= 0.0


def test_time_within_an_inner_stage_is_not_the_outer_ones():
    time = [0.0]

    def wait(seconds):
        time[0] += seconds

    clock = StageClock(lambda: None, now=lambda: time[0])

    def outer():
        wait(1.0)
        clock("inner", wait, (2.0,), {})
        wait(4.0)
        clock("inner", wait, (8.0,), {})
        return "done"

    assert clock("outer", outer, (), {}) == "done"
    clock("inner", wait, (16.0,), {})
    assert clock.seconds == {"outer": 5.0, "inner": 26.0}
    assert clock.calls == {"outer": 1, "inner": 3}


def test_compiled_stages_count_what_they_do():
    assert cpu.prepare(cache_folder() / "kernels"), "the kernels cannot be compiled here: see the warning"
    avatar = usual_avatar()
    # Denser here and thinner there: some rays end within it.
    avatar.head.sigma_layer.weight.mul_(3.0)
    plain, compiled = StageCounter(), StageCounter()
    given = (torch.zeros(30), torch.eye(3), torch.tensor([0.0, 0.0, -60.0]), torch.zeros(10), SIZE, SIZE)
    with looked_into(avatar, plain):
        plain.frame(avatar.render(*given, backend="torch"))
    with looked_into(avatar, compiled):
        compiled.frame(avatar.render(*given, backend="compiled"))
    torch_counts, counts = plain.counts, compiled.counts
    # Whether a pixel is one of the outline's may be a matter of rounding.
    assert 0 < counts.head_rays == pytest.approx(torch_counts.head_rays, rel=0.02)
    assert counts.search_rays == pytest.approx(torch_counts.search_rays, rel=0.02)
    assert counts.intervals == counts.search_rays * torch_counts.intervals / torch_counts.search_rays
    assert abs(counts.torso_pixels - torch_counts.torso_pixels) <= 4
    # They end where a ray is opaque.
    assert counts.head_rays < counts.head_colours == counts.head_samples < torch_counts.head_samples
    assert counts.head_rays < counts.grid_lookups < torch_counts.grid_lookups


def test_compiled_stages_are_timed():
    assert cpu.prepare(cache_folder() / "kernels"), "the kernels cannot be compiled here: see the warning"
    avatar = usual_avatar()
    clock = StageClock(lambda: None)
    with looked_into(avatar, clock):
        avatar.render(
            torch.zeros(30),
            torch.eye(3),
            torch.tensor([0.0, 0.0, -60.0]),
            torch.zeros(10),
            SIZE,
            SIZE,
            backend="compiled",
        )
    assert set(clock.seconds) == {"blend", *COMPILED}


def test_fused_stages_are_counted_and_timed():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    avatar = usual_avatar().to(device)
    place = torch.eye(3), torch.tensor([0.0, 0.0, -60.0]), torch.zeros(10)
    given = [value.to(device) for value in (torch.zeros(30), *place)]
    plain, fused = StageCounter(), StageCounter()
    with looked_into(avatar, plain):
        plain.frame(avatar.render(*given, 16, 16, backend="torch"))
    with looked_into(avatar, fused):
        fused.frame(avatar.render(*given, 16, 16, backend="triton"))
    torch_counts, counts = plain.counts, fused.counts
    assert counts.head_rays == torch_counts.head_rays > 0
    assert counts.search_rays == torch_counts.search_rays
    assert counts.intervals == torch_counts.intervals
    assert abs(counts.torso_pixels - torch_counts.torso_pixels) <= 2
    assert counts.head_rays < counts.head_samples <= torch_counts.head_samples
    assert 0 < counts.grid_lookups <= torch_counts.grid_lookups
    clock = StageClock(lambda: None)
    with looked_into(avatar, clock):
        avatar.render(*given, 16, 16, backend="triton")
    assert set(clock.seconds) == set(FUSED)
