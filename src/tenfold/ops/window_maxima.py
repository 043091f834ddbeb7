"""The largest number that each window sees, in loop expressions, and the way back: what pooling and dilation share.

Arrays are `[batch, ..., channels]` with windows along the axes between. A `Candidate` gives what a tap of the window at
an index of the output offers. NaN offers nothing, and neither does the padding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod
from typing import TypeAlias

from tenfold.codegen.compute import Array, both, compute, flatten, reduce, sum_over, unflatten
from tenfold.codegen.expr import Expr, Number, call, select
from tenfold.codegen.reductions import reduce_axes
from tenfold.core.storage import Shape
from tenfold.core.windows import Axis
from tenfold.ops.window_positions import all_sights, guarded, sights

Candidate: TypeAlias = Callable[[Sequence[Expr], Sequence[Expr]], Expr]


def least(dtype: str) -> Number:
    """What a maximum starts from."""
    return -(2**31) if dtype == "int32" else -inf


def offered(inside: Expr, value: Expr) -> Expr:
    """A value that counts inside the image only, and if it is a number."""
    bound = least(value.dtype)
    is_number = inside if value.dtype == "int32" else both(inside, value > bound)
    return guarded(is_number, value, bound)


def largest(out_shape: Shape, axes: Sequence[Axis], candidate: Candidate) -> Array:
    """The largest number of each window."""
    rank, shape = len(out_shape), [*out_shape, *(axis.window for axis in axes)]
    return reduce_axes("max", shape, range(rank, len(shape)), lambda *i: candidate(i[:rank], i[rank:]))


def winning_tap(at: Sequence[Expr], axes: Sequence[Axis], candidate: Candidate) -> Expr:
    """The first tap, in row-major order, that holds the largest number of the window at an index of the output."""
    taps = [axis.window for axis in axes]
    return reduce("arg_max", [prod(taps)], lambda tap: candidate(at, unflatten(tap, taps)))


def winners(maxima: Array, axes: Sequence[Axis], candidate: Candidate) -> Array:
    """The tap that holds the largest number of each window; -1 where the window sees no number."""
    bound = least(maxima.dtype)
    return compute(maxima.shape, lambda *at: select(maxima[at] > bound, winning_tap(at, axes, candidate), -1))


def given_to_winners(dy: Array, winning: Array, axes: Sequence[Axis], shape: Shape) -> Array:
    """Each pixel's sum of `dy` over the windows in which it wins."""
    taps = [axis.window for axis in axes]

    def element(*at: Expr) -> Expr:
        batch, *here, channel = at

        def share(*numbers: Expr) -> Expr:
            windows, tap, exist = all_sights(axes, here, numbers)
            window = [batch, *windows, channel]
            wins = call("equal", winning[window], flatten(tap, taps))
            return guarded(both(exist, wins), dy[window], 0)

        return sum_over([sights(axis) for axis in axes], share)

    return compute(shape, element)
