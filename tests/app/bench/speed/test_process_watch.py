"""Looking at processes while they run."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.bench.speed.process_watch import ProcessWatch

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

FIRST = """
import os, time
time.sleep(0.7)
os.execv("/bin/sleep", ["sleep", "0.7"])
"""


def test_a_process_that_becomes_another_program_has_the_command_of_that() -> None:
    process = subprocess.Popen([sys.executable, "-c", FIRST])
    with ProcessWatch(process.pid) as watch:
        assert process.wait(20.0) == 0
    (seen,) = watch.processes
    assert seen.command == ["sleep", "0.7"]
    assert len(seen.cpu) >= 3
    assert seen.peak_rss > 0
