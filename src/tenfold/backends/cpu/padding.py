"""Kernels of the cpu backend that put borders around tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tenfold.backends.cpu.creation import element
from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.dtypes import dtype_of_array

Paddings = Sequence[Sequence[int]]

_SMALL = 1 << 14
"""Up to so many elements one fill is faster than borders one by one."""


@cpu_kernel("PadV2")
def pad(x: np.ndarray, *, paddings: Paddings, constant_value: Any) -> np.ndarray:
    shape = tuple(length + before + after for length, (before, after) in zip(x.shape, paddings, strict=True))
    is_zero = constant_value == 0 and x.dtype.kind != "O"
    value = 0 if is_zero else element(constant_value, dtype_of_array(x))
    inside = tuple(slice(before, before + length) for length, (before, _) in zip(x.shape, paddings, strict=True))
    result: np.ndarray
    if x.size < _SMALL:
        result = np.full(shape, value, x.dtype)
        result[inside] = x
        return result
    # Each element is written once: outside of an axis, what lies inside the axes before it.
    result = np.empty(shape, x.dtype)
    result[inside] = x
    for axis, (before, after) in enumerate(paddings):
        if before:
            result[(*inside[:axis], slice(before))] = value
        if after:
            result[(*inside[:axis], slice(-after, None))] = value
    return result


@cpu_kernel("MirrorPad")
def mirror_pad(x: np.ndarray, *, paddings: Paddings, mode: Literal["reflect", "symmetric"]) -> np.ndarray:
    return np.pad(x, [tuple(pair) for pair in paddings], mode)
