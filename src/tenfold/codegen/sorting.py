"""Sorting along the last axis, in stages: positions are sorted by what stands at them.

Short runs are sorted by counting, for each element, those that go before it. Then pairs of runs are merged until one is
left: an element of a merged run finds by bisection how many come from the first of the two. That takes a stage for each
doubling, whatever the length, and keeps equal elements as they stand. Where only the first few are wanted, runs do not
grow beyond that number, so that there is less to do from stage to stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tenfold.codegen.compute import Array, both, compute, in_range, quotient, reduce, simplify, sum_over
from tenfold.codegen.expr import Expr, call, cast, constant, function, select

RUN: Final = 16
"""Length of the runs that are sorted by counting."""

logical_not, logical_or = function("logical_not"), function("logical_or")

Before = Callable[[Sequence[Expr], Expr, Expr], Expr]
"""From the indices of a row and two positions in it to whether what stands at the first must go before the other."""


def first_in_order(shape: Sequence[int], count: int, before: Before) -> Array:
    """The positions of the first elements of rows in an order; equal ones go as they stand.

    Args:
        shape: that of what is sorted, along its last axis.
        count: how many positions are wanted, at most the length of that axis.
        before: the order.

    Returns:
        int32 array `[..., count]`.
    """
    *rows, length = shape
    if not count or not length:
        return compute([*rows, count], lambda *i: 0, "int32")
    positions, covered = _sorted_runs(shape, count, before), RUN
    while covered < length:
        positions = _merged_pairs(positions, covered, length, count, before)
        covered *= 2
    return positions


def _in_runs(rows: Sequence[int], runs: int, places: int, position: Callable[..., Expr]) -> Array:
    """An array `[..., runs, places]`, or where there is one run, `[..., places]`."""
    if runs > 1:
        return compute([*rows, runs, places], position)
    return compute([*rows, places], lambda *i: position(*i[:-1], constant(0, "int32"), i[-1]))


def _sorted_runs(shape: Sequence[int], count: int, before: Before) -> Array:
    """The positions in each run; what stands after the last of a shorter run is of no meaning."""
    *rows, length = shape
    run = min(RUN, length)
    runs = -(-length // run)

    def rank_of(*i: Expr) -> Expr:
        *row, own = i
        start = simplify(quotient(own, run) * run)

        def goes_first(k: Expr) -> Expr:
            other = simplify(start + k)
            first = select(other < own, logical_not(before(row, own, other)), before(row, other, own))
            return cast(both(in_range(other, length), first), "int32")

        return sum_over([run], goes_first)

    ranks = compute([*rows, length], rank_of)

    def position_of(*i: Expr) -> Expr:
        *row, number, place = i

        def has_rank(k: Expr) -> Expr:
            position = simplify(number * run + k)
            return cast(both(in_range(position, length), call("equal", ranks[*row, position], place)), "int32")

        return number * run + reduce("arg_max", [run], has_rank)

    return _in_runs(rows, runs, min(run, count), position_of)


def _merged_pairs(runs: Array, covered: int, length: int, count: int, before: Before) -> Array:
    """Each two runs as one, of which each covers so many of the elements; a last one without partner stays alone."""
    *rows, number_of_runs, places = runs.shape
    wanted = min(2 * covered, count)

    def position_of(*i: Expr) -> Expr:
        *row, number, place = i

        def in_first(k: Expr) -> Expr:
            return runs[*row, number * 2, k]

        def in_second(k: Expr) -> Expr:
            return runs[*row, number * 2 + 1, k]

        def second_goes(of_first: Expr, of_second: Expr) -> Expr:
            return before(row, of_second, of_first)

        second = _clamped(length - (number * 2 + 1) * covered, places)
        least = simplify(call("maximum", place - second, 0))

        def at_least(more: Expr) -> Expr:
            """Whether so many more of the first run than `least` are among those before the place."""
            taken = simplify(least + more)
            fits = both(taken <= place, in_range(taken - 1, places))
            return both(fits, logical_not(second_goes(in_first(taken - 1), in_second(place - taken))))

        taken = simplify(least + how_many(min(places, wanted - 1), at_least))
        rest = simplify(place - taken)
        of_first, of_second = in_first(taken), in_second(rest)
        ended = call("greater_equal", rest, second)
        from_first = both(in_range(taken, places), logical_or(ended, logical_not(second_goes(of_first, of_second))))
        return select(from_first, of_first, of_second)

    return _in_runs(rows, -(-number_of_runs // 2), wanted, position_of)


def _clamped(value: Expr, most: int) -> Expr:
    return simplify(call("minimum", call("maximum", value, 0), most))


def how_many(most: int, at_least: Callable[[Expr], Expr]) -> Expr:
    """A number that is known by what it is not less than, found by bisection.

    Args:
        most: the greatest that it can be.
        at_least: whether it is a given number, from 1 on, or more; asked about numbers beyond `most`, too.
    """
    found: Expr = constant(0, "int32")
    step = 1 << most.bit_length() >> 1
    while step:
        more = simplify(found + step)
        found = select(at_least(more), more, found)
        step //= 2
    return found
