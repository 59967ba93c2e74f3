"""A call's figures and states, in words. No Qt here: headless commands print the same words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from codec.operating_point import OPERATING_POINTS

NONE = "–"
"""Stands where nothing has been measured yet."""


class CallFigures(Protocol):
    """What the overlay reads from a snapshot of the call's statistics. Rates are over about the last second."""

    @property
    def payload_kbps(self) -> float | None:
        """Coded faces alone, kbit/s."""

    @property
    def wire_kbps_out(self) -> float | None:
        """All bytes this side puts on the socket, IP and UDP headers among them, kbit/s."""

    @property
    def wire_kbps_in(self) -> float | None:
        """All bytes this side takes from the socket, kbit/s."""

    @property
    def fps_sent(self) -> float | None:
        """Frames a second, as the sender reports them."""

    @property
    def fps_received(self) -> float | None:
        """Frames a second that arrived and were decoded."""

    @property
    def fps_rendered(self) -> float | None:
        """Frames a second that were rendered."""

    @property
    def loss(self) -> float | None:
        """Share of the sent frames that never came, 0 to 1."""

    @property
    def latency_ms_median(self) -> float | None:
        """From capture to paint, milliseconds."""

    @property
    def latency_ms_p95(self) -> float | None:
        """From capture to paint, milliseconds."""

    @property
    def render_ms_median(self) -> float | None:
        """One rendering, milliseconds."""

    @property
    def width(self) -> int | None:
        """Pixels at which the avatar is rendered."""

    @property
    def height(self) -> int | None:
        """Pixels at which the avatar is rendered."""

    @property
    def lowered(self) -> bool:
        """Whether the render budget lowered the size that the window asked for."""

    @property
    def device(self) -> str:
        """What renders, in words."""

    @property
    def point(self) -> int | None:
        """Index of the operating point in `codec.operating_point.OPERATING_POINTS`."""

    @property
    def frames_a_message(self) -> int | None:
        """Frames that travel together."""

    @property
    def repeats(self) -> int | None:
        """Messages before that each message says again."""


class Tone(Enum):
    """How a state feels."""

    LIVE = auto()
    PATIENT = auto()
    TROUBLED = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a call, in words."""

    label: str
    """A word or two, for the pill: ``Live``."""
    title: str
    """What is written over the picture; empty while the face is live."""
    detail: str
    """A sentence below the title; may be empty."""
    tone: Tone


def live() -> Status:
    """The face is here and moves."""
    return Status("Live", "", "", Tone.LIVE)


def playing() -> Status:
    """A recording plays."""
    return Status("Playing", "", "", Tone.LIVE)


def connecting() -> Status:
    """The way to the other side is being looked for."""
    return Status("Connecting", "Connecting", "Looking for a way to the other side.", Tone.PATIENT)


def waiting(room: str | None = None) -> Status:
    """In the room, and nobody else is there."""
    detail = f"Room {room}" if room else "The room is open."
    return Status("Waiting", "Waiting for the other side", detail, Tone.PATIENT)


def away() -> Status:
    """The other side sends, but its camera sees no face."""
    return Status("Away", "Away", "The camera on the other side sees no face.", Tone.PATIENT)


def reconnecting() -> Status:
    """Nothing has come for a while."""
    return Status("Reconnecting", "Reconnecting", "Nothing comes through; the picture stands still.", Tone.TROUBLED)


def peer_left(reason: str = "") -> Status:
    """The other side has gone."""
    return Status("Ended", "The other side has left", reason, Tone.OVER)


def failed(reason: str) -> Status:
    """The call cannot go on; ``reason`` is one sentence."""
    return Status("Failed", "The call failed", reason, Tone.TROUBLED)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the overlay."""

    label: str
    value: str
    note: str = ""
    """Said beside the value when something needs saying."""


def overlay_rows(figures: CallFigures) -> Sequence[Row]:
    """Return what the overlay shows, top to bottom."""
    return (
        Row("Payload", f"{number(figures.payload_kbps, 1)} kbit/s"),
        Row(
            "Wire",
            f"{number(total(figures.wire_kbps_in, figures.wire_kbps_out), 1)} kbit/s",
            f"{number(figures.wire_kbps_in, 0)} in, {number(figures.wire_kbps_out, 0)} out",
        ),
        Row("Frames sent", f"{number(figures.fps_sent, 1)} /s"),
        Row("received", f"{number(figures.fps_received, 1)} /s"),
        Row("rendered", f"{number(figures.fps_rendered, 1)} /s", f"{number(figures.render_ms_median, 0)} ms each"),
        Row("Sent as", point_name(figures.point), sending_note(figures.frames_a_message, figures.repeats)),
        Row("Loss", f"{number(None if figures.loss is None else 100 * figures.loss, 1)} %"),
        Row("Latency", f"{number(figures.latency_ms_median, 0)} ms", f"95 %: {number(figures.latency_ms_p95, 0)} ms"),
        size_row(figures),
        Row("Device", figures.device or NONE),
    )


def local_rows(figures: CallFigures) -> Sequence[Row]:
    """Return what the overlay shows where nothing crosses a network, top to bottom."""
    return (
        Row("Rendered", f"{number(figures.fps_rendered, 1)} /s", f"{number(figures.render_ms_median, 0)} ms each"),
        size_row(figures),
        Row("Device", figures.device or NONE),
    )


def size_row(figures: CallFigures) -> Row:
    """Return the line of the overlay with the render size, and a note when the render budget lowered it."""
    return Row("Rendered at", size(figures.width, figures.height), "lowered to keep up" if figures.lowered else "")


def point_name(point: int | None) -> str:
    """Return the name of an operating point; a dash where none is known.

    >>> point_name(1), point_name(None), point_name(7)
    ('normal', '–', '–')
    """
    return OPERATING_POINTS[point].name if point is not None and 0 <= point < len(OPERATING_POINTS) else NONE


def sending_note(frames: int | None, repeats: int | None) -> str:
    """Return how frames are put into messages, in words.

    >>> sending_note(1, 0), sending_note(2, 3)
    ('', '2 frames a message, said 4 times')
    """
    said = [f"{frames} frames a message"] if frames is not None and frames > 1 else []
    if repeats:
        said.append("said twice" if repeats == 1 else f"said {repeats + 1} times")
    return ", ".join(said)


def number(value: float | None, digits: int) -> str:
    """Return ``value`` with that many digits after the point; a dash where there is none.

    >>> number(5.04, 1), number(None, 1)
    ('5.0', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.{digits}f}"


def size(width: int | None, height: int | None) -> str:
    """Return a size in pixels, a dash before anything was rendered.

    >>> size(256, 256)
    '256 × 256'
    """
    return f"{width} × {height}" if width and height else NONE


def total(first: float | None, second: float | None) -> float | None:
    """Add two rates; nothing measured counts nothing, and two of them stay nothing."""
    present = [value for value in (first, second) if value is not None]
    return sum(present) if present else None


def kilobits(rate: float) -> str:
    """Return an axis label in kbit/s with no more digits than it needs.

    >>> kilobits(20.0), kilobits(0.5)
    ('20', '0.5')
    """
    return f"{rate:g}"


def byte_count(count: int) -> str:
    """Return a number of bytes as a person writes it, in powers of ten.

    >>> byte_count(31), byte_count(10_400), byte_count(3_900_000)
    ('31 bytes', '10.4 kB', '3.9 MB')
    """
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"
