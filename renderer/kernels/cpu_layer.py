"""Dense layers: 64 outputs with relu of some rows of inputs, and a narrow layer of those.

Rows and weights are passed as addresses: nothing checks them, the kernels that call these do.
"""

from collections.abc import Callable
from typing import Any, Final

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from renderer.kernels.cpu_emitter import FLOAT, LONG, VECTOR, Emitter
from renderer.kernels.cpu_features import BFLOAT16, LANES, MATRICES, NUMBER_BYTES
from renderer.kernels.cpu_matrix import SIDE, MatrixTile

WIDTH: Final = 64
"""Outputs of a dense layer."""
_VECTOR_ROWS: Final = 6
"""Rows of a tile whose sums lie in vector registers."""
ROWS: Final = SIDE if MATRICES else _VECTOR_ROWS
"""Rows of a tile."""
_VECTORS: Final = 4 if LANES == 16 else 2
"""Registers that a row takes in one pass over the inputs: 24 of 32 hold sums, four weights and one an input, or 12 of
16, two and one."""


class _VectorTile:
    """Emits tiles that hold their sums in vector registers."""

    def __init__(self, builder: Any, inputs: int, heads: int, stride: int | None) -> None:
        self._emit, self._builder = Emitter(builder), builder
        # A pair of bfloat16 is as wide as a float32, and is loaded as one.
        self._steps = inputs // 2 if BFLOAT16 else inputs
        self._heads, self._stride = heads, stride

    def begin(self) -> None:
        """Emit what has to come before the first tile: nothing."""

    def end(self) -> None:
        """Emit what has to come after the last tile: nothing."""

    def emit(self, rows: Any, weights: Any, bias: Any, narrow: Any, outputs: Any, results: Any, apart: Any) -> None:
        """Emit a tile, of the addresses that `layer` names."""
        emit, builder = self._emit, self._builder
        addresses = [builder.add(rows, LONG(row * 4 * self._steps)) for row in range(_VECTOR_ROWS)]
        sums: list[list[Any]] = [[None] * self._heads for _ in addresses]
        for first in range(0, WIDTH, LANES * _VECTORS):
            places = range(first, first + LANES * _VECTORS, LANES)
            tile = self._multiply(addresses, weights, [emit.load(bias, 4 * place) for place in places], first)
            tile = [[emit.relu(value) for value in values] for values in tile]
            for head in range(self._heads):
                factors = [emit.load(narrow, 4 * (head * WIDTH + place)) for place in places]
                for row, values in enumerate(tile):
                    for value, factor in zip(values, factors, strict=True):
                        total = sums[row][head]
                        sums[row][head] = (
                            builder.fmul(value, factor) if total is None else emit.fma(value, factor, total)
                        )
            if self._stride is not None:
                for row, values in enumerate(tile):
                    address = builder.add(outputs, LONG(row * self._stride))
                    for place, value in zip(places, values, strict=True):
                        emit.store_numbers(value, address, place)
        for row, totals in enumerate(sums):
            for head, total in enumerate(totals):
                emit.store(emit.sum(total), builder.add(results, builder.mul(apart, LONG(head))), 4 * row)

    def _multiply(self, rows: list[Any], weights: Any, start: list[Any], first: int) -> list[list[Any]]:
        """Emit the loop over the inputs for some of the outputs; return the sums by row."""
        emit, builder = self._emit, self._builder
        before = builder.block
        body, after = builder.append_basic_block("inputs"), builder.append_basic_block("inputs.end")
        builder.branch(body)
        builder.position_at_end(body)
        k = builder.phi(LONG)
        k.add_incoming(LONG(0), before)
        tile = [[builder.phi(VECTOR) for _ in start] for _ in rows]
        line = builder.add(weights, builder.mul(k, LONG(4 * WIDTH)))
        factors = [emit.load(line, 4 * (first + LANES * vector)) for vector in range(len(start))]
        offset = builder.mul(k, LONG(4))
        following = []
        for row, totals in zip(rows, tile, strict=True):
            number = emit.splat(emit.load(builder.add(row, offset), 0, FLOAT))
            following.append([emit.multiply_add(total, number, w) for total, w in zip(totals, factors, strict=True)])
        for totals, values in zip(tile, following, strict=True):
            for total, value, initial in zip(totals, values, start, strict=True):
                total.add_incoming(initial, before)
                total.add_incoming(value, body)
        following_k = builder.add(k, LONG(1))
        k.add_incoming(following_k, body)
        builder.cbranch(builder.icmp_unsigned("<", following_k, LONG(self._steps)), body, after)
        builder.position_at_end(after)
        return following


def layer(inputs: int, heads: int, stride: int | None, matrices: bool = MATRICES) -> Callable[..., None]:
    """Return a function that applies a dense layer with relu to some rows, then a narrow layer to its outputs.

    Args:
        inputs: numbers in a row, even; a row follows upon the other.
        heads: outputs of the narrow layer, which has no bias.
        stride: bytes from a row of outputs to the next, or None where only the narrow layer's outputs are wanted.
        matrices: whether the processor multiplies these as matrices.

    Returns:
        ``apply(count, rows, weights, bias, narrow, outputs, results, apart)``: number of rows, then addresses: of rows,
        of the weights as `pack` lays them out, of 64 float32 biases, of (heads, 64) float32, of the outputs, which are
        inputs of a next layer, and of the results, float32, those of a head ``apart`` bytes behind those of the head
        before. Of rows, outputs and results there must be room for ``ROWS`` more: whole tiles are read and written.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def apply(
        typing: Any,
        count: Any,
        rows: Any,
        weights: Any,
        bias: Any,
        narrow: Any,
        outputs: Any,
        results: Any,
        apart: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            count, rows, weights, bias, narrow, outputs, results, apart = given
            tile = (MatrixTile if matrices else _VectorTile)(builder, inputs, heads, stride)
            rows_of_tile = SIDE if matrices else _VECTOR_ROWS
            tile.begin()
            with cgutils.for_range_slice(builder, LONG(0), count, LONG(rows_of_tile), LONG) as (first, _):
                line = builder.add(rows, builder.mul(first, LONG(inputs * NUMBER_BYTES)))
                written = builder.add(outputs, builder.mul(first, LONG(stride or 0)))
                found = builder.add(results, builder.mul(first, LONG(4)))
                tile.emit(line, weights, bias, narrow, written, found, apart)
            tile.end()
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    found: Callable[..., None] = apply
    return found
