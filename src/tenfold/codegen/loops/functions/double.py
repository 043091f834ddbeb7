"""Exponential, logarithm and arc tangent of doubles, as exact as floats need: to about 2**-38."""

from __future__ import annotations

from math import factorial, inf, log, pi
from typing import Final

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions.polynomials import polynomial
from tenfold.codegen.loops.program import Value

_INTEGER_BITS: Final = 1.5 * 2.0**52
"""Added to an integer, it leaves the integer in the low bits."""

_LN2_HIGH: Final = 0.693147180369123816490
_LN2_LOW: Final = 1.90821492927058770002e-10
_BIAS: Final = 1023 << 52
_ROOT_HALF: Final = 0x3FE6A09E << 32
_TAYLOR_EXP: Final = tuple(1 / factorial(n) for n in range(10, -1, -1))
_SERIES_LOG: Final = tuple(2 / (2 * n + 1) for n in range(8, 0, -1))

# Cephes, atan.c: x + x**3 P(x**2) / Q(x**2) for |x| <= 0.66.
_ATAN_P: Final = (
    -8.750608600031904122785e-1,
    -1.615753718733365076637e1,
    -7.500855792314704667340e1,
    -1.228866684490136173410e2,
    -6.485021904942025371773e1,
)
_ATAN_Q: Final = (
    1.0,
    2.485846490142306297962e1,
    1.650270098316988542046e2,
    4.328810604912902668951e2,
    4.853903996359136964868e2,
    1.945506571482613964425e2,
)


def exp(b: Builder, x: Value) -> Value:
    """e to the power of `x`, which lies between -700 and 700."""
    shifted = x * (1 / log(2)) + _INTEGER_BITS
    n = shifted - _INTEGER_BITS
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    scale = b.bits((b.bits(shifted) << 52) + _BIAS)
    return polynomial(b, r, _TAYLOR_EXP) * scale


def log_of(b: Builder, x: Value) -> Value:
    """The natural logarithm of `x`; infinite at 0 and infinity, some number where `x` is negative or NaN."""
    bits = b.bits(x)
    biased = b.shift("shru", bits - _ROOT_HALF + _BIAS, 52)
    k = b.bits(biased | (0x433 << 52)) - (2.0**52 + 1023)
    f = b.bits(bits - (biased << 52) + _BIAS) - 1
    s = f / (f + 2)
    z = s * s
    mantissa = polynomial(b, z, (*_SERIES_LOG, 2.0)) * s
    result = k * _LN2_HIGH + (mantissa + k * _LN2_LOW)
    result = b.select(x.equals(0), -inf, result)
    return b.select(x.equals(inf), inf, result)


def angle(b: Builder, y: Value, x: Value) -> Value:
    """The angle whose tangent is `y` / `x` for numbers that are not negative, between 0 and a right one."""
    both_infinite = y.equals(inf) & x.equals(inf)
    y, x = b.select(both_infinite, 1.0, y), b.select(both_infinite, 1.0, x)
    low, high = b.binary("pmin", y, x), b.binary("pmax", y, x)
    high = b.select(high.equals(0), 1.0, high)
    # Beyond 0.66 of 45 degrees what is left to them is smaller.
    is_wide = low > high * 0.66
    t = b.select(is_wide, low - high, low) / b.select(is_wide, low + high, high)
    # An infinite `high` has a zero `t`, also where it is wide by overflow.
    z = t * t
    small = b.madd(t * z, polynomial(b, z, _ATAN_P) / polynomial(b, z, _ATAN_Q), t)
    result = b.select(is_wide, small + pi / 4, small)
    return b.select(y > x, pi / 2 - result, result)
