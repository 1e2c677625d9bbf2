"""Writing machine code: whole numbers and vectors that note down what is done with them, for LLVM.

Addresses are whole numbers, counted in bytes. Nothing is checked: whoever writes code sees to it that it stays inside
its arrays. LLVM makes the same instructions quick on every processor; the widths here suit AVX2 and leave no other
processor far behind.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from llvmlite import ir

LANES = 8  # values in a vector
FLOAT_BYTES = 4
INT_BYTES = DOUBLE_BYTES = 8
_INT, _FLOAT, _DOUBLE = ir.IntType(64), ir.FloatType(), ir.DoubleType()
_VECTOR, _WIDE = ir.VectorType(_FLOAT, LANES), ir.VectorType(_DOUBLE, LANES)
_WHOLE, _HALVES = ir.VectorType(ir.IntType(32), LANES), ir.VectorType(ir.IntType(16), 2 * LANES)
_ROUNDING = 1.5 * 2**23  # the sum of this and of a whole number below 2**22 has the number as its last bits
_FUNCTION = ir.FunctionType(ir.VoidType(), [_INT])
_FUSED = ("contract",)  # a product and a sum may become one instruction


@lru_cache(256)
def _constant(value: float, *, wide: bool) -> ir.Constant:
    """One object for each value: LLVM is told by text, which takes long to write."""
    return (_WIDE if wide else _VECTOR)([value] * LANES)


class Int:
    """A whole number of 64 bits, known when the code runs."""

    def __init__(self, writer: "Writer", value: ir.Value) -> None:
        self.writer, self.value = writer, value

    def _of(self, operation: Callable[..., ir.Value], other: "Int | int") -> "Int":
        return Int(self.writer, operation(self.value, self.writer.number(other).value))

    def __add__(self, other: "Int | int") -> "Int":
        return self._of(self.writer.builder.add, other)

    def __sub__(self, other: "Int | int") -> "Int":
        return self._of(self.writer.builder.sub, other)

    def __mul__(self, other: "Int | int") -> "Int":
        return self._of(self.writer.builder.mul, other)

    def __floordiv__(self, other: "Int | int") -> "Int":
        """Of numbers that are not negative."""
        return self._of(self.writer.builder.udiv, other)

    def __mod__(self, other: "Int | int") -> "Int":
        """Of numbers that are not negative."""
        return self._of(self.writer.builder.urem, other)

    def __lt__(self, other: "Int | int") -> ir.Value:
        return self.writer.builder.icmp_signed("<", self.value, self.writer.number(other).value)

    def at_most(self, other: "Int | int") -> "Int":
        """The smaller of two."""
        return Int(self.writer, self.writer.builder.select(self < other, self.value, self.writer.number(other).value))

    def equals(self, other: "Int | int") -> ir.Value:
        """Whether two are the same."""
        return self.writer.builder.icmp_signed("==", self.value, self.writer.number(other).value)

    def within(self, length: "Int") -> ir.Value:
        """Whether this is 0 ... length - 1."""
        return self.writer.builder.icmp_unsigned("<", self.value, length.value)


class Vector:
    """LANES values, float32 or, if wide, float64."""

    def __init__(self, writer: "Writer", value: ir.Value) -> None:
        self.writer, self.value = writer, value

    def _of(self, operation: Callable[..., ir.Value], other: "Vector | float") -> "Vector":
        if not isinstance(other, Vector):
            other = self.writer.constant(other, wide=self.value.type == _WIDE)
        return Vector(self.writer, operation(self.value, other.value, flags=_FUSED))

    def __add__(self, other: "Vector | float") -> "Vector":
        return self._of(self.writer.builder.fadd, other)

    def __sub__(self, other: "Vector | float") -> "Vector":
        return self._of(self.writer.builder.fsub, other)

    def __mul__(self, other: "Vector | float") -> "Vector":
        return self._of(self.writer.builder.fmul, other)

    def __truediv__(self, other: "Vector | float") -> "Vector":
        return self._of(self.writer.builder.fdiv, other)

    def root(self) -> "Vector":
        """The square root, of wide vectors."""
        name, module = f"llvm.sqrt.v{LANES}f64", self.writer.builder.module
        function = module.globals.get(name) or ir.Function(module, ir.FunctionType(_WIDE, [_WIDE]), name)
        return Vector(self.writer, self.writer.builder.call(function, [self.value]))

    def if_positive(self, sign: "Vector") -> "Vector":
        """These values where `sign` is above 0, and 0 where it is not."""
        zero = self.value.type([0.0] * LANES)
        above = self.writer.builder.fcmp_ordered(">", sign.value, zero)
        return Vector(self.writer, self.writer.builder.select(above, self.value, zero))

    def at_least(self, other: "Vector") -> "Vector":
        """The larger of two, of the same kind; the other one if either is no number."""
        larger = self.writer.builder.fcmp_ordered(">", self.value, other.value)
        return Vector(self.writer, self.writer.builder.select(larger, self.value, other.value))

    def size(self) -> "Vector":
        """Without the sign."""
        return self.at_least(Vector(self.writer, self.writer.builder.fneg(self.value)))

    def largest(self) -> "Vector":
        """The largest of the values, in all lanes."""
        vector, width = self, LANES
        while width > 1:
            width //= 2
            vector = vector.at_least(Vector(self.writer, _rotated(self.writer.builder, vector.value, width)))
        return vector

    def wide(self) -> "Vector":
        """As float64."""
        return Vector(self.writer, self.writer.builder.fpext(self.value, _WIDE))

    def narrow(self) -> "Vector":
        """As float32."""
        return Vector(self.writer, self.writer.builder.fptrunc(self.value, _VECTOR))

    def leaky(self, leak: "Vector") -> "Vector":
        """LeakyReLU with a factor for negative values, at most 1."""
        small = self * leak
        larger = self.writer.builder.fcmp_ordered(">", self.value, small.value)
        return Vector(self.writer, self.writer.builder.select(larger, self.value, small.value))


class Pairs:
    """LANES pairs of whole numbers of 16 bits, or sums of their products, of 32 bits."""

    def __init__(self, writer: "Writer", value: ir.Value) -> None:
        self.writer, self.value = writer, value

    def __add__(self, other: "Pairs") -> "Pairs":
        return Pairs(self.writer, self.writer.builder.add(self.value, other.value))

    def products(self, other: "Pairs") -> "Pairs":
        """For each pair, the product of both first numbers plus that of both second ones; one instruction of AVX2."""
        builder, name = self.writer.builder, "llvm.x86.avx2.pmadd.wd"
        kind = ir.FunctionType(_WHOLE, [_HALVES, _HALVES])
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        both = [builder.bitcast(value, _HALVES) for value in (self.value, other.value)]
        return Pairs(self.writer, builder.call(function, both))

    def floats(self) -> Vector:
        """Sums of products as float32."""
        return Vector(self.writer, self.writer.builder.sitofp(self.value, _VECTOR))


_Lanes = TypeVar("_Lanes", Vector, Pairs)


def _rotated(builder: ir.IRBuilder, vector: ir.Value, lanes: int) -> ir.Value:
    order = ir.VectorType(ir.IntType(32), LANES)([(i + lanes) % LANES for i in range(LANES)])
    return builder.shuffle_vector(vector, vector, order)


class Writer:
    """Writes one function, from top to bottom."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def number(self, value: "Int | int") -> Int:
        """A number as one that the code knows."""
        return value if isinstance(value, Int) else Int(self, _INT(value))

    def constant(self, value: float, *, wide: bool = False) -> Vector:
        """The same value in all lanes."""
        return Vector(self, _constant(float(value), wide=wide))

    def load(self, address: Int, *, wide: bool = False) -> Vector:
        """LANES values that lie at an address."""
        value = self.builder.load(self._pointer(address), typ=_WIDE if wide else _VECTOR)
        value.align = FLOAT_BYTES
        return Vector(self, value)

    def spread(self, address: Int) -> Vector:
        """The value at an address, in all lanes."""
        return self._in_all_lanes(self.builder.load(self._pointer(address), typ=_FLOAT), _VECTOR)

    def load_pairs(self, address: Int) -> Pairs:
        """LANES pairs that lie at an address."""
        value = self.builder.load(self._pointer(address), typ=_WHOLE)
        value.align = FLOAT_BYTES
        return Pairs(self, value)

    def spread_pair(self, address: Int) -> Pairs:
        """The pair at an address, in all lanes."""
        value = self.builder.load(self._pointer(address), typ=_WHOLE.element)
        return Pairs(self, self._in_all_lanes(value, _WHOLE).value)

    def pair(self, first: Vector, second: Vector, factor: Vector) -> Pairs:
        """Values times a factor, rounded to whole numbers, which must come out within 16 bits."""
        builder = self.builder
        low, high = (builder.bitcast((value * factor + _ROUNDING).value, _WHOLE) for value in (first, second))
        low = builder.and_(low, _WHOLE([0xFFFF] * LANES))
        return Pairs(self, builder.or_(low, builder.shl(high, _WHOLE([16] * LANES))))

    def store(self, value: Vector | Pairs, address: Int) -> None:
        """Put LANES values at an address."""
        self.builder.store(value.value, self._pointer(address)).align = FLOAT_BYTES

    def store_sum(self, value: Vector, added: Int, address: Int) -> None:
        """Put the sum of all lanes, and of the float32 value at `added`, at an address."""
        builder, vector, width = self.builder, value.value, LANES
        while width > 1:  # the upper half onto the lower one
            width //= 2
            vector = builder.fadd(vector, _rotated(builder, vector, width))
        total = builder.extract_element(vector, ir.IntType(32)(0))
        total = builder.fadd(total, builder.load(self._pointer(added), typ=_FLOAT))
        builder.store(total, self._pointer(address))

    def table(self, values: Sequence[int]) -> Int:
        """The address of whole numbers that never change, INT_BYTES each."""
        kind, module = ir.ArrayType(_INT, len(values)), self.builder.module
        table = ir.GlobalVariable(module, kind, module.get_unique_name("table"))
        table.initializer, table.global_constant, table.linkage = kind([_INT(v) for v in values]), True, "internal"
        return Int(self, self.builder.ptrtoint(table, _INT))

    def load_int(self, address: Int) -> Int:
        """The whole number at an address."""
        return Int(self, self.builder.load(self._pointer(address), typ=_INT))

    def call(self, function: Int, numbers: Int) -> None:
        """Call a function that `write_function` wrote."""
        pointer = self.builder.inttoptr(function.value, _FUNCTION.as_pointer())
        self.builder.call(pointer, [numbers.value])

    def wide_number(self, value: Int) -> Vector:
        """A whole number as float64, in all lanes."""
        return self._in_all_lanes(self.builder.sitofp(value.value, _DOUBLE), _WIDE)

    def _in_all_lanes(self, value: ir.Value, kind: ir.Type) -> Vector:
        nothing, first = ir.Constant(kind, ir.Undefined), ir.IntType(32)
        vector = self.builder.insert_element(nothing, value, first(0))
        return Vector(self, self.builder.shuffle_vector(vector, nothing, ir.VectorType(first, LANES)([0] * LANES)))

    def _pointer(self, address: Int) -> ir.Value:
        return self.builder.inttoptr(address.value, ir.PointerType())

    @contextmanager
    def loop(self, stop: "Int | int", step: int = 1, start: "Int | int" = 0) -> Iterator[Int]:
        """Repeat what is written inside for start, start + step, ... below stop; not at all if there is none."""
        builder, first = self.builder, self.number(start)
        before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.cbranch(first < stop, body, after)
        builder.position_at_end(body)
        number = builder.phi(_INT)
        number.add_incoming(first.value, before)
        yield Int(self, number)
        following = Int(self, number) + step
        number.add_incoming(following.value, builder.block)
        builder.cbranch(following < stop, body, after)
        builder.position_at_end(after)

    def fold(
        self, count: Int, values: int, change: Callable[[Int, list[Vector]], list[Vector]], *, wide: bool = False
    ) -> list[Vector]:
        """Start with vectors of zeros and change them for 0 ... count - 1, count >= 1; they stay in registers."""
        zero = (_WIDE if wide else _VECTOR)([0.0] * LANES)
        return self._fold(count, [Vector(self, zero) for _ in range(values)], change)

    def fold_pairs(self, count: Int, values: int, change: Callable[[Int, list[Pairs]], list[Pairs]]) -> list[Pairs]:
        """The same with whole numbers."""
        return self._fold(count, [Pairs(self, _WHOLE([0] * LANES)) for _ in range(values)], change)

    def _fold(
        self, count: Int, start: list[_Lanes], change: Callable[[Int, list[_Lanes]], list[_Lanes]]
    ) -> list[_Lanes]:
        builder = self.builder
        before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.branch(body)
        builder.position_at_end(body)
        number, phis = builder.phi(_INT), [builder.phi(first.value.type) for first in start]
        changed = change(Int(self, number), [type(first)(self, phi) for first, phi in zip(start, phis, strict=True)])
        following = Int(self, number) + 1
        number.add_incoming(_INT(0), before)
        number.add_incoming(following.value, builder.block)
        for phi, first, value in zip(phis, start, changed, strict=True):
            phi.add_incoming(first.value, before)
            phi.add_incoming(value.value, builder.block)
        builder.cbranch(following < count, body, after)
        builder.position_at_end(after)
        return changed

    def either(self, condition: ir.Value, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Do one thing or the other."""
        with self.builder.if_else(condition) as (yes, no):
            with yes:
                then()
            with no:
                otherwise()


def write_function(module: ir.Module, name: str, count: int, body: Callable[..., None]) -> None:
    """Add a function to a module that takes the address of some whole numbers; body(writer, *numbers) writes it."""
    function = ir.Function(module, _FUNCTION, name)
    writer = Writer(ir.IRBuilder(function.append_basic_block()))
    (numbers,) = (Int(writer, argument) for argument in function.args)
    body(writer, *(writer.load_int(numbers + i * INT_BYTES) for i in range(count)))
    writer.builder.ret_void()
