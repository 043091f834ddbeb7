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
    """The counts in each row; all rows are counted at once, the numbers of each shifted by those of rows before."""
    if rows.size and rows.min() < 0:
        raise ValueError(f"{op}: argument 'x' must hold numbers from 0 on, got {int(rows.min())}.")
    counted = rows < size
    shifted = rows + np.arange(len(rows), dtype=np.int64)[:, None] * size
    factors = weights.reshape(rows.shape)[counted] if weights.size else None
    counts = np.bincount(shifted[counted], factors, len(rows) * size)
    return counts.astype(weights.dtype).reshape(len(rows), size)
