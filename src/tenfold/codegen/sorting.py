"""Sorting along the last axis, in stages: positions are sorted by the values that stand at them.

Runs are sorted by counting, for each element, those that go before it: the work is quadratic, so they are short where
there is much to sort. Then pairs of runs are merged by bitonic networks until one is left. A step of a network compares
elements at a distance, and a stage takes two steps. Where only the first few are wanted, runs do not grow beyond the
next power of two, so that there is half as much to do from merge to merge.

Equal values stay as they stand. Positions beyond the last stand for nothing and go behind all others.

A machine that computes one element after the other goes by a procedure where it is the greatest that are wanted first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Final, NamedTuple

from tenfold.codegen.compute import (
    Array,
    both,
    compute,
    flatten,
    fresh_index,
    in_range,
    modulo,
    quotient,
    reduce,
    simplify,
    sum_over,
)
from tenfold.codegen.expr import Expr, call, cast, constant, function, select
from tenfold.codegen.procedures import Ranking, instead
from tenfold.codegen.reductions import Element

SHORTEST_RUN: Final = 16
COUNTED: Final = 1 << 19
"""Runs are as long as lets counting take about so many steps, but `SHORTEST_RUN` at least."""

STEPS: Final = 2
"""So many steps of a network make a stage; one that took three would load eight elements, one of two loads four."""

BRANCHES: Final = 8
"""In so many parts a search cuts what is left, from level to level: few levels make small programs."""

logical_not, logical_xor = function("logical_not"), function("logical_xor")

Before = Callable[[Expr, Expr], Expr]
"""From two values to whether the first must go before the other."""


class _Candidate(NamedTuple):
    """A position and the value that stands there."""

    position: Expr
    value: Expr


Candidates = Callable[[Sequence[Expr], Expr, Expr], _Candidate]
"""From the indices of a row, the number of a run and a place in it to what stands there."""

Place = Callable[[Sequence[Expr], Expr, Expr], Expr]
"""Likewise, to the position alone."""


def first_in_order(
    shape: Sequence[int], count: int, element: Element, before: Before, *, greatest_first: bool = False
) -> Array:
    """The positions of the first elements of rows in an order; equal ones go as they stand.

    Args:
        shape: lengths of the axes that `element` takes indices of; the last one is sorted along.
        count: how many positions are wanted, at most the length of that axis.
        element: the values.
        before: the order.
        greatest_first: whether that order puts the greater float32 or int32 number first, and NaN behind all.

    Returns:
        int32 array `[..., count]`.
    """
    if not count:
        return compute([*shape[:-1], 0], lambda *_: 0, "int32")

    def in_stages() -> Array:
        return _Sort(shape, count, element, before).positions()

    if not greatest_first:
        return in_stages()
    pairs = [fresh_index(length) for length in shape]
    body = element(*(expression for _, expression in pairs))
    procedure = Ranking(tuple(index for index, _ in pairs), body, count)
    ranked, wanted = Array([procedure.size], "int32", procedure=procedure), [*shape[:-1], count]
    return instead(compute(wanted, lambda *i: ranked[flatten(i, wanted)]), in_stages)


class _Sort:
    """The sort of the rows of an array."""

    def __init__(self, shape: Sequence[int], count: int, element: Element, before: Before) -> None:
        *self._rows, self._length = shape
        self._count = count
        self._element = element
        self._before = before
        self._most = _power_of_two(count)

    def positions(self) -> Array:
        """The positions of the first elements in order."""
        run = SHORTEST_RUN
        while run < self._length and prod(self._rows) * self._length * run * 2 <= COUNTED:
            run *= 2
        runs, places = -(-self._length // run), min(run, self._most)
        result = self._sorted_runs(run, runs, places)
        while runs > 1:
            result = self._merged_pairs(result)
            runs = -(-runs // 2)
        return result

    def _stage(self, runs: int, places: int, position: Place, is_last: bool) -> Array:
        """The positions in runs, `[..., runs, places]`; at last those that are wanted, `[..., places]`."""
        if is_last:
            only = constant(0, "int32")
            return compute([*self._rows, self._count], lambda *i: position(i[:-1], only, i[-1]))
        return compute([*self._rows, runs, places], lambda *i: position(i[:-2], i[-2], i[-1]))

    def _sorted_runs(self, run: int, runs: int, places: int) -> Array:
        """The first positions of each run in order."""
        length = self._length

        def rank_of(*i: Expr) -> Expr:
            *row, own = i
            start = simplify(quotient(own, run) * run)
            mine = self._element(*row, own)

            def goes_first(k: Expr) -> Expr:
                other = simplify(start + k)
                others = self._element(*row, other)
                first = select(other < own, logical_not(self._before(mine, others)), self._before(others, mine))
                return cast(both(in_range(other, length), first), "int32")

            return sum_over([min(run, length)], goes_first)

        ranks = compute([*self._rows, length], rank_of)

        def position_of(row: Sequence[Expr], number: Expr, place: Expr) -> Expr:
            start = simplify(number * run)

            def has_rank(k: Expr) -> Expr:
                position = simplify(start + k)
                return cast(both(in_range(position, length), call("equal", ranks[*row, position], place)), "int32")

            found = reduce("arg_max", [min(run, length)], has_rank)
            # A shorter last run has no element of such a rank.
            return start + select(in_range(start + place, length), found, place)

        return self._stage(runs, places, position_of, runs == 1)

    def _merged_pairs(self, sorted_runs: Array) -> Array:
        """Each two runs as one."""
        *_, runs, places = sorted_runs.shape
        pairs, wanted = -(-runs // 2), min(2 * places, self._most)
        candidates = self._halves(self._loaded(sorted_runs), places)
        taken, distance = 1, places // 2
        while distance:
            if taken == STEPS:
                result = self._stage(pairs, wanted, _position_of(candidates), False)
                candidates, taken = self._loaded(result), 0
            candidates = self._exchanged(candidates, distance)
            taken, distance = taken + 1, distance // 2
        return self._stage(pairs, wanted, _position_of(candidates), pairs == 1)

    def _loaded(self, positions: Array) -> Candidates:
        def candidate(row: Sequence[Expr], number: Expr, place: Expr) -> _Candidate:
            position = positions[*row, number, place]
            # A pair may be one run and none.
            there = in_range(number, positions.shape[-2])
            if there.function != "constant":
                position = select(there, position, self._length)
            return _Candidate(position, self._element(*row, position))

        return candidate

    def _halves(self, runs: Candidates, places: int) -> Candidates:
        """The first step of a merge: the lesser half of two runs, and then the greater, neither of them in order."""

        def candidate(row: Sequence[Expr], number: Expr, place: Expr) -> _Candidate:
            half, within = quotient(place, places), modulo(place, places)
            mine = runs(row, simplify(number * 2 + half), within)
            other = runs(row, simplify(number * 2 + 1 - half), simplify(places - 1 - within))
            return self._chosen(mine, other, half)

        return candidate

    def _exchanged(self, candidates: Candidates, distance: int) -> Candidates:
        """A further step: of each two places so far apart the first gets the lesser."""

        def candidate(row: Sequence[Expr], number: Expr, place: Expr) -> _Candidate:
            block, within = quotient(place, 2 * distance), modulo(place, distance)
            half = modulo(quotient(place, distance), 2)
            opposite = simplify(block * (2 * distance) + (1 - half) * distance + within)
            return self._chosen(candidates(row, number, place), candidates(row, number, opposite), half)

        return candidate

    def _chosen(self, mine: _Candidate, other: _Candidate, half: Expr) -> _Candidate:
        """The first of two candidates in a half of number 0, the other one in a half of number 1."""
        earlier = mine.position < other.position
        first = select(
            earlier,
            logical_not(self._before(other.value, mine.value)),
            self._before(mine.value, other.value),
        )
        # One that stands for nothing goes behind, as it is beyond all positions.
        counts = call("maximum", mine.position, other.position) < self._length
        stays = logical_xor(select(counts, first, earlier), call("equal", half, 1))
        return _Candidate(select(stays, mine.position, other.position), select(stays, mine.value, other.value))


def _position_of(candidates: Candidates) -> Place:
    return lambda row, number, place: candidates(row, number, place).position


def _power_of_two(count: int) -> int:
    """The least power of two that is not less."""
    return 1 << (count - 1).bit_length()


def how_many(most: int, at_least: Callable[[Expr], Expr]) -> Expr:
    """A number that is known by what it is not less than.

    Args:
        most: the greatest that it can be.
        at_least: whether it is a given number, from 1 on, or more; asked about numbers beyond `most`, too.
    """
    step = 1
    while step * BRANCHES <= most:
        step *= BRANCHES
    found: Expr = constant(0, "int32")
    while step and most:
        found = simplify(found + _steps_taken(found, step, min(most // step, BRANCHES - 1), at_least) * step)
        step //= BRANCHES
    return found


def _steps_taken(found: Expr, step: int, most: int, at_least: Callable[[Expr], Expr]) -> Expr:
    return sum_over([most], lambda k: cast(at_least(simplify(found + (k + 1) * step)), "int32"))
