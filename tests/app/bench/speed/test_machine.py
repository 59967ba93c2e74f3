"""What is seen of the machine: other load, processes, loaded files, peak."""

import os
import subprocess
import sys
import time

import pytest
import torch

from app.bench.speed import load, page_cache
from app.bench.speed.peak import best_seconds
from app.bench.speed.process_watch import ProcessWatch, descendants

STAT = """cpu  1000 200 300 9000 50 10 20 30 400 0
cpu0 1000 200 300 9000 50 10 20 30 400 0
"""
linux = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")


def test_busy_is_everything_but_idle_and_waiting():
    # guest time is part of user time already.
    assert load.busy_seconds(STAT) * os.sysconf("SC_CLK_TCK") == 1000 + 200 + 300 + 10 + 20 + 30


def test_other_load_is_what_is_not_our_own(monkeypatch):
    busy, own, now = iter([100.0, 109.0]), iter([50.0, 55.0]), iter([0.0, 10.0])
    monkeypatch.setattr(load, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(load, "_own_seconds", lambda: next(own))
    monkeypatch.setattr(load.time, "monotonic", lambda: next(now))
    with load.OtherLoad() as other:
        pass
    assert other.cores == 0.4


def test_a_system_that_does_not_tell_gives_none(monkeypatch, tmp_path):
    monkeypatch.setattr(load, "_STAT", tmp_path / "nothing")
    with load.OtherLoad() as other:
        pass
    assert other.cores is None


@linux
def test_a_process_and_its_child_are_watched():
    held = 60_000_000
    child = f"held = bytearray({held}); import time\nwhile time.process_time() < 1.5: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, 'marked'])"
    process = subprocess.Popen([sys.executable, "-c", parent])
    with ProcessWatch(process.pid) as watch:
        began = time.monotonic()
        process.wait()
        ended = time.monotonic()
    first, second = watch.processes
    assert first.pid == process.pid
    assert "marked" in second.command
    assert second.peak_rss > held > first.peak_rss
    assert watch.memory() > held
    busy, idle = second.cores(began, ended), first.cores(began, ended)
    assert idle < 0.5 * busy <= 0.6
    assert second.cores(ended + 1.0, ended + 2.0) is None


@linux
def test_a_process_that_becomes_another_program_has_the_command_of_that():
    first = "import os, time; time.sleep(0.7); os.execvp('sleep', ['sleep', '0.7'])"
    process = subprocess.Popen([sys.executable, "-c", first])
    with ProcessWatch(process.pid) as watch:
        assert process.wait(20.0) == 0
    (seen,) = watch.processes
    assert seen.command == ["sleep", "0.7"]


@linux
def test_all_descendants_are_found():
    inner = "import time; time.sleep(30)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    process = subprocess.Popen([sys.executable, "-c", outer])
    try:
        end = time.monotonic() + 20.0
        while not (below := descendants(process.pid)) and time.monotonic() < end:
            time.sleep(0.02)
        assert len(below) == 1
        assert below[0] in descendants(os.getpid())
        assert descendants(below[0]) == []
    finally:
        for pid in descendants(process.pid):
            os.kill(pid, 9)
        process.kill()
        process.wait()


def test_loaded_files_are_modules_and_libraries():
    files = page_cache.loaded_files()
    assert page_cache.__file__ in files
    assert torch.__file__ in files
    assert all(os.path.isfile(name) for name in files)
    if os.path.exists("/proc/self/maps"):
        assert any("libtorch" in name for name in files)


@linux
def test_what_was_evicted_is_read_from_disk_again(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(os.urandom(4_000_000))
    with path.open("rb") as file:
        os.fsync(file.fileno())
    if not page_cache.evict([str(path), str(tmp_path / "not there")]):
        pytest.skip("this system cannot be asked")
    before = page_cache.read_from_disk_mb()
    path.read_bytes()
    after = page_cache.read_from_disk_mb()
    if before is None or after == before:
        pytest.skip("this file system has no disk below it")
    assert after - before > 3.9


def test_the_least_time_is_taken_and_work_is_repeated():
    calls = []
    assert 0.0 < best_seconds(lambda: calls.append(1), torch.device("cpu"), seconds=0.02) < 1.0
    # Each measurement of such short work is of many calls.
    assert len(calls) > 100
