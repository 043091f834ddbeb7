"""Comparisons, logic on bools, and choice between two tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tenfold.codegen.expr import Expr, function, select
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import is_floating, upcast_type
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.tensor import Tensor
from tenfold.core.tensor_methods import attach
from tenfold.ops import operands
from tenfold.ops.after_reading import after_reading
from tenfold.ops.broadcasting import broadcast_shapes, sum_to_shape
from tenfold.ops.elementwise import (
    binary,
    check_broadcast,
    elementwise_kernel,
    match_types,
    scalar_like,
    unary,
)

Thunks = Sequence[Callable[[], Tensor] | None]

# --- comparisons -------------------------------------------------------------------------------------------


def _comparison(name: str, scalar_function: str) -> Kernel:
    """A comparison's kernel. Its result is constant wherever it is smooth, so the gradient is zero."""

    def gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
        return [lambda: _no_slope(saved[0]), lambda: _no_slope(saved[1])]

    compare = function(scalar_function)
    return elementwise_kernel(
        name, ("a", "b"), lambda a, b: compare(a, b), gradient=gradient, saves=("a", "b"), result="bool"
    )


def _no_slope(x: Tensor) -> Tensor:
    return ENGINE.zeros(x.shape, x.dtype if x.dtype == "complex64" or is_floating(x.dtype) else "float32")


def _compare(kernel: Kernel, name: str, a: TensorLike, b: TensorLike) -> Tensor:
    """Compare tensors of any dtypes, strings with strings only."""
    first, second = _of_one_kind(name, a, b)
    if first.shape != second.shape:
        check_broadcast(name, first, second)
    return ENGINE.run_kernel(kernel.name, (first, second))


def _compare_order(kernel: Kernel, name: str, a: TensorLike, b: TensorLike) -> Tensor:
    """Compare tensors whose elements have an order: all but complex numbers."""
    first, second = _of_one_kind(name, a, b)
    operands.refuse_complex(first, name, "a")
    return _compare(kernel, name, first, second)


def _of_one_kind(name: str, a: TensorLike, b: TensorLike) -> tuple[Tensor, Tensor]:
    """Two tensors in one dtype, the wider of theirs."""
    first = convert_to_tensor(a, "a", name, "string_or_numeric")
    second = convert_to_tensor(b, "b", name, "string_or_numeric")
    if (first.dtype == "string") != (second.dtype == "string"):
        raise TypeError(
            f"{name}: arguments 'a' ({first.dtype}) and 'b' ({second.dtype}) must be both strings or both numbers."
        )
    return match_types(first, second)


EQUAL = _comparison("Equal", "equal")


@op(method=True)
def equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether a equals b, element by element, with broadcasting.

    NaN equals nothing.

    Args:
        a: tensor of any dtype and shape.
        b: tensor whose shape broadcasts with that of `a`; the narrower dtype is cast to the wider one.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or only one holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Equal`.

    Example:
        >>> import tenfold as tf
        >>> tf.equal([1, 2, 3], [2, 2, 2]).array_sync()
        [False, True, False]
    """
    return _compare(EQUAL, "equal", a, b)


NOT_EQUAL = _comparison("NotEqual", "not_equal")


@op(method=True)
def not_equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether a differs from b, element by element, with broadcasting.

    NaN differs from everything.

    Args:
        a: tensor of any dtype and shape.
        b: tensor whose shape broadcasts with that of `a`; the narrower dtype is cast to the wider one.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or only one holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `NotEqual`.

    Example:
        >>> import tenfold as tf
        >>> tf.not_equal([1, 2, 3], [2, 2, 2]).array_sync()
        [True, False, True]
    """
    return _compare(NOT_EQUAL, "not_equal", a, b)


GREATER = _comparison("Greater", "greater")


@op(method=True)
def greater(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether a is greater than b, element by element, with broadcasting.

    Nothing holds of NaN.

    Args:
        a: tensor of any dtype but complex64, of any shape; strings are ordered by their bytes.
        b: tensor whose shape broadcasts with that of `a`; the narrower dtype is cast to the wider one.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or complex, or only one holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Greater`.

    Example:
        >>> import tenfold as tf
        >>> tf.greater([1, 2, 3], [2, 2, 2]).array_sync()
        [False, False, True]
    """
    return _compare_order(GREATER, "greater", a, b)


GREATER_EQUAL = _comparison("GreaterEqual", "greater_equal")


@op(method=True)
def greater_equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether a is greater than or equal to b, element by element, with broadcasting.

    Nothing holds of NaN.

    Args:
        a: tensor of any dtype but complex64, of any shape; strings are ordered by their bytes.
        b: tensor whose shape broadcasts with that of `a`; the narrower dtype is cast to the wider one.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or complex, or only one holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `GreaterEqual`.

    Example:
        >>> import tenfold as tf
        >>> tf.greater_equal([1, 2, 3], [2, 2, 2]).array_sync()
        [False, True, True]
    """
    return _compare_order(GREATER_EQUAL, "greater_equal", a, b)


LESS = _comparison("Less", "less")


@op(method=True)
def less(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether a is less than b, element by element, with broadcasting.

    Nothing holds of NaN.

    Args:
        a: tensor of any dtype but complex64, of any shape; strings are ordered by their bytes.
        b: tensor whose shape broadcasts with that of `a`; the narrower dtype is cast to the wider one.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or complex, or only one holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Less`.

    Example:
        >>> import tenfold as tf
        >>> tf.less([1, 2, 3], [2, 2, 2]).array_sync()
        [True, False, False]
    """
    return _compare_order(LESS, "less", a, b)


LESS_EQUAL = _comparison("LessEqual", "less_equal")


@op(method=True)
def less_equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether a is less than or equal to b, element by element, with broadcasting.

    Nothing holds of NaN.

    Args:
        a: tensor of any dtype but complex64, of any shape; strings are ordered by their bytes.
        b: tensor whose shape broadcasts with that of `a`; the narrower dtype is cast to the wider one.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or complex, or only one holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `LessEqual`.

    Example:
        >>> import tenfold as tf
        >>> tf.less_equal([1, 2, 3], [2, 2, 2]).array_sync()
        [True, True, False]
    """
    return _compare_order(LESS_EQUAL, "less_equal", a, b)


# --- logic -------------------------------------------------------------------------------------------------


def _logical(kernel: Kernel, name: str, a: TensorLike, b: TensorLike) -> Tensor:
    return binary(kernel, name, convert_to_tensor(a, "a", name, "bool"), convert_to_tensor(b, "b", name, "bool"))


LOGICAL_AND = elementwise_kernel("LogicalAnd", ("a", "b"), lambda a, b: function("logical_and")(a, b))


@op(method=True)
def logical_and(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether both a and b are true, element by element, with broadcasting.

    Args:
        a: bool tensor of any shape.
        b: bool tensor whose shape broadcasts with that of `a`.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `LogicalAnd`.

    Example:
        >>> import tenfold as tf
        >>> tf.logical_and([True, True, False], [True, False, False]).array_sync()
        [True, False, False]
    """
    return _logical(LOGICAL_AND, "logical_and", a, b)


LOGICAL_OR = elementwise_kernel("LogicalOr", ("a", "b"), lambda a, b: function("logical_or")(a, b))


@op(method=True)
def logical_or(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether a or b is true, element by element, with broadcasting.

    Args:
        a: bool tensor of any shape.
        b: bool tensor whose shape broadcasts with that of `a`.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `LogicalOr`.

    Example:
        >>> import tenfold as tf
        >>> tf.logical_or([True, True, False], [True, False, False]).array_sync()
        [True, True, False]
    """
    return _logical(LOGICAL_OR, "logical_or", a, b)


LOGICAL_XOR = elementwise_kernel("LogicalXor", ("a", "b"), lambda a, b: function("logical_xor")(a, b))


@op(method=True)
def logical_xor(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether exactly one of a and b is true, element by element, with broadcasting.

    Args:
        a: bool tensor of any shape.
        b: bool tensor whose shape broadcasts with that of `a`.

    Returns:
        bool tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `LogicalXor`, as a kernel of its own.

    Example:
        >>> import tenfold as tf
        >>> tf.logical_xor([True, True, False], [True, False, False]).array_sync()
        [False, True, False]
    """
    return _logical(LOGICAL_XOR, "logical_xor", a, b)


LOGICAL_NOT = elementwise_kernel("LogicalNot", ("x",), lambda x: function("logical_not")(x))


@op(method=True)
def logical_not(x: TensorLike) -> Tensor:
    """Whether each element is false.

    Args:
        x: bool tensor of any shape.

    Returns:
        bool tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or a tensor of another dtype.

    Source: TensorFlow's `LogicalNot`.

    Example:
        >>> import tenfold as tf
        >>> tf.logical_not([False, True]).array_sync()
        [True, False]
    """
    return unary(LOGICAL_NOT, "logical_not", convert_to_tensor(x, "x", "logical_not", "bool"))


# --- bits --------------------------------------------------------------------------------------------------


BITWISE_AND = elementwise_kernel("BitwiseAnd", ("a", "b"), function("bitwise_and"))


@op()
def bitwise_and(x: TensorLike, y: TensorLike) -> Tensor:
    """The bits that two integers have in common, element by element.

    Args:
        x: int32 tensor of any shape.
        y: int32 tensor of the same shape.

    Returns:
        int32 tensor of that shape.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes differ.

    Source: TensorFlow's `BitwiseAnd`.

    Example:
        >>> import tenfold as tf
        >>> tf.bitwise_and([12, 7], [10, 2]).array_sync()
        [8, 2]
    """
    first = convert_to_tensor(x, "x", "bitwise_and", "int32")
    second = convert_to_tensor(y, "y", "bitwise_and", "int32")
    if first.shape != second.shape:
        raise ValueError(
            f"bitwise_and: arguments 'x' and 'y' must have one shape, got {list(first.shape)} and {list(second.shape)}."
        )
    return ENGINE.run_kernel(BITWISE_AND.name, (first, second))


# --- choice ------------------------------------------------------------------------------------------------


def _select_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    condition, a, b = specs
    return TensorSpec(broadcast_shapes(condition.shape, a.shape, b.shape), upcast_type(a.dtype, b.dtype))


def _select(condition: Expr, a: Expr, b: Expr) -> Expr:
    return select(condition, a, b)


def _select_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    condition, a, b = saved
    zero = scalar_like(0, dy)
    return [
        lambda: ENGINE.zeros(condition.shape, dy.dtype),
        lambda: sum_to_shape(dy.where(condition, zero), a.shape),
        lambda: sum_to_shape(zero.where(condition, dy), b.shape),
    ]


SELECT = define_kernel(Kernel("Select", ("condition", "a", "b"), _select_infer, definition=_select, elementwise=True))
register_gradient("Select", _select_gradient, inputs_to_save=("condition", "a", "b"))


@op()
def where(condition: TensorLike, a: TensorLike, b: TensorLike) -> Tensor:
    """Elements of `a` where the condition is true and of `b` where it is false, with broadcasting.

    As a method, `a.where(condition, b)`.

    Args:
        condition: bool tensor of any shape.
        a: tensor of any dtype whose shape broadcasts with that of `condition`.
        b: tensor whose shape broadcasts with those of both; the narrower dtype is cast to the wider one.

    Returns:
        Tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, `condition` is a tensor of another dtype than bool, or only one of
            `a` and `b` holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `SelectV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.where([False, False, True], [1, 2, 3], [-1, -2, -3]).array_sync()
        [-1.0, -2.0, 3.0]
    """
    chooser = convert_to_tensor(condition, "condition", "where", "bool")
    first, second = _of_one_kind("where", a, b)
    check_broadcast("where", chooser, first, second)
    return ENGINE.run_kernel(SELECT.name, (chooser, first, second))


def _where_method(self: Tensor, condition: TensorLike, b: TensorLike) -> Tensor:
    return where(condition, self, b)


attach("where", _where_method)


def _where_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return TensorSpec((-1, len(specs[0].shape)), "int32")


# No definition: how many positions there are depends on the values, so the host finds them.
WHERE = define_kernel(Kernel("Where", ("condition",), _where_infer, data_dependent=True))


@op()
def where_async(condition: TensorLike) -> Pending[Tensor]:
    """The positions of the true elements, in row-major order, without blocking the event loop.

    Args:
        condition: bool tensor of any shape.

    Returns:
        To be awaited: int32 tensor of shape [number of true elements, rank of `condition`].

    Raises:
        TypeError: if `condition` is no tensor-like, or a tensor of another dtype.

    Source: TensorFlow's `Where`.

    Example:
        >>> import tenfold as tf
        >>> tf.where_async([[True, False], [False, True]]).result().array_sync()
        [[0, 0], [1, 1]]
    """
    tensor = convert_to_tensor(condition, "condition", "where_async", "bool")
    shape = tensor.shape

    def positions(values: np.ndarray) -> Tensor:
        found = np.argwhere(values.reshape(shape)).astype(np.int32)
        return ENGINE.make_tensor(found, found.shape, "int32")

    return after_reading([tensor], positions)
