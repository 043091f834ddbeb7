"""Making tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tenfold.core.conversion import TensorLike, check_shape, convert_to_tensor, make_tensor
from tenfold.core.dtypes import DType, check_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.op import op
from tenfold.core.tensor import Tensor


@op()
def tensor(values: TensorLike, shape: Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Make a tensor of Python values, a NumPy array, a buffer, or anything with `__array__`.

    The values are copied. Without a dtype, numbers make float32, bools bool, text string; arrays of integers
    make int32, arrays of floats float32.

    Args:
        values: a value, nested lists of values, an array, or flat values for `shape`.
        shape: the shape; inferred if None.
        dtype: the dtype; inferred if None. Floats become int32 by truncation.

    Returns:
        Tensor of that shape and dtype.

    Raises:
        ValueError: if shape, dtype and values disagree.
        TypeError: if `values` is nothing that a tensor can hold.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor([1, 2, 3, 4], [2, 2]).array_sync()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    return make_tensor(values, shape, dtype, "tensor")


@op()
def scalar(value: Any, dtype: DType | None = None) -> Tensor:
    """Make a tensor of rank 0.

    Args:
        value: a number, bool or text (bytes with `dtype="string"`).
        dtype: the dtype; inferred if None.

    Returns:
        Tensor of shape [].

    Raises:
        ValueError: if `value` is not a single value.
        TypeError: if it is bytes without `dtype="string"`.

    Example:
        >>> import tenfold as tf
        >>> tf.scalar(3.14).print()
        3.1400001049041748
    """
    single = isinstance(value, (bool, int, float, complex, str, bytes, np.generic))
    if not single and not (isinstance(value, (np.ndarray, Tensor)) and value.ndim == 0):
        raise ValueError(f"scalar: expected a single value, got {type(value).__name__} {value!r}.")
    return make_tensor(value, (), dtype, "scalar")


def _with_rank(rank: int) -> Any:
    def make(values: Any, shape: Any, dtype: DType | None) -> Tensor:
        name = f"tensor{rank}d"
        if values is None:
            raise TypeError(f"{name}: values must not be None.")
        if shape is not None and len(check_shape(shape, name)) != rank:
            raise ValueError(f"{name}: the shape must have {rank} lengths, got {list(shape)}.")
        nested = np.ndim(values) if not isinstance(values, (list, tuple)) else _depth(values)
        if nested not in (rank, 1):
            raise ValueError(f"{name}: the values must be nested {rank} deep or flat, got {nested} deep.")
        if nested == 1 and rank > 1 and shape is None:
            raise ValueError(f"{name}: flat values need a shape.")
        return make_tensor(values, shape, dtype, name)

    return make


def _depth(values: Any) -> int:
    depth = 0
    while isinstance(values, (list, tuple)):
        depth += 1
        if not values:
            break
        values = values[0]
    return depth + np.ndim(values) if isinstance(values, (np.ndarray, Tensor)) else depth


@op()
def zeros(shape: Sequence[int], dtype: DType = "float32") -> Tensor:
    """Make a tensor of zeros (false for bool).

    Args:
        shape: lengths of the axes.
        dtype: the dtype.

    Raises:
        ValueError: if the shape holds anything but non-negative integers, or the dtype is unknown.

    Example:
        >>> import tenfold as tf
        >>> tf.zeros([2]).array_sync()
        [0.0, 0.0]
    """
    return ENGINE.zeros(check_shape(shape, "zeros"), check_dtype(dtype, "zeros"))


@op()
def ones(shape: Sequence[int], dtype: DType = "float32") -> Tensor:
    """Make a tensor of ones (true for bool).

    Args:
        shape: lengths of the axes.
        dtype: the dtype.

    Raises:
        ValueError: if the shape holds anything but non-negative integers, or the dtype is unknown.

    Example:
        >>> import tenfold as tf
        >>> tf.ones([2], "int32").array_sync()
        [1, 1]
    """
    return ENGINE.ones(check_shape(shape, "ones"), check_dtype(dtype, "ones"))


@op(method=True)
def zeros_like(x: TensorLike) -> Tensor:
    """Make a tensor of zeros with the shape and dtype of another (empty text for strings).

    Example:
        >>> import tenfold as tf
        >>> tf.zeros_like([1, 2]).array_sync()
        [0.0, 0.0]
    """
    like = convert_to_tensor(x, "x", "zeros_like", "string_or_numeric")
    if like.dtype == "string":
        return make_tensor(np.full(like.shape, b"", object), like.shape, "string", "zeros_like")
    return ENGINE.zeros(like.shape, like.dtype)


@op(method=True)
def ones_like(x: TensorLike) -> Tensor:
    """Make a tensor of ones with the shape and dtype of another.

    Raises:
        TypeError: if `x` is a string tensor.

    Example:
        >>> import tenfold as tf
        >>> tf.ones_like([5, 6]).array_sync()
        [1.0, 1.0]
    """
    like = convert_to_tensor(x, "x", "ones_like")
    return ENGINE.ones(like.shape, like.dtype)


