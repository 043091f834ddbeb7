"""Ranking: the greatest elements, and whether a target is among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tenfold.codegen.compute import Array, both, compute, in_range
from tenfold.codegen.expr import Expr, cast, function, select
from tenfold.codegen.reductions import Element
from tenfold.codegen.scans import scan
from tenfold.codegen.sorting import first_in_order, how_many
from tenfold.core.conversion import TensorLike
from tenfold.core.dtypes import is_floating, sum_out_type
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.after_reading import after_reading

isnan, logical_not, logical_or = function("isnan"), function("logical_not"), function("logical_or")

# --- topk --------------------------------------------------------------------------------------------------


class TopK(NamedTuple):
    """What `topk` gives.

    Attributes:
        values: the greatest elements.
        indices: their positions along the last axis.
    """

    values: Tensor
    indices: Tensor


def _topk_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> list[TensorSpec]:
    shape, dtype = specs[0]
    found = (*shape[:-1], _checked_k("topk", attributes["k"], shape))
    return [TensorSpec(found, dtype), TensorSpec(found, "int32")]


def _checked_k(op: str, k: int, shape: Sequence[int]) -> int:
    if not shape:
        raise ValueError(f"{op}: argument 'x' must have rank 1 or more, got a scalar.")
    return operands.whole_number(k, op, "k", 0, shape[-1], "the length of the last axis")


def _greater(first: Expr, second: Expr) -> Expr:
    """Whether an element is greater than another, as a number is than NaN."""
    if not is_floating(first.dtype):
        return first > second
    return logical_or(first > second, both(isnan(second), logical_not(isnan(first))))


def _topk_definition(x: Array, *, k: int, sorted: bool = True) -> tuple[Array, Array]:
    def element(*i: Expr) -> Expr:
        return cast(x[i], sum_out_type(x.dtype))

    indices = first_in_order(x.shape, k, element, _greater, greatest_first=True)
    if not sorted and k:
        indices = _as_they_stand(x.shape, element, indices)
    return compute(indices.shape, lambda *i: x[*i[:-1], indices[i]]), indices


def _as_they_stand(shape: Sequence[int], element: Element, indices: Array) -> Array:
    """The positions of the k greatest elements, which end with that of the least of them, in rising order."""
    (*_, length), k = shape, indices.shape[-1]
    if k == length:
        return compute(indices.shape, lambda *i: i[-1])

    def is_found(*i: Expr) -> Expr:
        *row, own = i
        last = indices[*row, k - 1]
        mine, least = element(*i), element(*row, last)
        return cast(select(own <= last, logical_not(_greater(least, mine)), _greater(mine, least)), "int32")

    # How many are found up to each position.
    counts = scan("sum", shape, len(shape) - 1, is_found)

    def position_of(*i: Expr) -> Expr:
        *row, place = i
        return how_many(length - 1, lambda n: both(in_range(n - 1, length), counts[*row, n - 1] <= place))

    return compute(indices.shape, position_of)


TOP_K = define_kernel(Kernel("TopK", ("x",), _topk_infer, definition=_topk_definition))


@op(method=True)
def topk(x: TensorLike, k: int = 1, sorted: bool = True) -> TopK:
    """The k greatest elements along the last axis, and their positions.

    Of equal elements the one with the lower position counts as the greater; NaN counts as less than all numbers.

    Args:
        x: tensor of any real dtype, [..., n].
        k: how many.
        sorted: whether to give them in descending order; else they keep the order they have in `x`.

    Returns:
        `values`, [..., k] of the dtype of `x`, and `indices`, int32 of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` is a scalar, or `k` is not from 0 to n.

    Source: TensorFlow's `TopKV2`.

    Example:
        >>> import tenfold as tf
        >>> values, indices = tf.topk([[1, 5], [4, 3]])
        >>> values.array_sync(), indices.array_sync()
        ([[5.0], [4.0]], [[1], [0]])
    """
    tensor = operands.real(x, "topk")
    count = _checked_k("topk", k, tensor.shape)
    return TopK(*ENGINE.run_kernel(TOP_K.name, (tensor,), {"k": count, "sorted": bool(sorted)}))


# --- in_top_k_async ----------------------------------------------------------------------------------------


@op()
def in_top_k_async(predictions: TensorLike, targets: TensorLike, k: int = 1) -> Pending[Tensor]:
    """Whether each target is among the k greatest predictions, without blocking the event loop.

    Of equal predictions the one with the lower position counts as the greater.

    Args:
        predictions: scores of any real dtype, [..., classes], of rank 2 or more.
        targets: numbers of classes, [...].
        k: how many predictions count.

    Returns:
        To be awaited: bool tensor of the shape of `targets`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or `k` is not from 1 to the number of classes.

    Source: TensorFlow's `InTopKV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.in_top_k_async([[20, 10, 40, 30], [30, 50, -20, 10]], [2, 0]).result().array_sync()
        [True, False]
    """
    scores = operands.real(predictions, "in_top_k_async", "predictions")
    classes = operands.real(targets, "in_top_k_async", "targets")
    if scores.rank < 2 or classes.shape != scores.shape[:-1]:
        raise ValueError(
            "in_top_k_async: argument 'predictions' must have rank 2 or more, and 'targets' its shape without the last "
            f"axis; got {list(scores.shape)} and {list(classes.shape)}."
        )
    count = operands.whole_number(k, "in_top_k_async", "k", 1, scores.shape[-1], "the number of classes")
    best = topk(scores, count).indices

    def compare(positions: np.ndarray, wanted: np.ndarray) -> Tensor:
        found = (positions.reshape(-1, count) == wanted.reshape(-1, 1)).any(axis=1).reshape(classes.shape)
        return ENGINE.make_tensor(found, classes.shape, "bool")

    return after_reading([best, classes], compare)
