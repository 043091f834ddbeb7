"""Sine, cosine, tangent and their inverses, in double precision; arguments may be as large as floats are."""

from __future__ import annotations

from math import pi
from typing import Final

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions import double
from tenfold.codegen.loops.functions.polynomials import in_double, polynomial, with_sign_of
from tenfold.codegen.loops.program import Register, Value

# A right angle in two parts; the product of the first, 25 bits, with numbers below 2**28 is exact.
_RIGHT_HIGH: Final = 1.57079631090164184570
_RIGHT_LOW: Final = 1.58932547735281966916e-08
_LARGE: Final = 2.0**28

_TWO_OVER_PI: Final = 0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041FE5163ABDEBBC561
"""The first 256 bits of 2 / pi after the point."""

_PIECES: Final = tuple((_TWO_OVER_PI >> 256 - 24 * (i + 1) & 0xFFFFFF) * 2.0 ** (-24 * (i + 1)) for i in range(9))
"""2 / pi as a sum of numbers of 24 bits: their products with floats are exact."""

# FreeBSD, k_sinf.c, k_cosf.c and k_tanf.c, for angles up to pi / 4.
_SIN: Final = (
    0.0000027183114939898219064,
    -0.000198393348360966317347,
    0.0083333293858894631756,
    -0.166666666416265235595,
)
_COS: Final = (
    0.0000243904487962774090654,
    -0.00138867637746099294692,
    0.0416666233237390631894,
    -0.499999997251031003120,
)
_TAN: Final = (
    0.00946564784943673166728,
    0.00297435743359967304927,
    0.0245283181166547278873,
    0.0533812378445670393523,
    0.133392002712976742718,
    0.333331395030791399758,
)


def sin(b: Builder, x: Value) -> Value:
    """The sine of an angle in radians."""
    quarter, angles = _reduced(b, x)
    value = _sine_at(b, quarter, angles)
    return b.select(x.equals(0), x, value)


def cos(b: Builder, x: Value) -> Value:
    """The cosine of an angle in radians."""
    quarter, angles = _reduced(b, x)
    return _sine_at(b, b.select(quarter.equals(3), 0.0, quarter + 1), angles)


def tan(b: Builder, x: Value) -> Value:
    """The tangent of an angle in radians."""
    quarter, angles = _reduced(b, x)
    tangents = [b.madd(r * r * r, polynomial(b, r * r, _TAN), r) for r in angles]
    inverses = [-1 / t for t in tangents]
    value = b.select(quarter.equals(1) | quarter.equals(3), b.narrow(*inverses), b.narrow(*tangents))
    return b.select(x.equals(0), x, value)


def _sine_at(b: Builder, quarter: Value, angles: tuple[Value, Value]) -> Value:
    """The sine of a number of right angles and an angle up to half of one."""
    squares = [r * r for r in angles]
    sines = [b.madd(r * z, polynomial(b, z, _SIN), r) for r, z in zip(angles, squares, strict=True)]
    cosines = [b.madd(z, polynomial(b, z, _COS), b.like(z, 1.0)) for z in squares]
    is_odd = quarter.equals(1) | quarter.equals(3)
    value = b.select(is_odd, b.narrow(*cosines), b.narrow(*sines))
    return b.select(quarter >= 2, -value, value)


def _reduced(b: Builder, x: Value) -> tuple[Value, tuple[Value, Value]]:
    """An angle as 0 to 3 right ones and what is left, in double precision."""
    halves = b.halves(x)
    counts: list[Register] = []
    angles: list[Register] = []
    for half in halves:
        n = b.unary("nearest", half * (2 / pi))
        counts.append(b.register(n))
        angles.append(b.register(half - n * _RIGHT_HIGH - n * _RIGHT_LOW))
    with b.branch(b.any(abs(x) >= _LARGE)):
        for half, count, angle in zip(halves, counts, angles, strict=True):
            count.value, angle.value = _reduced_exactly(b, half)
    quarters = b.narrow(*(n - b.unary("floor", n * 0.25) * 4 for n in (count.value for count in counts)))
    return quarters, (angles[0].value, angles[1].value)


def _reduced_exactly(b: Builder, x: Value) -> tuple[Value, Value]:
    """The same by products with pieces of 2 / pi, of which multiples of four right angles are taken at once."""
    count = rest = b.like(x, 0.0)
    for piece in _PIECES:
        product = x * piece
        rest = rest + (product - b.unary("nearest", product * 0.25) * 4)
        whole = b.unary("nearest", rest)
        rest = rest - whole
        count = count + whole
    return count, rest * (pi / 2)


def arctan(b: Builder, x: Value) -> Value:
    """The angle of a tangent, in radians."""

    def of_double(b: Builder, size: Value) -> Value:
        return double.angle(b, size, b.like(size, 1.0))

    return b.select(x.differs(x), x, with_sign_of(b, in_double(b, of_double, abs(x)), x))


def arctan2(b: Builder, y: Value, x: Value) -> Value:
    """The angle of the point (`x`, `y`) as seen from the origin, in radians."""
    is_left = b.bits(x) < 0

    def of_double(b: Builder, y: Value, x: Value) -> Value:
        return double.angle(b, y, x)

    size_y, size_x = abs(y), abs(x)
    result = in_double(b, of_double, size_y, size_x)
    mirrored = in_double(b, lambda b, y, x: pi - double.angle(b, y, x), size_y, size_x)
    result = with_sign_of(b, b.select(is_left, mirrored, result), y)
    return b.select(x.differs(x) | y.differs(y), x + y, result)


def arcsin(b: Builder, x: Value) -> Value:
    """The angle of a sine, in radians."""

    def of_double(b: Builder, size: Value) -> Value:
        return double.angle(b, size, b.unary("sqrt", (1 - size) * (size + 1)))

    size = abs(x)
    return b.select(size <= 1, with_sign_of(b, in_double(b, of_double, size), x), float("nan"))


def arccos(b: Builder, x: Value) -> Value:
    """The angle of a cosine, in radians."""

    def of_double(b: Builder, x: Value) -> Value:
        found = double.angle(b, b.unary("sqrt", (1 - x) * (x + 1)), abs(x))
        return b.select(x < 0, pi - found, found)

    return b.select(abs(x) <= 1, in_double(b, of_double, x), float("nan"))
