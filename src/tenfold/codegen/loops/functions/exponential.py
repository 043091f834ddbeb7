"""Exponentials, logarithms and what is made of them, in single precision."""

from __future__ import annotations

from math import inf, nan
from typing import Final

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions import double
from tenfold.codegen.loops.functions.polynomials import in_double, polynomial, with_sign_of
from tenfold.codegen.loops.program import Value

# ln 2 in two parts; the first has so few bits that its products with exponents are exact.
_LN2_HIGH: Final = 0.693359375
_LN2_LOW: Final = -2.12194440e-4
_LOG2_E: Final = 1.44269504088896341

# Cephes, expf.c: exp(r) - 1 - r over r**2.
_EXP: Final = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)

# Cephes, tanhf.c: tanh(x) / x - 1 over x**2, for |x| below 0.625.
_TANH: Final = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)

# FreeBSD, e_logf.c: log(1 + f) = f - f**2 / 2 + s (f**2 / 2 + R(s**2)), s = f / (2 + f).
_LOG: Final = (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693)
_LN2_LOG_HIGH: Final = 6.9313812256e-01
_LN2_LOG_LOW: Final = 9.0580006145e-06
_ONE: Final = 0x3F800000
_ROOT_HALF: Final = 0x3F3504F3
_MANTISSA: Final = 0x007FFFFF


def exp(b: Builder, x: Value) -> Value:
    """e to the power of `x`."""
    x = b.binary("pmin", b.binary("pmax", x, -104.0), 89.0)
    n, r = _reduced(b, x)
    value = b.madd(polynomial(b, r, _EXP), r * r, r) + 1
    # In two steps, as the power of two may be none of its own: 2**128, or a denormal number.
    exponent = b.convert(n, "i32")
    half = exponent >> 1
    return value * _power_of_two(b, half) * _power_of_two(b, exponent - half)


def expm1(b: Builder, x: Value) -> Value:
    """e to the power of `x`, less 1."""
    bounded = b.binary("pmin", b.binary("pmax", x, -30.0), 89.0)
    n, r = _reduced(b, bounded)
    small = b.madd(polynomial(b, r, _EXP), r * r, r)
    # Half of it, as 2**128 is no float.
    half = _power_of_two(b, b.convert(n, "i32") - 1)
    result = b.madd(half, small, half - 0.5) * 2
    return b.select(abs(x) < 1e-8, x, result)


def _reduced(b: Builder, x: Value) -> tuple[Value, Value]:
    """The multiple of ln 2 next to `x`, and what is left."""
    n = b.unary("nearest", x * _LOG2_E)
    r = b.madd(n, b.like(n, -_LN2_HIGH), x)
    return n, b.madd(n, b.like(n, -_LN2_LOW), r)


def _power_of_two(b: Builder, exponent: Value) -> Value:
    return b.bits((exponent + 127) << 23)


def log(b: Builder, x: Value) -> Value:
    """The natural logarithm."""
    is_tiny = x < 1.17549435e-38
    scaled = b.select(is_tiny, x * 2.0**23, x)
    bits = b.bits(scaled) + (_ONE - _ROOT_HALF)
    k = b.convert((bits >> 23) - b.select(is_tiny, b.like(bits, 127 + 23), b.like(bits, 127)), "f32")
    f = b.bits((bits & _MANTISSA) + _ROOT_HALF) - 1
    result = _log_of_parts(b, f, k, b.like(f, 0.0))
    result = b.select(x < inf, result, x)
    result = b.select(x.equals(0), -inf, result)
    return b.select(x < 0, nan, result)


def log1p(b: Builder, x: Value) -> Value:
    """The natural logarithm of 1 + `x`."""
    u = x + 1
    bits = b.bits(u) + (_ONE - _ROOT_HALF)
    exponent = (bits >> 23) - 127
    k = b.convert(exponent, "f32")
    # What rounding took from 1 + x; nothing where 1 + x lies near 1, as x itself is used there.
    lost = b.select(exponent > 1, 1 - (u - x), x - (u - 1)) / u
    lost = b.select(exponent < 25, lost, 0.0)
    is_near = exponent.equals(0)
    f = b.select(is_near, x, b.bits((bits & _MANTISSA) + _ROOT_HALF) - 1)
    result = _log_of_parts(b, f, k, b.select(is_near, 0.0, lost))
    result = b.select((x < inf) & x.differs(0), result, x)
    result = b.select(x.equals(-1), -inf, result)
    return b.select(x < -1, nan, result)


def _log_of_parts(b: Builder, f: Value, k: Value, lost: Value) -> Value:
    """log((1 + f) 2**k), and `lost` added before it is rounded."""
    s = f / (f + 2)
    z = s * s
    w = z * z
    lg4, lg3, lg2, lg1 = _LOG
    rest = z * b.madd(w, b.like(w, lg3), b.like(w, lg1)) + w * b.madd(w, b.like(w, lg4), b.like(w, lg2))
    half_square = f * f * 0.5
    low = b.madd(k, b.like(k, _LN2_LOG_LOW), lost)
    return (s * (half_square + rest) + low) - half_square + f + k * _LN2_LOG_HIGH


def tanh(b: Builder, x: Value) -> Value:
    """The hyperbolic tangent."""
    size = b.binary("pmin", abs(x), 10.0)
    n, r = _reduced(b, size * 2)
    squared = (b.madd(polynomial(b, r, _EXP), r * r, r) + 1) * _power_of_two(b, b.convert(n, "i32"))
    large = 1 - 2 / (squared + 1)
    z = size * size
    small = b.madd(polynomial(b, z, _TANH) * z, size, size)
    return with_sign_of(b, b.select(size < 0.625, small, large), x)


def sinh(b: Builder, x: Value) -> Value:
    """The hyperbolic sine."""

    def of_double(b: Builder, size: Value) -> Value:
        e = double.exp(b, size)
        series = polynomial(b, size * size, (1 / 120, 1 / 6, 1.0)) * size
        return b.select(size < 0.03, series, (e - 1 / e) * 0.5)

    size = b.binary("pmin", abs(x), 100.0)
    return with_sign_of(b, in_double(b, of_double, size), x)


def cosh(b: Builder, x: Value) -> Value:
    """The hyperbolic cosine."""

    def of_double(b: Builder, size: Value) -> Value:
        e = double.exp(b, size)
        return (e + 1 / e) * 0.5

    return in_double(b, of_double, b.binary("pmin", abs(x), 100.0))


def arcsinh(b: Builder, x: Value) -> Value:
    """The inverse of the hyperbolic sine."""

    def of_double(b: Builder, size: Value) -> Value:
        series = polynomial(b, size * size, (3 / 40, -1 / 6, 1.0)) * size
        return b.select(size < 0.01, series, double.log_of(b, size + b.unary("sqrt", size * size + 1)))

    return b.select(x.differs(x), x, with_sign_of(b, in_double(b, of_double, abs(x)), x))


def arccosh(b: Builder, x: Value) -> Value:
    """The inverse of the hyperbolic cosine."""

    def of_double(b: Builder, x: Value) -> Value:
        return double.log_of(b, x + b.unary("sqrt", x * x - 1))

    return b.select(x >= 1, in_double(b, of_double, x), nan)


def arctanh(b: Builder, x: Value) -> Value:
    """The inverse of the hyperbolic tangent."""

    def of_double(b: Builder, size: Value) -> Value:
        series = polynomial(b, size * size, (1 / 5, 1 / 3, 1.0)) * size
        return b.select(size < 0.01, series, double.log_of(b, (size + 1) / (1 - size)) * 0.5)

    size = abs(x)
    return b.select(size <= 1, with_sign_of(b, in_double(b, of_double, size), x), nan)


def power(b: Builder, x: Value, y: Value) -> Value:
    """`x` to the power of `y`; of a negative number NaN, unless `y` is an integer."""

    def of_double(b: Builder, size: Value, y: Value) -> Value:
        exponent = double.log_of(b, size) * y
        return double.exp(b, b.binary("pmin", b.binary("pmax", exponent, -500.0), 500.0))

    size = abs(x)
    result = in_double(b, of_double, size, y)
    result = b.select(size.equals(1) & y.equals(y), 1.0, result)
    half = y * 0.5
    is_odd = (b.unary("floor", half).differs(half)) & b.unary("floor", y).equals(y)
    result = b.select(is_odd, with_sign_of(b, result, x), result)
    has_no_root = (x < 0) & b.unary("floor", y).differs(y) & (size < inf)
    result = b.select(has_no_root | x.differs(x) | y.differs(y), nan, result)
    return b.select(y.equals(0) | x.equals(1), 1.0, result)
