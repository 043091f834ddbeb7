"""Looking for values: distinct ones, ones that are missing elsewhere, and places in sorted rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from tenfold.codegen.compute import Array, both, compute, in_range
from tenfold.codegen.expr import Expr, call, cast
from tenfold.codegen.sorting import how_many
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import DType, is_floating, sum_out_type, upcast_type
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.tensor import Tensor
from tenfold.ops.after_reading import after_reading
from tenfold.ops.axes import resolve_axis

# --- unique ------------------------------------------------------------------------------------------------


class UniqueResult(NamedTuple):
    """Distinct slices of a tensor.

    Attributes:
        values: the distinct slices, in the order in which they first appear.
        indices: int32, for each slice of the tensor the number of its distinct one.
    """

    values: Tensor
    indices: Tensor


def _unique_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> list[TensorSpec]:
    x = specs[0]
    axis = resolve_axis(attributes.get("axis", 0), len(x.shape), "unique")
    return [
        TensorSpec((*x.shape[:axis], -1, *x.shape[axis + 1 :]), x.dtype),
        TensorSpec((x.shape[axis],), "int32"),
    ]


# No definition: how many values are distinct depends on them, so that this is computed on the host.
UNIQUE = define_kernel(Kernel("Unique", ("x",), _unique_infer, data_dependent=True))


@op(method=True)
def unique(x: TensorLike, axis: int = 0) -> UniqueResult:
    """Find the distinct slices of a tensor along an axis; NaN equals NaN here.

    Args:
        x: tensor of any dtype, of rank 1 at least.
        axis: the axis; negative ones count from the end.

    Returns:
        `values`, the distinct slices in the order of their first appearance, and `indices`, for each slice of `x`
        the number of its distinct one.

    Raises:
        ValueError: if there is no such axis.

    Source: TensorFlow's `UniqueV2`.

    Example:
        >>> import tenfold as tf
        >>> values, indices = tf.unique([3, 1, 3, 2])
        >>> values.array_sync(), indices.array_sync()
        ([3.0, 1.0, 2.0], [0, 1, 0, 2])
    """
    tensor = convert_to_tensor(x, "x", "unique", "string_or_numeric")
    axis = resolve_axis(axis, tensor.rank, "unique")
    values, indices = ENGINE.run_kernel(UNIQUE.name, (tensor,), {"axis": axis})
    return UniqueResult(values, indices)


# --- setdiff1d_async ---------------------------------------------------------------------------------------


@op()
def setdiff1d_async(x: TensorLike, y: TensorLike) -> Pending[tuple[Tensor, Tensor]]:
    """Find the values of one tensor that another does not have; NaN equals NaN here.

    Args:
        x: numeric tensor of rank 1.
        y: tensor of rank 1 and of the same dtype.

    Returns:
        To be awaited: the values of `x` that are not in `y`, in order and as often as they appear, and an int32
        tensor of their positions in `x`.

    Raises:
        TypeError: if an argument is no tensor-like.
        ValueError: if dtypes differ, or ranks are not 1.

    Source: TensorFlow's `ListDiff`.

    Example:
        >>> import tenfold as tf
        >>> values, positions = tf.setdiff1d_async([1, 2, 3, 4], [1, 3]).result()
        >>> values.array_sync(), positions.array_sync()
        ([2.0, 4.0], [1, 3])
    """
    first = convert_to_tensor(x, "x", "setdiff1d_async")
    second = convert_to_tensor(y, "y", "setdiff1d_async")
    if first.dtype != second.dtype or first.rank != 1 or second.rank != 1:
        raise ValueError(
            f"setdiff1d_async: 'x' and 'y' must have rank 1 and one dtype, got {first.dtype} of shape "
            f"{list(first.shape)} and {second.dtype} of shape {list(second.shape)}."
        )
    dtype = first.dtype
    return after_reading([first, second], lambda some, others: set_difference(some, others, dtype))


def set_difference(some: np.ndarray, others: np.ndarray, dtype: DType) -> tuple[Tensor, Tensor]:
    """The values that others do not have, and their positions, of vectors that were read."""
    found = np.isin(some, others)
    if np.isnan(others).any():
        found |= np.isnan(some)
    positions = np.flatnonzero(~found).astype(np.int32)
    values = some[positions]
    return (
        ENGINE.make_tensor(values, values.shape, dtype),
        ENGINE.make_tensor(positions, positions.shape, "int32"),
    )


# --- search_sorted -----------------------------------------------------------------------------------------


def _search_sorted_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    sequence, values = specs
    if len(sequence.shape) != 2 or len(values.shape) != 2 or sequence.shape[0] != values.shape[0]:
        raise ValueError(
            f"search_sorted: 'sorted_sequence' and 'values' must have equally many rows, got the shapes "
            f"{list(sequence.shape)} and {list(values.shape)}."
        )
    return TensorSpec(values.shape, "int32")


def _search_sorted_definition(sorted_sequence: Array, values: Array, *, side: str = "left") -> Array:
    """The place of a value is the number of elements that stand before it, which bisection finds."""
    length = sorted_sequence.shape[1]
    # Renderers compare numbers only.
    dtype = sum_out_type(upcast_type(sorted_sequence.dtype, values.dtype))

    def place(row: Expr, column: Expr) -> Expr:
        value = cast(values[row, column], dtype)

        def at_least(count: Expr) -> Expr:
            last = cast(sorted_sequence[row, count - 1], dtype)
            stands_before = _precedes(last, value) if side == "left" else call("logical_not", _precedes(value, last))
            return both(in_range(count - 1, length), stands_before)

        return how_many(length, at_least)

    return compute(values.shape, place)


def _precedes(a: Expr, b: Expr) -> Expr:
    """Whether `a` comes before `b` in order, in which NaN is the last."""
    if not is_floating(a.dtype):
        return a < b
    return call("logical_or", a < b, call("logical_and", call("isnan", b), call("logical_not", call("isnan", a))))


SEARCH_SORTED = define_kernel(
    Kernel("SearchSorted", ("sorted_sequence", "values"), _search_sorted_infer, definition=_search_sorted_definition)
)


@op()
def search_sorted(sorted_sequence: TensorLike, values: TensorLike, side: str = "left") -> Tensor:
    """Find where values would have to be inserted into sorted rows to keep them sorted.

    Args:
        sorted_sequence: numeric tensor `[..., length]` whose last axis ascends.
        values: tensor `[..., count]` of the same dtype and with the same leading axes.
        side: `"left"` for the first fitting place, before equal elements; `"right"` for the last, behind them.

    Returns:
        int32 tensor `[rows, count]`; all leading axes are one, which has length 1 where there is none.

    Raises:
        TypeError: if an argument is no tensor-like.
        ValueError: if the shapes do not fit, or `side` is neither.

    Source: TensorFlow's `LowerBound` and `UpperBound`.

    Example:
        >>> import tenfold as tf
        >>> tf.search_sorted([[1, 2, 2, 5]], [[2, 6]]).array_sync()
        [[1, 4]]
    """
    if side not in ("left", "right"):
        raise ValueError(f"search_sorted: argument 'side' must be 'left' or 'right', got {side!r}.")
    sequence = convert_to_tensor(sorted_sequence, "sorted_sequence", "search_sorted")
    wanted = convert_to_tensor(values, "values", "search_sorted")
    if not sequence.shape or not wanted.shape or sequence.shape[:-1] != wanted.shape[:-1]:
        raise ValueError(
            f"search_sorted: 'sorted_sequence' and 'values' must have rank 1 at least and the same leading axes, got "
            f"the shapes {list(sequence.shape)} and {list(wanted.shape)}."
        )
    rows = prod(sequence.shape[:-1])
    inputs = [x.reshape((rows, x.shape[-1])) for x in (sequence, wanted)]
    return ENGINE.run_kernel(SEARCH_SORTED.name, inputs, {"side": side})


@op()
def lower_bound(sorted_sequence: TensorLike, values: TensorLike) -> Tensor:
    """Find the first places at which values could be inserted into sorted rows; see `search_sorted`.

    Example:
        >>> import tenfold as tf
        >>> tf.lower_bound([[1, 2, 2, 5]], [[2]]).array_sync()
        [[1]]
    """
    return search_sorted(sorted_sequence, values, "left")


@op()
def upper_bound(sorted_sequence: TensorLike, values: TensorLike) -> Tensor:
    """Find the last places at which values could be inserted into sorted rows; see `search_sorted`.

    Example:
        >>> import tenfold as tf
        >>> tf.upper_bound([[1, 2, 2, 5]], [[2]]).array_sync()
        [[3]]
    """
    return search_sorted(sorted_sequence, values, "right")
