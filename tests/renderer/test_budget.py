"""The frame budget without a clock."""

from itertools import pairwise

import pytest

from renderer.budget import FrameBudget


def settle(budget: FrameBudget, pixel_seconds: float, wanted: tuple[int, int], frames: int = 200) -> tuple[int, int]:
    size = wanted
    for _ in range(frames):
        size = budget.choose(*wanted)
        budget.report(*size, pixel_seconds * size[0] * size[1])
    return size


def test_a_fast_machine_renders_what_is_wanted() -> None:
    assert settle(FrameBudget(25.0), 1e-8, (512, 512)) == (512, 512)


@pytest.mark.parametrize("pixel_seconds", [1e-6, 3e-6, 5e-7])
def test_a_slow_machine_holds_the_frame_rate(pixel_seconds: float) -> None:
    width, height = settle(FrameBudget(25.0), pixel_seconds, (1024, 512))
    assert width * height * pixel_seconds <= 1.1 / 25.0
    assert width * height * pixel_seconds >= 0.5 / 25.0, "more is lowered than must be"
    assert width / height == pytest.approx(2.0, rel=0.02)


def test_resolution_comes_back_when_the_machine_is_free_again() -> None:
    budget = FrameBudget(25.0)
    assert settle(budget, 2e-6, (256, 256)) < (256, 256)
    assert settle(budget, 1e-7, (256, 256)) == (256, 256)


def test_one_slow_frame_does_not_shrink_the_picture_for_long() -> None:
    budget = FrameBudget(25.0)
    settle(budget, 2e-7, (256, 256))
    budget.report(256, 256, 2.0)
    assert settle(budget, 2e-7, (256, 256), frames=10) == (256, 256)


def test_noise_does_not_swing_the_size() -> None:
    budget = FrameBudget(25.0)
    settle(budget, 1e-6, (256, 256))
    sizes = set()
    for frame in range(100):
        size = budget.choose(256, 256)
        sizes.add(size)
        budget.report(*size, 1e-6 * size[0] * size[1] * (1.05 if frame % 2 else 0.95))
    assert len(sizes) <= 2


def test_a_machine_that_just_manages_the_whole_picture_does_not_swing() -> None:
    budget = FrameBudget(25.0)
    limit = 0.9 / 25.0 / 256**2
    settle(budget, 1.1 * limit, (256, 256))
    sizes = []
    for frame in range(400):
        sizes.append(budget.choose(256, 256))
        cost = limit * (1.2 if frame // 40 % 2 else 0.99)
        budget.report(*sizes[-1], cost * sizes[-1][0] * sizes[-1][1])
    assert sum(one != other for one, other in pairwise(sizes)) <= 1


def test_it_never_goes_below_the_smallest_side() -> None:
    assert min(settle(FrameBudget(25.0, smallest=48), 1.0, (256, 128))) == 48


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        FrameBudget(0.0)


def rendered(budget: FrameBudget, plain: float, fine: float, frames: int = 300) -> list[tuple[bool, tuple[int, int]]]:
    """Return what is chosen for 256 x 256 where a whole picture takes so many seconds without and with its outline."""
    chosen = []
    for _ in range(frames):
        width, height = budget.choose(256, 256)
        chosen.append((budget.smooth, (width, height)))
        budget.report(width, height, (fine if budget.smooth else plain) * width * height / 256**2)
    return chosen


def test_outlines_are_fine_where_there_is_time() -> None:
    assert all(smooth for smooth, _ in rendered(FrameBudget(10.0), 0.02, 0.035))


def test_outlines_jag_before_the_size_is_lowered() -> None:
    chosen = rendered(FrameBudget(10.0), 0.06, 0.12)
    assert chosen[0][0]
    assert chosen[-1] == (False, (256, 256))


@pytest.mark.parametrize("ratio", [1.0, 1.3, 1.5, 1.7])
@pytest.mark.parametrize("fine", [0.03, 0.04, 0.041, 0.05, 0.08, 0.2])
def test_outlines_do_not_come_and_go(fine: float, ratio: float) -> None:
    chosen = [smooth for smooth, _ in rendered(FrameBudget(10.0), fine / ratio, fine)]
    assert sum(one != other for one, other in pairwise(chosen)) <= 1


def test_outlines_come_back_when_the_machine_is_free_again() -> None:
    budget = FrameBudget(10.0)
    assert not rendered(budget, 0.06, 0.09)[-1][0]
    assert rendered(budget, 0.02, 0.03)[-1][0]
