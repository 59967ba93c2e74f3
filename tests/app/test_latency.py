"""Stages from capture to paint: by tables, and there and back through a Chrome trace."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.latency import (
    RECEIVER_STAGES,
    RECENT,
    SENDER_STAGES,
    STAGES,
    ArrivalLog,
    Span,
    StageLog,
    both_sides,
    stage_figures,
)
from app.trace import chrome_trace, read_trace, write_trace

FRAME = 0.04


def call_logs(frames=50, start=1000.0):
    """Return the spans of a sender and of a receiver whose every stage takes a known time, in milliseconds: 1, 11, 2,
    20, 30, 15, 5, in this order; frame 7 is lost."""
    sender, receiver, arrivals = StageLog(), StageLog(), ArrivalLog()
    for frame in range(frames):
        captured = start + frame * FRAME
        sender.add(frame, captured, captured + 0.001, captured + 0.012, captured + 0.014, stages=SENDER_STAGES)
        if frame == 7:
            continue
        arrivals.add(frame, captured, captured + 0.034)
        receiver.add(frame, captured, captured + 0.034, stages=RECEIVER_STAGES)
        # Each picture is of a moment a quarter of a frame later.
        shown = captured + FRAME / 4
        number, took = arrivals.shown(shown)
        begun = shown + took + 0.03
        receiver.add(number, shown + took, begun, begun + 0.015, begun + 0.02, stages=RECEIVER_STAGES[1:])
    return sender.spans, receiver.spans


def test_the_stages_of_a_call_on_one_machine():
    figures = stage_figures(both_sides(*call_logs()))
    assert list(figures) == list(STAGES)
    medians = [spread["median"] for spread in figures.values()]
    assert medians == pytest.approx([1, 11, 2, 20, 30, 15, 5], abs=0.01)
    # So they add up to what passes from capture to paint.
    assert sum(medians) == pytest.approx(84.0, abs=0.05)


def test_what_one_side_alone_knows():
    sender, receiver = call_logs()
    assert list(stage_figures(sender)) == list(SENDER_STAGES)
    figures = stage_figures(receiver)
    assert list(figures) == list(RECEIVER_STAGES)
    assert figures["arrival"]["median"] == pytest.approx(34.0, abs=0.01)


def test_the_percentiles():
    spans = [Span("render", n, 0.0, n / 1000) for n in range(1, 101)]
    assert stage_figures(spans) == {"render": {"median": 50.0, "p95": 96.0}}
    assert stage_figures([]) == {}


def test_a_picture_shows_the_newest_frame_up_to_its_moment():
    log = ArrivalLog()
    assert log.shown(5.0) is None
    for frame, captured in ((3, 10.0), (4, 10.04), (6, 10.12), (5, 10.08)):
        log.add(frame, captured, captured + 0.1 * frame)
    assert log.shown(9.9) is None
    for moment, frame in ((10.0, 3), (10.0399, 4), (10.03, 3), (10.04, 4), (10.1, 4), (10.12, 6), (99.0, 6)):
        assert log.shown(moment)[0] == frame, moment
    # Frame 5 was overtaken.
    assert log.shown(10.09) == (4, pytest.approx(0.4))
    for frame in range(1000):
        log.add(frame, 20.0 + frame, 21.0 + frame)
    assert log.shown(20.0 + 1000 - RECENT - 1) is None


def test_a_trace_is_what_chrome_reads():
    trace = chrome_trace(both_sides(*call_logs()))
    events = trace["traceEvents"]
    json.dumps(trace, allow_nan=False)
    names = {event["args"]["name"] for event in events if event["ph"] == "M"}
    assert names == {"sender", "receiver", "track and encode", "render"}
    assert {event["name"] for event in events if event["ph"] in "Xb"} == set(STAGES)
    begun = {(event["cat"], event["id"]) for event in events if event["ph"] == "b"}
    assert begun == {(event["cat"], event["id"]) for event in events if event["ph"] == "e"}
    arrows = [event for event in events if event["ph"] in "sf"]
    assert len(arrows) == 2 * 49
    assert {event["pid"] for event in arrows if event["ph"] == "s"} == {1}
    assert {event["pid"] for event in arrows if event["ph"] == "f"} == {2}
    assert min(event["ts"] for event in events if "ts" in event) == 0.0
    rendered = [event for event in events if event["name"] == "render"]
    assert all(event["dur"] == pytest.approx(15_000, abs=1) for event in rendered)
    # Spans of one thread do not overlap, or they would be drawn wrongly.
    for first, second in pairwise(rendered):
        assert first["ts"] + first["dur"] <= second["ts"]


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.floats(0, 1e6), st.floats(0, 5.0)), max_size=30))
def test_a_trace_can_be_read_again(tmp_path_factory, spans):
    path = tmp_path_factory.mktemp("trace") / "out.json"
    written = [Span(stage, frame, begin, begin + took) for frame, (stage, begin, took) in enumerate(spans)]
    write_trace(path, written)
    found = read_trace(path)
    assert [(span.stage, span.frame) for span in found] == [(span.stage, span.frame) for span in written]
    for one, other in zip(found, written, strict=True):
        assert one.begin == pytest.approx(other.begin, abs=1e-6)
        assert one.milliseconds == pytest.approx(other.milliseconds, abs=1e-3)


def test_what_was_cut_off_is_no_trace(tmp_path):
    path = tmp_path / "out.json"
    assert read_trace(path) == []
    write_trace(path, call_logs()[0])
    path.write_bytes(path.read_bytes()[:-20])
    assert read_trace(path) == []
    with pytest.raises(UserError, match="--trace"):
        write_trace(tmp_path / "missing" / "out.json", [])


def test_a_long_call_keeps_its_end(monkeypatch):
    monkeypatch.setattr("app.latency.KEPT", 10)
    log = StageLog()
    for frame in range(100):
        log.add(frame, 0.0, 1.0, stages=("track",))
    assert [span.frame for span in log.spans] == list(range(90, 100))
