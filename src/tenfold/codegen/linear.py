"""Index arithmetic as linear combinations, and bodies with their indices replaced.

`linear` takes an int32 expression apart into multiples of what it cannot take apart further, and puts quotients and
remainders of the same number together again: row-major positions of indices that came out of a position become that
position. What renderers need to know of a load (how far apart neighbours are, whether they begin at a texel) can be
seen in the coefficients.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from tenfold.codegen.compute import Index, bounds, modulo, quotient, simplify
from tenfold.codegen.expr import Expr, constant, fingerprint, select


@dataclass(slots=True)
class Linear:
    """A sum of multiples and a constant.

    Attributes:
        terms: what is multiplied, and by what, keyed by `structure`.
        constant: what is added.
    """

    terms: dict[Hashable, tuple[Expr, int]] = field(default_factory=dict)
    constant: int = 0

    def coefficient(self, index: Index) -> int:
        """By what an index variable is multiplied; it may stand inside other terms, too."""
        found = self.terms.get(("index", index.number))
        return 0 if found is None else found[1]

    def without(self, index: Index) -> Linear:
        """What is left where the index variable is 0, but for what other terms hide."""
        key = ("index", index.number)
        return Linear({k: term for k, term in self.terms.items() if k != key}, self.constant)

    def is_multiple(self, divisor: int) -> bool:
        """Whether the sum is surely a multiple of `divisor`."""
        return self.constant % divisor == 0 and all(factor % divisor == 0 for _, factor in self.terms.values())

    def expression(self) -> Expr:
        """The sum as an expression."""
        total: Expr = constant(self.constant, "int32")
        for term, factor in sorted(self.terms.values(), key=lambda item: -abs(item[1])):
            total = simplify(simplify(term * factor) + total)
        return total

    def _add(self, term: Expr, factor: int) -> None:
        key = structure(term)
        _, before = self.terms.get(key, (term, 0))
        if before + factor:
            self.terms[key] = (term, before + factor)
        else:
            self.terms.pop(key, None)


def linear(expr: Expr) -> Linear:
    """An int32 expression as a linear combination."""
    result = Linear()
    _collect(expr, 1, result)
    while _recombined(result):
        pass
    return result


def linear_position(indices: Sequence[Expr], shape: Sequence[int]) -> Linear:
    """The position in row-major order of the element at `indices`."""
    result, stride = Linear(), 1
    for index, length in zip(reversed(indices), reversed(shape), strict=True):
        _collect(index, stride, result)
        stride *= length
    while _recombined(result):
        pass
    return result


def _collect(expr: Expr, factor: int, into: Linear) -> None:
    if factor == 0:
        return
    if expr.function == "constant":
        into.constant += factor * int(expr.value)
    elif expr.function in ("add", "subtract"):
        a, b = expr.arguments
        _collect(a, factor, into)
        _collect(b, factor if expr.function == "add" else -factor, into)
    elif expr.function == "multiply" and expr.arguments[1].function == "constant":
        _collect(expr.arguments[0], factor * int(expr.arguments[1].value), into)
    elif expr.function == "multiply" and expr.arguments[0].function == "constant":
        _collect(expr.arguments[1], factor * int(expr.arguments[0].value), into)
    elif expr.function == "negative":
        _collect(expr.arguments[0], -factor, into)
    else:
        into._add(expr, factor)


def _recombined(sum_: Linear) -> bool:
    """Put one quotient and its remainder together, where `n * (a // n) + a % n` makes `a`."""
    for rest, factor in list(sum_.terms.values()):
        if rest.function != "remainder" or rest.arguments[1].function != "constant":
            continue
        whole, divisor = rest.arguments
        twin = sum_.terms.get(("floor_divide", fingerprint(whole), fingerprint(divisor)))
        if twin is not None and twin[1] == factor * int(divisor.value):
            sum_._add(rest, -factor)
            sum_._add(*_negated(twin))
            _collect(whole, factor, sum_)
            return True
    return False


def _negated(term: tuple[Expr, int]) -> tuple[Expr, int]:
    return term[0], -term[1]


def structure(expr: Expr) -> Hashable:
    """What two expressions have in common that compute the same in the same way."""
    if expr.function == "constant":
        return "constant", expr.dtype, str(expr.value)
    if expr.function == "index":
        return "index", expr.value.number
    parts = tuple(fingerprint(argument) for argument in expr.arguments)
    if expr.function == "element":
        return "element", id(expr.value), *parts
    if expr.function == "reduce":
        kind, ranges = expr.value
        return "reduce", kind, tuple(index.number for index in ranges), *parts
    return expr.function if expr.function != "cast" else f"cast {expr.dtype}", *parts


Bindings = Mapping[int, Expr]
"""What index variables become, by their numbers."""


class Substitution:
    """Replaces index variables in expressions, which stay simplified; what was shared stays shared."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings
        self._done: dict[int, Expr] = {}
        self._kept: list[Expr] = []

    def of(self, expr: Expr) -> Expr:
        """The expression in terms of what the variables became."""
        found = self._done.get(id(expr))
        if found is None:
            found = self._done[id(expr)] = self._replaced(expr)
            self._kept.append(expr)
        return found

    def _replaced(self, expr: Expr) -> Expr:
        if expr.function == "index":
            return self._bindings.get(expr.value.number, expr)
        if not expr.arguments:
            return expr
        arguments = tuple(self.of(argument) for argument in expr.arguments)
        if all(a is b for a, b in zip(arguments, expr.arguments, strict=True)):
            return expr
        return rebuilt(expr, arguments)


def rebuilt(expr: Expr, arguments: tuple[Expr, ...]) -> Expr:
    """A node like `expr` with other arguments, folded where they decide it."""
    if expr.function == "select":
        return select(*arguments)
    if expr.function in _COMPARISONS and arguments[0].dtype == "int32":
        return _compared(expr, arguments)
    if expr.function in ("logical_and", "logical_or"):
        return _joined(expr, arguments)
    made = Expr(expr.function, arguments, expr.dtype, expr.value)
    if expr.dtype != "int32" or expr.function in ("element", "reduce", "cast", "constant", "index"):
        return made
    if expr.function in ("floor_divide", "remainder") and arguments[1].function == "constant":
        divisor = int(arguments[1].value)
        if divisor > 0:
            whole = linear(arguments[0]).expression()
            return quotient(whole, divisor) if expr.function == "floor_divide" else modulo(whole, divisor)
    return simplify(made)


_COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


def _compared(expr: Expr, arguments: tuple[Expr, ...]) -> Expr:
    (low, high), (least, most) = bounds(arguments[0]), bounds(arguments[1])
    if low is not None and high is not None and least is not None and most is not None:
        below, at_most, above, at_least = high < least, high <= least, low > most, low >= most
        same, apart = low == high == least == most, below or above
        always = dict(zip(_COMPARISONS, (below, at_most, above, at_least, same, apart), strict=True))
        never = dict(zip(_COMPARISONS, (at_least, above, at_most, below, apart, same), strict=True))
        if always[expr.function] or never[expr.function]:
            return constant(always[expr.function], "bool")
    return Expr(expr.function, arguments, "bool")


def _joined(expr: Expr, arguments: tuple[Expr, ...]) -> Expr:
    neutral = expr.function == "logical_and"
    for one, other in (arguments, arguments[::-1]):
        if one.function == "constant":
            return other if bool(one.value) == neutral else one
    return Expr(expr.function, arguments, "bool")
