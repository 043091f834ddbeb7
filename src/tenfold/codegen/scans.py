"""Cumulative sums and products along an axis, in stages where it is long.

An element of a scan combines all before it. In short axes each does so anew; long ones are cut into runs, whose totals
are scanned in the same way: then an element combines the runs before its own and what stands before it in its own. For
a million elements that are nine stages, of which two are of that size, and about 17 loads an element. A machine that
computes one element after the other goes by the procedure instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tenfold.codegen.compute import Array, compute, fresh_index, modulo, quotient, reduce, simplify
from tenfold.codegen.expr import Expr, call, select
from tenfold.codegen.procedures import Scan
from tenfold.codegen.reductions import Element

SHORT: Final = 64
"""Axes up to this length are scanned in one stage."""

RUN: Final = 16
"""Length of the runs of longer ones: each element takes up to so many steps for its own, each level of runs a stage."""

_COMBINE: Final = {"sum": ("add", 0), "prod": ("multiply", 1)}
"""The scalar function of a kind, and what changes nothing."""


def scan(
    kind: str, shape: Sequence[int], axis: int, element: Element, *, exclusive: bool = False, reverse: bool = False
) -> Array:
    """The sum or product of each element and those before it along an axis.

    Args:
        kind: `sum` or `prod`.
        shape: lengths of the axes that `element` takes indices of.
        axis: number of the axis.
        element: the values.
        exclusive: whether an element itself is left out.
        reverse: whether to begin at the end.
    """
    pairs = [fresh_index(length) for length in shape]
    indices = [expression for _, expression in pairs]
    if reverse:
        indices[axis] = simplify(shape[axis] - 1 - indices[axis])
    body = element(*indices)
    procedure = Scan(kind, tuple(index for index, _ in pairs), axis, body, exclusive, reverse)

    def in_stages() -> Array:
        return _in_stages(kind, shape, axis, element, exclusive, reverse)

    return Array(shape, body.dtype, procedure=procedure, in_stages=in_stages)


def _in_stages(kind: str, shape: Sequence[int], axis: int, element: Element, exclusive: bool, reverse: bool) -> Array:
    combine, nothing = _COMBINE[kind]
    outer, length, inner = shape[:axis], shape[axis], shape[axis + 1 :]
    run = RUN if length > SHORT else length

    def at(indices: Sequence[Expr], position: Expr) -> Expr:
        """The element at a position, which counts in the direction of the scan."""
        return element(*indices[:axis], length - 1 - position if reverse else position, *indices[axis + 1 :])

    def of_run(*i: Expr) -> Expr:
        return reduce(kind, [run], lambda k: at(i, i[axis] * run + k))

    # The last run, whose end may be missing, stands before no other.
    whole_runs = [*outer, (length - 1) // run if length else 0, *inner]
    totals = compute(whole_runs, of_run)
    before = _in_stages(kind, whole_runs, axis, lambda *i: totals[i], False, False) if totals.shape[axis] else None

    def scanned(*i: Expr) -> Expr:
        position = length - 1 - i[axis] if reverse else i[axis]
        number, within = quotient(position, run), modulo(position, run)

        def earlier(k: Expr) -> Expr:
            return select(k < within if exclusive else k <= within, at(i, number * run + k), nothing)

        of_own_run = reduce(kind, [run], earlier)
        if before is None:
            return of_own_run
        of_others = before[*i[:axis], number - 1, *i[axis + 1 :]]
        return call(combine, select(number > 0, of_others, nothing), of_own_run)

    return compute(shape, scanned)
