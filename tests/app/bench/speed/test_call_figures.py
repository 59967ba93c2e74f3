"""What is said of a call, from what was noted in it."""

import pytest

from app.bench.speed.call import CallPlan, call_figures
from app.bench.speed.first_picture import first_picture
from app.bench.speed.job import JobError

SUMMARY = {"device": "CPU", "payload_kbps": 5.0, "wire_kbps_in": 40.0, "wire_kbps_out": 20.0, "width": 64, "height": 64}
START = 100.0


def plan(seconds=8.0):
    return CallPlan("a.avatar", "clip.mp4", 64, 1, "cpu", seconds, 25.0)


def moments(seconds=10.0, sent_every=1, lost=(), painted_every=1):
    """A call whose clip has 25 frames a second, of which every so many are sent and painted."""
    frames = range(round(seconds * 25))
    packets = [
        (index, number)
        for number, index in enumerate(index for index in frames if index % sent_every == 0)
        if number not in lost
    ]
    received = [[START + index / 25, number, 7.0 + index / 25] for index, number in packets]
    painted = [[when + 0.1, 150.0 if number % 10 == 0 else 100.0] for when, number, _ in received[::painted_every]]
    rendered = [[when, 20.0] for when, _ in painted]
    return {"received": received, "painted": painted, "rendered": rendered, "interpreter": 99.0, "avatar": 99.5}


def test_a_call_without_trouble():
    figures = call_figures(plan(), moments(), SUMMARY)
    assert figures["seconds"] == 8.0
    assert figures["fps"]["median"] == figures["fps"]["mean"] == 25.0
    assert figures["latency_ms"] == {"median": 100.0, "p95": 150.0}
    assert figures["render_ms"] == {"median": 20.0, "p95": 20.0}
    assert figures["longest_gap_ms"] == pytest.approx(40.0)
    frames = figures["frames"]
    assert frames["due"] == frames["sent"] == frames["received"]
    assert frames["painted"] == pytest.approx(200, abs=1)
    assert figures["dropped"] == {"not_sent": 0, "lost": 0, "not_painted": 0}
    assert figures["wire_kbps"] == 60.0
    assert not figures["lowered"]


def test_each_drop_is_counted_where_it_happens():
    slow_tracker = call_figures(plan(), moments(sent_every=2), SUMMARY)
    assert slow_tracker["dropped"]["not_sent"] == pytest.approx(100, abs=1)
    assert slow_tracker["dropped"]["lost"] == slow_tracker["dropped"]["not_painted"] == 0
    assert slow_tracker["fps"]["median"] in (12.0, 12.5, 13.0)

    lossy = call_figures(plan(), moments(lost=(60, 61, 90)), SUMMARY)
    assert lossy["dropped"] == {"not_sent": 0, "lost": 3, "not_painted": 0}
    assert lossy["longest_gap_ms"] == pytest.approx(120.0)

    slow_renderer = call_figures(plan(), moments(painted_every=5), SUMMARY)
    assert slow_renderer["dropped"]["not_sent"] == slow_renderer["dropped"]["lost"] == 0
    assert slow_renderer["dropped"]["not_painted"] == pytest.approx(160, abs=2)
    assert slow_renderer["fps"]["median"] == 5.0


def test_a_picture_smaller_than_asked_for_is_said():
    assert call_figures(plan(), moments(), {**SUMMARY, "width": 48, "height": 48})["lowered"]


def test_a_call_that_is_too_short_is_refused():
    with pytest.raises(JobError, match="--seconds"):
        call_figures(plan(), moments(seconds=0.8), SUMMARY)


def test_the_preview_is_told_what_is_planned(tmp_path):
    from app.cli import parse

    words = plan(30.0).command(tmp_path / "out.json")
    args = parse(words)
    assert (args.width, args.height, args.threads, args.device) == (64, 64, 1, "cpu")
    assert args.headless
    assert args.loop
    assert args.seconds > 31.0


def test_the_first_picture_is_counted_from_the_start():
    run = first_picture({**moments(), "read_mb": 12.0}, 98.5)
    assert run["seconds"] == pytest.approx(1.6)
    assert list(run["marks"].values()) == sorted(run["marks"].values())
    assert run["marks"]["interpreter"] == 0.5
    assert run["marks"]["first_painted"] == run["seconds"]
    with pytest.raises(JobError, match="receive"):
        first_picture({**moments(), "painted": []}, 98.5)
