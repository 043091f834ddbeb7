"""What the functions of this package are made of: polynomials, signs, halves in double precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import Value

_SIGN = -(1 << 31)


def polynomial(b: Builder, x: Value, coefficients: Sequence[float]) -> Value:
    """A polynomial by Horner's rule; the coefficient of the highest power comes first."""
    result = b.like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result = b.madd(result, x, b.like(x, coefficient))
    return result


def with_sign_of(b: Builder, size: Value, x: Value) -> Value:
    """A number that is not negative, with the sign of another, zeros included."""
    return b.bits(b.bits(size) | (b.bits(x) & _SIGN))


def in_double(b: Builder, function: Callable[..., Value], *operands: Value) -> Value:
    """A function of doubles applied to both halves of vectors of floats."""
    halves = [b.halves(operand) for operand in operands]
    low = function(b, *(half[0] for half in halves))
    high = function(b, *(half[1] for half in halves))
    return b.narrow(low, high)
