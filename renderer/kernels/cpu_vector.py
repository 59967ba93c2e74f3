"""Arithmetic that a compiler of loops does not find by itself: texels and elementary functions.

Texels are passed as addresses: nothing checks them, the kernels that call these do.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from renderer.kernels.cpu_emitter import FLOAT, INT, Emitter
from renderer.kernels.cpu_features import BFLOAT16, LANES

FAST: Final = {"nsz", "arcp", "contract", "reassoc"}
"""What the compiler may do to float arithmetic: reorder, but not assume that nothing is infinite."""


def texel_reader(channels: int) -> Callable[..., None]:
    """Return a function that mixes four texels of so many float32 numbers bilinearly.

    Returns:
        ``read(corner, right, below, x, y, target)``: address of the texel with the lowest row and column, bytes to the
        next column and to the next row, fractions towards them, address of the result, inputs of a layer.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def read(typing: Any, corner: Any, right: Any, below: Any, x: Any, y: Any, target: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            emit = Emitter(builder)
            corner, right, below, x, y, target = given
            lanes = min(LANES, channels)
            kind = ir.VectorType(FLOAT, lanes)
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


_as_float = _reinterpreter(types.int32, types.float32, FLOAT)
_as_bits = _reinterpreter(types.float32, types.int32, INT)


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
    return min(np.int32(place), np.int32(size - 2)) if place >= _F(0.0) else np.int32(0)


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
