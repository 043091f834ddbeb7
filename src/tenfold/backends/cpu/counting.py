"""Kernels of the cpu backend that count numbers."""

from __future__ import annotations

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("Bincount")
def bincount(x: np.ndarray, weights: np.ndarray, *, size: int) -> np.ndarray:
    return _counts(x.reshape(1, x.size), weights, size, "bincount")[0]


@cpu_kernel("DenseBincount")
def dense_bincount(x: np.ndarray, weights: np.ndarray, *, size: int, binary_output: bool = False) -> np.ndarray:
    rows = x.reshape(1 if x.ndim == 1 else len(x), x.shape[-1])
    counts = _counts(rows, weights[:0] if binary_output else weights, size, "dense_bincount")
    if binary_output:
        counts = (counts > 0).astype(weights.dtype)
    return counts.reshape(*x.shape[:-1], size)


def _counts(rows: np.ndarray, weights: np.ndarray, size: int, op: str) -> np.ndarray:
    """The counts in each row; numbers from `size` on are passed over."""
    if rows.size and rows.min() < 0:
        raise ValueError(f"{op}: argument 'x' must hold numbers from 0 on, got {int(rows.min())}.")
    factors = weights.reshape(rows.shape) if weights.size else None
    if rows.size and rows.max() >= size:
        # Numbers that do not count go into a bin of their own, which is then cut off.
        return _counts_of_bins(np.minimum(rows, size), factors, size + 1)[:, :size].astype(weights.dtype)
    return _counts_of_bins(rows, factors, size).astype(weights.dtype)


def _counts_of_bins(rows: np.ndarray, factors: np.ndarray | None, bins: int) -> np.ndarray:
    """The counts of numbers below `bins` in each row: all rows at once, numbers shifted by the bins of rows before."""
    if len(rows) > 1:
        rows = rows + np.arange(len(rows), dtype=np.int64)[:, None] * bins
    counts = np.bincount(rows.ravel(), None if factors is None else factors.ravel(), len(rows) * bins)
    return counts.reshape(len(rows), bins)
