"""Counting: how often numbers occur, and which labels are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tenfold.codegen.compute import Array, compute, unflatten
from tenfold.codegen.expr import Expr, cast, constant
from tenfold.codegen.segments import segment_sums
from tenfold.core.arguments import integer
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.elementwise import cast_to

# --- bincount, dense_bincount ------------------------------------------------------------------------------


def _bincount_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec((attributes["size"],), specs[1].dtype)


def _dense_bincount_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x, weights = specs
    return TensorSpec((*x.shape[:-1], attributes["size"]), weights.dtype)


def _bincount_definition(x: Array, weights: Array, *, size: int) -> Array:
    return _counts(x, weights, 0, size)


def _dense_bincount_definition(x: Array, weights: Array, *, size: int, binary_output: bool = False) -> Array:
    counts = _counts(x, weights, x.rank - 1, size, weighted=not binary_output)
    if not binary_output:
        return counts
    return compute(counts.shape, lambda *i: cast(counts[i] > 0, counts.dtype))


def _counts(x: Array, weights: Array, batch_axes: int, size: int, weighted: bool = True) -> Array:
    """How often each number occurs along all axes but the first ones; what does not count occurs nowhere."""
    batch, counted = x.shape[:batch_axes], x.shape[batch_axes:]
    numbers = x
    if len(counted) != 1:
        numbers = compute([*batch, prod(counted)], lambda *i: x[*i[:-1], *unflatten(i[-1], counted)])

    def weight(*i: Expr) -> Expr:
        if weighted and weights.size:
            return weights[*i[:-1], *unflatten(i[-1], counted)]
        return constant(1, weights.dtype)

    return segment_sums("sum", numbers, [size], (), weight)


BINCOUNT = define_kernel(Kernel("Bincount", ("x", "weights"), _bincount_infer, definition=_bincount_definition))
DENSE_BINCOUNT = define_kernel(
    Kernel("DenseBincount", ("x", "weights"), _dense_bincount_infer, definition=_dense_bincount_definition)
)


def _counted(x: TensorLike, weights: TensorLike, size: int, op: str) -> tuple[Tensor, Tensor, int]:
    numbers = convert_to_tensor(x, "x", op, "int32")
    factors = operands.real(weights, op, "weights")
    if factors.size and factors.shape != numbers.shape:
        raise ValueError(
            f"{op}: argument 'weights' must be empty or have the shape of 'x', {list(numbers.shape)}, got "
            f"{list(factors.shape)}."
        )
    return numbers, factors, operands.whole_number(size, op, "size", 0, None)


@op()
def bincount(x: TensorLike, weights: TensorLike, size: int) -> Tensor:
    """Count how often each number from 0 on occurs.

    Args:
        x: int32 tensor of any shape, of numbers from 0 on.
        weights: tensor of any real dtype and of the shape of `x`, what each number counts; empty for 1 each.
        size: how many numbers are counted; numbers from `size` on are passed over.

    Returns:
        Tensor of the dtype of `weights` (int32 for bools), [size].

    Raises:
        TypeError: if an argument is no tensor-like, or `x` a tensor of another dtype.
        ValueError: if `x` holds negative numbers, the shapes differ, or `size` is negative.

    Source: TensorFlow's `Bincount`.

    Example:
        >>> import tenfold as tf
        >>> tf.bincount([1, 1, 3], [], 4).array_sync()
        [0.0, 2.0, 0.0, 1.0]
    """
    numbers, factors, length = _counted(x, weights, size, "bincount")
    return ENGINE.run_kernel(BINCOUNT.name, (numbers, factors), {"size": length})


@op()
def dense_bincount(x: TensorLike, weights: TensorLike, size: int, binary_output: bool = False) -> Tensor:
    """Count how often each number from 0 on occurs in each row.

    Args:
        x: int32 tensor, [n] or [batch, n], of numbers from 0 on.
        weights: tensor of any real dtype and of the shape of `x`, what each number counts; empty for 1 each.
        size: how many numbers are counted; numbers from `size` on are passed over.
        binary_output: whether to say only if a number occurs, as 0 or 1.

    Returns:
        Tensor of the dtype of `weights` (int32 for bools), [size] or [batch, size].

    Raises:
        TypeError: if an argument is no tensor-like, or `x` a tensor of another dtype.
        ValueError: if `x` has another rank or negative numbers, the shapes differ, or `size` is negative.

    Source: TensorFlow's `DenseBincount`.

    Example:
        >>> import tenfold as tf
        >>> tf.dense_bincount([[0, 2], [1, 1]], [], 3).array_sync()
        [[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]]
    """
    numbers, factors, length = _counted(x, weights, size, "dense_bincount")
    if numbers.rank not in (1, 2):
        raise ValueError(f"dense_bincount: argument 'x' must have rank 1 or 2, got the shape {list(numbers.shape)}.")
    attributes = {"size": length, "binary_output": bool(binary_output)}
    return ENGINE.run_kernel(DENSE_BINCOUNT.name, (numbers, factors), attributes)


# --- confusion_matrix --------------------------------------------------------------------------------------


@op(namespace="math")
def confusion_matrix(labels: TensorLike, predictions: TensorLike, num_classes: int) -> Tensor:
    """Count for each class how often it was predicted as each class.

    Args:
        labels: tensor of any real dtype, [n], the numbers of classes; others than those of classes are passed over.
        predictions: tensor, [n], the numbers of predicted classes.
        num_classes: how many classes there are.

    Returns:
        int32 tensor, [classes, classes]: a row for each class, a column for each prediction.

    Raises:
        TypeError: if an argument is no tensor-like, holds strings or complex numbers, or `num_classes` is no integer.
        ValueError: if the shapes differ or are not of rank 1, or `num_classes` is not positive.

    Source: TensorFlow's `tf.math.confusion_matrix`.

    Example:
        >>> import tenfold as tf
        >>> tf.math.confusion_matrix([0, 1, 2, 1], [0, 2, 2, 1], 3).array_sync()
        [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    """
    name = "confusion_matrix"
    wanted = cast_to(operands.real(labels, name, "labels"), "int32")
    found = cast_to(operands.real(predictions, name, "predictions"), "int32")
    classes = integer(num_classes, "num_classes", name)
    if classes <= 0:
        raise ValueError(f"{name}: argument 'num_classes' must be positive, got {classes}.")
    if wanted.rank != 1 or wanted.shape != found.shape:
        raise ValueError(
            f"{name}: arguments 'labels' and 'predictions' must have rank 1 and one length, got the shapes "
            f"{list(wanted.shape)} and {list(found.shape)}."
        )
    known = _is_class(wanted, classes).logical_and(_is_class(found, classes))
    # Each pair of classes has a number; that after the last is for pairs that do not count.
    pairs = wanted.mul(_int32(classes)).add(found).where(known, _int32(classes * classes))
    counts = ENGINE.run_kernel(BINCOUNT.name, (pairs, ENGINE.zeros((0,), "int32")), {"size": classes * classes})
    return counts.reshape((classes, classes))


def _is_class(numbers: Tensor, classes: int) -> Tensor:
    return numbers.greater_equal(_int32(0)).logical_and(numbers.less(_int32(classes)))


def _int32(value: int) -> Tensor:
    return ENGINE.make_tensor(np.asarray(value, np.int32), (), "int32")
