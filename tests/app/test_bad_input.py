"""Whatever a command is given: one sentence that names the thing, status 1 or 2, and no traceback."""

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from app.cli import main
from codec import avatar_file, recording

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "app/demo/demo.avatar"


APART = {
    "bench report {}/nowhere -o {}/report",
    "enrol {}/missing.mp4 -o {}/out.avatar",
    "receive abc --avatar {demo} --headless --server ws://127.0.0.1:9",
    "send abc --avatar {}/damaged.avatar --source {}/faceless.mp4",
}
"""Command lines that get a process of their own, to see that the exit status is that of the process."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of things that are not what they are called."""
    folder = tmp_path_factory.mktemp("bad")
    noise = random.Random(1).randbytes(5000)
    for suffix in ("avatar", "face", "mp4"):
        (folder / f"empty.{suffix}").write_bytes(b"")
        (folder / f"noise.{suffix}").write_bytes(noise)
    # These get past the first look and must fail inside the parsers.
    (folder / "damaged.avatar").write_bytes(avatar_file.MAGIC + noise)
    (folder / "damaged.face").write_bytes(recording.MAGIC + noise)
    with av.open(str(folder / "faceless.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        for level in range(0, 250, 10):
            image = np.full((128, 128, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return folder


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    """Hold a TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


CASES = [
    ("bench", 2, "WHAT"),
    ("bench quality --clips {}/noise.mp4@60 -o {}/results", 1, "noise.mp4"),
    ("bench quality --clips {}/faceless.mp4@0.5 -o {}/results", 2, "CLIP@SECONDS"),
    ("bench rate-distortion --clips {}/missing.mp4@60 -o {}/results", 1, "missing.mp4"),
    ("bench resolution --clips a/me.mp4@60 b/me.mp4@50 -o {}/results", 2, "same name"),
    ("bench ablation --clips {}/faceless.mp4@60 -o {}/results", 1, "nothing is held out"),
    ("bench quality --clips {}/faceless.mp4 -o {}/results --stride 0", 2, "--stride"),
    ("bench quality --clips {}/faceless.mp4 -o {}/results --codecs hevx", 2, "hevx"),
    ("bench report {}/nowhere -o {}/report", 1, "nowhere"),
    ("bench compare {}/noise.avatar {}/noise.avatar --clip {}/faceless.mp4", 1, "noise.avatar"),
    ("bench blind {}/nowhere", 1, "nowhere"),
    ("bench speed --avatar {}/missing.avatar --clips {}/faceless.mp4 -o {}/results", 1, "missing.avatar"),
    # command line, status, what the sentence must name
    ("inspect {}/missing.avatar", 1, "missing.avatar"),
    ("inspect {}/empty.avatar", 1, "empty.avatar"),
    ("inspect {}/noise.face", 1, "noise.face"),
    ("inspect {}/damaged.avatar", 1, "damaged.avatar"),
    ("inspect {}/damaged.face", 1, "damaged.face"),
    ("inspect {}", 1, "{}"),
    ("inspect", 2, "FILE"),
    ("track {}/missing.mp4 -o {}/out.face", 1, "missing.mp4"),
    ("track {}/noise.mp4 -o {}/out.face", 1, "noise.mp4"),
    ("track {}/faceless.mp4 -o {}/out.face", 1, "faceless.mp4"),
    ("track {}/faceless.mp4", 2, "--output"),
    ("bench tracking --clips {}/missing.mp4@60 -o {}/results", 1, "missing.mp4"),
    ("bench tracking --clips {}/faceless.mp4 -o {}/results", 1, "faceless.mp4"),
    ("bench tracking --clips {}/faceless.mp4@60 -o {}/results", 1, "nothing is held out"),
    ("bench tracking {}/faceless.mp4 -o {}/results", 2, "--clips"),
    ("bench nothing", 2, "nothing"),
    ("enrol {}/missing.mp4 -o {}/out.avatar", 1, "missing.mp4"),
    ("enrol {}/faceless.mp4 -o {}/out.avatar", 1, "faceless.mp4"),
    ("enrol camera:99 -o {}/out.avatar", 1, "camera:99"),
    ("enrol {}/faceless.mp4 -o {}/out.avatar --minutes none", 2, "--minutes"),
    ("play {}/missing.face --avatar {}/missing.avatar --record {}/out.mp4", 1, "missing"),
    ("play {}/damaged.face --avatar {}/damaged.avatar --record {}/out.mp4", 1, "damaged"),
    ("play {}/damaged.face --avatar {}/damaged.avatar --width 0", 2, "--width"),
    ("preview --avatar {}/missing.avatar --headless --seconds 1", 1, "missing.avatar"),
    ("preview --avatar {}/damaged.avatar --headless --seconds 1", 1, "damaged.avatar"),
    ("preview --avatar {}/damaged.avatar --headless --seconds -1", 2, "--seconds"),
    ("preview --avatar {}/damaged.avatar --loss 2", 2, "--loss"),
    ("preview --avatar {}/damaged.avatar --headless --seconds 1 --json {}/no/folder.json", 1, "{}/"),
    ("demo --loss much", 2, "--loss"),
    ("receive abc --avatar {demo} --headless --device potato", 2, "potato"),
    ("receive abc --avatar {demo} --headless --server ws://127.0.0.1:9", 1, "ws://127.0.0.1:9"),
    ("receive abc --avatar {demo} --headless --server http://nowhere", 1, "http://nowhere"),
    ("play {demo} --avatar {demo} --record {}/out.mp4", 1, "{demo}"),
    ("preview --avatar {demo} --source {}/faceless.mp4 --headless --seconds 1", 1, "faceless.mp4"),
    ("send abc --avatar {demo} --source camera:0", 1, "{demo}"),
    ("send abc --avatar {}/missing.avatar --source {}/faceless.mp4", 1, "missing.avatar"),
    ("send abc --avatar {}/damaged.avatar --source {}/faceless.mp4", 1, "damaged.avatar"),
    ("receive abc --avatar {}/missing.avatar --headless", 1, "missing.avatar"),
    ("receive abc --avatar {}/damaged.avatar --headless", 1, "damaged.avatar"),
    ("serve --host 127.0.0.1 --port {port}", 1, "{port}"),
    ("serve --port 99999999", 2, "99999999"),
    ("serve --host 256.1.1.1 --port 0", 1, "256.1.1.1"),
]


def run_here(arguments: list[str], capture: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return exit status and what is said of a command that runs in this process, which has imported it before."""
    try:
        status = main(arguments)
    except SystemExit as exit:
        status = int(exit.code or 0)
    return status, capture.readouterr().err


def run_apart(arguments: list[str]) -> tuple[int, str]:
    """Return the same of one in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(("line", "status", "named"), CASES)
def test_one_sentence(
    folder: Path, taken_port: int, capfd: pytest.CaptureFixture[str], line: str, status: int, named: str
) -> None:
    def fill(text: str) -> str:
        return text.replace("{port}", str(taken_port)).replace("{demo}", str(DEMO)).replace("{}", str(folder))

    arguments = fill(line).split()
    found, said = run_apart(arguments) if line in APART else run_here(arguments, capfd)
    assert "Traceback" not in said
    sentence = said.splitlines()[-1]
    assert sentence.startswith("nerfcall: ")
    assert fill(named) in sentence
    assert found == status, sentence
    assert not list(folder.glob("out.*")), "nothing is left behind"
