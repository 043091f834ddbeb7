"""The element types of tensors and the rules by which they combine.

A dtype is a plain string, as in TensorFlow.js. NumPy's types appear only where values cross into NumPy.
`float64` exists so that tests can run the cpu kernels and their gradients in double precision; it is not
offered to users.
"""

from __future__ import annotations

from typing import Final

import numpy as np

DType = str
"""One of `float32`, `int32`, `bool`, `complex64`, `string`."""

PUBLIC_DTYPES: Final = ("float32", "int32", "bool", "complex64", "string")

NUMPY_DTYPES: Final[dict[str, np.dtype[np.generic]]] = {
    "float32": np.dtype(np.float32),
    "int32": np.dtype(np.int32),
    "bool": np.dtype(np.bool_),
    "complex64": np.dtype(np.complex64),
    "string": np.dtype(np.object_),
    "float64": np.dtype(np.float64),
}

DTYPE_OF_NUMPY: Final[dict[np.dtype[np.generic], DType]] = {v: k for k, v in NUMPY_DTYPES.items()}

_RANK: Final = {"bool": 0, "int32": 1, "float32": 2, "float64": 3, "complex64": 4}


class _DoublePrecision:
    """Whether float64 is accepted where users name dtypes; only tests turn it on."""

    allowed = False


double_precision = _DoublePrecision()


def check_dtype(dtype: object, where: str) -> DType:
    """Return `dtype` if it names a dtype of tensors, else raise a `ValueError` that lists them."""
    if isinstance(dtype, str) and (dtype in PUBLIC_DTYPES or (dtype == "float64" and double_precision.allowed)):
        return dtype
    raise ValueError(f"{where}: unknown dtype {dtype!r}; use one of {', '.join(PUBLIC_DTYPES)}.")


def numpy_dtype(dtype: DType) -> np.dtype[np.generic]:
    """The NumPy dtype that stores `dtype` (strings: object arrays of UTF-8 bytes)."""
    return NUMPY_DTYPES[dtype]


def dtype_of_array(array: np.ndarray) -> DType:
    """The dtype whose storage type is exactly that of `array`."""
    return DTYPE_OF_NUMPY[array.dtype]


def bytes_per_element(dtype: DType) -> int:
    """Bytes that one element of a numeric dtype takes; strings differ from element to element."""
    if dtype == "string":
        raise ValueError("bytes_per_element: the elements of a string tensor have no common size.")
    return NUMPY_DTYPES[dtype].itemsize


def upcast_type(a: DType, b: DType) -> DType:
    """The dtype in which values of both dtypes can be held: bool < int32 < float32 < complex64.

    Raises:
        ValueError: if only one of them is `string`.

    Example:
        >>> upcast_type("int32", "float32")
        'float32'
    """
    if a == b:
        return a
    if a == "string" or b == "string":
        raise ValueError(f"upcast_type: cannot combine {a} with {b}; a string combines with strings only.")
    return a if _RANK[a] > _RANK[b] else b


def sum_out_type(dtype: DType) -> DType:
    """The dtype in which elements of `dtype` are summed: that of itself, int32 for bool.

    Example:
        >>> sum_out_type("bool")
        'int32'
    """
    return upcast_type(dtype, "int32")


def is_floating(dtype: DType) -> bool:
    """Whether elements of `dtype` are real floating-point numbers."""
    return dtype in ("float32", "float64")
