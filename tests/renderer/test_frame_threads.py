"""Threads that train on a frame each."""

import threading

import pytest
import torch

from renderer.training.threads import FrameThreads


@pytest.fixture
def three_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_cores")
def test_frames_run_side_by_side_with_one_thread_each():
    together = threading.Barrier(2, timeout=10.0)

    def work(frame, name):
        together.wait()
        return frame, name, torch.get_num_threads()

    assert FrameThreads(2).map(work, [3, 4], "ab") == [(3, "a", 1), (4, "b", 1)]
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_cores")
def test_an_error_reaches_the_caller_who_has_all_threads_again():
    with pytest.raises(ZeroDivisionError):
        FrameThreads(2).map(lambda frame: 1 // frame, [1, 0])
    assert torch.get_num_threads() == 3
