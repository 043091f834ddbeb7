"""Matrix products of the cpu backend: BLAS for floats, and exact for int32."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel

if TYPE_CHECKING:
    from tenfold.backends.cpu.row_blocks import Epilogue

_EXACT = 2.0**53
"""Below this, sums of products of integers are exact in float64, in whatever order they are added."""


@cpu_kernel("BatchMatMul")
def batch_mat_mul(
    a: np.ndarray,
    b: np.ndarray,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """The products of the matrices in the last two axes, with broadcasting batches."""
    left = a.swapaxes(-1, -2) if transpose_a else a
    right = b.swapaxes(-1, -2) if transpose_b else b
    out = _integer_product(left, right) if left.dtype.kind in "iu" else _product(left, right)
    if epilogue is not None:
        epilogue(out, (slice(None),))
    return out


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    *batch, rows, terms = a.shape
    if batch and a.flags.c_contiguous and b.ndim <= a.ndim and math.prod(b.shape[:-2]) == 1:
        # One matrix on the right: all rows on the left make one product instead of a small one per batch.
        left = a.reshape(math.prod(batch) * rows, terms)
        out: np.ndarray = np.matmul(left, b.reshape(b.shape[-2:]))
        return out.reshape(*batch, rows, b.shape[-1])
    return np.ascontiguousarray(np.matmul(a, b))


def _integer_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if sums_fit_float64(a, b, a.shape[-1]):
        return wrap_int32(_product(a.astype(np.float64), b.astype(np.float64)))
    return np.ascontiguousarray(np.matmul(a, b))


def sums_fit_float64(a: np.ndarray, b: np.ndarray, terms: int) -> bool:
    """Whether any sum of `terms` products of an element of `a` with one of `b` is exact in float64.

    NumPy multiplies integer matrices without BLAS, some fifty times slower than float64 ones.
    """
    if not a.size or not b.size:
        return True
    return terms * _largest(a) * _largest(b) < _EXACT


def wrap_int32(sums: np.ndarray) -> np.ndarray:
    """Whole numbers in float64 as int32, modulo 2^32 as int32 arithmetic has it."""
    return sums.astype(np.int64).astype(np.int32)


def _largest(x: np.ndarray) -> float:
    return max(float(x.max()), -float(x.min()))
