"""Division that floors, what it leaves, and powers of integers: defined for every pair of numbers."""

from __future__ import annotations

from math import inf
from typing import Final

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions.polynomials import in_double, with_sign_of
from tenfold.codegen.loops.program import I32, Value


def floor_divide(b: Builder, x: Value, y: Value) -> Value:
    """The quotient of floats, rounded down."""
    return in_double(b, lambda b, x, y: b.unary("floor", x / y), x, y)


def remainder(b: Builder, x: Value, y: Value) -> Value:
    """What floor division leaves, exactly, with the sign of `y`."""
    size_x, size_y = abs(x), abs(y)
    halves = list(zip(b.halves(size_x), b.halves(size_y), strict=True))
    rests = [b.register(_less_whole_multiples(b, *half)) for half in halves]
    with b.branch(b.any(size_x >= size_y * _MANY)):
        for (dividend, divisor), rest in zip(halves, rests, strict=True):
            rest.value = dividend
            with b.loop(0, _LONGEST_DIVISION):
                rest.value = _less_whole_multiples(b, rest.value, divisor)
    size = b.narrow(*(rest.value for rest in rests))
    is_opposite = (b.bits(x) ^ b.bits(y)) < 0
    size = b.select(is_opposite & size.differs(0), size_y - size, size)
    size = b.select(size_y.equals(inf) & (size_x < inf), b.select(is_opposite & size_x.differs(0), inf, size_x), size)
    return with_sign_of(b, size, y)


_MANY: Final = 2.0**28
_LONGEST_DIVISION: Final = 11
"""Steps that divide the largest float by the smallest, at 28 bits of the quotient a step."""


def _less_whole_multiples(b: Builder, x: Value, y: Value) -> Value:
    """`x` less the multiple of `y` that the highest 29 bits of the quotient say; products with them are exact."""
    quotient = b.unary("trunc", b.bits(b.bits(x / y) & -(1 << 24)))
    rest = x - quotient * y
    return b.select(rest < 0, rest + y, rest)


def floor_divide_integers(b: Builder, x: Value, y: Value) -> Value:
    """The quotient of integers, rounded down; 0 where `y` is 0, and the least integer by -1 is itself."""
    divisor, quotient, left = _divided(b, x, y)
    floored = b.select(left.differs(0) & ((left ^ divisor) < 0), quotient - 1, quotient)
    return b.select(y.equals(-1), -x, b.select(y.equals(0), 0, floored))


def remainder_integers(b: Builder, x: Value, y: Value) -> Value:
    """What floor division leaves, with the sign of `y`; 0 where `y` is 0."""
    divisor, _, left = _divided(b, x, y)
    return b.select(left.differs(0) & ((left ^ divisor) < 0), left + divisor, left)


def _divided(b: Builder, x: Value, y: Value) -> tuple[Value, Value, Value]:
    """A divisor that is legal, the quotient toward zero, and what is left."""
    divisor = b.select(y.equals(0) | y.equals(-1), 1, y)
    quotient = x / divisor
    return divisor, quotient, x - quotient * divisor


def power_integers(b: Builder, x: Value, y: Value) -> Value:
    """`x` to the power of `y`, wrapping; below zero powers of 1 and -1 are what they are, others 0."""
    base, exponent = b.register(x), b.register(y)
    result = b.register(b.like(x, 1))
    with b.loop(0, b.constant(32, I32)):
        bit = (exponent.value & 1).differs(0)
        result.value = b.select(bit, result.value * base.value, result.value)
        base.value = base.value * base.value
        exponent.value = b.shift("shru", exponent.value, 1)
    return b.select((y < 0) & x.differs(1) & x.differs(-1), 0, result.value)
