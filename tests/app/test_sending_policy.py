"""How a sender sends, by tables of what the network does to it."""

import pytest

from app.sender import frame_rate
from app.sending_policy import (
    FPS,
    LATENCY,
    MOST_PATIENCE,
    MOST_REPEATS,
    PATIENCE,
    REMAINING,
    STEP_SECONDS,
    UNTOLD_LOSS,
    Plan,
    SendingPolicy,
    frames_of,
    repeats_of,
    stride_of,
)
from codec.operating_point import FINEST, NORMAL, OPERATING_POINTS, THRIFTY
from signaling.link import LinkState

CALM, SLOW = LinkState(loss=0.0), LinkState(loss=0.0, queueing=0.5)


def run(policy, link, seconds, start):
    """Return the plans of so many seconds, four a second, and the time at their end."""
    times = [start + 0.25 * index for index in range(int(4 * seconds))]
    return [policy.plan(link, 25.0, now) for now in times], start + seconds


@pytest.mark.parametrize("point", OPERATING_POINTS)
def test_on_a_good_network_it_is_as_chosen(point):
    plans, _ = run(SendingPolicy(point), CALM, 60, 0.0)
    assert set(plans) == {Plan(point, point.stride, frames_of(point, 25.0), 0)}


def test_frames_wait_no_longer_than_the_point_allows():
    assert [frames_of(point, 25.0) for point in (FINEST, NORMAL, THRIFTY)] == [1, 1, 2]
    for fps in (5.0, 8.0, 10.0, 15.0, 20.0, 24.0, 25.0):
        waits = (frames_of(THRIFTY, fps) - 1) * stride_of(THRIFTY, fps) / fps
        assert waits <= 1.1 * LATENCY[THRIFTY]
        assert fps / stride_of(THRIFTY, fps) >= min(fps, 10.0)


@pytest.mark.parametrize(("loss", "repeats"), [(0.0, 0), (0.0005, 0), (0.01, 1), (0.05, 2), (0.1, 3), (0.3, 4), (1, 4)])
def test_repetitions_leave_hardly_anything_lost(loss, repeats):
    assert repeats_of(loss) == repeats
    assert loss ** (repeats + 1) <= REMAINING or repeats == MOST_REPEATS
    plan = SendingPolicy().plan(LinkState(loss=loss), 25.0, 0.0)
    assert plan.repeats == (repeats_of(loss**2) if plan.echoes else repeats)


def test_frames_are_said_again_until_it_is_known_what_gets_lost():
    policy = SendingPolicy()
    assert policy.plan(LinkState(), 25.0, 0.0) == Plan(NORMAL, repeats=repeats_of(UNTOLD_LOSS)) != Plan(NORMAL)
    assert policy.plan(CALM, 25.0, 1.0) == Plan(NORMAL)


def test_messages_are_echoed_where_much_is_lost_and_nothing_is_queueing():
    policy = SendingPolicy()
    losses = [0.0, 0.1, 0.15, 0.2, 0.3, 0.15, 0.13, 0.1, 0.15, 0.2]
    plans = [policy.plan(LinkState(loss=loss), 25.0, index * 0.25) for index, loss in enumerate(losses)]
    assert [plan.echoes for plan in plans] == [False] * 3 + [True] * 4 + [False] * 2 + [True]
    assert plans[4] == Plan(NORMAL, repeats=3, echoes=True)
    assert plans[4].again == 7
    plans, _ = run(policy, LinkState(loss=0.3, queueing=0.5), 10, 10.0)
    assert not any(plan.echoes for plan in plans)


@pytest.mark.parametrize("trouble", [SLOW, LinkState(loss=0.0, held_back=3)])
def test_a_network_that_is_too_slow_is_sent_less_step_by_step(trouble):
    plans, _ = run(SendingPolicy(), trouble, 10, 0.0)
    steps = list(dict.fromkeys(plans))
    assert steps == [Plan(NORMAL, 1, 2), Plan(THRIFTY, 2, 2), Plan(THRIFTY, 2, 4)]
    assert plans.index(Plan(THRIFTY, 2, 2)) == 4 * STEP_SECONDS


def test_it_goes_back_when_the_queue_has_been_empty_for_a_while():
    policy = SendingPolicy(FINEST)
    plans, now = run(policy, SLOW, 3, 0.0)
    assert plans[-1].point is THRIFTY
    plans, now = run(policy, CALM, 3 * PATIENCE, now)
    assert plans[0].point is THRIFTY
    assert plans[-1] == Plan(FINEST)


def test_what_does_not_last_is_tried_less_and_less_often():
    policy, now, changes = SendingPolicy(), 0.0, 0
    before = None
    for index in range(4 * 600):
        now = 0.25 * index
        # The network carries two frames a message and no more.
        carries = before is None or before.frames >= 2
        plan = policy.plan(CALM if carries else SLOW, 25.0, now)
        changes += before is not None and plan != before
        before = plan
    # Each try costs two changes; ten minutes have room for ten tries a minute apart and a few at the beginning.
    assert changes <= 2 * (600 / MOST_PATIENCE + 5)
    assert policy._patience == MOST_PATIENCE


def test_repetitions_are_few_where_the_network_is_too_slow():
    policy = SendingPolicy()
    plans, _ = run(policy, LinkState(loss=0.4, queueing=1.0), 10, 0.0)
    assert [plan.repeats for plan in dict.fromkeys(plans)] == [3, 2, 1]


@pytest.mark.parametrize("fps", [8.0, 15.0, 25.0])
def test_the_cameras_rate_is_that_of_its_usual_frames(fps):
    times = [index / fps + 0.001 * (index % 3) for index in range(25)]
    # A pause is none of its rate.
    assert frame_rate([*times[:20], *(time + 2.0 for time in times[20:])]) == pytest.approx(fps, rel=0.05)
    assert frame_rate(times[:3]) == frame_rate([]) == frame_rate([1.0] * 25) == FPS


def test_a_slow_camera_sends_all_it_has_and_waits_for_no_other_frame():
    assert SendingPolicy(THRIFTY).plan(CALM, 8.0, 0.0) == Plan(THRIFTY, 1, 1, 0)
    assert str(SendingPolicy(THRIFTY).plan(CALM, 25.0, 0.0)) == "thrifty, every 2, 2 a message, 0 times again"
