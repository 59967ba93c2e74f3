"""What holds for all tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Set before numpy and torch are loaded. The tests work on small arrays, for which one thread is nearly as fast as two;
# where other processes want the cores, threads that wait for each other make it ten times slower.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# Read when Triton is loaded: without a GPU its kernels are interpreted.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")


CALLS = (
    "tests/e2e/",
    "tests/signaling/",
    "tests/app/bench/speed/test_speed_command.py",
    "tests/app/bench/loss/test_loss_command.py",
)
"""Where tests hold calls: two at once would take the machine from each other."""


def holds_calls(nodeid: str) -> bool:
    """Return whether a test is one of those."""
    return nodeid.startswith(CALLS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the calls, which take longest as they wait for each other."""
    items.sort(key=lambda item: not holds_calls(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let tests run beside each other file by file, and all calls one after the other in one process.

    A scheduler of our own, as pytest 9.2 no longer takes the names by which ``--dist loadgroup`` knows its groups.
    """
    from xdist.scheduler import LoadScopeScheduling

    class CallsInARow(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "calls" if holds_calls(nodeid) else nodeid.split("::", 1)[0]

    return CallsInARow(config, log)


@pytest.fixture(autouse=True)
def ordinary_arithmetic() -> Iterator[None]:
    """Undo what opening an avatar sets for the whole process: hypothesis draws denormal numbers too."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)
