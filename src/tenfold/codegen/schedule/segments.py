"""A stage cut where its conditions change: each segment of it knows how they turn out.

A padded copy is three segments along each axis, two of a constant and a plain copy between; a concatenation is a copy
for each input. Only conditions that compare one axis of the output with a constant cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Final, NamedTuple

from tenfold.codegen.compute import Array, Index, compute, simplify
from tenfold.codegen.expr import Expr, call
from tenfold.codegen.linear import Substitution, linear

MOST_SEGMENTS: Final = 18
_COMPARISONS: Final = {"less": 0, "greater_equal": 0, "less_equal": 1, "greater": 1, "equal": 0, "not_equal": 0}


class Segment(NamedTuple):
    """A box of a stage's output.

    Attributes:
        axes: an index variable for each axis of the output, running from 0 through the box.
        start: the box's first index along each axis.
        body: the element, in terms of the axes.
    """

    axes: tuple[Index, ...]
    start: tuple[int, ...]
    body: Expr


def segments(array: Array) -> list[Segment]:
    """The boxes that a stage's output, which is not empty, is computed in."""
    stage = array.stage
    if stage is None:
        raise ValueError("Only the result of a stage has segments, not an input.")
    cuts = _chosen(_cuts(stage.axes, stage.body), stage.axes)
    if not cuts:
        return [Segment(stage.axes, (0,) * array.rank, stage.body)]
    runs = [list(pairwise([0, *sorted(cuts.get(axis.number, ())), axis.length])) for axis in stage.axes]
    return [_segment(stage.axes, stage.body, box) for box in product(*runs)]


def _segment(axes: Sequence[Index], body: Expr, box: Sequence[tuple[int, int]]) -> Segment:
    shape = [end - begin for begin, end in box]
    bindings: dict[int, Expr] = {}

    def bound(*indices: Expr) -> Expr:
        for axis, index, (begin, _) in zip(axes, indices, box, strict=True):
            bindings[axis.number] = simplify(index + begin)
        return Substitution(bindings).of(body)

    stage = compute(shape, bound).stage
    if stage is None:
        raise ValueError("A computed array has a stage.")
    return Segment(stage.axes, tuple(begin for begin, _ in box), stage.body)


def _chosen(cuts: dict[int, set[int]], axes: Sequence[Index]) -> dict[int, set[int]]:
    """As many of the cuts as give few segments, those of inner axes first."""
    chosen, count = {}, 1
    for axis in reversed(axes):
        places = cuts.get(axis.number)
        if places and count * (len(places) + 1) <= MOST_SEGMENTS:
            chosen[axis.number] = places
            count *= len(places) + 1
    return chosen


def _cuts(axes: Sequence[Index], body: Expr) -> dict[int, set[int]]:
    """Where comparisons of an axis with a constant change, by the axis's number."""
    lengths = {axis.number: axis.length for axis in axes}
    cuts: dict[int, set[int]] = {}
    seen, waiting = {id(body)}, [body]
    while waiting:
        expr = waiting.pop()
        if expr.function in _COMPARISONS and expr.arguments[0].dtype == "int32":
            for number, place in _places(expr):
                if 0 < place < lengths.get(number, 0):
                    cuts.setdefault(number, set()).add(place)
        for argument in expr.arguments:
            if id(argument) not in seen:
                seen.add(id(argument))
                waiting.append(argument)
    return cuts


def _places(comparison: Expr) -> list[tuple[int, int]]:
    """The axis that a comparison is about, and the indices at which it changes; nothing where there are more."""
    difference = linear(call("subtract", *comparison.arguments))
    if len(difference.terms) != 1:
        return []
    ((term, factor),) = difference.terms.values()
    if term.function != "index" or factor not in (1, -1):
        return []
    # factor * i + constant compared with 0 changes at i = -constant * factor, or after it.
    zero = -difference.constant * factor
    if comparison.function in ("equal", "not_equal"):
        return [(term.value.number, zero), (term.value.number, zero + 1)]
    after = _COMPARISONS[comparison.function] if factor == 1 else 1 - _COMPARISONS[comparison.function]
    return [(term.value.number, zero + after)]
