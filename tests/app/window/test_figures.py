"""The words of the overlay and of the states, from a snapshot of figures."""

from dataclasses import dataclass, replace

import pytest

from app.window import figures
from app.window.call_window import face_note


@dataclass(frozen=True)
class Snapshot:
    payload_kbps: float | None = 5.04
    wire_kbps_out: float | None = 16.4
    wire_kbps_in: float | None = 29.9
    fps_sent: float | None = 25.0
    fps_received: float | None = 24.8
    fps_rendered: float | None = 14.2
    loss: float | None = 0.012
    latency_ms_median: float | None = 142.4
    latency_ms_p95: float | None = 210.0
    render_ms_median: float | None = 58.0
    width: int | None = 192
    height: int | None = 192
    lowered: bool = False
    device: str = "CPU"
    point: int | None = 1
    frames_a_message: int | None = 2
    repeats: int | None = 3


EMPTY = Snapshot(*[None] * 12, False, "", None, None, None)


def rows(snapshot):
    return {row.label: (row.value, row.note) for row in figures.overlay_rows(snapshot)}


def test_the_overlay_says_every_figure():
    assert rows(Snapshot()) == {
        "Payload": ("5.0 kbit/s", ""),
        "Wire": ("46.3 kbit/s", "30 in, 16 out"),
        "Frames sent": ("25.0 /s", ""),
        "received": ("24.8 /s", ""),
        "rendered": ("14.2 /s", "58 ms each"),
        "Sent as": ("normal", "2 frames a message, said 4 times"),
        "Loss": ("1.2 %", ""),
        "Latency": ("142 ms", "95 %: 210 ms"),
        "Rendered at": ("192 × 192", ""),
        "Device": ("CPU", ""),
    }


def test_how_a_face_is_sent():
    plain = replace(Snapshot(), point=0, frames_a_message=1, repeats=0)
    assert rows(plain)["Sent as"] == ("finest", "")
    assert rows(replace(plain, repeats=1))["Sent as"] == ("finest", "said twice")
    # The other side says it, and may say anything.
    assert rows(replace(plain, point=10**9))["Sent as"] == (figures.NONE, "")


def test_a_lowered_size_is_said():
    assert rows(replace(Snapshot(), lowered=True))["Rendered at"] == ("192 × 192", "lowered to keep up")


def test_before_anything_is_measured_there_are_dashes_and_no_noughts():
    values = rows(EMPTY)
    assert not any("0" in value for value, _ in values.values())
    assert values["Rendered at"][0] == figures.NONE
    assert face_note(EMPTY) == ""


def test_without_a_network_only_the_rendering_is_said():
    assert [(row.label, row.value) for row in figures.local_rows(Snapshot())] == [
        ("Rendered", "14.2 /s"),
        ("Rendered at", "192 × 192"),
        ("Device", "CPU"),
    ]


def test_below_the_rendering_stands_what_a_frame_costs():
    # 5.04 kbit/s are 630 bytes a second, 24.8 frames share them.
    assert face_note(Snapshot()) == "from 25 bytes a frame at 192 × 192"


@pytest.mark.parametrize(
    ("status", "title", "tone"),
    [
        (figures.live(), "", figures.Tone.LIVE),
        (figures.connecting(), "Connecting", figures.Tone.PATIENT),
        (figures.waiting("amber-fox-42"), "Waiting for the other side", figures.Tone.PATIENT),
        (figures.away(), "Away", figures.Tone.PATIENT),
        (figures.reconnecting(), "Reconnecting", figures.Tone.TROUBLED),
        (figures.peer_left(), "The other side has left", figures.Tone.OVER),
        (figures.failed("It rains."), "The call failed", figures.Tone.TROUBLED),
    ],
)
def test_states_in_words(status, title, tone):
    assert (status.title, status.tone) == (title, tone)
    assert status.label


def test_details_reach_the_words():
    assert "amber-fox-42" in figures.waiting("amber-fox-42").detail
    assert figures.failed("It rains.").detail == "It rains."


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (3_940_000, "3.9 MB")]
)
def test_byte_counts(count, words):
    assert figures.byte_count(count) == words
