"""Every parser that takes what others have made: only our own errors, in bounded time and memory."""

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, run

CORPUS = Path(__file__).parent / "corpus"
"""What coverage-guided runs have found worth keeping (``python -m tests.fuzz.run``)."""
SECONDS = 5.0
"""The longest that any input may take, on a machine that is busy with something else."""
MEMORY = 64 << 20
"""Bytes that Python may have in hand for any of these inputs, all of which are small."""


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_right_is_taken(name):
    for seed in seeds(name):
        run(name, seed)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus(name):
    found = sorted((CORPUS / name).iterdir())
    assert found
    for path in found:
        began = time.monotonic()
        run(name, path.read_bytes())
        assert time.monotonic() - began < SECONDS, path


def mutated(name):
    """Return a strategy of damaged inputs: bytes changed, cut out, put in, repeated, and two inputs spliced."""

    @st.composite
    def draw_one(draw):
        data = bytearray(draw(st.sampled_from(seeds(name))))
        for _ in range(draw(st.integers(1, 6))):
            position = draw(st.integers(0, len(data)))
            match draw(st.sampled_from(["set", "cut", "insert", "repeat", "splice", "end"])):
                case "set" if position < len(data):
                    data[position] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
                case "cut":
                    del data[position : position + draw(st.integers(1, 40))]
                case "insert":
                    data[position:position] = draw(st.binary(min_size=1, max_size=12))
                case "repeat":
                    data[position:position] = data[position : position + draw(st.integers(1, 200))]
                case "splice":
                    other = draw(st.sampled_from(seeds(name)))
                    data[position:] = other[draw(st.integers(0, len(other))) :]
                case "end":
                    del data[position:]
        return bytes(data)

    return draw_one()


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs(name):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(name))
    def feed(data):
        began = time.monotonic()
        run(name, data)
        assert time.monotonic() - began < SECONDS

    feed()


@pytest.mark.parametrize("name", ["packet", "recording", "control"])
def test_damaged_inputs_take_little_memory(name):
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(name) | st.binary(max_size=2000))
    def feed(data):
        run(name, data)

    for seed in seeds(name):
        run(name, seed)
    tracemalloc.start()
    try:
        feed()
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
