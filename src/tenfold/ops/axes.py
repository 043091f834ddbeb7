"""Axes as ops take them: a number, several or none, counted from either end."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from tenfold.core.storage import Shape

Axes = int | Sequence[int] | None
"""One axis, several, or None for all of them; negative ones count from the last."""


def resolve_axis(axis: int, rank: int, op: str) -> int:
    """A single axis as a number from 0.

    Raises:
        ValueError: if a tensor of that rank has no such axis.
        TypeError: if it is no integer.
    """
    try:
        number = index(axis)
    except TypeError:
        raise TypeError(f"{op}: argument 'axis' must be an integer, got {type(axis).__name__} {axis!r}.") from None
    if not -rank <= number < rank:
        accepted = f"between {-rank} and {rank - 1}" if rank else "left out, for a scalar has none"
        raise ValueError(f"{op}: argument 'axis' must be {accepted} for a tensor of rank {rank}, got {axis}.")
    return number % rank


def resolve_axes(axis: Axes, rank: int, op: str) -> tuple[int, ...]:
    """The axes that an argument names, as increasing numbers from 0.

    Raises:
        ValueError: if a tensor of that rank has no such axis, or one is named twice.
        TypeError: if one is no integer.
    """
    if axis is None:
        return tuple(range(rank))
    named = list(axis) if isinstance(axis, Sequence) else [axis]
    axes = sorted(resolve_axis(each, rank, op) for each in named)
    if len(set(axes)) < len(axes):
        raise ValueError(f"{op}: argument 'axis' names an axis twice: {list(named)} for a tensor of rank {rank}.")
    return tuple(axes)


def reduced_shape(shape: Shape, axes: Sequence[int], keep_dims: bool) -> Shape:
    """The shape after a reduction over `axes`: without them, or with length 1 in their place."""
    if keep_dims:
        return tuple(1 if axis in axes else length for axis, length in enumerate(shape))
    return tuple(length for axis, length in enumerate(shape) if axis not in axes)
