"""Tensors that follow from a few numbers: numbers in order, and ones in places."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from tenfold.codegen.compute import Array, all_hold, compute
from tenfold.codegen.expr import Expr, call, cast, constant, select
from tenfold.core.arguments import integer, plain_value
from tenfold.core.conversion import TensorLike, check_shape, convert_to_tensor
from tenfold.core.dtypes import DType, check_dtype, numpy_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import creation

# --- numbers in order --------------------------------------------------------------------------------------


def _linspace_infer(_: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec((attributes["num"],), "float32")


def _linspace_definition(*, start: float, stop: float, num: int) -> Array:
    first, last = constant(start, "float32"), constant(stop, "float32")
    step = (stop - start) / max(num - 1, 1)
    # The last number is `stop` itself, whatever rounding makes of the sum.
    return compute((num,), lambda i: select(i >= max(num - 1, 1), last, cast(i, "float32") * step + first))


LIN_SPACE = define_kernel(Kernel("LinSpace", (), _linspace_infer, definition=_linspace_definition))


@op()
def linspace(start: float, stop: float, num: int) -> Tensor:
    """Make a float32 tensor of evenly spaced numbers, both ends among them.

    Args:
        start: the first number.
        stop: the last one.
        num: how many.

    Raises:
        TypeError: if `num` is no integer.
        ValueError: if it is not positive.

    Source: TensorFlow's `LinSpace`.

    Example:
        >>> import tenfold as tf
        >>> tf.linspace(0, 9, 4).array_sync()
        [0.0, 3.0, 6.0, 9.0]
    """
    count = integer(num, "num", "linspace")
    if count <= 0:
        raise ValueError(f"linspace: argument 'num' must be positive, got {count}.")
    return ENGINE.run_kernel(LIN_SPACE.name, (), {"start": float(start), "stop": float(stop), "num": count})


def _range_infer(_: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    start, stop, step = attributes["start"], attributes["stop"], attributes["step"]
    if step == 0:
        raise ValueError("range: argument 'step' must not be 0.")
    return TensorSpec((max(0, ceil((stop - start) / step)),), attributes.get("dtype", "float32"))


def _range_definition(*, start: float, stop: float, step: float, dtype: DType = "float32") -> Array:
    count = max(0, ceil((stop - start) / step))
    ends = start, start + step * count
    if all(float(n).is_integer() for n in (start, step)) and all(abs(end) < 2**31 for end in ends):
        return compute((count,), lambda i: cast(i * int(step) + int(start), dtype))
    return compute((count,), lambda i: cast(cast(i, "float32") * float(step) + float(start), dtype))


RANGE = define_kernel(Kernel("Range", (), _range_infer, definition=_range_definition))


@op()
def range_(start: float, stop: float, step: float = 1, dtype: DType = "float32") -> Tensor:
    """Make a tensor of numbers from `start` up to, and without, `stop`.

    Args:
        start: the first number.
        stop: the number that is not reached.
        step: the distance of the numbers; its default turns to -1 where `stop` is below `start`.
        dtype: `float32` or `int32`.

    Returns:
        Tensor of rank 1; empty if the step leads away from `stop`.

    Raises:
        ValueError: if `step` is 0, or the dtype is another.
        TypeError: if an argument is no number.

    Source: TensorFlow's `Range`.

    Example:
        >>> import tenfold as tf
        >>> tf.range(0, 9, 2).array_sync()
        [0.0, 2.0, 4.0, 6.0, 8.0]
        >>> tf.range(3, 0, dtype="int32").array_sync()
        [3, 2, 1]
    """
    given: dict[str, Any] = {"start": start, "stop": stop, "step": step}
    for argument, value in given.items():
        if not isinstance(value, numbers.Real):
            raise TypeError(f"range: argument '{argument}' must be a number, got {value!r}.")
    if dtype not in ("float32", "int32"):
        raise ValueError(f"range: argument 'dtype' must be 'float32' or 'int32', got {dtype!r}.")
    if step == 1 and stop < start:
        step = -1
    attributes = {**given, "step": step, "dtype": dtype}
    _range_infer((), attributes)
    return ENGINE.run_kernel(RANGE.name, (), attributes)


# --- ones in places ----------------------------------------------------------------------------------------


def _one_hot_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec((*specs[0].shape, attributes["depth"]), attributes["dtype"])


def _one_hot_definition(indices: Array, *, depth: int, on_value: float, off_value: float, dtype: DType) -> Array:
    on, off = creation.as_constant(on_value, dtype), creation.as_constant(off_value, dtype)

    def element(*i: Expr) -> Expr:
        return select(call("equal", indices[i[:-1]], i[-1]), on, off)

    return compute((*indices.shape, depth), element)


ONE_HOT = define_kernel(Kernel("OneHot", ("indices",), _one_hot_infer, definition=_one_hot_definition))
register_gradient(
    "OneHot",
    lambda dy, saved, _: [lambda: ENGINE.zeros(saved[0].shape, "float32")],
    inputs_to_save=["indices"],
)


@op(method=True)
def one_hot(
    indices: TensorLike, depth: int, on_value: float = 1, off_value: float = 0, dtype: DType = "int32"
) -> Tensor:
    """Spread positions over a new last axis that holds one value at the position and another elsewhere.

    Args:
        indices: int32 tensor of positions; one outside [0, depth) has the other value everywhere.
        depth: length of the new axis, 2 at least.
        on_value: the value at the position.
        off_value: the value elsewhere.
        dtype: the dtype of the result.

    Returns:
        Tensor of shape `[*indices.shape, depth]`.

    Raises:
        TypeError: if `indices` is a tensor of another dtype, or `depth` no integer.
        ValueError: if `depth` is less than 2, or the dtype is unknown.

    Source: TensorFlow's `OneHot`.

    Example:
        >>> import tenfold as tf
        >>> tf.one_hot([0, 2], 3).array_sync()
        [[1, 0, 0], [0, 0, 1]]
    """
    positions = convert_to_tensor(indices, "indices", "one_hot", "int32")
    length = integer(depth, "depth", "one_hot")
    if length < 2:
        raise ValueError(f"one_hot: argument 'depth' must be 2 at least, got {length}.")
    attributes = {
        "depth": length,
        "on_value": plain_value(on_value),
        "off_value": plain_value(off_value),
        "dtype": check_dtype(dtype, "one_hot"),
    }
    return ENGINE.run_kernel(ONE_HOT.name, (positions,), attributes)


@op()
def eye(
    num_rows: int,
    num_columns: int | None = None,
    batch_shape: Sequence[int] | None = None,
    dtype: DType = "float32",
) -> Tensor:
    """Make an identity matrix: ones on the diagonal, zeros elsewhere.

    Args:
        num_rows: the number of rows.
        num_columns: the number of columns; as many as rows if None.
        batch_shape: lengths of axes in front, along which the matrix is repeated.
        dtype: the dtype.

    Returns:
        Tensor of shape `[*batch_shape, num_rows, num_columns]`.

    Raises:
        ValueError: if a length is negative or the dtype is unknown.
        TypeError: if a length is no integer.

    Source: TensorFlow's `tf.eye`.

    Example:
        >>> import tenfold as tf
        >>> tf.eye(2, 3).array_sync()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    rows = integer(num_rows, "num_rows", "eye")
    columns = rows if num_columns is None else integer(num_columns, "num_columns", "eye")
    shape = check_shape((*(batch_shape or ()), rows, columns), "eye")
    values = np.array(np.broadcast_to(np.eye(rows, columns, dtype=numpy_dtype(check_dtype(dtype, "eye"))), shape))
    return ENGINE.make_tensor(values, shape, dtype)


def _diag_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return TensorSpec(specs[0].shape + specs[0].shape, specs[0].dtype)


def _diag_definition(x: Array) -> Array:
    def element(*i: Expr) -> Expr:
        row, column = i[: x.rank], i[x.rank :]
        return select(all_hold(call("equal", r, c) for r, c in zip(row, column, strict=True)), x[row], 0)

    return compute(x.shape + x.shape, element)


DIAG = define_kernel(Kernel("Diag", ("x",), _diag_infer, definition=_diag_definition))


def _diag_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Any:
    shape, size = saved[0].shape, saved[0].size
    places = np.arange(0, size * size, size + 1, dtype=np.int32)
    return [lambda: dy.reshape((size * size,)).gather(ENGINE.make_tensor(places, places.shape, "int32")).reshape(shape)]


register_gradient("Diag", _diag_gradient, inputs_to_save=["x"])


@op()
def diag(x: TensorLike) -> Tensor:
    """Put the elements of a tensor on the diagonal of one of twice the rank, with zeros elsewhere.

    Args:
        x: numeric tensor.

    Returns:
        Tensor of shape `x.shape + x.shape` and the same dtype.

    Raises:
        TypeError: if `x` is no numeric tensor-like.

    Source: TensorFlow's `Diag`.

    Example:
        >>> import tenfold as tf
        >>> tf.diag([1, 2]).array_sync()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    return ENGINE.run_kernel(DIAG.name, (convert_to_tensor(x, "x", "diag"),))
