"""The coder against a second implementation in plain integers, so that its bytes are a specification."""

import contextlib
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.adaptive import AdaptiveResidual
from codec.entropy import (
    ESCAPE_BITS,
    LENGTH_UNITS,
    TABLE_TOTAL,
    EntropyError,
    ResidualTable,
    SymbolDecoder,
    SymbolEncoder,
    normalise_frequencies,
)

WORD = 1 << 32


class IntegerRangeDecoder:
    """Range decoder of 32-bit words and 64-bit state after Martin (1979), in Python integers and nothing else."""

    def __init__(self, data: bytes):
        self.value = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
        self.rest = data[8:]
        self.range = (1 << 64) - 1

    def decode(self, frequencies: list[int], bits: int) -> int:
        scale = self.range >> bits
        quantile = self.value // scale
        ends = list(accumulate(frequencies))
        symbol = next(index for index, end in enumerate(ends) if quantile < end)
        self.value -= scale * (ends[symbol] - frequencies[symbol])
        self.range = scale * frequencies[symbol]
        while self.range < WORD:
            self.range <<= 32
            word, self.rest = self.rest[:4].ljust(4, b"\0"), self.rest[4:]
            self.value = self.value << 32 | int.from_bytes(word, "big")
        return symbol


@st.composite
def tables(draw):
    radius = draw(st.integers(0, 40))
    weights = draw(st.lists(st.integers(0, 1000), min_size=2 * radius + 2, max_size=2 * radius + 2))
    return ResidualTable(normalise_frequencies(np.array(weights) + 1e-3))


residuals = st.one_of(st.integers(-45, 45), st.integers(-(2**47), 2**47))


@given(st.lists(st.tuples(tables(), residuals), max_size=40))
def test_round_trip_is_exact(pairs):
    encoder = SymbolEncoder()
    for table, residual in pairs:
        encoder.put(table, residual)
    decoder = SymbolDecoder(encoder.finish())
    assert [decoder.get(table) for table, _ in pairs] == [residual for _, residual in pairs]


@given(st.lists(st.tuples(tables(), st.integers(-40, 40)), max_size=40))
def test_an_integer_decoder_reads_the_same_symbols(pairs):
    pairs = [(table, max(-table.radius, min(residual, table.radius))) for table, residual in pairs]
    encoder = SymbolEncoder()
    for table, residual in pairs:
        encoder.put(table, residual)
    decoder = IntegerRangeDecoder(encoder.finish())
    for table, residual in pairs:
        assert decoder.decode((256 * table.frequencies).tolist(), 24) == residual + table.radius


@given(st.lists(st.tuples(tables(), residuals), max_size=12))
def test_no_shorter_string_decodes_to_the_same(pairs):
    encoder = SymbolEncoder()
    for table, residual in pairs:
        encoder.put(table, residual)
    data = encoder.finish()
    assert not data.endswith(b"\0")
    if not data:
        return
    prefix = int.from_bytes(data[:-1], "big")
    for value in (prefix, prefix + 1):
        if value < 1 << 8 * (len(data) - 1):
            decoder = SymbolDecoder(value.to_bytes(len(data) - 1, "big"))
            with contextlib.suppress(EntropyError):
                assert [decoder.get(table) for table, _ in pairs] != [residual for _, residual in pairs]


def test_length_is_the_ideal_code_length_to_within_a_byte():
    rng = np.random.default_rng(0)
    table = ResidualTable(normalise_frequencies(np.exp(-np.abs(np.arange(-30, 32)) / 5.0)))
    values = np.clip(np.rint(rng.laplace(scale=5.0, size=5000)), -200, 200).astype(int).tolist()
    encoder = SymbolEncoder()
    for value in values:
        encoder.put(table, value)
    ideal = sum(table.cost(value) for value in values) / 8
    assert ideal <= len(encoder.finish()) <= ideal + 1.5


@given(tables(), st.integers(-(2**40), 2**40))
def test_integer_lengths_are_those_of_the_ideal_code(table, residual):
    for value in (residual, residual % 60 - 30):
        # A unit for rounding down; and the head of an escape takes whole bits here.
        assert abs(table.length(value) / LENGTH_UNITS - table.cost(value)) < 1 / LENGTH_UNITS + 0.5


@given(st.binary(max_size=60), tables())
def test_any_bytes_decode_or_are_refused(data, table):
    decoder = SymbolDecoder(data)
    with contextlib.suppress(EntropyError):
        for _ in range(50):
            assert abs(decoder.get(table)) < 2**49


def test_a_residual_beyond_the_escape_is_refused():
    table = ResidualTable(normalise_frequencies([1.0, 1.0]))
    with pytest.raises(EntropyError, match="beyond"):
        SymbolEncoder().put(table, 1 << ESCAPE_BITS)


@pytest.mark.parametrize("frequencies", [[1, 65534], [0, 65536], [65536], [32768, 32768, 1, -1], [21845] * 3])
def test_tables_that_do_not_add_up_are_refused(frequencies):
    with pytest.raises(EntropyError):
        ResidualTable(np.array(frequencies, np.int64))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=3000).filter(lambda weights: sum(weights) > 1e-6))
def test_normalised_frequencies_sum_and_follow_the_weights(weights):
    frequencies = normalise_frequencies(weights)
    assert frequencies.sum() == TABLE_TOTAL
    assert frequencies.min() >= 1
    share = np.array(weights) / sum(weights) * (TABLE_TOTAL - len(weights)) + 1
    assert np.abs(frequencies - share).max() <= 1


@given(st.lists(st.integers(-3000, 3000), max_size=200))
def test_adaptive_tables_round_trip(values):
    encoder, state = SymbolEncoder(), AdaptiveResidual()
    for value in values:
        encoder.put(state.table, value)
        state.update(value)
    decoder, state = SymbolDecoder(encoder.finish()), AdaptiveResidual()
    for value in values:
        assert decoder.get(state.table) == value
        state.update(value)


@pytest.mark.parametrize("scale", [0.05, 0.5, 3.0, 30.0, 200.0])
def test_adaptive_tables_cost_little_more_than_the_right_table(scale):
    values = np.rint(np.random.default_rng(0).laplace(scale=scale, size=4000)).astype(int)
    encoder, state = SymbolEncoder(), AdaptiveResidual()
    for value in values.tolist():
        encoder.put(state.table, value)
        state.update(value)
    _, counts = np.unique(values, return_counts=True)
    entropy = -(counts * np.log2(counts / len(values))).sum()
    assert 8 * len(encoder.finish()) < 1.06 * entropy + 0.08 * len(values)
