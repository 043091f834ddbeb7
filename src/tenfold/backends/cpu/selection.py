"""Kernels of the cpu backend that select elements by their values."""

from __future__ import annotations

import math

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel

_WORTH_PARTITIONING = 8
"""Only where at least so many times `k` elements stand in a row is finding the k-th cheaper than sorting all."""


@cpu_kernel("Where")
def where(condition: np.ndarray) -> np.ndarray:
    """The positions of the true elements, a row each."""
    return np.argwhere(condition).astype(np.int32)


@cpu_kernel("TopK")
def top_k(x: np.ndarray, *, k: int, sorted: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The k greatest elements along the last axis and their positions; the first of equal ones, NaN last."""
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    # Ascending order of these keys is descending order of the values. The complement of an integer cannot overflow.
    keys = -rows if x.dtype.kind == "f" else ~rows
    found = _least_by_partition(keys, k) if 0 < k * _WORTH_PARTITIONING <= keys.shape[1] else None
    if found is None:
        found = np.argsort(keys, axis=1, kind="stable")[:, :k]
        if not sorted:
            found = np.sort(found, axis=1)
    elif sorted:
        order = np.argsort(np.take_along_axis(keys, found, 1), axis=1, kind="stable")
        found = np.take_along_axis(found, order, 1)
    shape = (*x.shape[:-1], k)
    return np.take_along_axis(rows, found, 1).reshape(shape), found.astype(np.int32).reshape(shape)


def _least_by_partition(keys: np.ndarray, k: int) -> np.ndarray | None:
    """The positions of the k least keys of each row in rising order; None if a row has not so many numbers."""
    last = np.partition(keys, k - 1, axis=1)[:, k - 1 : k]
    if np.isnan(last).any():
        return None
    chosen = keys <= last
    if np.count_nonzero(chosen) > k * len(keys):
        less, equal = keys < last, keys == last
        missing = k - less.sum(axis=1, keepdims=True)
        chosen = less | (equal & (np.cumsum(equal, axis=1) <= missing))
    return np.flatnonzero(chosen).reshape(-1, k) % keys.shape[1]
