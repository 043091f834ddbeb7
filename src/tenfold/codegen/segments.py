"""Elements with keys, summed or picked by key: what scatters, counts and gradients of gathers have in common.

Nothing is written to a place that data names, as shaders cannot: each result looks for what belongs to it. Where few
elements meet few results it asks each of them. Otherwise the elements are sorted by key first, and bisection finds
where a key ends; sums over neighbours of the same key are then made by runs, and runs of runs.

A machine that may write where data says goes by a procedure, which takes each element once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Final

from tenfold.codegen.compute import Array, both, compute, flatten, fresh_index, in_range, reduce, simplify
from tenfold.codegen.expr import Expr, call, select
from tenfold.codegen.procedures import Scatter
from tenfold.codegen.reductions import Element, reduce_axes
from tenfold.codegen.sorting import first_in_order, how_many

CHEAP: Final = 1 << 20
"""So many comparisons take less time than the stages of a sort."""

RUN: Final = 16
"""So many neighbours are summed in a step."""

_NOTHING: Final = {"sum": 0, "any": False}


def segment_sums(kind: str, keys: Array, segments: Sequence[int], inner: Sequence[int], value: Element) -> Array:
    """The sums of all values that have the same key.

    Args:
        kind: `sum`, or `any` for bools.
        keys: int32 array `[..., elements]`; keys below 0 and from the number of segments on belong to none.
        segments: the axes whose positions in row-major order are the keys.
        inner: axes that the values have for themselves.
        value: from the indices of rows, element and inner axes to a value.

    Returns:
        Array `[..., *segments, *inner]`.
    """

    def in_stages() -> Array:
        return _sums_in_stages(kind, keys, segments, inner, value)

    return _scattered(kind, keys, segments, inner, value, in_stages)


def _scattered(
    kind: str,
    keys: Array,
    segments: Sequence[int],
    inner: Sequence[int],
    value: Element,
    in_stages: Callable[[], Array],
) -> Array:
    """What a procedure computes, or stages."""
    rows = keys.rank - 1
    pairs = [fresh_index(length) for length in (*keys.shape, *inner)]
    axes, at = [index for index, _ in pairs], [expression for _, expression in pairs]
    body = value(*at)
    procedure = Scatter(
        kind,
        tuple(axes[:rows]),
        axes[rows],
        tuple(axes[rows + 1 :]),
        keys[at[: rows + 1]],
        body,
        prod(segments),
    )
    return Array([*keys.shape[:-1], *segments, *inner], body.dtype, procedure=procedure, in_stages=in_stages)


def _sums_in_stages(kind: str, keys: Array, segments: Sequence[int], inner: Sequence[int], value: Element) -> Array:
    *rows, elements = keys.shape
    count, width = prod(segments), prod(inner)
    levels = _levels(elements)
    by_sorting = _sorting_steps(elements) + (levels * RUN * elements + count) * width + count * elements.bit_length()
    if prod(rows) * count * width * elements <= max(CHEAP, prod(rows) * by_sorting):
        return _sums_at_once(kind, keys, segments, inner, value)
    order, ordered = _sorted(keys)

    def first(*i: Expr) -> Expr:
        at = len(rows)
        return value(*i[:at], order[i[: at + 1]], *i[at + 1 :])

    sums, reach = first, 1
    for _ in range(levels):
        sums, reach = _sums_of_neighbours(kind, ordered, inner, sums, reach), reach * RUN

    ends = _ends(ordered, count)

    def element(row: Sequence[Expr], segment: Expr, *rest: Expr) -> Expr:
        last = simplify(ends[*row, segment] - 1)
        return select(_has(ordered, row, last, segment), sums(*row, last, *rest), _NOTHING[kind])

    return _by_segment(rows, segments, inner, element)


def last_places(keys: Array, segments: Sequence[int]) -> Array:
    """The place of the last element of each key, negative where there is none; see `segment_sums`."""

    def in_stages() -> Array:
        return _last_in_stages(keys, segments)

    return _scattered("last", keys, segments, (), lambda *i: i[-1], in_stages)


def _last_in_stages(keys: Array, segments: Sequence[int]) -> Array:
    *rows, elements = keys.shape
    count = prod(segments)
    if prod(rows) * count * elements <= max(
        CHEAP, prod(rows) * (_sorting_steps(elements) + count * elements.bit_length())
    ):
        shape = [*rows, *segments, elements]

        def place(*i: Expr) -> Expr:
            *at, number = i
            row, segment = at[: len(rows)], flatten(at[len(rows) :], segments)
            return select(call("equal", keys[*row, number], segment), number, -1)

        # Of no elements the greatest is the least integer, which is negative, too.
        return reduce_axes("max", shape, [len(shape) - 1], place)
    order, ordered = _sorted(keys)
    ends = _ends(ordered, count)

    def element(row: Sequence[Expr], segment: Expr) -> Expr:
        last = simplify(ends[*row, segment] - 1)
        return select(_has(ordered, row, last, segment), order[*row, last], -1)

    return _by_segment(rows, segments, (), element)


def _sums_at_once(kind: str, keys: Array, segments: Sequence[int], inner: Sequence[int], value: Element) -> Array:
    *rows, elements = keys.shape
    shape = [*rows, *segments, *inner, elements]

    def contribution(*i: Expr) -> Expr:
        *at, number = i
        row, places, rest = at[: len(rows)], at[len(rows) : len(at) - len(inner)], at[len(at) - len(inner) :]
        belongs = call("equal", keys[*row, number], flatten(places, segments))
        return select(belongs, value(*row, number, *rest), _NOTHING[kind])

    return reduce_axes(kind, shape, [len(shape) - 1], contribution)


def _by_segment(
    rows: Sequence[int], segments: Sequence[int], inner: Sequence[int], element: Callable[..., Expr]
) -> Array:
    """An array of what is given for the indices of a row, the number of a segment and the inner indices."""

    def body(*i: Expr) -> Expr:
        first, last = len(rows), len(rows) + len(segments)
        return element(i[:first], flatten(i[first:last], segments), *i[last:])

    return compute([*rows, *segments, *inner], body)


def _sorted(keys: Array) -> tuple[Array, Array]:
    """The places of elements in the order of their keys, equal ones as they stand; and the keys in that order."""
    order = first_in_order(keys.shape, keys.shape[-1], lambda *i: keys[i], lambda a, b: a < b)
    return order, compute(keys.shape, lambda *i: keys[*i[:-1], order[i]])


def _ends(ordered: Array, count: int) -> Array:
    """For each key how many elements have it or a smaller one."""
    *rows, elements = ordered.shape

    def end(*i: Expr) -> Expr:
        *row, key = i
        return how_many(elements, lambda n: both(in_range(n - 1, elements), ordered[*row, n - 1] <= key))

    return compute([*rows, count], end)


def _has(ordered: Array, row: Sequence[Expr], place: Expr, key: Expr) -> Expr:
    return both(in_range(place, ordered.shape[-1]), call("equal", ordered[*row, place], key))


def _sums_of_neighbours(kind: str, ordered: Array, inner: Sequence[int], sums: Element, reach: int) -> Element:
    """For each element the sums of those up to it that have its key, `RUN` times as many as are summed already."""
    *rows, elements = ordered.shape
    at = len(rows)

    def body(*i: Expr) -> Expr:
        row, own, rest = i[:at], i[at], i[at + 1 :]

        def earlier(k: Expr) -> Expr:
            place = simplify(own - k * reach)
            return select(_has(ordered, row, place, ordered[*row, own]), sums(*row, place, *rest), _NOTHING[kind])

        return reduce(kind, [RUN], earlier)

    result = compute([*rows, elements, *inner], body)
    return lambda *i: result[i]


def _levels(elements: int) -> int:
    """How many times sums must reach further, until they reach over all elements."""
    levels = 0
    while RUN**levels < elements:
        levels += 1
    return levels


def _sorting_steps(elements: int) -> int:
    """About how many comparisons sorting takes."""
    return elements * (2 * RUN + elements.bit_length() ** 2)
