"""Axes taken apart where a body asks for their quotients and remainders: two axes that are known say both at once.

What repeats along an axis is then read as it lies, where quotients and remainders would have to be computed for each
element, and each element be looked up. Of an axis that is taken apart into pairs, the two of a pair are computed side
by side, as if they were the parts of a complex number: vectors of either are woven into one another when they are
stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tenfold.codegen.compute import Index, fresh_index, simplify
from tenfold.codegen.expr import Expr, call
from tenfold.codegen.linear import Substitution
from tenfold.codegen.schedule.body import Access

SHORTEST: Final = 8
"""Axes are not taken apart into shorter ones: these would leave lanes empty."""


def split(axes: Sequence[Index], body: Expr, written: Access) -> tuple[list[Index], Expr]:
    """The axes, and the body in terms of them.

    Args:
        axes: from the outermost to the innermost.
        body: what is computed along them.
        written: where it is stored; changed accordingly.
    """
    result = list(axes)
    while (found := _divided(result, body)) is not None:
        place, divisor = found
        axis = result[place]
        (outer, high), (inner, low) = fresh_index(axis.length // divisor), fresh_index(divisor)
        body = Substitution({axis.number: simplify(high * divisor + low)}).of(body)
        step = written.terms.pop(axis.number)
        written.terms |= {outer.number: step * divisor, inner.number: step}
        result[place : place + 1] = [outer, inner]
    return result, body


def in_pairs(axes: Sequence[Index], body: Expr, written: Access) -> tuple[list[Index], Expr, Access] | None:
    """The same of the halved innermost axis: the body gives neighbours as a complex number, which is stored as such.

    None where the body does not ask which of two neighbours an element is, or is more than loads and arithmetic.
    """
    if written.dtype != "float32" or not axes:
        return None
    *others, last = axes
    steps = [*(written.step(axis.number) for axis in others), written.constant, last.length]
    if written.step(last.number) != 1 or any(step % 2 for step in steps):
        return None
    nodes = _nodes(body)
    if any(node.function == "reduce" for node in nodes) or (len(others), 2) not in _divisions(axes, nodes):
        return None
    pair, number = fresh_index(last.length // 2)
    sides = [Substitution({last.number: simplify(number * 2 + side)}).of(body) for side in (0, 1)]
    terms = {axis.number: written.step(axis.number) // 2 for axis in others if axis.number in written.terms}
    both = Access(None, "complex64", {**terms, pair.number: 1}, [], written.constant // 2)
    return [*others, pair], call("complex", *sides), both


def _divided(axes: Sequence[Index], body: Expr) -> tuple[int, int] | None:
    """The place of an axis that is divided by a divisor of its length, and the least such divisor."""
    found = [
        (divisor, place)
        for place, divisor in _divisions(axes, _nodes(body))
        if SHORTEST <= divisor < axes[place].length and axes[place].length % divisor == 0
    ]
    if not found:
        return None
    divisor, place = min(found)
    return place, divisor


def _divisions(axes: Sequence[Index], nodes: Iterable[Expr]) -> set[tuple[int, int]]:
    """Places of axes that are divided, and by what."""
    places = {axis.number: place for place, axis in enumerate(axes)}
    found = set()
    for expr in nodes:
        if expr.function in ("floor_divide", "remainder") and expr.dtype == "int32":
            dividend, by = expr.arguments
            if dividend.function == "index" and by.function == "constant" and dividend.value.number in places:
                found.add((places[dividend.value.number], int(by.value)))
    return found


def _nodes(body: Expr) -> list[Expr]:
    """All of an expression, each once."""
    found, seen, waiting = [], {id(body)}, [body]
    while waiting:
        expr = waiting.pop()
        found.append(expr)
        for argument in expr.arguments:
            if id(argument) not in seen:
                seen.add(id(argument))
                waiting.append(argument)
    return found
