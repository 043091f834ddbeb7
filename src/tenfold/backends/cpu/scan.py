"""Cumulative sums and products of the cpu backend."""

from __future__ import annotations

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("Cumsum")
def cumsum(x: np.ndarray, *, axis: int, exclusive: bool = False, reverse: bool = False) -> np.ndarray:
    """Sums of each element and those before it; int32 wraps around."""
    return _scan(np.add, x, axis, exclusive, reverse)


@cpu_kernel("Cumprod")
def cumprod(x: np.ndarray, *, axis: int, exclusive: bool = False, reverse: bool = False) -> np.ndarray:
    """Products of each element and those before it; int32 wraps around."""
    return _scan(np.multiply, x, axis, exclusive, reverse)


def _scan(ufunc: np.ufunc, x: np.ndarray, axis: int, exclusive: bool, reverse: bool) -> np.ndarray:
    dtype = np.dtype(np.int32) if x.dtype == np.bool_ else x.dtype
    out = np.empty(x.shape, dtype)
    source, target = np.moveaxis(x, axis, 0), np.moveaxis(out, axis, 0)
    if reverse:
        source, target = source[::-1], target[::-1]
    if exclusive:
        target[:1] = ufunc.identity
        source, target = source[:-1], target[1:]
    ufunc.accumulate(source, axis=0, dtype=dtype, out=target)
    return out
