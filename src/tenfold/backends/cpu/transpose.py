"""Transposition on the cpu backend."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel

_ROWS = 64
"""Rows turned into columns at a time: as many cache lines are written side by side, which then fill up."""

_TALL = (1024, 32)
"""From so many rows and columns on NumPy's own order, which writes far apart, is several times slower."""


@cpu_kernel("Transpose")
def transpose(x: np.ndarray, *, perm: Sequence[int]) -> np.ndarray:
    """The axes of x in another order: that of the result's axis i is `perm[i]`."""
    out = np.empty([x.shape[axis] for axis in perm], x.dtype)
    sizes = _matrices(x.shape, perm)
    if sizes is None or sizes[1] < _TALL[0] or sizes[2] < _TALL[1]:
        out[...] = x.transpose(perm)
        return out
    count, rows, columns = sizes
    for matrix, turned in zip(x.reshape(sizes), out.reshape(count, columns, rows), strict=True):
        for first in range(0, rows, _ROWS):
            turned[:, first : first + _ROWS] = matrix[first : first + _ROWS].T
    return out


def _matrices(shape: Sequence[int], perm: Sequence[int]) -> tuple[int, int, int] | None:
    """How many matrices of which size are transposed, if that is all that the permutation does."""
    rank = len(perm)
    lead = next((i for i, axis in enumerate(perm) if i != axis), rank)
    if lead == rank:
        return None
    middle = perm[lead]
    if tuple(perm[lead:]) != (*range(middle, rank), *range(lead, middle)):
        return None
    return prod(shape[:lead]), prod(shape[lead:middle]), prod(shape[middle:])
