"""Discrete Fourier transforms along the last axis, in stages.

A length is taken apart into small factors, and each makes a stage of Stockham's algorithm, which needs no reordering:
with `s` the product of the factors before, an element at `q + s * (r * p + t)` sums those of the stage before at
`q + s * (p + u * m)` over the `r` values of `u`, where `r * m * s` is the length. Lengths with a large prime factor are
transformed as convolutions with a chirp, whose length is a power of two (Bluestein's algorithm).

Roots of unity are looked up in a table, a stage of its own: polynomials of angles up to an eighth of a turn, as
fragment shaders may be a thousandth wrong about sines.

A machine that computes one element after the other goes by a procedure, which knows the same stages as loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import factorial, pi
from typing import Final

from tenfold.codegen.compute import Array, compute, fresh_index, modulo, quotient, simplify, sum_over
from tenfold.codegen.expr import Expr, call, cast, constant, function, select
from tenfold.codegen.procedures import LARGEST_BUTTERFLY, Transform, aligned, instead
from tenfold.codegen.reductions import Element

LARGEST_FACTOR: Final = 61
"""Primes up to this make a stage."""

LONGEST_CHIRP: Final = 1 << 20
"""Up to this length squares of positions modulo twice the length are computed in int32."""

_make_complex, _real, _imag = function("complex"), function("real"), function("imag")

Finish = Callable[..., Expr]
"""From an element and its indices to what becomes of it."""


def _unchanged(value: Expr, *_: Expr) -> Expr:
    return value


def fourier(
    shape: Sequence[int],
    element: Element,
    *,
    inverse: bool = False,
    wanted: int | None = None,
    finish: Finish = _unchanged,
) -> Array:
    """The transforms of rows: for each k the sum of `x[n] * exp(-2 pi i k n / length)`.

    Args:
        shape: lengths of the axes that `element` takes indices of.
        element: the complex64 values.
        inverse: turn the other way round; nothing is divided by the length.
        wanted: how many of the results to compute, the first ones; all if None.
        finish: what becomes of each result.
    """
    *rows, length = shape
    factors, rest = _factors(length)
    shape_of_result = [*rows, length if wanted is None else wanted]
    if rest > 1:
        return _as_convolution(shape, shape_of_result, element, inverse, finish)
    if not factors:
        return compute(shape_of_result, lambda *i: finish(element(*i), *i))

    def in_stages() -> Array:
        return _in_stages(shape, shape_of_result, element, factors, inverse, finish)

    if not _has_procedure(length):
        return in_stages()
    transformed = _transformed(shape, element, inverse)
    return instead(compute(shape_of_result, lambda *i: finish(transformed(*i), *i)), in_stages)


def fourier_of_real(shape: Sequence[int], element: Element) -> Array:
    """The first half of the transforms of real rows, `length // 2 + 1` results.

    A procedure transforms rows of an even length as half as many complex numbers, neighbours being the parts of one:
    from a result and its mirror image follow the transforms of the even and of the odd places.
    """
    *rows, length = shape
    half = length // 2
    nothing = constant(0, "float32")

    def in_stages() -> Array:
        return fourier(shape, lambda *i: _make_complex(element(*i), nothing), wanted=half + 1)

    if length % 2 or not _has_procedure(half):
        return in_stages()

    def neighbours(*i: Expr) -> Expr:
        *row, place = i
        return _make_complex(*(element(*row, simplify(place * 2 + side)) for side in (0, 1)))

    transformed, roots = _transformed([*rows, half], neighbours, inverse=False), _Roots(length, inverse=False)

    def result(*i: Expr) -> Expr:
        *row, k = i
        is_first, is_last = call("equal", k, 0), call("equal", k, half)
        first = transformed(*row, constant(0, "int32"))
        end = _real(first) + select(is_first, _imag(first), -_imag(first))
        one, mirrored = transformed(*i), conjugate(transformed(*row, simplify(half - k)))
        odd = (one - mirrored) * roots.power(k)
        between = (one + mirrored + _make_complex(_imag(odd), -_real(odd))) * 0.5
        return select(call("logical_or", is_first, is_last), _make_complex(end, nothing), between)

    return instead(compute([*rows, half + 1], result), in_stages)


def real_of_fourier(shape: Sequence[int], element: Element) -> Array:
    """The real rows of whose transforms the first half is `element`: `fourier_of_real` undone, in the same way.

    The imaginary parts of the first element and, of an even length, of the last count for nothing.
    """
    *rows, length = shape
    half = length // 2
    nothing = constant(0, "float32")

    def in_stages() -> Array:
        def whole(*i: Expr) -> Expr:
            *row, k = i
            return select(k > half, conjugate(element(*row, simplify(length - k))), element(*i))

        return fourier(shape, whole, inverse=True, finish=lambda value, *_: _real(value) / length)

    if length % 2 or not _has_procedure(half):
        return in_stages()
    roots = _Roots(length, inverse=True)

    def of_neighbours(*i: Expr) -> Expr:
        *row, k = i
        is_first = call("equal", k, 0)

        def given(value: Expr) -> Expr:
            return _make_complex(_real(value), select(is_first, nothing, _imag(value)))

        one, mirrored = given(element(*i)), conjugate(given(element(*row, simplify(half - k))))
        odd = (one - mirrored) * roots.power(k)
        return one + mirrored + _make_complex(-_imag(odd), _real(odd))

    transformed = _transformed([*rows, half], of_neighbours, inverse=True)

    def sample(*i: Expr) -> Expr:
        *row, place = i
        pair = transformed(*row, quotient(place, 2))
        return select(call("equal", modulo(place, 2), 0), _real(pair), _imag(pair)) * (1 / length)

    return instead(compute(shape, sample), in_stages)


def _has_procedure(length: int) -> bool:
    factors, rest = _factors(length)
    return rest == 1 and len(factors) > 1 and max(factors) <= LARGEST_BUTTERFLY


def _transformed(shape: Sequence[int], element: Element, inverse: bool) -> Element:
    """The elements of transforms of rows, of a length that has a procedure."""
    *rows, length = shape
    factors, _ = _factors(length)
    pairs = [fresh_index(size) for size in shape]
    body = element(*(expression for _, expression in pairs))
    axes = tuple(index for index, _ in pairs)
    procedure = Transform(axes, body, _Roots(length, inverse).parts(), tuple(factors), inverse)
    part = aligned(length)
    parts = Array([*rows, 4 * part], "float32", procedure=procedure)

    def transformed(*i: Expr) -> Expr:
        *row, k = i
        return _make_complex(parts[*row, k], parts[*row, k + part])

    return transformed


def _in_stages(
    shape: Sequence[int],
    shape_of_result: Sequence[int],
    element: Element,
    factors: Sequence[int],
    inverse: bool,
    finish: Finish,
) -> Array:
    length = shape[-1]
    roots = _Roots(length, inverse)
    stride = 1
    for radix in factors:
        is_last = stride * radix == length
        body = _combined(element, length, stride, radix, roots, inverse)
        result = _stage(shape_of_result if is_last else shape, body, finish if is_last else _unchanged)
        element = _elements(result)
        stride *= radix
    return result


def conjugate(value: Expr) -> Expr:
    """A complex number with its imaginary part negated."""
    return _make_complex(_real(value), -_imag(value))


def _factors(length: int) -> tuple[list[int], int]:
    """The factors of a length that make stages, and the rest, in which primes are too large."""
    found = []
    for factor in (4, 2, *range(3, LARGEST_FACTOR + 1, 2)):
        while length > 1 and length % factor == 0:
            found.append(factor)
            length //= factor
    return found, length


def _elements(array: Array) -> Element:
    return lambda *i: array[i]


def _stage(shape: Sequence[int], body: Element, finish: Finish) -> Array:
    return compute(shape, lambda *i: finish(body(*i), *i))


class _Roots:
    """The powers of the first root of unity of an order, in a table."""

    def __init__(self, order: int, inverse: bool) -> None:
        self.order = order
        self._inverse = inverse
        self._table = compute([order], lambda k: _root(k, order))

    def power(self, exponent: Expr) -> Expr:
        """The root to the power of an exponent below the order."""
        value = self._table[exponent]
        return conjugate(value) if self._inverse else value

    def parts(self) -> Array:
        """The real parts of all powers, and the imaginary ones, `[2, order]`."""

        def part(number: Expr, k: Expr) -> Expr:
            value = _root(k, self.order)
            imaginary = -_imag(value) if self._inverse else _imag(value)
            return select(call("equal", number, 0), _real(value), imaginary)

        return compute([2, self.order], part)

    def turned(self) -> _Roots:
        """Those of the transform in the other direction, from the same table."""
        other = object.__new__(_Roots)
        other.order, other._inverse, other._table = self.order, not self._inverse, self._table
        return other


def _root(k: Expr, order: int) -> Expr:
    """exp(-2 pi i k / order), by the nearest quarter of a turn and the angle from there."""
    quarter = quotient(k * 4 + order // 2, order)
    rest = simplify(k * 4 - quarter * order)
    angle = cast(rest, "float32") * (pi / 2 / order)
    square = angle * angle
    cosine = _polynomial(square, [(-1) ** n / factorial(2 * n) for n in range(6)])
    sine = angle * _polynomial(square, [(-1) ** n / factorial(2 * n + 1) for n in range(5)])
    turned = call("equal", modulo(quarter, 2), 1)
    real, imag = select(turned, -sine, cosine), select(turned, cosine, sine)
    back = call("equal", modulo(quotient(quarter, 2), 2), 1)
    return _make_complex(select(back, -real, real), select(back, imag, -imag))


def _polynomial(x: Expr, coefficients: Sequence[float]) -> Expr:
    last, *others = reversed(coefficients)
    return reduce(lambda value, coefficient: value * x + coefficient, others, constant(last, "float32"))


# --- stages --------------------------------------------------------------------------------------------------


def _combined(element: Element, length: int, stride: int, radix: int, roots: _Roots, inverse: bool) -> Element:
    """What a stage makes of the elements before it."""
    parts = length // stride // radix

    def body(*i: Expr) -> Expr:
        *row, place = i
        q, block = modulo(place, stride), quotient(place, stride)
        t, p = modulo(block, radix), quotient(block, radix)

        def part(u: Expr | int) -> Expr:
            return element(*row, simplify(q + (p + u * parts) * stride))

        if radix == 2:
            total = _of_two(part, t)
        elif radix == 4:
            total = _of_four(part, t, inverse)
        else:
            turns = length // radix
            total = sum_over([radix], lambda u: part(u) * roots.power(modulo(u * t, radix) * turns))
        return total if parts == 1 else total * roots.power(simplify(p * t * stride))

    return body


def _of_two(part: Callable[[Expr | int], Expr], t: Expr) -> Expr:
    second = part(1)
    return part(0) + select(call("equal", t, 0), second, -second)


def _of_four(part: Callable[[Expr | int], Expr], t: Expr, inverse: bool) -> Expr:
    first, second, third, fourth = map(part, range(4))
    even = call("equal", modulo(t, 2), 0)
    across = second - fourth
    turned = _make_complex(-_imag(across), _real(across)) if inverse else _make_complex(_imag(across), -_real(across))
    one = select(even, first + third, first - third)
    other = select(even, second + fourth, turned)
    return one + select(t < 2, other, -other)


# --- lengths with large primes -------------------------------------------------------------------------------


def _as_convolution(
    shape: Sequence[int], shape_of_result: Sequence[int], element: Element, inverse: bool, finish: Finish
) -> Array:
    """As k n = (k² + n² - (k - n)²) / 2, the transform is a convolution of what is multiplied by a chirp."""
    *rows, length = shape
    if length > LONGEST_CHIRP:
        raise ValueError(
            f"A Fourier transform of {length} samples has a prime factor above {LARGEST_FACTOR}, which is supported up "
            f"to {LONGEST_CHIRP} samples; pad or cut the rows to a length of small factors."
        )
    roots = _Roots(2 * length, inverse)
    chirp = compute([length], lambda k: roots.power(_square_modulo(k, length)))
    padded = 1 << (2 * length - 2).bit_length()
    nothing = constant(0, "complex64")

    def multiplied(*i: Expr) -> Expr:
        k = i[-1]
        return select(k < length, element(*i) * chirp[k], nothing)

    def chirp_around(k: Expr) -> Expr:
        """The conjugate chirp, forwards from the start and backwards from the end."""
        behind = padded - k
        return select(k < length, conjugate(chirp[k]), select(behind < length, conjugate(chirp[behind]), nothing))

    values = fourier([*rows, padded], multiplied)
    weights = fourier([padded], chirp_around)

    def scaled(value: Expr, *i: Expr) -> Expr:
        return finish(value * chirp[i[-1]] * (1 / padded), *i)

    return fourier(
        [*rows, padded],
        lambda *i: values[i] * weights[i[-1]],
        inverse=True,
        wanted=shape_of_result[-1],
        finish=scaled,
    )


def _square_modulo(k: Expr, length: int) -> Expr:
    """k² modulo twice a length that k is below, without overflow."""
    order = 2 * length
    if (length - 1) ** 2 < 2**31:
        return modulo(k * k, order)
    high, low = quotient(k, 1024), modulo(k, 1024)
    return modulo(modulo(modulo(k * high, order) * 1024, order) + modulo(k * low, order), order)
