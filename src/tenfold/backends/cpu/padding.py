"""Kernels of the cpu backend that put borders around tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tenfold.backends.cpu.creation import fill
from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.dtypes import dtype_of_array

Paddings = Sequence[Sequence[int]]


@cpu_kernel("PadV2")
def pad(x: np.ndarray, *, paddings: Paddings, constant_value: Any) -> np.ndarray:
    shape = tuple(length + before + after for length, (before, after) in zip(x.shape, paddings, strict=True))
    is_zero = constant_value == 0 and x.dtype.kind != "O"
    result = np.zeros(shape, x.dtype) if is_zero else fill(shape=shape, value=constant_value, dtype=dtype_of_array(x))
    inside = tuple(slice(before, before + length) for length, (before, _) in zip(x.shape, paddings, strict=True))
    result[inside] = x
    return result


@cpu_kernel("MirrorPad")
def mirror_pad(x: np.ndarray, *, paddings: Paddings, mode: Literal["reflect", "symmetric"]) -> np.ndarray:
    return np.pad(x, [tuple(pair) for pair in paddings], mode)
