"""Quotients and remainders of index arithmetic: floored, by constants, of numbers whose range is known.

Machines divide a number at a time and slowly. Powers of two are shifts, and a vector of numbers that are small enough
is multiplied by the reciprocal.
"""

from __future__ import annotations

from typing import Final

from tenfold.codegen.compute import bounds
from tenfold.codegen.expr import Expr
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import Value

SMALL: Final = 1 << 20
"""Up to here `(x + 1/2) / divisor`, rounded three times, stays between the integers that it lies between."""

_ROUNDING: Final = 1.5 * 2**23
"""A float whose last bit is 1: what is added to it is rounded, and stands in its lowest bits."""

_LIMIT: Final = 1 << 31


def divided(b: Builder, expr: Expr, x: Value) -> Value | None:
    """What a quotient or a remainder is, where there is a faster way than the general one.

    Args:
        b: where to build.
        expr: `floor_divide` or `remainder`, of int32.
        x: its first operand.
    """
    dividend, by = expr.arguments
    if by.function != "constant" or by.value <= 0:
        return None
    divisor, (low, high) = int(by.value), bounds(dividend)
    is_quotient = expr.function == "floor_divide"
    if divisor & (divisor - 1) == 0:
        return b.shift("shr", x, divisor.bit_length() - 1) if is_quotient else x & (divisor - 1)
    if low is None or high is None:
        return None
    # Whole multiples of the divisor make it positive.
    times = max(0, -(low // divisor))
    if high + times * divisor >= _LIMIT:
        return None
    positive = x + times * divisor if times else x
    if x.type.lanes == 1:
        if not is_quotient:
            return b.binary("rem", positive, divisor)
        quotient = b.binary("div", positive, divisor)
    elif high + times * divisor < SMALL:
        quotient = _by_reciprocal(b, positive, divisor)
        if not is_quotient:
            return positive - quotient * divisor
    else:
        return None
    return quotient - times if times else quotient


def _by_reciprocal(b: Builder, x: Value, divisor: int) -> Value:
    """The quotients of small positive numbers.

    An integer's multiple of the reciprocal, moved by half of it, is no nearer to an integer than that half; less 1/2,
    the nearest integer is the quotient.
    """
    moved = b.convert(x, "f32") * (1 / divisor) + (0.5 / divisor - 0.5)
    return b.bits(moved + _ROUNDING) - b.bits(b.like(moved, _ROUNDING))
