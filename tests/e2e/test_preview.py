"""Preview and demo as a person runs them: two processes, a real connection, files at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from app.latency import STAGES
from app.video_writer import VideoWriter
from codec.recording import Recording
from tests.e2e import small_program

PROGRAM = [sys.executable, str(Path(small_program.__file__).resolve())]
LEAVES_WITHIN = 5.0
SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
"""What tells a program that it has one. Tests of windows set the last for this process."""


@pytest.fixture
def files(tmp_path):
    return small_program.make_files(tmp_path)


@pytest.fixture
def clip(tmp_path):
    """Two seconds without a face."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 320, 240, 25) as writer:
        for _ in range(50):
            writer.write(np.full((240, 320, 3), (30, 90, 200), np.uint8))
    return path


def environment():
    return {name: value for name, value in os.environ.items() if name not in SCREEN}


def run(folder, *arguments, program=PROGRAM):
    return subprocess.run(
        [*program, *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start(folder, *arguments):
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sender_of(process, seconds=60.0):
    """Return the process id of the preview's sender once it has one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(fields[1]) == process.pid and b"send" in arguments:
                return int(entry.name)
        time.sleep(0.05)
    raise AssertionError("the preview started no sender")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def one_sentence(result, status=1):
    assert result.returncode == status, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("nerfcall: ")
    return lines[0]


def test_the_figures_of_a_preview_with_loss(tmp_path, files):
    avatar, face = files
    result = run(
        tmp_path,
        *("preview", "--avatar", avatar, "--source", face, "--headless", "--seconds", 5),
        *("--loss", 0.2, "--json", "out.json", "--trace", "trace.json", "--width", 96, "--height", 64),
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    assert {"frames_sent", "frames_received", "frames_rendered", "fps_rendered", "payload_kbps"} <= set(figures)
    assert {"wire_kbps_out", "wire_kbps_in", "latency_ms", "render_ms", "device"} <= set(figures)
    assert (figures["width"], figures["height"]) == (96, 64)
    # What is lost is noticed after a moment, and from then on frames are said again.
    assert 0.8 * figures["frames_sent"] < figures["frames_received"] <= figures["frames_sent"]
    assert figures["repeats"] >= 2
    assert figures["wire_kbps_in"] > figures["payload_kbps"]
    assert 0 < figures["latency_ms"]["median"] < 500
    assert f"{figures['payload_kbps']:.1f} kbit/s" in result.stdout
    # Stage by stage, of both processes.
    assert list(figures["stages_ms"]) == list(STAGES)
    assert figures["latency_ms"]["median"] > figures["stages_ms"]["wire"]["median"] > 0
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {event["pid"] for event in events} == {1, 2}
    painted = [event["args"]["frame"] for event in events if event["ph"] == "b" and event["name"] == "paint"]
    assert len(painted) > 50
    assert painted == sorted(painted)


def test_a_preview_over_a_bad_network(tmp_path, files):
    avatar, face = files
    result = run(
        tmp_path,
        *("preview", "--avatar", avatar, "--source", face, "--headless", "--seconds", 4, "--json", "out.json"),
        *("--impair", "loss=0.05,delay=80ms,jitter=20ms,duplicate=0.1,reorder=0.02", "--width", 32, "--height", 32),
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    assert 80 <= figures["stages_ms"]["wire"]["median"] < figures["latency_ms"]["median"] < 500
    assert 0.8 * figures["frames_sent"] < figures["frames_received"] <= figures["frames_sent"]


def test_a_recorded_preview_shows_the_original_beside_the_rendering(tmp_path, clip):
    avatar, _ = small_program.make_files(tmp_path, demo=False)
    result = run(
        tmp_path,
        *("preview", "--avatar", avatar, "--source", clip, "--loop", "--headless", "--seconds", 3),
        *("--record", "out.mp4"),
    )
    assert result.returncode == 0, result.stderr
    with av.open(str(tmp_path / "out.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    # From the first captured picture on, which comes before the call.
    assert len(pictures) >= 55
    last = pictures[-1].astype(int)
    half = last.shape[1] // 2
    # The blue clip left of the middle; right of it the small avatar's grey under the word that nobody is there.
    assert np.abs(last[300, half // 2] - (30, 90, 200)).max() < 12
    assert np.ptp(last[150, half + half // 2]) < 30


def test_the_demo_without_a_screen_records_and_tells_its_figures(tmp_path, files):
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv.pop(1))\n"
        "import tests.e2e.small_program as program; program.install()\n"
        "import app.cli, app.demonstration as demonstration\n"
        "here = pathlib.Path.cwd()\n"
        "demonstration.DEMO_AVATAR = here / 'small.avatar'\n"
        "demonstration.DEMO_RECORDING = here / 'small.face'\n"
        "sys.exit(app.cli.main())\n"
    )
    program = [sys.executable, "-c", code, str(small_program.ROOT)]
    result = run(tmp_path, "demo", "--seconds", 4, program=program)
    assert result.returncode == 0, result.stderr
    assert "there is no screen" in result.stdout
    assert "payload" in result.stdout
    with av.open(str(tmp_path / "demo.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) >= 75
    with av.open(str(tmp_path / "demo.png")) as sheet:
        picture = next(sheet.decode(video=0))
    assert (picture.width, picture.height) > (1000, 800)


def test_killing_the_sender_ends_the_preview(tmp_path, files):
    avatar, face = files
    preview = start(tmp_path, "preview", "--avatar", avatar, "--source", face, "--loop", "--headless")
    sender = sender_of(preview)
    small_program.wait_until_rendered(tmp_path)
    os.kill(sender, signal.SIGKILL)
    killed = time.monotonic()
    _, errors = preview.communicate(timeout=30)
    assert time.monotonic() - killed < LEAVES_WITHIN + 1.0
    assert preview.returncode == 1
    assert errors.strip().splitlines() == ["nerfcall: the peer has left"]


def test_killing_the_preview_ends_the_sender(tmp_path, files):
    avatar, face = files
    preview = start(tmp_path, "preview", "--avatar", avatar, "--source", face, "--loop", "--headless")
    sender = sender_of(preview)
    small_program.wait_until_rendered(tmp_path)
    preview.kill()
    preview.communicate()
    killed = time.monotonic()
    while is_running(sender) and time.monotonic() - killed < 30:
        time.sleep(0.05)
    assert time.monotonic() - killed < LEAVES_WITHIN + 1.0


def test_interrupting_the_preview_is_no_error(tmp_path, files):
    avatar, face = files
    preview = start(
        tmp_path,
        *("preview", "--avatar", avatar, "--source", face, "--loop", "--headless"),
        *("--record", "out.mp4", "--json", "out.json"),
    )
    sender = sender_of(preview)
    small_program.wait_until_rendered(tmp_path)
    preview.send_signal(signal.SIGINT)
    _, errors = preview.communicate(timeout=15)
    assert (preview.returncode, errors) == (0, "")
    assert not is_running(sender)
    assert (tmp_path / "out.mp4").stat().st_size > 0
    assert json.loads((tmp_path / "out.json").read_text())["frames_received"] > 0


@pytest.mark.parametrize("source", ["clip.mp4", "camera:0"])
def test_a_demonstration_is_driven_by_nobody(tmp_path, files, clip, source):
    result = run(tmp_path, "preview", "--avatar", files[0], "--source", source, "--headless")
    assert f"cannot be driven by {source}" in one_sentence(result)


def test_what_the_sender_complains_of_is_passed_on(tmp_path):
    avatar, _ = small_program.make_files(tmp_path, demo=False)
    result = run(tmp_path, "preview", "--avatar", avatar, "--source", "missing.mp4", "--headless")
    assert "missing.mp4" in one_sentence(result)


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (("--avatar", "missing.avatar", "--headless"), "missing.avatar", 1),
        (("--avatar", "small.face", "--source", "small.face", "--headless"), "small.face", 1),
        (("--avatar", "small.avatar", "--source", "small.face"), "there is no screen", 2),
        (("--avatar", "small.avatar", "--headless", "--record", "out.gif"), "out.gif", 2),
        (("--avatar", "small.avatar", "--headless", "--json", "missing/out.json"), "missing/out.json", 2),
        (("--avatar", "small.avatar", "--headless", "--loss", "1.5"), "--loss", 2),
        (("--avatar", "small.avatar", "--headless", "--impair", "delay=80"), "--impair", 2),
        (("--avatar", "small.avatar", "--headless", "--trace", "missing/out.json"), "missing/out.json", 2),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, files, arguments, words, status):
    if "--source" not in arguments:
        arguments = (*arguments, "--source", "small.face")
    assert words in one_sentence(run(tmp_path, "preview", *arguments), status)


def test_a_recording_is_rendered_to_a_video_of_any_size(tmp_path, files):
    avatar, face = files
    result = run(tmp_path, "play", face, "--avatar", avatar, "--width", 80, "--height", 48, "--record", "out.mp4")
    assert result.returncode == 0, result.stderr
    assert "250 frames, 80 × 48, 25 a second" in result.stdout
    states = small_program.wandering_states()
    with av.open(str(tmp_path / "out.mp4")) as video:
        assert video.streams.video[0].average_rate == 25
        shades = [frame.to_ndarray(format="rgb24").mean() for frame in video.decode(video=0)]
    # The small avatar's grey is its first coefficient.
    np.testing.assert_allclose(shades, [np.clip(128 + 20 * s.expression[0], 0, 255) for s in states], atol=4)


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (("missing.face", "--avatar", "small.avatar", "--record", "o.mp4"), "missing.face", 1),
        (("small.face", "--avatar", "missing.avatar", "--record", "o.mp4"), "missing.avatar", 1),
        (("small.avatar", "--avatar", "small.avatar", "--record", "o.mp4"), "small.avatar", 1),
        (("small.face", "--avatar", "small.avatar", "--record", "o.gif"), "o.gif", 2),
        (("small.face", "--avatar", "small.avatar"), "add --record", 2),
        (("small.face", "--avatar", "small.avatar", "--width", "0"), "--width", 2),
        (("other.face", "--avatar", "small.avatar", "--record", "o.mp4"), "cannot be driven by other.face", 1),
    ],
)
def test_bad_input_to_play_is_one_sentence(tmp_path, files, arguments, words, status):
    Recording(25.0, small_program.wandering_states(), b"other").write(tmp_path / "other.face")
    assert words in one_sentence(run(tmp_path, "play", *arguments), status)
    assert not (tmp_path / "o.mp4").exists()
