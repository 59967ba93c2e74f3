"""What holds for all tests."""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

# Set before numpy and torch are loaded. The tests work on small arrays, for which one thread is nearly as fast as two;
# where other processes want the cores, threads that wait for each other make it ten times slower.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# Read when Triton is loaded: without a GPU its kernels are interpreted.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")


CALLS = ("e2e", "signaling", "app/bench/speed/test_speed_command.py", "app/bench/loss/test_loss_command.py")
"""Where tests hold calls: two at once would take the machine from each other."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Let tests run beside each other file by file, and all calls one after the other, from the beginning on.

    Around all other hooks: pytest-xdist, whose own comes before those of any conftest, reads the groups in it.
    """
    here = Path(__file__).parent
    calls = [any(item.path.is_relative_to(here / place) for place in CALLS) for item in items]
    for item, call in zip(items, calls, strict=True):
        item.add_marker(pytest.mark.xdist_group("calls" if call else str(item.path)))
    items[:] = [item for wanted in (True, False) for item, call in zip(items, calls, strict=True) if call is wanted]
    yield


@pytest.fixture(autouse=True)
def ordinary_arithmetic() -> Iterator[None]:
    """Undo what opening an avatar sets for the whole process: hypothesis draws denormal numbers too."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)
