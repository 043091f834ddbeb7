"""Kernels of the cpu backend that make tensors from numbers, and complex tensors from real ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.conversion import cast_array
from tenfold.core.dtypes import DType, numpy_dtype
from tenfold.core.storage import Shape


@cpu_kernel("Fill")
def fill(*, shape: Shape, value: Any, dtype: DType) -> np.ndarray:
    result = np.empty(shape, numpy_dtype(dtype))
    result.fill(element(value, dtype))
    return result


def element(value: Any, dtype: DType) -> Any:
    """A value as an element of `dtype`, by the rules of casts; text becomes UTF-8."""
    if dtype == "string":
        return value.encode() if isinstance(value, str) else value
    return cast_array(np.asarray(value), dtype)


@cpu_kernel("ZerosLike")
def zeros_like(x: np.ndarray) -> np.ndarray:
    return np.full(x.shape, b"", object) if x.dtype.kind == "O" else np.zeros(x.shape, x.dtype)


@cpu_kernel("OnesLike")
def ones_like(x: np.ndarray) -> np.ndarray:
    return np.ones(x.shape, x.dtype)


@cpu_kernel("LinSpace")
def linspace(*, start: float, stop: float, num: int) -> np.ndarray:
    return np.linspace(start, stop, num).astype(np.float32)


@cpu_kernel("Range")
def range_(*, start: float, stop: float, step: float, dtype: DType) -> np.ndarray:
    count = max(0, int(np.ceil((stop - start) / step)))
    return cast_array(start + np.arange(count) * step, dtype)


@cpu_kernel("OneHot")
def one_hot(indices: np.ndarray, *, depth: int, on_value: float, off_value: float, dtype: DType) -> np.ndarray:
    rows = fill(shape=(indices.size, depth), value=off_value, dtype=dtype)
    flat = indices.ravel()
    found = np.flatnonzero((flat >= 0) & (flat < depth))
    rows[found, flat[found]] = element(on_value, dtype)
    return rows.reshape(*indices.shape, depth)


@cpu_kernel("Diag")
def diag(x: np.ndarray) -> np.ndarray:
    result = np.zeros((x.size, x.size), x.dtype)
    np.fill_diagonal(result, x.ravel())
    return result.reshape(x.shape + x.shape)


@cpu_kernel("Complex")
def complex_(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    result = np.empty(real.shape, np.complex64)
    result.real = real
    result.imag = imag
    return result
