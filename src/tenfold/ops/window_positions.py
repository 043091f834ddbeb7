"""Where sliding windows see an image, in the index arithmetic of loop expressions.

Forwards, a tap of a window sees a position. Backwards, the windows that see a position are counted through, so that a
gradient is a sum for each pixel and nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tenfold.codegen.compute import both, in_range, modulo, quotient, simplify
from tenfold.codegen.expr import Expr, Number, call, cast, constant, select
from tenfold.core.windows import Axis


def position(axis: Axis, window: Expr, tap: Expr) -> Expr:
    """What a tap of a window sees: an index of the axis, or one beyond its ends."""
    return simplify(window * axis.stride + tap * axis.dilation - axis.before)


def positions(axes: Sequence[Axis], windows: Sequence[Expr], taps: Sequence[Expr]) -> list[Expr]:
    """`position` along each axis."""
    return [position(*along) for along in zip(axes, windows, taps, strict=True)]


def inside(axes: Sequence[Axis], at: Sequence[Expr]) -> Expr:
    """Whether positions along all axes lie inside the image."""
    within = constant(True, "bool")
    for axis, index in zip(axes, at, strict=True):
        within = both(within, in_range(index, axis.size))
    return within


def guarded(condition: Expr, value: Expr, otherwise: Number) -> Expr:
    """`value` where the condition holds, without a question where that is known."""
    if condition.function == "constant":
        return value if condition.value else constant(otherwise, value.dtype)
    return select(condition, value, otherwise)


def pixels_seen(axes: Sequence[Axis], windows: Sequence[Expr], dtype: str) -> Expr:
    """How many taps of a window lie inside the image; taps stand side by side."""
    count = constant(1, "int32")
    for axis, window in zip(axes, windows, strict=True):
        before = call("maximum", axis.before - window * axis.stride, 0)
        after = call("maximum", window * axis.stride + (axis.window - axis.before - axis.size), 0)
        count = simplify(count * call("maximum", axis.window - before - after, 0))
    return constant(count.value, dtype) if count.function == "constant" else cast(count, dtype)


class Sight(NamedTuple):
    """One of the ways in which a position may be seen.

    Attributes:
        window: the window that sees it.
        tap: the tap of the window.
        exists: whether there are this window and this tap.
    """

    window: Expr
    tap: Expr
    exists: Expr


def sights(axis: Axis) -> int:
    """How many `sight`s a position has."""
    return axis.window if axis.dilation > 1 else -(-axis.window // axis.stride)


def sight(axis: Axis, at: Expr, number: Expr) -> Sight:
    """The window and the tap that see a position, number by number.

    Of neighbouring taps only every `stride`-th falls on a position; where taps are apart, all are tried.
    """
    if axis.dilation == 1:
        reached = simplify(at + axis.before)
        window = simplify(quotient(reached, axis.stride) - number)
        tap = simplify(modulo(reached, axis.stride) + number * axis.stride)
        return Sight(window, tap, both(in_range(window, axis.out), in_range(tap, axis.window)))
    reached = simplify(at + axis.before - number * axis.dilation)
    window = quotient(reached, axis.stride)
    exists = in_range(window, axis.out)
    if axis.stride > 1:
        exists = both(exists, call("equal", modulo(reached, axis.stride), 0))
    return Sight(window, number, exists)


def all_sights(
    axes: Sequence[Axis], at: Sequence[Expr], numbers: Sequence[Expr]
) -> tuple[list[Expr], list[Expr], Expr]:
    """`sight` along each axis: windows, taps, and whether all of them exist."""
    seen = [sight(*along) for along in zip(axes, at, numbers, strict=True)]
    exist = constant(True, "bool")
    for one in seen:
        exist = both(exist, one.exists)
    return [one.window for one in seen], [one.tap for one in seen], exist
