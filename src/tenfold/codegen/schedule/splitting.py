"""Axes taken apart where a body asks for their quotients and remainders: two axes that are known say both at once.

What repeats along an axis is then read as it lies, where quotients and remainders would have to be computed for each
element, and each element be looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tenfold.codegen.compute import Index, fresh_index, simplify
from tenfold.codegen.expr import Expr
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


def _divided(axes: Sequence[Index], body: Expr) -> tuple[int, int] | None:
    """The place of an axis that is divided by a divisor of its length, and the least such divisor."""
    places = {axis.number: place for place, axis in enumerate(axes)}
    found: list[tuple[int, int]] = []
    seen, waiting = {id(body)}, [body]
    while waiting:
        expr = waiting.pop()
        if expr.function in ("floor_divide", "remainder") and expr.dtype == "int32":
            dividend, by = expr.arguments
            if dividend.function == "index" and by.function == "constant" and dividend.value.number in places:
                place, divisor = places[dividend.value.number], int(by.value)
                if SHORTEST <= divisor < axes[place].length and axes[place].length % divisor == 0:
                    found.append((divisor, place))
        for argument in expr.arguments:
            if id(argument) not in seen:
                seen.add(id(argument))
                waiting.append(argument)
    if not found:
        return None
    divisor, place = min(found)
    return place, divisor
