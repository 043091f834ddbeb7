"""Index arithmetic made simple, by what is known of the values of int32 expressions.

Indices have ranges, so that much of what a definition says in general is less in particular: `i // 4` of an index below
4 is 0, and an element that is found by its place in row-major order is found there. Sums are seen as terms, each a
factor times something that is no sum; quotients and remainders by positive numbers split them.

Values are taken to be whole numbers that do not overflow, as indices and positions are, and then none of the simpler
expressions does. What is simple already stays
the same node, so that renderers see what loads have in common. A leaf: it knows expressions and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from math import gcd
from typing import Final, NamedTuple

from tenfold.codegen.expr import Expr, call, constant

GREATEST: Final = 2**31 - 1


class Bounds(NamedTuple):
    """The least and the greatest value that an int32 expression can take; None where that is not known."""

    low: int | None
    high: int | None


UNKNOWN: Final = Bounds(None, None)


def bounds(expr: Expr) -> Bounds:
    """What is known of the values of an int32 expression."""
    known: Bounds | None = expr.known
    if known is None:
        known = expr.known = _bounds(expr)
    return known


def _bounds(expr: Expr) -> Bounds:
    if expr.function == "constant":
        return Bounds(int(expr.value), int(expr.value))
    if expr.function == "index":
        return Bounds(0, expr.value.length - 1)
    if expr.function == "cast":
        return Bounds(0, 1) if expr.arguments[0].dtype == "bool" else UNKNOWN
    if expr.function == "reduce":
        kind, ranges = expr.value
        return Bounds(0, max(ranges[0].length - 1, 0)) if kind.startswith("arg") else UNKNOWN
    rule = _BOUND_RULES.get(expr.function)
    if rule is None or any(argument.dtype != "int32" for argument in expr.arguments[-2:]):
        return UNKNOWN
    return rule(*(bounds(argument) for argument in expr.arguments[-2:]))


def _add_bounds(a: Bounds, b: Bounds) -> Bounds:
    return Bounds(_both(a.low, b.low, int.__add__), _both(a.high, b.high, int.__add__))


def _subtract_bounds(a: Bounds, b: Bounds) -> Bounds:
    return Bounds(_both(a.low, b.high, int.__sub__), _both(a.high, b.low, int.__sub__))


def _multiply_bounds(a: Bounds, b: Bounds) -> Bounds:
    if None in a or None in b:
        return UNKNOWN
    products = [x * y for x in a for y in b if x is not None and y is not None]
    return Bounds(min(products), max(products))


def _floor_divide_bounds(a: Bounds, b: Bounds) -> Bounds:
    if b.low is None or b.low != b.high or b.low <= 0:
        return UNKNOWN
    return Bounds(None if a.low is None else a.low // b.low, None if a.high is None else a.high // b.low)


def _remainder_bounds(a: Bounds, b: Bounds) -> Bounds:
    if b.low is None or b.low <= 0 or b.high is None:
        return UNKNOWN
    most = b.high - 1
    return Bounds(0, most if a.low is None or a.low < 0 or a.high is None else min(most, a.high))


def _either_bounds(a: Bounds, b: Bounds) -> Bounds:
    return Bounds(_both(a.low, b.low, min), _both(a.high, b.high, max))


def _maximum_bounds(a: Bounds, b: Bounds) -> Bounds:
    lows = [low for low in (a.low, b.low) if low is not None]
    return Bounds(max(lows, default=None), _both(a.high, b.high, max))


def _minimum_bounds(a: Bounds, b: Bounds) -> Bounds:
    highs = [high for high in (a.high, b.high) if high is not None]
    return Bounds(_both(a.low, b.low, min), min(highs, default=None))


def _both(a: int | None, b: int | None, combine: Callable[[int, int], int]) -> int | None:
    return None if a is None or b is None else combine(a, b)


_BOUND_RULES: Final[dict[str, Callable[[Bounds, Bounds], Bounds]]] = {
    "add": _add_bounds,
    "subtract": _subtract_bounds,
    "multiply": _multiply_bounds,
    "floor_divide": _floor_divide_bounds,
    "remainder": _remainder_bounds,
    "select": _either_bounds,
    "maximum": _maximum_bounds,
    "minimum": _minimum_bounds,
}


# --- simplification ------------------------------------------------------------------------------------------


def simplify(expr: Expr) -> Expr:
    """An int32 expression with its arithmetic folded, by what is known of the ranges."""
    if expr.simple or expr.dtype != "int32" or expr.function not in _SIMPLIFIERS:
        return expr
    a, b = (simplify(argument) for argument in expr.arguments)
    if a.function == b.function == "constant":
        return _number(_fold(expr.function, int(a.value), int(b.value)))
    simpler = _SIMPLIFIERS[expr.function](a, b)
    result = expr if _is_same(expr, simpler) else simpler
    result.simple = True
    return result


def _is_same(a: Expr, b: Expr) -> bool:
    """Whether two calls are one of the same function, on the same nodes or equal numbers."""
    return a.function == b.function and all(
        x is y or (x.function == y.function == "constant" and x.value == y.value)
        for x, y in zip(a.arguments, b.arguments, strict=True)
    )


def _fold(function: str, a: int, b: int) -> int:
    if function in ("floor_divide", "remainder") and b == 0:
        return 0
    return _FOLDS[function](a, b)


_FOLDS: Final[dict[str, Callable[[int, int], int]]] = {
    "add": int.__add__,
    "subtract": int.__sub__,
    "multiply": int.__mul__,
    "floor_divide": int.__floordiv__,
    "remainder": int.__mod__,
    "maximum": max,
    "minimum": min,
}


def _number(value: int) -> Expr:
    return constant(value, "int32")


def _is(expr: Expr, value: int) -> bool:
    return expr.function == "constant" and expr.value == value


def _simple_add(a: Expr, b: Expr) -> Expr:
    if a.function == "constant":
        a, b = b, a
    if _is(b, 0):
        return a
    if a.function == b.function == "constant":
        return _number(int(a.value) + int(b.value))
    if b.function == "constant" and a.function == "add" and a.arguments[1].function == "constant":
        return _simple_add(a.arguments[0], _number(int(a.arguments[1].value) + int(b.value)))
    return _fewest(call("add", a, b))


def _simple_subtract(a: Expr, b: Expr) -> Expr:
    return _simple_add(a, _number(-int(b.value))) if b.function == "constant" else _fewest(call("subtract", a, b))


def _fewest(plain: Expr) -> Expr:
    """A sum, written anew if its terms have something in common that makes it shorter."""
    terms = _Sum()
    terms.add(plain.arguments[0], 1)
    before = len(terms), terms.number
    other = _Sum()
    other.add(plain.arguments[1], 1 if plain.function == "add" else -1)
    after = len(other), other.number
    terms.add_all(other, 1)
    joined = _join_remainders(terms)
    if not joined and len(terms) == before[0] + after[0] and not (before[1] and after[1]):
        return plain
    written = terms.expression()
    return written if _operations(written) < _operations(plain) else plain


def _operations(expr: Expr) -> int:
    """How many operations index arithmetic needs, whatever it is about."""
    if expr.function not in _SIMPLIFIERS:
        return 0
    return 1 + sum(map(_operations, expr.arguments))


def _simple_multiply(a: Expr, b: Expr) -> Expr:
    if a.function == "constant":
        a, b = b, a
    if _is(b, 0):
        return b
    if _is(b, 1):
        return a
    if a.function == b.function == "constant":
        return _number(int(a.value) * int(b.value))
    if b.function == "constant" and a.function == "multiply" and a.arguments[1].function == "constant":
        return _simple_multiply(a.arguments[0], _number(int(a.arguments[1].value) * int(b.value)))
    return call("multiply", a, b)


def _simple_maximum(a: Expr, b: Expr) -> Expr:
    return _ordered(a, b, call("maximum", a, b), greater=True)


def _simple_minimum(a: Expr, b: Expr) -> Expr:
    return _ordered(a, b, call("minimum", a, b), greater=False)


def _ordered(a: Expr, b: Expr, otherwise: Expr, greater: bool) -> Expr:
    (low_a, high_a), (low_b, high_b) = bounds(a), bounds(b)
    if low_a is not None and high_b is not None and low_a >= high_b:
        return a if greater else b
    if low_b is not None and high_a is not None and low_b >= high_a:
        return b if greater else a
    return otherwise


def _simple_floor_divide(a: Expr, b: Expr) -> Expr:
    return _divided(a, int(b.value)) if _is_divisor(b) else call("floor_divide", a, b)


def _simple_remainder(a: Expr, b: Expr) -> Expr:
    return _reduced(a, int(b.value)) if _is_divisor(b) else call("remainder", a, b)


def _is_divisor(expr: Expr) -> bool:
    return expr.function == "constant" and expr.value > 0


_SIMPLIFIERS: Final[dict[str, Callable[[Expr, Expr], Expr]]] = {
    "add": _simple_add,
    "subtract": _simple_subtract,
    "multiply": _simple_multiply,
    "floor_divide": _simple_floor_divide,
    "remainder": _simple_remainder,
    "maximum": _simple_maximum,
    "minimum": _simple_minimum,
}


# --- sums of terms -------------------------------------------------------------------------------------------


class _Term(NamedTuple):
    """A factor times what is no sum."""

    atom: Expr
    factor: int


class _Sum:
    """Terms by what they are made of, and a number."""

    def __init__(self) -> None:
        self.terms: dict[Hashable, _Term] = {}
        self.number = 0

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[tuple[Hashable, _Term]]:
        return iter(list(self.terms.items()))

    def add(self, expr: Expr, factor: int) -> None:
        """Add a simple expression that many times."""
        if expr.function == "constant":
            self.number += factor * int(expr.value)
        elif expr.function == "multiply" and expr.arguments[1].function == "constant":
            self.add(expr.arguments[0], factor * int(expr.arguments[1].value))
        elif expr.function in ("add", "subtract"):
            self.add(expr.arguments[0], factor)
            self.add(expr.arguments[1], factor if expr.function == "add" else -factor)
        else:
            self.add_term(_atom_key(expr), _Term(expr, factor))

    def add_term(self, key: Hashable, term: _Term) -> None:
        """Add one term; those that come to nothing vanish."""
        known = self.terms.get(key)
        factor = term.factor + (known.factor if known else 0)
        if factor:
            self.terms[key] = _Term(known.atom if known else term.atom, factor)
        else:
            self.terms.pop(key, None)

    def add_all(self, other: _Sum, factor: int) -> None:
        """Add another sum that many times."""
        self.number += factor * other.number
        for key, term in other:
            self.add_term(key, _Term(term.atom, factor * term.factor))

    def factor(self, key: Hashable) -> int:
        """How often a term is in the sum."""
        term = self.terms.get(key)
        return term.factor if term else 0

    def bounds(self) -> Bounds:
        """What is known of its value."""
        total = Bounds(self.number, self.number)
        for _, (atom, factor) in self:
            total = _add_bounds(total, _multiply_bounds(bounds(atom), Bounds(factor, factor)))
        return total

    def expression(self) -> Expr:
        """The sum as an expression, what is subtracted at the end."""
        ordered = sorted(self.terms.values(), key=lambda term: term.factor < 0)
        begins = not ordered or (ordered[0].factor < 0 and self.number != 0)
        if begins:
            result = _number(self.number)
        else:
            first = ordered.pop(0)
            result = _simple_multiply(first.atom, _number(first.factor))
        for atom, factor in ordered:
            product = _simple_multiply(atom, _number(abs(factor)))
            result = call("add" if factor > 0 else "subtract", result, product)
        return result if begins or not self.number else call("add", result, self.number)

    def split(self, divisor: int) -> tuple[_Sum, _Sum]:
        """The terms whose factors a number divides, divided by it; and the rest, with the number of the sum."""
        multiples, rest = _Sum(), _Sum()
        rest.number = self.number
        for key, (atom, factor) in self:
            if factor % divisor:
                rest.terms[key] = _Term(atom, factor)
            else:
                multiples.terms[key] = _Term(atom, factor // divisor)
        return multiples, rest

    def within(self, divisor: int) -> int | None:
        """The quotient of all its values by a number, where they have the same."""
        low, high = self.bounds()
        if low is None or high is None or low // divisor != high // divisor:
            return None
        return low // divisor


def _sum_of(expr: Expr) -> _Sum:
    terms = _Sum()
    terms.add(expr, 1)
    return terms


def _key(expr: Expr) -> Hashable:
    """Equal for simple expressions that say the same, as far as that is seen at once."""
    if expr.function == "constant":
        return int(expr.value)
    if expr.function not in ("add", "subtract", "multiply"):
        return _atom_key(expr)
    terms = _sum_of(expr)
    if len(terms) == 1 and not terms.number:
        ((key, (_, factor)),) = terms
        if factor == 1:
            return key
    return "sum", terms.number, frozenset((key, factor) for key, (_, factor) in terms)


def _atom_key(expr: Expr) -> Hashable:
    if expr.function == "index":
        return "index", expr.value.number
    if expr.function in _SIMPLIFIERS:
        return expr.function, *map(_key, expr.arguments)
    return id(expr)


# --- quotients and remainders --------------------------------------------------------------------------------


def _divided(a: Expr, divisor: int) -> Expr:
    """The floored quotient of a simple expression by a positive number."""
    if divisor == 1:
        return a
    low, high = bounds(a)
    if low is not None and high is not None and low // divisor == high // divisor:
        return _number(low // divisor)
    multiple, other = _split_multiple(a, divisor)
    if multiple is not None:
        return _simple_add(multiple, _divided(other, divisor))
    multiples, rest = _sum_of(a).split(divisor)
    # What is divided does not become negative, where that is known, and is not greater than it must be.
    shift = _whole(rest, divisor)
    multiples.number, rest.number = shift, rest.number - shift * divisor
    if multiples.terms or shift:
        return _simple_add(multiples.expression(), _divided(rest.expression(), divisor))
    for common in _common_factors(rest, divisor):
        scaled, small = rest.split(common)
        within = small.within(common)
        if within is not None:
            scaled.number = within
            return _divided(scaled.expression(), divisor // common)
    nested = _divided_again(rest, divisor)
    return call("floor_divide", a, divisor) if nested is None else nested


def _divided_again(terms: _Sum, divisor: int) -> Expr | None:
    """The quotient of a quotient, (x // n + number) // divisor, or of a remainder, x % n // divisor, as one."""
    if len(terms) != 1:
        return None
    ((_, (atom, factor)),) = terms
    if factor != 1 or atom.function not in ("floor_divide", "remainder") or not _is_divisor(atom.arguments[1]):
        return None
    inner, n = atom.arguments[0], int(atom.arguments[1].value)
    if atom.function == "floor_divide" and n * divisor <= GREATEST:
        shifted = _sum_of(inner)
        shifted.number += n * terms.number
        if terms.number == 0 or _fits(shifted.bounds()):
            return _divided(shifted.expression() if terms.number else inner, n * divisor)
    if atom.function == "remainder" and n % divisor == 0 and not terms.number:
        return _reduced(_divided(inner, divisor), n // divisor)
    return None


def _reduced(a: Expr, divisor: int) -> Expr:
    """The remainder of a simple expression by a positive number."""
    if divisor == 1:
        return _number(0)
    low, high = bounds(a)
    if low is not None and high is not None and low // divisor == high // divisor:
        return _simple_add(a, _number(-(low // divisor) * divisor))
    multiple, other = _split_multiple(a, divisor)
    if multiple is not None:
        return _reduced(other, divisor)
    terms = _sum_of(a)
    if _drop_multiples(terms, divisor):
        return _reduced(terms.expression(), divisor)
    for common in _common_factors(terms, divisor):
        scaled, small = terms.split(common)
        within = small.within(common)
        if within is not None:
            scaled.number = within
            small.number -= within * common
            product = _simple_multiply(_reduced(scaled.expression(), divisor // common), _number(common))
            return _simple_add(product, small.expression())
    return call("remainder", a, divisor)


def _drop_multiples(terms: _Sum, divisor: int) -> bool:
    """Take from a sum what makes no difference for its remainder; whether there was something."""
    changed = False
    for key, (atom, factor) in terms:
        small = factor % divisor
        if 2 * small > divisor and factor < 0:
            small -= divisor
        if small != factor:
            terms.add_term(key, _Term(atom, small - factor))
            changed = True
        if not small or atom.function != "remainder" or not _is_divisor(atom.arguments[1]):
            continue
        if small * int(atom.arguments[1].value) % divisor == 0:
            whole = _sum_of(atom.arguments[0])
            terms.add_term(key, _Term(atom, -small))
            terms.add_all(whole, small)
            if _fits(terms.bounds()):
                changed = True
            else:
                terms.add_all(whole, -small)
                terms.add_term(key, _Term(atom, small))
    shift = _whole(terms, divisor)
    terms.number -= shift * divisor
    return changed or shift != 0


def _fits(known: Bounds) -> bool:
    """Whether a sum surely does not overflow that was not there before."""
    return known.low is not None and known.high is not None and max(-known.low, known.high) <= GREATEST


def _whole(terms: _Sum, divisor: int) -> int:
    """How often a number is in the least value of a sum, or where that is not known, in the sum's number."""
    low = terms.bounds().low
    return (terms.number if low is None else low) // divisor


def _common_factors(terms: _Sum, divisor: int) -> list[int]:
    """Factors that a divisor has in common with factors of terms, the greatest first."""
    found = {gcd(factor, divisor) for _, (_, factor) in terms}
    return sorted(found - {1}, reverse=True)


def _split_multiple(a: Expr, divisor: int) -> tuple[Expr | None, Expr]:
    """`a` as divisor * multiple + rest, where a term of the sum is seen to be a multiple; else (None, a)."""
    quotient = _exact_quotient(a, divisor)
    if quotient is not None:
        return quotient, _number(0)
    if a.function == "add":
        for term, other in (a.arguments, a.arguments[::-1]):
            quotient = None if term.function == "constant" else _exact_quotient(term, divisor)
            if quotient is not None:
                return quotient, other
    return None, a


def _exact_quotient(term: Expr, divisor: int) -> Expr | None:
    if term.function == "constant" and term.value % divisor == 0:
        return _number(int(term.value) // divisor)
    if term.function == "multiply" and term.arguments[1].function == "constant":
        factor = int(term.arguments[1].value)
        if factor % divisor == 0:
            return _simple_multiply(term.arguments[0], _number(factor // divisor))
    return None


def _join_remainders(terms: _Sum) -> bool:
    """Put together what quotients and remainders took apart; whether there was something.

    `x // n * n + x % n` is x, and `x // n % m * n + x % n` is x % (n * m).
    """
    changed, again = False, True
    while again:
        again = any(_join(terms, key) for key, _ in terms)
        changed = changed or again
    return changed


def _join(terms: _Sum, key: Hashable) -> bool:
    """Put together a remainder and the quotient that belongs to it, if both are in the sum."""
    atom, factor = terms.terms[key]
    if atom.function != "remainder" or not _is_divisor(atom.arguments[1]):
        return False
    x, n = atom.arguments[0], int(atom.arguments[1].value)
    quotient = _divided(x, n)
    parts = _sum_of(quotient)
    if parts.terms and all(terms.factor(part) == term.factor * factor * n for part, term in parts):
        terms.add_term(key, _Term(atom, -factor))
        terms.add_all(parts, -factor * n)
        terms.add_all(_sum_of(x), factor)
        return True
    for other, (candidate, times) in terms:
        if times != factor * n or candidate.function != "remainder" or not _is_divisor(candidate.arguments[1]):
            continue
        m = int(candidate.arguments[1].value)
        if n * m <= GREATEST and _key(candidate.arguments[0]) == _key(quotient):
            terms.add_term(key, _Term(atom, -factor))
            terms.add_term(other, _Term(candidate, -times))
            terms.add_all(_sum_of(_reduced(x, n * m)), factor)
            return True
    return False
