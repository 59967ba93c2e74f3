"""Whole calls over a real local connection: states in on one side, rendered frames out on the other."""

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from app.backdrop_follower import BackdropFollower
from app.call_options import CallOptions
from app.call_statistics import write_json
from app.capture.source import Frame
from app.face_source import RecordedFace, TrackedFace
from app.receiver import Receiver
from app.sender import Sender
from app.sending_policy import Plan
from app.session import BUNDLES, SessionError
from app.window.figures import Tone, overlay_rows
from codec.backdrop import encode_backdrop
from codec.face_state import EMBEDDED_SIZE, FaceState, HeadPose
from codec.frame_record import FrameHistory
from codec.operating_point import FINEST, NORMAL, OPERATING_POINTS, THRIFTY
from signaling.identity import OwnerKey, create_owner_key
from signaling.impairment import Impairment
from signaling.peer import PEER_HAS_LEFT, Ending
from tests.e2e.small_avatar import PlainBudget, SmallAvatar, wandering_states

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


class Viewer:
    """Takes what is rendered, as a window would."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.frames = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while (frame := self.receiver.mailbox.take(None)) is not None:
            self.receiver.painted(frame)
            self.frames.append(frame)


def recorded(states, loop=True, digest=b""):
    return RecordedFace(states, 25.0, digest, loop)


async def call(server, sender, receiver, seconds, impairment=None, room="call"):
    options, impaired = (CallOptions(room, server=server.url, impairment=how, wait=10.0) for how in (None, impairment))
    viewer = Viewer(receiver)
    endings = await asyncio.gather(receiver.run(impaired, seconds), sender.run(options), return_exceptions=True)
    viewer.thread.join(5.0)
    assert not viewer.thread.is_alive()
    return (*endings, viewer.frames)


def make_receiver(avatar, **options):
    return Receiver(avatar, PlainBudget(), device="test", size=(32, 24), **options)


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


class Clip:
    """Two seconds of pictures at 50 frames a second; where there is a face is written in the first pixel."""

    is_live = False
    closed = False

    def frames(self):
        for index in range(100):
            yield Frame(np.full((4, 4, 3), index < 50, np.uint8), index / 50.0, index)

    def close(self):
        self.closed = True


class Tracker:
    def __init__(self):
        self.tracked = []
        self.closed = False

    def track(self, image, timestamp):
        self.tracked.append(timestamp)
        expression = np.zeros(EMBEDDED_SIZE, np.float32)
        return FaceState(expression, HeadPose.at_rest(), timestamp, present=bool(image[0, 0, 0]))

    def close(self):
        self.closed = True


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


class NewWall:
    """Tells of a wall in another light, once."""

    def __init__(self):
        self.told = None

    def due(self, timestamp):
        return self.told is None

    def look(self, image, timestamp):
        self.told = encode_backdrop(np.full((64, 64, 3), 0.1), 8)
        return self.told

    @contextlib.contextmanager
    def opened(self):
        yield self


class BeforeAWall(SmallAvatar):
    def __init__(self):
        super().__init__()
        self.backdrops = []

    def show_backdrop(self, backdrop):
        self.backdrops.append(backdrop.difference)


def able_to(receiver, *capabilities):
    """Have the receiver say in its hello that it can do this and no more."""
    plain = receiver._handshake

    def handshake(fingerprints):
        made = plain(fingerprints)
        made._hello = replace(made._hello, capabilities=frozenset(capabilities))
        return made

    receiver._handshake = handshake


@pytest.mark.parametrize("takes", [True, False])
async def test_what_is_behind_the_person_is_told_to_whoever_takes_it(server, takes):
    avatar, wall = BeforeAWall(), NewWall()
    receiver = make_receiver(avatar)
    sender = Sender(avatar, TrackedFace(Clip(), Tracker(), backdrop=BackdropFollower(wall.opened)))
    if not takes:
        able_to(receiver, BUNDLES)
    await call(server, sender, receiver, None)
    assert receiver.packets_damaged == 0
    assert len(avatar.backdrops) == takes
    if takes:
        np.testing.assert_allclose(avatar.backdrops[0], 0.1, atol=0.01)
    else:
        assert wall.told is None


async def test_a_backdrop_that_is_none_is_counted_and_no_more(server):
    class NoWall(NewWall):
        def look(self, image, timestamp):
            self.told = b"no picture"
            return self.told

    avatar = BeforeAWall()
    receiver = make_receiver(avatar)
    sender = Sender(avatar, TrackedFace(Clip(), Tracker(), backdrop=BackdropFollower(NoWall().opened)))
    received, _, frames = await call(server, sender, receiver, None)
    assert (received.reason, receiver.packets_damaged, avatar.backdrops) == (PEER_HAS_LEFT, 1, [])
    assert frames


async def test_what_a_source_raises_ends_the_call_with_it(server):
    class Broken(Tracker):
        def track(self, image, timestamp):
            raise RuntimeError("the tracker broke")

    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, TrackedFace(Clip(), Broken()))
    received, sent, _ = await call(server, sender, receiver, None)
    assert received.reason == PEER_HAS_LEFT
    assert isinstance(sent, RuntimeError)


@pytest.mark.parametrize("good", [0, 10])
async def test_what_the_renderer_raises_ends_the_call_with_it(server, good):
    class Broken(SmallAvatar):
        rendered = 0

        def render(self, *picture):
            self.rendered += 1
            if self.rendered > good:
                raise RuntimeError("the renderer broke")
            return super().render(*picture)

    receiver, sender = make_receiver(Broken()), Sender(SmallAvatar(), recorded(wandering_states()))
    received, sent, _ = await call(server, sender, receiver, None)
    assert isinstance(received, RuntimeError)
    # Before the first frame that is a call that did not come about, later one that has ended.
    assert str(sent) == PEER_HAS_LEFT if good == 0 else sent.reason == PEER_HAS_LEFT


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ({"seed": 1}, {"seed": 2}, "give both sides the same .avatar file"),
        ({"meta": {"owner": "00" * 31}}, {"meta": {"owner": "00" * 31}}, "description is damaged"),
    ],
)
async def test_sides_that_do_not_fit_say_so_both(server, ours, theirs, words):
    receiver, sender = make_receiver(SmallAvatar(**ours)), Sender(SmallAvatar(**theirs), recorded(wandering_states()))
    started = time.monotonic()
    received, sent, frames = await call(server, sender, receiver, None)
    for error in (received, sent):
        assert isinstance(error, SessionError), error
        assert words in str(error)
    assert frames == []
    assert time.monotonic() - started < 4.0
    assert receiver.state()[0].tone is Tone.TROUBLED


async def test_two_receivers_in_a_room_say_so_both(server):
    avatar = SmallAvatar()
    sender = Sender(avatar, recorded(wandering_states()))
    other = Sender(avatar, recorded(wandering_states()))
    options = CallOptions("call", server=server.url)
    for error in await asyncio.gather(sender.run(options), other.run(options), return_exceptions=True):
        assert isinstance(error, SessionError)
        assert "both sides of this room send" in str(error)


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "owner.key"
    create_owner_key(path)
    return OwnerKey.read(path)


async def test_the_owner_may_drive_the_avatar(server, owner):
    avatar = SmallAvatar(meta={"owner": owner.public_key.hex()})
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), owner)
    received, sent, frames = await call(server, sender, receiver, 1.0)
    assert received.farewell
    assert sent.farewell
    assert frames


async def test_nobody_else_may_drive_it(server, owner, tmp_path):
    create_owner_key(tmp_path / "other.key")
    other = OwnerKey.read(tmp_path / "other.key")
    avatar = SmallAvatar(meta={"owner": owner.public_key.hex()})

    class Impostor(OwnerKey):
        """Signs with a key of its own and claims that it is the owner's."""

        public_key = owner.public_key

    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), Impostor(other._key))
    received, sent, frames = await call(server, sender, receiver, 1.0)
    assert "could not prove that it owns this avatar" in str(received)
    assert "did not accept the proof of ownership" in str(sent)
    assert frames == []
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), other)
    received, sent, frames = await call(server, sender, receiver, 1.0, room="again")
    assert "driven only by its owner" in str(sent)
    assert received.reason == PEER_HAS_LEFT if not isinstance(received, Exception) else "left" in str(received)
    assert frames == []


async def test_a_demo_avatar_plays_its_recording_and_nothing_else(server):
    digest = hashlib.sha256(b"the recording").digest()
    avatar = SmallAvatar(meta={"demo": True, "recordings": [digest.hex()]})
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states(), digest=digest))
    received, _, frames = await call(server, sender, receiver, 1.0)
    assert received.farewell
    assert frames
    for face in (recorded(wandering_states(), digest=bytes(32)), TrackedFace(Clip(), Tracker())):
        receiver, sender = make_receiver(avatar), Sender(avatar, face)
        received, sent, frames = await call(server, sender, receiver, 1.0, room="again")
        assert "plays the recording it came with" in str(received)
        assert "plays the recording it came with" in str(sent)
        assert frames == []


async def test_frames_are_predicted_from_what_has_reached_the_receiver(server):
    states, sizes = wandering_states(), {}
    for predicted in (True, False):
        avatar = SmallAvatar(predicted=predicted)
        receiver, sender = make_receiver(avatar), Sender(avatar, recorded(states))
        await call(server, sender, receiver, 3.0, room=f"predicted-{predicted}")
        summary = sender.meter.summary()
        assert summary["frames_sent"] > 50
        assert receiver.packets_damaged == 0
        sizes[predicted] = summary["payload_kbps"] / summary["frames_sent"] * summary["seconds"]
    assert sizes[True] < 0.85 * sizes[False]


async def test_lost_packets_leave_no_packet_that_cannot_be_decoded(server):
    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    received, sent, _ = await call(server, sender, receiver, 4.0, Impairment(loss=0.2))
    assert isinstance(received, Ending), received
    assert isinstance(sent, Ending), sent
    assert receiver.packets_damaged == 0
    assert receiver.meter.summary()["frames_received"] > 50


async def test_a_receiver_that_has_lost_its_frames_says_so_and_is_sent_frames_alone(server):
    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    refused = []

    async def lose():
        while receiver.meter.summary()["frames_received"] < 30:
            await asyncio.sleep(0.01)
        # It still knows which frame was the newest, and none of what is in them.
        receiver._decoder._history = FrameHistory()
        await asyncio.sleep(1.0)
        refused.append(receiver.packets_damaged)

    losing = asyncio.create_task(lose())
    await call(server, sender, receiver, 4.0)
    await losing
    # Two or three are on their way when the sender hears of it; later ones are decoded again.
    assert 1 <= refused[0] <= 5
    assert receiver.packets_damaged == refused[0]
    assert receiver.meter.summary()["frames_received"] > 85


async def test_a_receiver_that_neither_predicts_nor_takes_bundles_is_sent_what_it_can_read(server):
    states, messages = wandering_states(), []
    receiver = make_receiver(SmallAvatar(predicted=False))
    sender = Sender(SmallAvatar(), recorded(states))
    able_to(receiver)
    take = receiver._take
    receiver._take = lambda peer, data, late=False: (messages.append(data), take(peer, data, late))
    received, _, frames = await call(server, sender, receiver, 3.0, Impairment(loss=0.1))
    assert received.farewell
    assert frames
    assert receiver.packets_damaged == 0
    assert len(messages) > 40
    # Each is one packet of a frame coded alone.
    assert {data[0] >> 4 for data in messages} == {2}


@pytest.mark.parametrize("knows", [True, False])
async def test_predicted_frames_go_in_short_packets_to_whoever_knows_those(server, knows):
    messages, receiver = [], make_receiver(SmallAvatar())
    sender = Sender(SmallAvatar(), recorded(wandering_states()), point=THRIFTY)
    if not knows:
        able_to(receiver, BUNDLES)
    take = receiver._take
    receiver._take = lambda peer, data, late=False: (messages.append(data), take(peer, data, late))
    received, _, frames = await call(server, sender, receiver, 4.0)
    assert received.farewell
    assert frames
    assert receiver.packets_damaged == 0
    assert receiver._decoder.short == sender._encoder.short == knows
    # Two frames a message: together in a packet, or each in its own.
    kinds = [data[0] >> 5 for data in messages]
    assert kinds.count(2) <= 1 if knows else kinds.count(2) > 10
    assert sum(kind >= 4 for kind in kinds) > 10 if knows else True


async def test_the_delay_follows_the_jitter_and_shrinks_again(server):
    avatar, peers = SmallAvatar(), []
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    take = receiver._take
    receiver._take = lambda peer, data, late=False: (peers.append(peer), take(peer, data, late))
    delays = {}

    async def change():
        for name, how in (("before", None), ("during", "jitter=150ms"), ("after", None)):
            while not peers:
                await asyncio.sleep(0.05)
            peers[0].impairment = how and Impairment.parse(how)
            # The estimate looks back 10 s at most.
            await asyncio.sleep(12.0 if name == "after" else 5.0)
            delays[name] = receiver._playout.delay
        receiver.stop()

    changing = asyncio.create_task(change())
    await call(server, sender, receiver, None)
    await changing
    assert delays["during"] > delays["before"] + 0.05
    assert delays["after"] < delays["during"] - 0.05
    assert delays["during"] < 0.4 + 0.04


async def test_the_way_of_sending_changes_without_a_break_in_the_picture(server):
    plans = [
        Plan(NORMAL),
        Plan(NORMAL, 1, 2, 1),
        Plan(THRIFTY, 2, 2, 0),
        Plan(THRIFTY, 2, 4, 2),
        Plan(FINEST, 1, 1, 4),
        Plan(NORMAL, 1, 3, 3),
    ]
    taken = []

    class Changing:
        def plan(self, link, fps, now):
            assert 12.0 < fps < 30.0
            taken.append(plans[len(taken) // 3 % len(plans)])
            return taken[-1]

    avatar, states = SmallAvatar(), wandering_states()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(states))
    sender._policy = Changing()
    _, _, frames = await call(server, sender, receiver, 7.0)
    assert set(taken) == set(plans)
    assert receiver.packets_damaged == 0
    figures = receiver.meter.summary()
    assert figures["frames_received"] >= figures["frames_sent"] - 4
    # Of the thriftiest, four frames make 0.32 s; nothing is held for longer than that while the renderer goes on, nor
    # shown backwards.
    times, begun = (np.array([getattr(frame, name) for frame in frames]) for name in ("capture_time", "begun"))
    assert (np.diff(times) >= 0.0).all()
    assert (np.diff(times) - np.diff(begun)).max() < 0.34
    # What is seen is what the face did about then.
    levels = np.array([frame.image[0, 0, 0] for frame in frames], float)
    assert distance_from(states, times - times[0], levels).max() < 12.0


def distance_from(states, times, levels, reach=0.1):
    """Return how far shown grey levels are from what ``states`` show within ``reach`` s, at the offset that fits."""
    truth = np.array([128 + 20 * state.expression[0] for state in states])
    around = np.linspace(-reach, reach, 11)
    distances = []
    for offset in np.arange(0.0, 1.0, 0.02):
        wanted = np.interp(times[:, None] + offset + around, np.arange(len(truth)) / 25.0, truth)
        distances.append(np.maximum(np.maximum(wanted.min(1) - levels, levels - wanted.max(1)), 0.0))
    return min(distances, key=np.mean)


async def test_in_its_thrifty_way_a_call_takes_half_of_the_wire(server):
    rates = {}
    for point in (NORMAL, THRIFTY):
        avatar = SmallAvatar()
        receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), point=point)
        await call(server, sender, receiver, 5.0, room=point.name)
        rates[point.name] = receiver.meter.summary()
        assert rates[point.name]["point"] == OPERATING_POINTS.index(point)
    assert rates["thrifty"]["wire_kbps_in"] < 0.55 * rates["normal"]["wire_kbps_in"]
    assert rates["thrifty"]["wire_kbps_in"] <= 12.0
    assert rates["normal"]["wire_kbps_in"] <= 25.0
    assert rates["normal"]["wire_kbps_out"] <= 15.0
