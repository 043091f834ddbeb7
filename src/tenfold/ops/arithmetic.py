"""Arithmetic of two tensors: kernels, gradients and functions.

Tensors of different dtypes are cast to the wider one first, bools to int32; shapes broadcast.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence

from tenfold.codegen.compute import MOST_SOURCES, Array, compute
from tenfold.codegen.expr import Expr, function, select
from tenfold.core.conversion import TensorLike, convert_to_tensor_array
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops.broadcasting import sum_to_shape
from tenfold.ops.elementwise import arithmetic, binary, cast_to, elementwise_kernel, scalar_like
from tenfold.ops.operands import real

Thunks = Sequence[Callable[[], Tensor] | None]

floor_divide, remainder, power = function("floor_divide"), function("remainder"), function("power")
maximum_of, minimum_of = function("maximum"), function("minimum")
logical_or = function("logical_or")


def _for_both(a: Tensor, b: Tensor, da: Callable[[], Tensor], db: Callable[[], Tensor]) -> Thunks:
    """Gradients for two operands, each summed over the axes along which it was broadcast."""
    return [lambda: sum_to_shape(da(), a.shape), lambda: sum_to_shape(db(), b.shape)]


# --- add, sub, mul -----------------------------------------------------------------------------------------


def _add_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    a, b = saved
    return _for_both(a, b, lambda: dy, lambda: dy)


ADD = elementwise_kernel("Add", ("a", "b"), lambda a, b: a + b, gradient=_add_gradient, saves=("a", "b"))


@op(method=True)
def add(a: TensorLike, b: TensorLike) -> Tensor:
    """Add two tensors element by element, A + B, with broadcasting.

    Args:
        a: tensor of any numeric dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `AddV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.add([1, 2, 3, 4], 10).array_sync()
        [11.0, 12.0, 13.0, 14.0]
    """
    return arithmetic(ADD, "add", a, b)


def _sub_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    a, b = saved
    return _for_both(a, b, lambda: dy, lambda: dy.neg())


SUB = elementwise_kernel("Sub", ("a", "b"), lambda a, b: a - b, gradient=_sub_gradient, saves=("a", "b"))


@op(method=True)
def sub(a: TensorLike, b: TensorLike) -> Tensor:
    """Subtract two tensors element by element, A - B, with broadcasting.

    Args:
        a: tensor of any numeric dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Sub`.

    Example:
        >>> import tenfold as tf
        >>> tf.sub([10, 20], [1, 2]).array_sync()
        [9.0, 18.0]
    """
    return arithmetic(SUB, "sub", a, b)


def _mul_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    a, b = saved
    return _for_both(a, b, lambda: dy.mul(cast_to(b, dy.dtype)), lambda: dy.mul(cast_to(a, dy.dtype)))


MULTIPLY = elementwise_kernel("Multiply", ("a", "b"), lambda a, b: a * b, gradient=_mul_gradient, saves=("a", "b"))


@op(method=True)
def mul(a: TensorLike, b: TensorLike) -> Tensor:
    """Multiply two tensors element by element, A * B, with broadcasting.

    Args:
        a: tensor of any numeric dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Mul`.

    Example:
        >>> import tenfold as tf
        >>> tf.mul([1, 2, 3], 5).array_sync()
        [5.0, 10.0, 15.0]
    """
    return arithmetic(MULTIPLY, "mul", a, b)


# --- div, div_no_nan, floor_div, mod, pow ------------------------------------------------------------------


def _div_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    a, b = saved
    return _for_both(
        a,
        b,
        lambda: dy.div(cast_to(b, dy.dtype)),
        lambda: dy.mul(cast_to(a, dy.dtype)).div(cast_to(b, dy.dtype).square()).neg(),
    )


REAL_DIV = elementwise_kernel("RealDiv", ("a", "b"), lambda a, b: a / b, gradient=_div_gradient, saves=("a", "b"))


@op(method=True)
def div(a: TensorLike, b: TensorLike) -> Tensor:
    """Divide two tensors element by element, A / B, with broadcasting.

    Two int32 tensors divide as `floor_div` does; the operator `/` always gives floats.

    Args:
        a: tensor of any numeric dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `RealDiv`.

    Example:
        >>> import tenfold as tf
        >>> tf.div([1, 4, 9], [2, 2, 2]).array_sync()
        [0.5, 2.0, 4.5]
    """
    return arithmetic(REAL_DIV, "div", a, b, for_int32=FLOOR_DIV)


DIV_NO_NAN = elementwise_kernel(
    "DivNoNan",
    ("a", "b"),
    lambda a, b: select(function("equal")(b, 0), 0, a / b),
    gradient=lambda dy, saved, _: _for_both(
        saved[0],
        saved[1],
        lambda: dy.div_no_nan(saved[1]),
        lambda: dy.mul(saved[0]).div_no_nan(saved[1].square()).neg(),
    ),
    saves=("a", "b"),
)


@op(method=True)
def div_no_nan(a: TensorLike, b: TensorLike) -> Tensor:
    """Divide two tensors element by element, giving 0 where the divisor is 0.

    Args:
        a: tensor of any numeric dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `DivNoNan`.

    Example:
        >>> import tenfold as tf
        >>> tf.div_no_nan([1, 4], [0, 2]).array_sync()
        [0.0, 2.0]
    """
    return arithmetic(DIV_NO_NAN, "div_no_nan", a, b, for_int32=FLOOR_DIV)


FLOOR_DIV = elementwise_kernel(
    "FloorDiv", ("a", "b"), lambda a, b: floor_divide(a, b), gradient=_div_gradient, saves=("a", "b")
)


@op(method=True)
def floor_div(a: TensorLike, b: TensorLike) -> Tensor:
    """Divide two tensors element by element and round toward minus infinity.

    int32 division by zero gives 0.

    Args:
        a: tensor of any real dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `FloorDiv`.

    Example:
        >>> import tenfold as tf
        >>> tf.floor_div([1, 4, -9], 2).array_sync()
        [0.0, 2.0, -5.0]
    """
    return arithmetic(FLOOR_DIV, "floor_div", real(a, "floor_div", "a"), real(b, "floor_div", "b"))


MOD = elementwise_kernel(
    "Mod",
    ("a", "b"),
    lambda a, b: remainder(a, b),
    gradient=lambda dy, saved, _: _for_both(
        saved[0], saved[1], lambda: dy, lambda: dy.mul(saved[0].floor_div(saved[1]).neg())
    ),
    saves=("a", "b"),
)


@op(method=True)
def mod(a: TensorLike, b: TensorLike) -> Tensor:
    """The remainder of the division of two tensors, with the sign of the divisor.

    Args:
        a: tensor of any real dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `FloorMod`.

    Example:
        >>> import tenfold as tf
        >>> tf.mod([5, -5], 3).array_sync()
        [2.0, 1.0]
    """
    return arithmetic(MOD, "mod", real(a, "mod", "a"), real(b, "mod", "b"))


def _pow_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    base, exponent, y = saved

    def for_exponent() -> Tensor:
        log = base.log().where(base.greater(0), base.zeros_like())
        return dy.mul(y).mul(log)

    return _for_both(
        base,
        exponent,
        lambda: dy.mul(exponent.mul(base.pow(exponent.sub(scalar_like(1, exponent))))),
        for_exponent,
    )


POW = elementwise_kernel(
    "Pow", ("a", "b"), lambda a, b: power(a, b), gradient=_pow_gradient, saves=("a", "b"), saves_output=True
)


@op(method=True)
def pow(base: TensorLike, exp: TensorLike) -> Tensor:
    """Raise one tensor to the power of another, element by element, with broadcasting.

    Args:
        base: tensor of any numeric dtype and shape.
        exp: tensor whose shape broadcasts with that of `base`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Pow`.

    Example:
        >>> import tenfold as tf
        >>> tf.pow([2, 3], 2).array_sync()
        [4.0, 9.0]
    """
    return arithmetic(POW, "pow", base, exp, names=("base", "exp"))


# --- maximum, minimum, squared_difference, atan2 -----------------------------------------------------------


MAXIMUM = elementwise_kernel(
    "Maximum",
    ("a", "b"),
    lambda a, b: maximum_of(a, b),
    gradient=lambda dy, saved, _: _for_both(
        saved[0],
        saved[1],
        lambda: dy.mul(saved[0].greater_equal(saved[1]).cast(dy.dtype)),
        lambda: dy.mul(saved[0].less(saved[1]).cast(dy.dtype)),
    ),
    saves=("a", "b"),
)


@op(method=True)
def maximum(a: TensorLike, b: TensorLike) -> Tensor:
    """The greater of two tensors element by element; NaN if either is.

    Args:
        a: tensor of any real dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Maximum`.

    Example:
        >>> import tenfold as tf
        >>> tf.maximum([1, 4, 3], 2).array_sync()
        [2.0, 4.0, 3.0]
    """
    return arithmetic(MAXIMUM, "maximum", real(a, "maximum", "a"), real(b, "maximum", "b"))


MINIMUM = elementwise_kernel(
    "Minimum",
    ("a", "b"),
    lambda a, b: minimum_of(a, b),
    gradient=lambda dy, saved, _: _for_both(
        saved[0],
        saved[1],
        lambda: dy.mul(saved[0].less_equal(saved[1]).cast(dy.dtype)),
        lambda: dy.mul(saved[0].greater(saved[1]).cast(dy.dtype)),
    ),
    saves=("a", "b"),
)


@op(method=True)
def minimum(a: TensorLike, b: TensorLike) -> Tensor:
    """The lesser of two tensors element by element; NaN if either is.

    Args:
        a: tensor of any real dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Minimum`.

    Example:
        >>> import tenfold as tf
        >>> tf.minimum([1, 4, 3], 2).array_sync()
        [1.0, 2.0, 2.0]
    """
    return arithmetic(MINIMUM, "minimum", real(a, "minimum", "a"), real(b, "minimum", "b"))


def _squared_difference(a: Expr, b: Expr) -> Expr:
    difference = a - b
    return difference * difference


SQUARED_DIFFERENCE = elementwise_kernel(
    "SquaredDifference",
    ("a", "b"),
    _squared_difference,
    gradient=lambda dy, saved, _: _for_both(
        saved[0],
        saved[1],
        lambda: dy.mul(saved[0].sub(saved[1])).mul(scalar_like(2, dy)),
        lambda: dy.mul(saved[1].sub(saved[0])).mul(scalar_like(2, dy)),
    ),
    saves=("a", "b"),
)


@op(method=True)
def squared_difference(a: TensorLike, b: TensorLike) -> Tensor:
    """(A - B)² element by element, with broadcasting.

    Args:
        a: tensor of any numeric dtype and shape.
        b: tensor whose shape broadcasts with that of `a`.

    Returns:
        Tensor of the broadcast shape and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `SquaredDifference`.

    Example:
        >>> import tenfold as tf
        >>> tf.squared_difference([1, 4], 2).array_sync()
        [1.0, 4.0]
    """
    return arithmetic(SQUARED_DIFFERENCE, "squared_difference", a, b)


def _atan2_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    a, b = saved
    radius = a.square().add(b.square())
    return _for_both(a, b, lambda: dy.mul(b.div(radius)), lambda: dy.mul(a.div(radius)).neg())


ATAN2 = elementwise_kernel(
    "Atan2", ("a", "b"), lambda a, b: function("arctan2")(a, b), gradient=_atan2_gradient, saves=("a", "b")
)


@op(method=True)
def atan2(a: TensorLike, b: TensorLike) -> Tensor:
    """The angle of the point (b, a), in radians between -π and π, element by element.

    Args:
        a: ordinates; tensor of any real dtype and shape.
        b: abscissas; tensor whose shape broadcasts with that of `a`.

    Returns:
        float32 tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not broadcast.

    Source: TensorFlow's `Atan2`.

    Example:
        >>> import tenfold as tf
        >>> round(tf.atan2(0.0, -1.0).item(), 5)
        3.14159
    """
    return binary(ATAN2, "atan2", real(a, "atan2", "a"), real(b, "atan2", "b"), floats=True)


# --- add_n -------------------------------------------------------------------------------------------------


def _add_n_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return specs[0]


def _add_n_definition(*tensors: Array) -> Array:
    """One after the other, as many in a stage as it may load from."""
    first, some, rest = tensors[0], tensors[:MOST_SOURCES], tensors[MOST_SOURCES:]
    combine = logical_or if first.dtype == "bool" else operator.add
    total = compute(first.shape, lambda *i: functools.reduce(combine, (tensor[i] for tensor in some)))
    return _add_n_definition(total, *rest) if rest else total


ADD_N = define_kernel(Kernel("AddN", ("*tensors",), _add_n_infer, definition=_add_n_definition))
register_gradient("AddN", lambda dy, saved, _: [lambda: dy.clone() for _ in saved], save_all_inputs=True)


@op()
def add_n(tensors: Sequence[TensorLike]) -> Tensor:
    """Add a list of tensors of one shape and dtype.

    Args:
        tensors: at least one tensor.

    Returns:
        Tensor of that shape and dtype.

    Raises:
        TypeError: if it is no list of tensor-likes.
        ValueError: if the list is empty, or shapes or dtypes differ.

    Source: TensorFlow's `AddN`.

    Example:
        >>> import tenfold as tf
        >>> tf.add_n([tf.scalar(1), tf.scalar(2), tf.scalar(3)]).array_sync()
        6.0
    """
    converted = convert_to_tensor_array(tensors, "tensors", "add_n")
    if not converted:
        raise ValueError("add_n: must pass at least one tensor, got an empty list.")
    first = converted[0]
    for number, tensor in enumerate(converted):
        if tensor.dtype != first.dtype:
            raise ValueError(
                f"add_n: all tensors must have one dtype, but tensors[{number}] is {tensor.dtype}, the first "
                f"{first.dtype}."
            )
        if tensor.shape != first.shape:
            raise ValueError(
                f"add_n: all tensors must have one shape, but tensors[{number}] has {list(tensor.shape)}, the first "
                f"{list(first.shape)}."
            )
    return ENGINE.run_kernel(ADD_N.name, converted)
