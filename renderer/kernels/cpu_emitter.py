"""Writes the instructions of what a compiler of loops does not find by itself."""

from typing import Any

from llvmlite import ir

from renderer.kernels.cpu_features import BFLOAT16, LANES, NUMBER_BYTES

FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
INT = ir.IntType(32)
LONG = ir.IntType(64)


class _Bfloat16(ir.Type):  # type: ignore[misc]
    """A number format that the builder of the compiler's input does not know."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat16)

    def __hash__(self) -> int:
        return hash(_Bfloat16)


_PAIRS = ir.VectorType(_Bfloat16(), 2 * LANES)


class Emitter:
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
        """Return an address, so many bytes on, as a pointer."""
        return self.builder.inttoptr(self.builder.add(address, LONG(offset)), pointee.as_pointer())

    def load(self, address: Any, offset: int = 0, kind: ir.Type = VECTOR) -> Any:
        """Load what is so many bytes behind an address."""
        return self.builder.load(self.pointer(address, offset, kind), align=4)

    def store(self, value: Any, address: Any, offset: int = 0) -> None:
        """Store a value so many bytes behind an address."""
        self.builder.store(value, self.pointer(address, offset, value.type), align=2)

    def store_numbers(self, value: Any, address: Any, place: int) -> None:
        """Store a vector as inputs of a layer, the first of them in this place."""
        if BFLOAT16:
            value = self.builder.fptrunc(value, ir.VectorType(_Bfloat16(), value.type.count))
        self.store(value, address, place * NUMBER_BYTES)

    def splat(self, value: Any, lanes: int = LANES) -> Any:
        """Return a vector of one number."""
        kind = ir.VectorType(value.type, lanes)
        first = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, INT(0))
        zeros = ir.Constant(ir.VectorType(INT, lanes), [0] * lanes)
        return self.builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Return a x b + c."""
        # Fused where the processor can: the function of that name would be called number by number elsewhere.
        return self.builder.fadd(self.builder.fmul(a, b, ("contract",)), c, ("contract",))

    def relu(self, a: Any) -> Any:
        """Return a vector without what is negative."""
        # One instruction, unlike the maximum of the compiler's own, which asks for NaN first; here NaN becomes 0.
        nothing = ir.Constant(VECTOR, [0.0] * LANES)
        return self.builder.select(self.builder.fcmp_ordered(">", a, nothing), a, nothing)

    def sum(self, a: Any) -> Any:
        """Return the sum of a vector."""
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        return self.call(name, FLOAT, [FLOAT(0.0), a], fastmath=("reassoc",))

    def multiply_add(self, total: Any, number: Any, weights: Any) -> Any:
        """Add number x weights; in bfloat16 both are pairs, whose two products are added."""
        if not BFLOAT16:
            return self.fma(number, weights, total)
        pairs = [self.builder.bitcast(value, _PAIRS) for value in (number, weights)]
        return self.call("llvm.x86.avx512bf16.dpbf16ps.512", VECTOR, [total, *pairs])
