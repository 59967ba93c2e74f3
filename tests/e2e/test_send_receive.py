"""``nerfcall serve``, ``send`` and ``receive`` as a person runs them: three processes and a real connection."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from tests.e2e import small_program

PROGRAM = [sys.executable, str(Path(small_program.__file__).resolve())]
LEAVES_WITHIN = 5.0
STARTS_WITHIN = 60.0


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return a function that starts a command; whatever still runs at the end is killed."""
    running = []
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"PYTHONUNBUFFERED": "1", "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def start(*arguments):
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def address(start):
    line = start("serve", "--port", 0).stdout.readline()
    return re.search(r"ws://\S+:\d+", line)[0]


def ended(process, seconds):
    """Return exit status, output and complaints of a process that ends by itself."""
    output, complaints = process.communicate(timeout=seconds)
    return process.returncode, output, complaints


def test_a_call_between_two_processes(tmp_path, start, address):
    avatar, face = small_program.make_files(tmp_path)
    receiver = start(
        *("receive", "blue-door", "--avatar", avatar, "--server", address, "--headless", "--seconds", 4),
        *("--record", "out.mp4", "--json", "in.json", "--width", 96, "--height", 64),
    )
    sender = start(
        *("send", "Blue-Door", "--avatar", avatar, "--source", face, "--loop", "--server", address),
        *("--headless", "--json", "out.json"),
    )
    assert ended(receiver, STARTS_WITHIN) == (0, "the call was ended here\n", "")
    status, output, complaints = ended(sender, LEAVES_WITHIN)
    assert (status, complaints) == (0, "")
    assert output.splitlines()[0].startswith("room blue-door is open; on the other side: nerfcall receive blue-door")
    assert output.splitlines()[-1] == "the peer has left"
    here, there = (json.loads((tmp_path / name).read_text()) for name in ("in.json", "out.json"))
    assert 70 <= here["frames_received"] <= here["frames_sent"] + 1
    assert abs(here["frames_sent"] - there["frames_sent"]) <= 5
    assert there["frames_received"] > 70
    assert here["fps_rendered"] > 15.0
    assert here["wire_kbps_in"] > here["payload_kbps"] > 1.0
    assert 0 < here["latency_ms"]["median"] <= here["latency_ms"]["p95"]
    assert (here["width"], here["height"]) == (96, 64)
    with av.open(str(tmp_path / "out.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert 60 <= len(pictures) <= 130
    assert pictures[0].shape == (64, 96, 3)


@pytest.mark.parametrize("victim", ["sender", "receiver"])
def test_whoever_is_left_says_so_within_five_seconds(tmp_path, start, address, victim):
    avatar, face = small_program.make_files(tmp_path)
    sender = start("send", "abc", "--avatar", avatar, "--source", face, "--loop", "--server", address)
    receiver = start("receive", "abc", "--avatar", avatar, "--server", address, "--headless", "--json", "in.json")
    assert "is open" in sender.stdout.readline()
    small_program.wait_until_rendered(tmp_path)
    killed, left = (sender, receiver) if victim == "sender" else (receiver, sender)
    killed.send_signal(signal.SIGKILL)
    started = time.monotonic()
    status, _, complaints = ended(left, STARTS_WITHIN)
    assert time.monotonic() - started < LEAVES_WITHIN
    assert (status, complaints) == (1, "nerfcall: the peer has left\n")
    if victim == "sender":
        # What was measured until then is not lost.
        assert json.loads((tmp_path / "in.json").read_text())["frames_received"] > 0


def test_nobody_there(tmp_path, start, address):
    avatar, _ = small_program.make_files(tmp_path)
    receiver = start("receive", "nowhere", "--avatar", avatar, "--server", address, "--headless", "--wait", 0.2)
    status, _, complaints = ended(receiver, STARTS_WITHIN)
    assert (status, complaints) == (
        1,
        f"nerfcall: there is no room nowhere on {address}: check the code, or start `nerfcall send nowhere` first\n",
    )


def test_another_avatar(tmp_path, start, address):
    avatar, face = small_program.make_files(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = small_program.make_files(tmp_path / "other", name="other")
    sender = start("send", "abc", "--avatar", avatar, "--source", face, "--server", address)
    receiver = start("receive", "abc", "--avatar", other, "--server", address, "--headless")
    for process in (receiver, sender):
        status, _, complaints = ended(process, STARTS_WITHIN)
        assert status == 1
        assert re.fullmatch(
            r"nerfcall: the peer uses avatar \w+ and this side \w+: give both sides the same .*\n", complaints
        )


def test_an_avatar_whose_owner_is_elsewhere(tmp_path, start, address):
    avatar, face = small_program.make_files(tmp_path, demo=False, owner="ab" * 32)
    sender = start("send", "abc", "--avatar", avatar, "--source", face, "--server", address)
    status, _, complaints = ended(sender, STARTS_WITHIN)
    assert status == 1
    assert "driven only by its owner" in complaints
    assert complaints.count("\n") == 1


def test_ctrl_c_while_waiting_for_the_other_side(tmp_path, start, address):
    avatar, face = small_program.make_files(tmp_path)
    sender = start("send", "--avatar", avatar, "--source", face, "--server", address)
    assert re.match(r"room [a-z2-9]{4}-[a-z2-9]{4} is open", sender.stdout.readline())
    sender.send_signal(signal.SIGINT)
    assert ended(sender, LEAVES_WITHIN) == (0, "the call was ended here\n", "")
