"""Whole calls: two peers, a rendezvous server and a real data channel between them."""

import asyncio
import json

import numpy as np
import pytest

from app.call_statistics import write_json
from app.face_source import TrackedFace
from app.sender import Sender
from app.window.figures import Tone, overlay_rows
from signaling.impairment import Impairment
from signaling.peer import PEER_HAS_LEFT
from tests.e2e.calls import Clip, Tracker, call, make_receiver, recorded
from tests.e2e.small_avatar import SmallAvatar, wandering_states

KEYS = {
    "frames_sent",
    "frames_received",
    "frames_rendered",
    "fps_rendered",
    "payload_kbps",
    "wire_kbps_out",
    "wire_kbps_in",
    "latency_ms",
    "render_ms",
    "width",
    "height",
    "device",
}


async def test_a_face_crosses_the_call(server, tmp_path):
    avatar, states = SmallAvatar(), wandering_states()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(states))
    received, sent, frames = await call(server, sender, receiver, 4.0)
    assert received.farewell
    assert (sent.reason, sent.farewell) == (PEER_HAS_LEFT, True)
    here, there = receiver.meter.summary(), sender.meter.summary()
    assert set(here) >= KEYS
    assert set(there) >= KEYS
    write_json(here, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == here
    # 25 frames a second, each about as many bytes as the codec makes of these states.
    assert 90 <= here["frames_received"] <= 110
    assert here["frames_received"] <= here["frames_sent"] <= here["frames_received"] + 5
    assert 20.0 < here["fps_rendered"] <= 31.0
    assert 2.0 < here["payload_kbps"] < 12.0
    # What one side puts on the wire, the other takes from it; framing costs more than the payload.
    assert here["wire_kbps_in"] == pytest.approx(there["wire_kbps_out"], rel=0.15)
    assert here["wire_kbps_out"] == pytest.approx(there["wire_kbps_in"], rel=0.15)
    assert here["wire_kbps_in"] > here["payload_kbps"] + 10.0
    assert 0.0 < here["latency_ms"]["median"] < 150.0
    assert here["latency_ms"]["median"] <= here["latency_ms"]["p95"]
    assert (here["width"], here["height"], here["device"]) == (32, 24, "test")
    # What is seen is what was sent: the grey levels follow the first coefficient, in order of capture.
    assert [frame.capture_time for frame in frames] == sorted(frame.capture_time for frame in frames)
    start = frames[0].capture_time
    levels = np.array([frame.image[0, 0, 0] for frame in frames], float)
    times = [frame.capture_time - start for frame in frames]
    truth = [128 + 20 * state.expression[0] for state in states]
    offsets = np.arange(0.0, 1.0, 0.02)
    errors = [np.mean(np.abs(levels - np.interp(times, np.arange(250) / 25.0 - offset, truth))) for offset in offsets]
    assert min(errors) < 3.0
    assert frames[0].image.shape == (24, 32, 3)


async def test_ten_percent_loss(server):
    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    received, _, frames = await call(server, sender, receiver, 8.0, Impairment(loss=0.1))
    assert received.farewell
    figures, statistics = receiver.meter.summary(), receiver.meter.snapshot()
    # What is lost is noticed, and from then on said again. Both sides lose a tenth, so that of 200 frames 38 would be
    # missing, give or take 6; of the first second, in which nothing is known yet, a fifth may be.
    assert figures["frames_received"] / figures["frames_sent"] > 0.92
    assert 0.02 < statistics.message_loss < 0.25
    assert statistics.repeats >= 2
    assert statistics.loss < 0.08
    # Frames go on being rendered at the full rate and the delay stays small: nothing waits for what was lost.
    assert figures["fps_rendered"] > 20.0
    assert figures["latency_ms"]["p95"] < 400.0
    assert receiver.packets_damaged == 0
    assert len(frames) > 80


async def test_the_size_may_change_and_the_overlay_has_words_for_everything(server):
    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    assert receiver.state()[0].tone is Tone.PATIENT

    async def resize():
        while not receiver.meter.snapshot().fps_rendered:
            await asyncio.sleep(0.05)
        receiver.set_size(40, 40)
        await asyncio.sleep(1.2)
        status, statistics = receiver.state()
        assert status.tone is Tone.LIVE
        assert all("–" not in row.value for row in overlay_rows(statistics))
        assert "kbit/s" in str(statistics)
        receiver.stop()

    resizing = asyncio.create_task(resize())
    received, sent, frames = await call(server, sender, receiver, None)
    await resizing
    assert received.farewell
    assert sent.farewell
    assert {frame.image.shape for frame in frames} == {(24, 32, 3), (40, 40, 3)}
    assert receiver.state()[0].tone is Tone.OVER


async def test_a_clip_that_ends_ends_the_call(server):
    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states(50), loop=False))
    received, sent, _ = await call(server, sender, receiver, None)
    assert (received.reason, received.farewell) == (PEER_HAS_LEFT, True)
    assert (sent.reason, sent.farewell) == ("the source has ended", True)


async def test_a_tracked_clip_is_thinned_to_25_frames_and_a_face_that_leaves_is_noticed(server):
    avatar, clip, tracker, pictures, tones = SmallAvatar(), Clip(), Tracker(), [], []
    receiver = make_receiver(avatar)
    sender = Sender(avatar, TrackedFace(clip, tracker, lambda picture, timestamp: pictures.append(timestamp)))

    async def watch():
        while True:
            tones.append(receiver.state()[0].label)
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    _, sent, _ = await call(server, sender, receiver, None)
    watching.cancel()
    assert sent.reason == "the source has ended"
    assert clip.closed
    assert tracker.closed
    assert pictures == tracker.tracked
    assert 40 <= len(pictures) <= 51
    assert [label for label in dict.fromkeys(tones) if label in ("Live", "Away")] == ["Live", "Away"]
