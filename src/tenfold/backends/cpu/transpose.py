"""Transposition on the cpu backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("Transpose")
def transpose(x: np.ndarray, *, perm: Sequence[int]) -> np.ndarray:
    """The axes of x in another order: that of the result's axis i is `perm[i]`."""
    return np.array(x.transpose(perm), order="C")
