"""Ranking: the greatest elements, and whether a target is among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tenfold.codegen.compute import Array, both, compute, reduce, sum_over
from tenfold.codegen.expr import Expr, cast, function
from tenfold.core.conversion import TensorLike
from tenfold.core.dtypes import is_floating
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.after_reading import after_reading

equal, isnan = function("equal"), function("isnan")
logical_not, logical_or = function("logical_not"), function("logical_or")

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


def _precedes(x: Array, row: Sequence[Expr], a: Expr, b: Expr) -> Expr:
    """Whether the element at `a` comes before that at `b` in descending order: NaN last, equal ones as they stand."""
    first, second = x[*row, a], x[*row, b]
    greater, same = first > second, equal(first, second)
    if is_floating(x.dtype):
        greater = logical_or(greater, both(isnan(second), logical_not(isnan(first))))
        same = logical_or(same, both(isnan(second), isnan(first)))
    return logical_or(greater, both(same, a < b))


def _topk_definition(x: Array, *, k: int, sorted: bool = True) -> tuple[Array, Array]:
    """Ranks by comparing each element with all others of its row: the work is quadratic in the length of a row."""
    length, found = x.shape[-1], (*x.shape[:-1], k)

    def rank_of(*i: Expr) -> Expr:
        *row, own = i
        return sum_over([length], lambda other: cast(_precedes(x, row, other, own), "int32"))

    ranks = compute(x.shape, rank_of)

    def place_of(*i: Expr) -> Expr:
        """How many of the greatest stand before a position."""
        *row, own = i
        return sum_over([length], lambda other: cast(both(ranks[*row, other] < k, other < own), "int32"))

    places = ranks if sorted else compute(x.shape, place_of)

    def index_of(*i: Expr) -> Expr:
        *row, wanted = i

        def fits(position: Expr) -> Expr:
            there = equal(places[*row, position], wanted)
            return there if sorted else both(ranks[*row, position] < k, there)

        return reduce("arg_max", [length], lambda position: cast(fits(position), "int32"))

    indices = compute(found, index_of)
    return compute(found, lambda *i: x[*i[:-1], indices[i]]), indices


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
