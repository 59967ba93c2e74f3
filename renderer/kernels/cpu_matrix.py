"""Tiles of a dense layer on processors that multiply matrices of bfloat16: 16 rows by 32 inputs in one instruction.

What they need of a layer is what `renderer.kernels.cpu_layer` says. Tile registers hold no more than sums: relu and the
narrow layer are left to vectors.
"""

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils as cgutils

from renderer.kernels.cpu_emitter import FLOAT, INT, LONG, Emitter

SIDE: Final = 16
"""Rows of a tile register, and its columns of 4 bytes: float32 sums, or pairs of bfloat16."""
_BYTES: Final = 4 * SIDE
_BLOCKS: Final = 4
"""Tile registers across the outputs: 0 to 3."""
_INPUTS, _WEIGHTS, _LAST_INPUTS, _LAST_WEIGHTS = range(_BLOCKS, 8)
"""Tile registers of a step's rows and weights, and of the last step's where there are fewer inputs left."""
_LINE: Final = _BLOCKS * _BYTES
"""Bytes from the weights of a pair of inputs to those of the next, and from a row of sums to the next."""

_BYTE = ir.IntType(8)
_POINTER = _BYTE.as_pointer()
_NOTHING = ir.VoidType()


class MatrixTile:
    """Emits tiles of 16 rows."""

    def __init__(self, builder: Any, inputs: int, heads: int, stride: int | None) -> None:
        self._emit, self._builder = Emitter(builder), builder
        self._inputs, self._heads, self._stride = inputs, heads, stride
        sums = cgutils.alloca_once(builder, ir.ArrayType(FLOAT, SIDE * _BLOCKS * SIDE))  # type: ignore[no-untyped-call]
        # A row is a line of the cache, not two halves.
        sums.align = 64
        self._sums = builder.ptrtoint(sums, LONG)

    def begin(self) -> None:
        """Emit what has to come before the first tile: how many rows and columns each register has."""
        rows, columns = [SIDE] * 8, [_BYTES] * 8
        if pairs := self._inputs // 2 % SIDE:
            rows[_LAST_WEIGHTS], columns[_LAST_INPUTS] = pairs, 4 * pairs
        shape = bytearray(64)
        shape[0] = 1
        for register in range(8):
            shape[16 + 2 * register] = columns[register]
            shape[48 + register] = rows[register]
        constant = ir.Constant(ir.ArrayType(_BYTE, len(shape)), shape)
        held = cgutils.global_constant(self._builder.module, "tiles", constant)  # type: ignore[no-untyped-call]
        self._emit.call("llvm.x86.ldtilecfg", _NOTHING, [self._builder.bitcast(held, _POINTER)])

    def end(self) -> None:
        """Emit what has to come after the last tile: registers in use would be saved at each switch of threads."""
        self._emit.call("llvm.x86.tilerelease", _NOTHING, [])

    def emit(self, rows: Any, weights: Any, bias: Any, narrow: Any, outputs: Any, results: Any, apart: Any) -> None:
        """Emit a tile, of the addresses that `cpu_layer.layer` names."""
        self._multiply(rows, weights, bias)
        emit, builder = self._emit, self._builder
        places = range(0, _BLOCKS * SIDE, SIDE)
        quarters: list[list[Any]] = [[] for _ in range(self._heads)]
        for first in range(0, SIDE, 4):
            sums: list[list[Any]] = [[] for _ in range(self._heads)]
            for row in range(first, first + 4):
                values = [emit.relu(emit.load(self._sums, row * _LINE + 4 * place)) for place in places]
                for head in range(self._heads):
                    total = None
                    for value, place in zip(values, places, strict=True):
                        factor = emit.load(narrow, 4 * (head * _BLOCKS * SIDE + place))
                        total = builder.fmul(value, factor) if total is None else emit.fma(value, factor, total)
                    sums[head].append(total)
                if self._stride is not None:
                    address = builder.add(outputs, LONG(row * self._stride))
                    for value, place in zip(values, places, strict=True):
                        emit.store_numbers(value, address, place)
            for head in range(self._heads):
                quarters[head].append(self._halved(self._halved(sums[head], _WITHIN), _WITHIN)[0])
        for head in range(self._heads):
            total = self._halved(self._halved(quarters[head], _ACROSS), _ACROSS)[0]
            emit.store(total, builder.add(results, builder.mul(apart, LONG(head))))

    def _multiply(self, rows: Any, weights: Any, bias: Any) -> None:
        """Emit the products of 16 rows with all weights, left in memory."""
        pairs = self._inputs // 2
        for block in range(_BLOCKS):
            # The same bias for all rows.
            self._load(block, bias, block * _BYTES, 0)
        for first in range(0, pairs, SIDE):
            whole = first + SIDE <= pairs
            inputs, factors = (_INPUTS, _WEIGHTS) if whole else (_LAST_INPUTS, _LAST_WEIGHTS)
            self._load(inputs, rows, 4 * first, 2 * self._inputs)
            for block in range(_BLOCKS):
                self._load(factors, weights, first * _LINE + block * _BYTES, _LINE)
                registers = [_BYTE(block), _BYTE(inputs), _BYTE(factors)]
                self._emit.call("llvm.x86.tdpbf16ps", _NOTHING, registers)
        for block in range(_BLOCKS):
            address = self._emit.pointer(self._sums, block * _BYTES, _BYTE)
            self._emit.call("llvm.x86.tilestored64", _NOTHING, [_BYTE(block), address, LONG(_LINE)])

    def _load(self, register: int, address: Any, offset: int, stride: int) -> None:
        pointer = self._emit.pointer(address, offset, _BYTE)
        self._emit.call("llvm.x86.tileloadd64", _NOTHING, [_BYTE(register), pointer, LONG(stride)])

    def _halved(self, vectors: list[Any], orders: tuple[list[int], list[int]]) -> list[Any]:
        """Emit sums of neighbours: of each two vectors one, that has the first's in one half and the second's beside.

        What are neighbours, and where their sums go, is said by ``orders``.
        """
        builder, kind = self._builder, ir.VectorType(INT, SIDE)
        halves = []
        for first, second in zip(vectors[::2], vectors[1::2], strict=True):
            even, odd = (builder.shuffle_vector(first, second, ir.Constant(kind, order)) for order in orders)
            halves.append(builder.fadd(even, odd, ("reassoc",)))
        return halves


def _neighbours(size: int) -> tuple[list[int], list[int]]:
    """Return the elements of two vectors, and their neighbours.

    ``size`` is of elements: 1, of which the sums stay in their quarter of a vector, or 4, quarters.
    """
    reach = 4 if size == 1 else SIDE
    orders = []
    for second in (0, size):
        order = []
        for base in range(0, SIDE, reach):
            for vector in (0, SIDE):
                for pair in range(0, reach, 2 * size):
                    order += [vector + base + pair + second + place for place in range(size)]
        orders.append(order)
    return orders[0], orders[1]


_WITHIN = _neighbours(1)
_ACROSS = _neighbours(4)
