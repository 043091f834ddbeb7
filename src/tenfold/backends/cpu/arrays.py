"""Kernels of the cpu backend that make, cast and combine whole arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tenfold.backends.cpu.registry import NAME, cpu_kernel
from tenfold.core.conversion import cast_array
from tenfold.core.dtypes import DType
from tenfold.core.kernel import Attributes, TensorInfo, register_kernel
from tenfold.core.storage import Shape


def _identity(inputs: Sequence[Any], attributes: Attributes, backend: Any) -> TensorInfo:
    x = inputs[0]
    return TensorInfo(x.storage, x.shape, x.dtype)


def _reshape(inputs: Sequence[Any], attributes: Attributes, backend: Any) -> TensorInfo:
    x = inputs[0]
    shape: Shape = attributes["shape"]
    return TensorInfo(x.storage, shape, x.dtype)


register_kernel("Identity", NAME, _identity)
register_kernel("Reshape", NAME, _reshape)


@cpu_kernel("Cast")
def cast(x: np.ndarray, *, dtype: DType) -> np.ndarray:
    return x if dtype == "string" else cast_array(x, dtype)


@cpu_kernel("AddN")
def add_n(*tensors: np.ndarray) -> np.ndarray:
    total = np.array(tensors[0])
    for tensor in tensors[1:]:
        np.add(total, tensor, out=total)
    return total
