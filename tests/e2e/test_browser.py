"""A browser at the other end: its own SCTP opens the channels, takes our packets and acknowledges them."""

import asyncio
import json
from pathlib import Path

import pytest

from app.call_options import CallOptions
from app.sender import Sender
from tests.e2e.browser import CHROMIUM, browser
from tests.e2e.calls import recorded
from tests.e2e.small_avatar import SmallAvatar, wandering_states

RECEIVER = (Path(__file__).parent / "browser_receiver.js").read_text().split("\n", 2)[2]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt install chromium")
async def test_a_browser_receives_a_face_and_reads_its_headers(server, tmp_path):
    avatar = SmallAvatar()
    sender = Sender(avatar, recorded(wandering_states()))
    calling = asyncio.create_task(sender.run(CallOptions("browser", server=server.url)))
    async with browser(tmp_path) as evaluate:
        told = await evaluate(f"({RECEIVER})({json.dumps(server.url)}, 'browser', 4)")
        ending = await calling
    assert ending.farewell
    assert sorted(told["opened"]) == ["control", "face"]
    assert "hello" in told["controls"]
    frames, damaged = told["frames"], told["damaged"]
    assert damaged == 0
    assert len(frames) >= 80
    # The first ones stand alone. When the browser's acknowledgements come, the others are predicted.
    assert frames[0]["kind"] == "alone"
    assert frames[0]["avatar"] == avatar.digest.hex()[:4]
    predicted = [frame for frame in frames if frame["kind"] != "alone"]
    assert len(predicted) >= 0.8 * len(frames)
    assert max(frame["gap"] for frame in predicted) <= 10
    assert [frame["sequence"] % 64 for frame in frames] == [number % 64 for number in range(len(frames))]
    # When it says that it refused one, the next ones stand alone again.
    after = frames[told["refusedAt"] : told["refusedAt"] + 8]
    assert any(frame["kind"] == "alone" for frame in after)
