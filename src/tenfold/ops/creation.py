"""Making tensors of values that are given, or follow from a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tenfold.codegen.compute import Array, compute
from tenfold.codegen.expr import Expr, constant
from tenfold.core.arguments import plain_value
from tenfold.core.conversion import TensorLike, cast_array, check_shape, convert_to_tensor, infer_dtype, make_tensor
from tenfold.core.dtypes import DType, check_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor

# --- given values ------------------------------------------------------------------------------------------


@op()
def tensor(values: TensorLike, shape: Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Make a tensor of Python values, a NumPy array, a buffer, or anything with `__array__` or `__dlpack__`.

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
        >>> tf.tensor(["a", "b"]).dtype
        'string'
    """
    return make_tensor(_in_host_memory(values), shape, dtype, "tensor")


def _in_host_memory(values: Any) -> Any:
    """What comes from elsewhere, such as a framework that NumPy does not know, as an array that sees the same."""
    known = isinstance(values, (list, tuple, np.ndarray, Tensor)) or hasattr(values, "__array__")
    return values if known or not hasattr(values, "__dlpack__") else np.from_dlpack(values)


@op()
def from_dlpack(x: Any) -> Tensor:
    """Make a tensor of another library's by DLPack; the values are copied.

    Args:
        x: an object with `__dlpack__` whose memory the processor can read.

    Returns:
        Tensor of the same shape; integers become int32, floats float32.

    Raises:
        TypeError: if it has no `__dlpack__`, or elements that no tensor can hold.

    Source: the DLPack protocol of the Python array API standard.

    Example:
        >>> import numpy as np, tenfold as tf
        >>> tf.from_dlpack(np.arange(3)).array_sync()
        [0, 1, 2]
    """
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack: argument 'x' must have the method __dlpack__, got {type(x).__name__}.")
    return make_tensor(np.from_dlpack(x), None, None, "from_dlpack")


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
        >>> tf.scalar(3).array_sync()
        3.0
    """
    single = isinstance(value, (bool, int, float, complex, str, bytes, np.generic))
    if not single and not (isinstance(value, (np.ndarray, Tensor)) and value.ndim == 0):
        raise ValueError(f"scalar: expected a single value, got {type(value).__name__} {value!r}.")
    if isinstance(value, bytes) and dtype != "string":
        raise TypeError("scalar: bytes make a scalar of dtype 'string' only; pass dtype='string'.")
    return make_tensor(value, (), dtype, "scalar")


def _of_rank(rank: int, values: Any, shape: Sequence[int] | None, dtype: DType | None) -> Tensor:
    name = f"tensor{rank}d"
    if values is None:
        raise TypeError(f"{name}: argument 'values' must not be None.")
    values = _in_host_memory(values)
    if shape is not None and len(check_shape(shape, name)) != rank:
        raise ValueError(f"{name}: argument 'shape' must have {rank} lengths, got {list(shape)}.")
    depth = _depth(values, dtype)
    if depth not in (rank, 1):
        either = "flat" if rank == 1 else f"nested {rank} deep, or flat with a shape"
        raise ValueError(f"{name}: argument 'values' must be {either}; got values nested {depth} deep.")
    if depth == 1 and rank > 1 and shape is None:
        raise ValueError(f"{name}: argument 'shape' is needed for flat values.")
    return make_tensor(values, shape, dtype, name)


def _depth(values: Any, dtype: DType | None) -> int:
    depth = 0
    while isinstance(values, (list, tuple)):
        depth += 1
        if not values:
            return depth
        values = values[0]
    if isinstance(values, np.ndarray) and values.dtype == np.uint8 and dtype == "string":
        return depth  # the bytes of one text
    return depth + np.ndim(values)


@op()
def tensor1d(values: TensorLike, dtype: DType | None = None) -> Tensor:
    """Make a tensor of rank 1; see `tensor`.

    Raises:
        ValueError: if the values are not flat.
        TypeError: if they are None.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor1d([1, 2, 3]).shape
        (3,)
    """
    return _of_rank(1, values, None, dtype)


@op()
def tensor2d(values: TensorLike, shape: Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Make a tensor of rank 2 of nested lists, or of flat values and a shape; see `tensor`.

    Raises:
        ValueError: if the values are not nested as deep, or do not fit the shape.
        TypeError: if they are None.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor2d([1, 2, 3, 4], [2, 2]).array_sync()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    return _of_rank(2, values, shape, dtype)


@op()
def tensor3d(values: TensorLike, shape: Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Make a tensor of rank 3 of nested lists, or of flat values and a shape; see `tensor2d`.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor3d([[[1], [2]], [[3], [4]]]).shape
        (2, 2, 1)
    """
    return _of_rank(3, values, shape, dtype)


@op()
def tensor4d(values: TensorLike, shape: Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Make a tensor of rank 4 of nested lists, or of flat values and a shape; see `tensor2d`.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]).shape
        (1, 2, 2, 1)
    """
    return _of_rank(4, values, shape, dtype)


@op()
def tensor5d(values: TensorLike, shape: Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Make a tensor of rank 5 of nested lists, or of flat values and a shape; see `tensor2d`.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor5d([1, 2, 3, 4], [1, 2, 2, 1, 1]).shape
        (1, 2, 2, 1, 1)
    """
    return _of_rank(5, values, shape, dtype)


@op()
def tensor6d(values: TensorLike, shape: Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Make a tensor of rank 6 of nested lists, or of flat values and a shape; see `tensor2d`.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor6d([1, 2, 3, 4], [1, 1, 2, 2, 1, 1]).shape
        (1, 1, 2, 2, 1, 1)
    """
    return _of_rank(6, values, shape, dtype)


@op()
def print_(x: TensorLike, verbose: bool = False) -> None:
    """Print the values of a tensor.

    Args:
        x: tensor of any dtype.
        verbose: print dtype, rank and shape too.

    Example:
        >>> import tenfold as tf
        >>> tf.print(tf.tensor([1, 2, 3]))
        Tensor
            [1, 2, 3]
    """
    convert_to_tensor(x, "x", "print", "string_or_numeric").print(verbose)


# --- one value ---------------------------------------------------------------------------------------------


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
    """Make a tensor of ones (true for bool, 1 + 0i for complex64).

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


def _same(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return specs[0]


def as_constant(value: Any, dtype: DType) -> Expr:
    """A number as an element of `dtype` in the definition of a kernel, by the rules of casts."""
    return constant(cast_array(np.asarray(value), dtype).item(), dtype)


def _zeros_like_definition(x: Array) -> Array:
    return compute(x.shape, lambda *_: as_constant(0, x.dtype))


def _ones_like_definition(x: Array) -> Array:
    return compute(x.shape, lambda *_: as_constant(1, x.dtype))


ZEROS_LIKE = define_kernel(Kernel("ZerosLike", ("x",), _same, definition=_zeros_like_definition))
ONES_LIKE = define_kernel(Kernel("OnesLike", ("x",), _same, definition=_ones_like_definition))
for _name in (ZEROS_LIKE.name, ONES_LIKE.name):
    register_gradient(_name, lambda dy, saved, _: [lambda: dy.zeros_like()])


@op(method=True)
def zeros_like(x: TensorLike) -> Tensor:
    """Make a tensor of zeros with the shape and dtype of another (empty text for strings).

    Args:
        x: tensor of any dtype.

    Raises:
        TypeError: if it is no tensor-like.

    Source: TensorFlow's `ZerosLike`.

    Example:
        >>> import tenfold as tf
        >>> tf.zeros_like([1, 2]).array_sync()
        [0.0, 0.0]
    """
    return ENGINE.run_kernel(ZEROS_LIKE.name, (convert_to_tensor(x, "x", "zeros_like", "string_or_numeric"),))


@op(method=True)
def ones_like(x: TensorLike) -> Tensor:
    """Make a tensor of ones with the shape and dtype of another.

    Args:
        x: numeric tensor.

    Raises:
        TypeError: if it is no tensor-like, or holds strings.

    Source: TensorFlow's `OnesLike`.

    Example:
        >>> import tenfold as tf
        >>> tf.ones_like([5, 6]).array_sync()
        [1.0, 1.0]
    """
    return ENGINE.run_kernel(ONES_LIKE.name, (convert_to_tensor(x, "x", "ones_like"),))


def _fill_infer(_: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape = check_shape(attributes["shape"], "fill")
    return TensorSpec(shape, attributes.get("dtype") or infer_dtype(attributes["value"]))


def _fill_definition(*, shape: Shape, value: Any, dtype: DType) -> Array:
    return compute(shape, lambda *_: as_constant(value, dtype))


FILL = define_kernel(Kernel("Fill", (), _fill_infer, definition=_fill_definition))


@op()
def fill(shape: Sequence[int], value: float | bool | str | bytes, dtype: DType | None = None) -> Tensor:
    """Make a tensor that holds one value everywhere.

    Args:
        shape: lengths of the axes.
        value: the value; text makes a string tensor.
        dtype: the dtype; inferred from the value if None, float32 for numbers.

    Raises:
        ValueError: if the shape holds anything but non-negative integers, or dtype and value disagree.
        TypeError: if the value is none that a tensor can hold.

    Source: TensorFlow's `Fill`.

    Example:
        >>> import tenfold as tf
        >>> tf.fill([2, 2], 4).array_sync()
        [[4.0, 4.0], [4.0, 4.0]]
    """
    lengths = check_shape(shape, "fill")
    inferred = "string" if isinstance(value, bytes) else infer_dtype(value)
    dtype = inferred if dtype is None else check_dtype(dtype, "fill")
    if (dtype == "string") != (inferred == "string"):
        raise ValueError(f"fill: the value {value!r} cannot be stored as {dtype}.")
    return ENGINE.run_kernel(FILL.name, (), {"shape": lengths, "value": plain_value(value), "dtype": dtype})
