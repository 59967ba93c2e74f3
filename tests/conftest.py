"""What holds for all tests."""

import sys
from collections.abc import Iterator

import pytest

from app.library_threads import limit_library_threads

# Set before numpy and torch are loaded. The tests work on small arrays, for which one thread is nearly as fast as two;
# where other processes want the cores, threads that wait for each other make it ten times slower.
limit_library_threads(1)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Keep denormal numbers for the next test: opening an avatar flushes them to zero in the whole process."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
