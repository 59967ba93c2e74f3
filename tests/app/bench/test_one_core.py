"""A measurement on one core."""

import os
import subprocess
import sys

import pytest

from app.bench.one_core import one_core


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system confines no process to a core")
def test_the_block_and_what_it_starts_have_one_core_and_what_follows_has_all():
    allowed = os.sched_getaffinity(0)
    count = [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"]
    with pytest.raises(ZeroDivisionError), one_core():
        assert os.sched_getaffinity(0) == {max(allowed)}
        assert subprocess.run(count, capture_output=True, check=True, text=True).stdout == "1\n"
        raise ZeroDivisionError
    assert os.sched_getaffinity(0) == allowed


def test_where_nothing_can_be_confined_nothing_is(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with one_core() as found:
        assert found is None
