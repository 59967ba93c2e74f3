"""The figures of a call, from counted events."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.call_statistics import CallMeter, CallStatistics, write_json
from app.errors import UserError
from app.window.figures import overlay_rows
from signaling.statistics import WireCounter


def run_call(seconds=10.0, loss_every=10, fps=25.0):
    """Return the meters of both sides after a call in which every tenth frame of 30 bytes was lost."""
    sender, receiver = CallMeter("there"), CallMeter("here")
    wire = WireCounter()
    frames = int(seconds * fps)
    sender.sending(2, 3, 1, 0.1)
    for index in range(frames):
        now = 100.0 + index / fps
        sender.message_sent(30, 1, now)
        wire.bytes_out += 130
        wire.bytes_in += 90
        wire.datagrams_out += 1
        if index % loss_every != loss_every - 1:
            receiver.message_received(30, 1, now + 0.01)
            receiver.frame_rendered(20.0 + index % 10, 256, 192, True, now + 0.02)
            receiver.frame_painted(40.0 + index % 10)
        if index % 5 == 0:
            sender.wire(wire.copy(), now)
            receiver.wire(WireCounter(wire.bytes_in, wire.bytes_out, wire.datagrams_out), now + 0.001)
        if index % 25 == 24:
            receiver.take_report(sender.report(), now + 0.02)
            sender.take_report(receiver.report(), now + 0.03)
    return sender, receiver


def test_rates_over_the_last_seconds_on_both_sides():
    sender, receiver = run_call()
    here, there = receiver.snapshot(), sender.snapshot()
    assert here.fps_sent == pytest.approx(25.0, rel=0.06)
    assert here.fps_received == pytest.approx(22.5, rel=0.06)
    assert here.fps_rendered == pytest.approx(22.5, rel=0.06)
    assert here.payload_kbps == pytest.approx(22.5 * 30 * 8 / 1000, rel=0.06)
    assert here.wire_kbps_in == pytest.approx(25 * 130 * 8 / 1000, rel=0.06)
    assert here.wire_kbps_out == pytest.approx(25 * 90 * 8 / 1000, rel=0.06)
    assert here.loss == pytest.approx(0.1, abs=0.02)
    assert (here.latency_ms_median, here.latency_ms_p95) == (44.0, 48.0)
    assert (here.render_ms_median, here.render_ms_p95) == (24.0, 28.0)
    assert (here.width, here.height, here.lowered, here.device) == (256, 192, True, "here")
    for figures in (here, there):
        assert (figures.point, figures.frames_a_message, figures.repeats, figures.message_loss) == (2, 3, 1, 0.1)
    # The sender has from reports what it cannot know itself.
    assert there.fps_sent == pytest.approx(25.0, rel=0.06)
    assert there.fps_received == pytest.approx(22.5, rel=0.06)
    assert there.latency_ms_median == 44.0
    assert (there.width, there.device) == (256, "there")
    assert all("–" not in row.value for row in overlay_rows(here))


def test_the_summary_is_over_the_whole_call_and_is_json(tmp_path):
    sender, receiver = run_call()
    here, there = receiver.summary(), sender.summary()
    assert here["frames_sent"] == there["frames_sent"] == 250
    assert here["frames_received"] == here["frames_rendered"] == there["frames_received"] == 225
    assert here["seconds"] == pytest.approx(9.92, abs=0.05)
    assert here["payload_kbps"] == pytest.approx(225 * 30 * 8 / 1000 / 9.92, rel=0.01)
    assert here["wire_kbps_in"] == pytest.approx(25 * 130 * 8 / 1000, rel=0.03)
    assert here["latency_ms"] == {"median": 44.0, "p95": 48.0}
    assert there["latency_ms"] == {"median": 44.0, "p95": 48.0}
    assert here["render_ms"] == {"median": 24.0, "p95": 28.0}
    write_json(here, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == here
    with pytest.raises(UserError, match="choose another place with --json"):
        write_json(here, tmp_path / "missing" / "out.json")


def test_a_call_without_a_frame_has_no_figures_but_a_summary():
    meter = CallMeter("x")
    assert meter.snapshot() == CallStatistics(device="x")
    assert meter.report() == {}
    assert json.loads(json.dumps(meter.summary(), allow_nan=False))["frames_sent"] == 0


def test_the_connections_own_traffic_before_the_first_frame_does_not_count_into_the_rate():
    meter = CallMeter()
    meter.wire(WireCounter(50_000, 50_000, 100), 0.0)
    meter.message_sent(30, 1, 1.0)
    meter.message_sent(30, 1, 11.0)
    meter.wire(WireCounter(50_000 + 12_500, 50_000, 200), 11.0)
    assert meter.summary()["wire_kbps_out"] == pytest.approx(10.0)
    assert meter.summary()["wire_bytes_out"] == 62_500


values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from([*CallMeter().summary(), "fps_sent", "payload_bytes"]), values))
def test_nonsense_in_a_report_does_no_harm(report):
    meter = CallMeter()
    meter.take_report(report, 1.0)
    meter.take_report(report, 2.0)
    json.dumps(meter.summary(), allow_nan=False)
    assert all(math.isfinite(value) for value in meter.report().values())
