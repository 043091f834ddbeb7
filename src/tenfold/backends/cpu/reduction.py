"""Reductions of the cpu backend, along any axes.

NumPy reduces an axis quickly when what lies inside it is long. Where that is short, it calls its inner loop once for a
few elements; then halves of the axis are folded onto each other instead, which works on long runs and is as exact as
pairwise summation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod as product

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel

Axes = int | Sequence[int]

_LONG_RUN = 32
"""From so many elements inside an axis on, NumPy's own reduction is at its best."""

_EXTREMES = (np.maximum, np.minimum, np.fmax, np.fmin)
_FEW, _FEW_FOR_EXTREMES = 16, 64
"""Fewer elements than this along the last axis are folded; a row costs NumPy more where it looks for NaN."""

_SMALL = 4096
"""Smaller arrays are left to NumPy: the calls would cost more than the work."""

_WIDE = 64
"""Elements inside an axis from which on NumPy's search for positions, which copies each run, is the slower one."""

_EXACT_LENGTH = 1024
"""NumPy sums along an outer axis one after the other, which loses digits; longer axes are folded to this first."""


def reduce(ufunc: np.ufunc, x: np.ndarray, axis: Axes, keep_dims: bool, nothing: complex) -> np.ndarray:
    """Combine the elements along axes by an associative ufunc, in the dtype of `x`.

    Args:
        ufunc: such as `np.add`.
        x: an array.
        axis: the axes, from either end; an empty sequence changes nothing.
        keep_dims: whether they stay with length 1.
        nothing: the result where there is nothing to combine.
    """
    named = _numbered(axis, x.ndim)
    out = x if named else x.copy()
    axes = list(named)
    while axes:
        last = first = axes.pop()
        while axes and axes[-1] == first - 1:
            first = axes.pop()
        outer, run, inner = out.shape[:first], out.shape[first : last + 1], out.shape[last + 1 :]
        block = out.reshape(product(outer), product(run), product(inner))
        out = _reduce_middle(ufunc, block, nothing).reshape(*outer, *(1 for _ in run), *inner)
    if keep_dims:
        return out
    return out.reshape([length for a, length in enumerate(out.shape) if a not in named])


def _numbered(axis: Axes, rank: int) -> list[int]:
    """Axes as rising numbers from 0."""
    return sorted(a % rank for a in ([axis] if isinstance(axis, int) else axis))


def _reduce_middle(ufunc: np.ufunc, block: np.ndarray, nothing: complex) -> np.ndarray:
    """Reduce the middle one of three axes."""
    outer, length, inner = block.shape
    if not length:
        return np.full((outer, inner), nothing, block.dtype)
    long_rows = inner == 1 and length >= (_FEW_FOR_EXTREMES if ufunc in _EXTREMES else _FEW)
    if block.size >= _SMALL and not long_rows:
        block = _fold(ufunc, block, 1 if inner < _LONG_RUN else _EXACT_LENGTH)
    result: np.ndarray = ufunc.reduce(block, axis=1, dtype=block.dtype)
    return result


def _fold(ufunc: np.ufunc, block: np.ndarray, longest: int) -> np.ndarray:
    """Combine halves of the middle axis until it is no longer than `longest`."""
    length = block.shape[1]
    while length > longest:
        half = length // 2
        folded = ufunc(block[:, :half], block[:, half : 2 * half])
        if length % 2:
            ufunc(folded[:, 0], block[:, -1], out=folded[:, 0])
        block, length = folded, half
    return block


# --- kernels -----------------------------------------------------------------------------------------------


@cpu_kernel("All")
def all_(x: np.ndarray, *, axis: Axes, keep_dims: bool = False) -> np.ndarray:
    """Whether all elements are true."""
    return reduce(np.logical_and, x, axis, keep_dims, True)


@cpu_kernel("Any")
def any_(x: np.ndarray, *, axis: Axes, keep_dims: bool = False) -> np.ndarray:
    """Whether any element is true."""
    return reduce(np.logical_or, x, axis, keep_dims, False)


@cpu_kernel("Sum")
def sum_(x: np.ndarray, *, axis: Axes, keep_dims: bool = False) -> np.ndarray:
    """The sum; int32 wraps around."""
    return reduce(np.add, _numbers(x), axis, keep_dims, 0)


@cpu_kernel("Prod")
def prod(x: np.ndarray, *, axis: Axes, keep_dims: bool = False) -> np.ndarray:
    """The product; int32 wraps around."""
    return reduce(np.multiply, _numbers(x), axis, keep_dims, 1)


@cpu_kernel("Mean")
def mean(x: np.ndarray, *, axis: Axes, keep_dims: bool = False) -> np.ndarray:
    """The mean; of integers by their sum in double precision, as float32."""
    whole = x.dtype.kind in "bi"
    total = reduce(np.add, x.astype(np.float64) if whole else x, axis, keep_dims, 0)
    axes = _numbered(axis, x.ndim)
    count = product([length for a, length in enumerate(x.shape) if a in axes])
    if not count:
        total.fill(np.nan)
    else:
        total /= count
    return total.astype(np.float32) if whole else total


@cpu_kernel("Max")
def max_(x: np.ndarray, *, axis: Axes, keep_dims: bool = False) -> np.ndarray:
    """The greatest element, NaN if there is one."""
    return reduce(np.maximum, x, axis, keep_dims, _least(x.dtype))


@cpu_kernel("Min")
def min_(x: np.ndarray, *, axis: Axes, keep_dims: bool = False) -> np.ndarray:
    """The least element, NaN if there is one."""
    return reduce(np.minimum, x, axis, keep_dims, _greatest(x.dtype))


@cpu_kernel("ArgMax")
def arg_max(x: np.ndarray, *, axis: int) -> np.ndarray:
    """The first position of the greatest element that is not NaN."""
    if product(x.shape[axis % x.ndim + 1 :]) < _WIDE:
        found = _unless_nan(x, x.argmax(axis), axis)
        if found is not None:
            return found
    greatest = np.fmax if x.dtype.kind == "f" else np.maximum
    return _first_position(x, reduce(greatest, x, axis, True, _least(x.dtype)), axis)


@cpu_kernel("ArgMin")
def arg_min(x: np.ndarray, *, axis: int) -> np.ndarray:
    """The first position of the least element that is not NaN."""
    if product(x.shape[axis % x.ndim + 1 :]) < _WIDE:
        found = _unless_nan(x, x.argmin(axis), axis)
        if found is not None:
            return found
    least = np.fmin if x.dtype.kind == "f" else np.minimum
    return _first_position(x, reduce(least, x, axis, True, _greatest(x.dtype)), axis)


def _unless_nan(x: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray | None:
    """Positions that NumPy found, unless it stopped at a NaN anywhere."""
    if x.dtype.kind == "f":
        # Over the last axis, positions in the flat array are found faster than along the axis.
        if axis % x.ndim == x.ndim - 1:
            flat = positions.ravel() + np.arange(0, x.size, x.shape[-1])
            extremes = x.reshape(-1).take(flat)
        else:
            extremes = np.take_along_axis(x, np.expand_dims(positions, axis), axis)
        if np.isnan(extremes).any():
            return None
    return positions.astype(np.int32)


def _first_position(x: np.ndarray, extreme: np.ndarray, axis: int) -> np.ndarray:
    """Search bools rather than numbers: NumPy finds the first true one many elements at a time."""
    position: np.ndarray = (x == extreme).argmax(axis=axis)
    return position.astype(np.int32)


def _numbers(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int32) if x.dtype == np.bool_ else x


def _least(dtype: np.dtype) -> float:
    return _limits(dtype)[0]


def _greatest(dtype: np.dtype) -> float:
    return _limits(dtype)[1]


def _limits(dtype: np.dtype) -> tuple[float, float]:
    if dtype.kind == "b":
        return False, True
    if dtype.kind == "i":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return -np.inf, np.inf
