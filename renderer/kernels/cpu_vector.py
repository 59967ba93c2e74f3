"""Vector arithmetic that a compiler of loops does not find by itself: dense layers, texels, elementary functions.

A dense layer keeps a tile of ROWS x 64 sums in registers while it runs through the inputs. How wide the registers are
follows from the processor; where it has the instruction, inputs and weights are bfloat16 and multiplied in pairs.
Rows, texels and weights are passed as addresses: nothing checks them, the kernels that call these do.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

WIDTH: Final = 64
"""Outputs of a dense layer."""


def _has(*features: str) -> bool:
    found = llvm.get_host_cpu_features()
    return all(found.get(feature, False) for feature in features)


LANES: Final = 16 if _has("avx512f", "avx512vl") else 8 if _has("avx2", "fma") else 4
"""Float32 numbers in a register."""
BFLOAT16: Final = LANES == 16 and _has("avx512bf16", "avx512bw")
"""Whether the layers' inputs and weights are bfloat16; otherwise they are float32."""
NUMBER_BYTES: Final = 2 if BFLOAT16 else 4
"""Of an input or weight of a layer."""
NUMBER: Final = np.int16 if BFLOAT16 else np.float32
"""How numpy holds such a number; it knows no bfloat16."""
VECTORS: Final = 4
"""Registers that a row takes in one pass over the inputs."""
ROWS: Final = 6 if LANES == 16 else 3
"""Rows of a tile: 24 of 32 registers, 12 of 16, hold sums, four hold weights and one an input."""
FAST: Final = {"nsz", "arcp", "contract", "reassoc"}
"""What the compiler may do to float arithmetic: reorder, but not assume that nothing is infinite."""

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INT = ir.IntType(32)
_LONG = ir.IntType(64)


class _Bfloat16(ir.Type):  # type: ignore[misc]
    """A number format that the builder of the compiler's input does not know."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat16)

    def __hash__(self) -> int:
        return hash(_Bfloat16)


_PAIRS = ir.VectorType(_Bfloat16(), 2 * LANES)


class _Emitter:
    """Short names for the instructions that are emitted here."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def call(self, name: str, result: ir.Type, arguments: list[Any], **options: Any) -> Any:
        """Call a function of the compiler by its name."""
        module = self.builder.module
        kinds = [argument.type for argument in arguments]
        function = module.globals.get(name) or ir.Function(module, ir.FunctionType(result, kinds), name)
        return self.builder.call(function, arguments, **options)

    def pointer(self, address: Any, offset: int, pointee: ir.Type) -> Any:
        return self.builder.inttoptr(self.builder.add(address, _LONG(offset)), pointee.as_pointer())

    def load(self, address: Any, offset: int = 0, kind: ir.Type = _VECTOR) -> Any:
        return self.builder.load(self.pointer(address, offset, kind), align=4)

    def store(self, value: Any, address: Any, offset: int = 0) -> None:
        self.builder.store(value, self.pointer(address, offset, value.type), align=2)

    def store_numbers(self, value: Any, address: Any, place: int) -> None:
        """Store a vector as inputs of a layer, the first of them in this place."""
        if BFLOAT16:
            value = self.builder.fptrunc(value, ir.VectorType(_Bfloat16(), value.type.count))
        self.store(value, address, place * NUMBER_BYTES)

    def splat(self, value: Any, lanes: int = LANES) -> Any:
        kind = ir.VectorType(value.type, lanes)
        first = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, _INT(0))
        zeros = ir.Constant(ir.VectorType(_INT, lanes), [0] * lanes)
        return self.builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        # Fused where the processor can: the function of that name would be called number by number elsewhere.
        return self.builder.fadd(self.builder.fmul(a, b, ("contract",)), c, ("contract",))

    def relu(self, a: Any) -> Any:
        return self.call(f"llvm.maxnum.v{LANES}f32", _VECTOR, [a, ir.Constant(_VECTOR, [0.0] * LANES)])

    def sum(self, a: Any) -> Any:
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        return self.call(name, _FLOAT, [_FLOAT(0.0), a], fastmath=("reassoc",))

    def multiply_add(self, total: Any, number: Any, weights: Any) -> Any:
        """Add number x weights; in bfloat16 both are pairs, whose two products are added."""
        if not BFLOAT16:
            return self.fma(number, weights, total)
        pairs = [self.builder.bitcast(value, _PAIRS) for value in (number, weights)]
        return self.call("llvm.x86.avx512bf16.dpbf16ps.512", _VECTOR, [total, *pairs])


class _Tile:
    """Emits a tile of a dense layer and of the narrow layer that follows."""

    def __init__(self, builder: Any, inputs: int, heads: int, stride: int | None) -> None:
        self._emit, self._builder = _Emitter(builder), builder
        # A pair of bfloat16 is as wide as a float32, and is loaded as one.
        self._steps = inputs // 2 if BFLOAT16 else inputs
        self._heads, self._stride = heads, stride

    def emit(self, rows: Any, weights: Any, bias: Any, narrow: Any, outputs: Any, results: Any) -> None:
        emit, builder = self._emit, self._builder
        addresses = [emit.load(rows, 8 * row, _LONG) for row in range(ROWS)]
        sums: list[list[Any]] = [[None] * self._heads for _ in addresses]
        for first in range(0, WIDTH, LANES * VECTORS):
            places = range(first, first + LANES * VECTORS, LANES)
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
                    address = builder.add(outputs, _LONG(row * self._stride))
                    for place, value in zip(places, values, strict=True):
                        emit.store_numbers(value, address, place)
        for row, totals in enumerate(sums):
            for head, total in enumerate(totals):
                emit.store(emit.sum(total), results, 4 * (row * self._heads + head))

    def _multiply(self, rows: list[Any], weights: Any, start: list[Any], first: int) -> list[list[Any]]:
        """Emit the loop over the inputs for some of the outputs; return the sums by row."""
        emit, builder = self._emit, self._builder
        before = builder.block
        body, after = builder.append_basic_block("inputs"), builder.append_basic_block("inputs.end")
        builder.branch(body)
        builder.position_at_end(body)
        k = builder.phi(_LONG)
        k.add_incoming(_LONG(0), before)
        tile = [[builder.phi(_VECTOR) for _ in start] for _ in rows]
        line = builder.add(weights, builder.mul(k, _LONG(4 * WIDTH)))
        factors = [emit.load(line, 4 * (first + LANES * vector)) for vector in range(len(start))]
        offset = builder.mul(k, _LONG(4))
        following = []
        for row, totals in zip(rows, tile, strict=True):
            number = emit.splat(emit.load(builder.add(row, offset), 0, _FLOAT))
            following.append([emit.multiply_add(total, number, w) for total, w in zip(totals, factors, strict=True)])
        for totals, values in zip(tile, following, strict=True):
            for total, value, initial in zip(totals, values, start, strict=True):
                total.add_incoming(initial, before)
                total.add_incoming(value, body)
        following_k = builder.add(k, _LONG(1))
        k.add_incoming(following_k, body)
        builder.cbranch(builder.icmp_unsigned("<", following_k, _LONG(self._steps)), body, after)
        builder.position_at_end(after)
        return following


def layer(inputs: int, heads: int, stride: int | None) -> Callable[..., None]:
    """Return a function that applies a dense layer with relu to ROWS rows, then a narrow layer to its outputs.

    Args:
        inputs: numbers in a row, even.
        heads: outputs of the narrow layer, which has no bias.
        stride: bytes from a row of outputs to the next, or None where only the narrow layer's outputs are wanted.

    Returns:
        ``apply(rows, weights, bias, narrow, outputs, results)``, all addresses: of ROWS addresses of rows, of the
        weights as `pack` lays them out, of 64 float32 biases, of (heads, 64) float32, of the outputs, which are inputs
        of a next layer, and of (ROWS, heads) float32 results.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def apply(typing: Any, rows: Any, weights: Any, bias: Any, narrow: Any, outputs: Any, results: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            _Tile(builder, inputs, heads, stride).emit(*given)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), generate

    found: Callable[..., None] = apply
    return found


def texel_reader(channels: int) -> Callable[..., None]:
    """Return a function that mixes four texels of so many float32 numbers bilinearly.

    Returns:
        ``read(corner, right, below, x, y, target)``: address of the texel with the lowest row and column, bytes to the
        next column and to the next row, fractions towards them, address of the result, inputs of a layer.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def read(typing: Any, corner: Any, right: Any, below: Any, x: Any, y: Any, target: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            emit = _Emitter(builder)
            corner, right, below, x, y, target = given
            lanes = min(LANES, channels)
            kind = ir.VectorType(_FLOAT, lanes)
            x, y = emit.splat(x, lanes), emit.splat(y, lanes)
            for place in range(0, channels, lanes):
                rows = []
                for address in (corner, builder.add(corner, below)):
                    left = emit.load(address, 4 * place, kind)
                    other = emit.load(builder.add(address, right), 4 * place, kind)
                    rows.append(emit.fma(x, builder.fsub(other, left), left))
                emit.store_numbers(emit.fma(y, builder.fsub(rows[1], rows[0]), rows[0]), target, place)
            return context.get_dummy_value()

        kinds = (types.intp, types.intp, types.intp, types.float32, types.float32, types.intp)
        return types.void(*kinds), generate

    found: Callable[..., None] = read
    return found


def _reinterpreter(source: Any, target: Any, kind: ir.Type) -> Any:
    """Return a function that takes the bits of a number for those of another type."""

    @intrinsic  # type: ignore[untyped-decorator]
    def reinterpret(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return builder.bitcast(given[0], kind)

        return target(source), generate

    return reinterpret


_as_float = _reinterpreter(types.int32, types.float32, _FLOAT)
_as_bits = _reinterpreter(types.float32, types.int32, _INT)


if BFLOAT16:

    @njit(inline="always")  # type: ignore[untyped-decorator]
    def as_number(value: Any) -> Any:
        """Return a float32 as an input of a layer, rounded to the nearest."""
        bits = _as_bits(np.float32(value))
        odd = (bits >> np.int32(16)) & np.int32(1)
        return np.int16((bits + np.int32(0x7FFF) + odd) >> np.int32(16))

else:

    @njit(inline="always")  # type: ignore[untyped-decorator]
    def as_number(value: Any) -> Any:
        """Return a float32 as an input of a layer."""
        return np.float32(value)


_F = np.float32
_LOG2_E: Final = _F(math.log2(math.e))
_LN2_HIGH: Final = _F(0.693359375)
"""Nine bits of ln 2: its products with small integers are exact."""
_LN2_LOW: Final = _F(math.log(2.0) - 0.693359375)
_EXP: Final = tuple(_F(1.0 / math.factorial(power)) for power in range(7))
_LOG1P: Final = tuple(
    _F(value)
    for value in np.polynomial.Chebyshev.interpolate(np.log1p, 9, domain=[0, 1])
    .convert(kind=np.polynomial.Polynomial)
    .coef
)
"""Of a polynomial that is within 1e-8 of log(1 + x) on [0, 1]."""


@njit(inline="always")  # type: ignore[untyped-decorator]
def texel(place: Any, size: Any) -> Any:
    """Return the texel before a place of [0, size - 1], at most the last but one; for NaN the first.

    An avatar's numbers, all finite, may yet lead to NaN, which no clamp keeps within bounds: as an integer it is any.
    """
    return min(np.int64(place), size - 2) if place >= _F(0.0) else np.int64(0)


@njit(inline="always")  # type: ignore[untyped-decorator]
def exp(x: Any) -> Any:
    """Return e^x of a float32 to a relative 2e-7, for x in [-87, 87], to which it is clamped.

    Unlike the library's it is only arithmetic, so that loops over it become vector code.
    """
    x = min(max(x, _F(-87.0)), _F(87.0))
    power = np.floor(x * _LOG2_E + _F(0.5))
    rest = x - power * _LN2_HIGH - power * _LN2_LOW
    value = _EXP[6]
    value = value * rest + _EXP[5]
    value = value * rest + _EXP[4]
    value = value * rest + _EXP[3]
    value = value * rest + _EXP[2]
    value = value * rest + _EXP[1]
    value = value * rest + _EXP[0]
    return value * _as_float((np.int32(power) + np.int32(127)) << np.int32(23))


@njit(inline="always")  # type: ignore[untyped-decorator]
def softplus(x: Any) -> Any:
    """Return log(1 + e^x) of a float32, within 1e-6."""
    small = exp(-abs(x))
    value = _LOG1P[9]
    value = value * small + _LOG1P[8]
    value = value * small + _LOG1P[7]
    value = value * small + _LOG1P[6]
    value = value * small + _LOG1P[5]
    value = value * small + _LOG1P[4]
    value = value * small + _LOG1P[3]
    value = value * small + _LOG1P[2]
    value = value * small + _LOG1P[1]
    return max(x, _F(0.0)) + (value * small + _LOG1P[0])
