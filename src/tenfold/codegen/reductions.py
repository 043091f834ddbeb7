"""Reductions along whole axes, in stages where they are long.

One output element that sums a million others would leave a GPU idle and lose digits. So what exceeds `LONGEST` elements
is combined in parts first, and then the parts are. Where there are `MANY` results, they are work enough for all threads
of a GPU, and their parts would only fill its memory: then each is computed at once, in sums of sums.

A machine that has few threads, each of which goes through a row fast, needs parts for digits only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isqrt, prod
from typing import Final

from tenfold.codegen.compute import Array, compute, in_range, reduce, simplify
from tenfold.codegen.expr import Expr, call, constant, select
from tenfold.codegen.procedures import instead

LONGEST: Final = 1024
"""So many elements are combined one after the other at most, unless an axis has more than their square."""

MANY: Final = 1 << 14
"""So many results keep a GPU busy."""

FEW: Final = 4
"""So many results keep the threads of a processor busy."""

LONGEST_ROW: Final = 1 << 16
"""So many elements are soon combined by one of them."""

_ADDED: Final = ("sum", "prod")
"""Kinds whose results lose digits where many are combined one after the other."""

_NEUTRAL: Final = {"sum": 0, "prod": 1, "any": False, "all": True}
_EXTREMES: Final[dict[str, tuple[float, float]]] = {"int32": (-(2**31), 2**31 - 1), "bool": (False, True)}

_START: Final = constant(0, "int32")

Element = Callable[..., Expr]
"""From an index for each axis to the value there."""

Finish = Callable[[Expr], Expr]


def _unchanged(value: Expr) -> Expr:
    return value


def reduce_axes(
    kind: str,
    shape: Sequence[int],
    axes: Sequence[int],
    element: Element,
    *,
    keep_dims: bool = False,
    finish: Finish = _unchanged,
) -> Array:
    """Combine values along some axes.

    Args:
        kind: one of `compute.REDUCTIONS`, but none of the positions.
        shape: lengths of the axes that `element` takes indices of.
        axes: numbers of those to combine along, in rising order.
        element: the values.
        keep_dims: whether these axes stay with length 1.
        finish: what becomes of each result.
    """
    wide = [axis for axis in axes if shape[axis] != 1]
    lengths = [shape[axis] for axis in wide]
    results = prod(length for axis, length in enumerate(shape) if axis not in axes)
    first = 0
    while prod(lengths[first:]) > LONGEST and results * prod(lengths[:first]) < MANY:
        first += 1
    if first == 0:
        return _at_once(kind, shape, axes, element, keep_dims, finish)

    def in_stages() -> Array:
        if first == len(wide):
            parts = _in_runs(kind, shape, wide[-1], element)
        else:
            parts = _at_once(kind, shape, wide[first:], element, True, _unchanged)
        return reduce_axes(kind, parts.shape, axes, lambda *i: parts[i], keep_dims=keep_dims, finish=finish)

    if kind in _ADDED or not _is_for_one_thread(results, prod(lengths)):
        return in_stages()
    return instead(_at_once(kind, shape, axes, element, keep_dims, finish), in_stages)


def _is_for_one_thread(results: int, length: int) -> bool:
    """Whether each result may well be one thread's: there are some for all, or little is combined."""
    return results >= FEW or length <= LONGEST_ROW


def _at_once(
    kind: str, shape: Sequence[int], axes: Sequence[int], element: Element, keep_dims: bool, finish: Finish
) -> Array:
    """One stage. Axes of length 1 are not looped over; what is many is combined axis by axis, and long axes by runs."""
    wide = [axis for axis in axes if shape[axis] != 1]
    outer = [axis for axis in range(len(shape)) if keep_dims or axis not in axes]

    def combined(*indices: Expr) -> Expr:
        fixed = dict(zip(outer, indices, strict=True))

        def at(*inner: Expr) -> Expr:
            places = {**fixed, **dict(zip(wide, inner, strict=True))}
            return element(*(places.get(axis, _START) for axis in range(len(shape))))

        return finish(_combined(kind, [shape[axis] for axis in wide], at) if wide else at())

    return compute([1 if axis in axes else shape[axis] for axis in outer], combined)


def _combined(kind: str, lengths: Sequence[int], value: Element) -> Expr:
    """The values over some ranges; many are added or multiplied in short ranges, one inside the other."""
    if prod(lengths) <= LONGEST or kind not in _ADDED:
        return reduce(kind, lengths, value)
    if len(lengths) > 1:
        return reduce(kind, lengths[:1], lambda i: _combined(kind, lengths[1:], lambda *rest: value(i, *rest)))
    (length,) = lengths
    runs = -(-length // run_length(length))
    return reduce(kind, [runs], lambda number: _of_run(kind, length, number, value))


def _in_runs(kind: str, shape: Sequence[int], axis: int, element: Element) -> Array:
    """The combinations of runs of an axis, which then stand along it."""
    length = shape[axis]

    def combined(*indices: Expr) -> Expr:
        return _of_run(kind, length, indices[axis], lambda k: element(*indices[:axis], k, *indices[axis + 1 :]))

    return compute([*shape[:axis], -(-length // run_length(length)), *shape[axis + 1 :]], combined)


def _of_run(kind: str, length: int, number: Expr, value: Element) -> Expr:
    """The values of one run of a range, which ends before the run does where the run is the last."""
    run = run_length(length)

    def at(k: Expr) -> Expr:
        return _within(kind, simplify(number * run + k), length, value)

    return reduce(kind, [run], at)


def _within(kind: str, position: Expr, length: int, value: Callable[[Expr], Expr]) -> Expr:
    """The value at a position; beyond the end what changes nothing."""
    element = value(position)
    return select(in_range(position, length), element, _neutral(kind, element.dtype))


def _neutral(kind: str, dtype: str) -> Expr:
    if kind in _NEUTRAL:
        return constant(_NEUTRAL[kind], dtype)
    low, high = _EXTREMES.get(dtype, (-inf, inf))
    return constant(high if kind.endswith("min") else low, dtype)


def run_length(length: int) -> int:
    """How many elements of a long axis make a run: about its square root, a divisor of it if one is near."""
    root = isqrt(length - 1) + 1
    return next((n for n in range(root, 2 * root) if length % n == 0), root)


def _at_most(position: Expr, last: int) -> Expr:
    return simplify(call("minimum", position, last))


def first_best(kind: str, shape: Sequence[int], axis: int, element: Element) -> Array:
    """The positions of the best values along one axis, which vanishes.

    Args:
        kind: `arg_min` or `arg_max`.
        shape: lengths of the axes that `element` takes indices of.
        axis: number of the axis.
        element: the values.
    """
    length, rest = shape[axis], [*shape[:axis], *shape[axis + 1 :]]

    def at(indices: Sequence[Expr], position: Expr) -> Expr:
        return element(*indices[:axis], position, *indices[axis:])

    def at_once() -> Array:
        return compute(rest, lambda *i: reduce(kind, [length], lambda k: at(i, k)))

    if length <= LONGEST:
        return at_once()
    run = run_length(length)
    runs = -(-length // run)

    def place(number: Expr, k: Expr) -> Expr:
        # Where all of the last run is NaN, what is best stands beyond the end.
        return _at_most(simplify(number * run + k), length - 1)

    def best_of_run(*indices: Expr) -> Expr:
        others, first = (*indices[:axis], *indices[axis + 1 :]), indices[axis] * run

        def element_of_run(k: Expr) -> Expr:
            return _within(kind, simplify(first + k), length, lambda position: at(others, position))

        return reduce(kind, [run], element_of_run)

    def in_stages() -> Array:
        within = compute([*shape[:axis], runs, *shape[axis + 1 :]], best_of_run)

        def found(indices: Sequence[Expr], number: Expr) -> Expr:
            return place(number, within[*indices[:axis], number, *indices[axis:]])

        best = compute(rest, lambda *i: reduce(kind, [runs], lambda number: at(i, found(i, number))))
        return compute(rest, lambda *i: found(i, best[i]))

    if not _is_for_one_thread(prod(rest), length):
        return in_stages()
    return instead(at_once(), in_stages)
