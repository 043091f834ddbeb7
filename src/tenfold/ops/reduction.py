"""Reductions: sums, products, extremes and their positions over some axes of a tensor.

All take `axis` (one, several, or None for all) and `keep_dims`; reduced axes vanish, or stay with length 1. Several of
the functions bear the names of Python's own, which are not used here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from tenfold.codegen.compute import Array, compute, modulo, quotient
from tenfold.codegen.expr import Expr, cast, constant
from tenfold.codegen.reductions import first_best, reduce_axes
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import is_floating, sum_out_type
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.axes import Axes, reduced_shape, resolve_axes, resolve_axis
from tenfold.ops.elementwise import cast_to, scalar_like

Thunks = Sequence[Callable[[], Tensor] | None]


def _reduction(
    name: str, definition: Callable[..., Array], result: Callable[[str], str] = lambda dtype: dtype
) -> Kernel:
    """A reducing kernel; `result` tells its output's dtype from its input's."""

    def infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
        shape, dtype = specs[0]
        axes = resolve_axes(attributes["axis"], len(shape), name)
        return TensorSpec(reduced_shape(shape, axes, attributes.get("keep_dims", False)), result(dtype))

    return define_kernel(Kernel(name, ("x",), infer, definition=definition))


def _combining(kind: str, result: Callable[[str], str] = lambda dtype: dtype) -> Callable[..., Array]:
    """The definition of a kernel that combines elements, cast to the dtype of the result, by a kind of reduction."""

    def definition(x: Array, *, axis: Axes, keep_dims: bool = False) -> Array:
        axes, dtype = resolve_axes(axis, x.rank, kind), result(x.dtype)
        return reduce_axes(kind, x.shape, axes, lambda *i: cast(x[i], dtype), keep_dims=keep_dims)

    return definition


def _reduce(kernel: Kernel, op: str, x: Tensor, axis: Axes, keep_dims: bool) -> Tensor:
    attributes = {"axis": resolve_axes(axis, x.rank, op), "keep_dims": bool(keep_dims)}
    return ENGINE.run_kernel(kernel.name, (x,), attributes)


def _with_reduced_axes(y: Tensor, shape: Shape, attributes: Attributes) -> Tensor:
    """`y`, the size of a reduction's output, with length 1 along the reduced axes of a tensor of `shape`."""
    axes = resolve_axes(attributes["axis"], len(shape), "gradient")
    return y.reshape(reduced_shape(shape, axes, keep_dims=True))


# --- all, any ----------------------------------------------------------------------------------------------


ALL = _reduction("All", _combining("all"))


@op(method=True)
def all(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """Whether all elements along the given axes are true.

    Args:
        x: bool tensor of any shape.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        bool tensor without the reduced axes; true where there is nothing to reduce.

    Raises:
        TypeError: if `x` is no tensor-like, or a tensor of another dtype.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `All`.

    Example:
        >>> import tenfold as tf
        >>> tf.all([[True, True], [False, True]], 1).array_sync()
        [True, False]
    """
    return _reduce(ALL, "all", convert_to_tensor(x, "x", "all", "bool"), axis, keep_dims)


ANY = _reduction("Any", _combining("any"))


@op(method=True)
def any(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """Whether any element along the given axes is true.

    Args:
        x: bool tensor of any shape.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        bool tensor without the reduced axes; false where there is nothing to reduce.

    Raises:
        TypeError: if `x` is no tensor-like, or a tensor of another dtype.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Any`.

    Example:
        >>> import tenfold as tf
        >>> tf.any([[True, False], [False, False]], 1).array_sync()
        [True, False]
    """
    return _reduce(ANY, "any", convert_to_tensor(x, "x", "any", "bool"), axis, keep_dims)


# --- sum, mean, prod ---------------------------------------------------------------------------------------


def _sum_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    shape = saved[0].shape
    return [lambda: _with_reduced_axes(dy, shape, attributes).mul(ENGINE.ones(shape, dy.dtype))]


SUM = _reduction("Sum", _combining("sum", sum_out_type), sum_out_type)
register_gradient("Sum", _sum_gradient, inputs_to_save=("x",))


@op(method=True)
def sum(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The sum of the elements along the given axes.

    Args:
        x: tensor of any numeric dtype and shape.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        Tensor of the same dtype (int32 for bools) without the reduced axes; int32 wraps around. The sum of nothing
        is 0.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Sum`.

    Example:
        >>> import tenfold as tf
        >>> tf.sum([[1, 2], [3, 4]], 0).array_sync()
        [4.0, 6.0]
    """
    return _reduce(SUM, "sum", operands.number(x, "sum"), axis, keep_dims)


def _float_of(dtype: str) -> str:
    return dtype if is_floating(dtype) or dtype == "complex64" else "float32"


def _mean_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    shape = saved[0].shape

    def gradient() -> Tensor:
        spread = _with_reduced_axes(dy, shape, attributes)
        count = saved[0].size / spread.size if spread.size else 1
        return spread.mul(ENGINE.ones(shape, dy.dtype)) / float(count or 1)

    return [gradient]


_EXACT_SUMS = 2**15
"""Sums of so many integers can be had exactly, as two of 16 bits each that do not overflow."""


def _mean_definition(x: Array, *, axis: Axes, keep_dims: bool = False) -> Array:
    axes, dtype = resolve_axes(axis, x.rank, "mean"), _float_of(x.dtype)
    count = _size(x.shape[axis] for axis in axes)
    if not count:
        return compute(reduced_shape(x.shape, axes, keep_dims), lambda *_: constant(math.nan, dtype))

    def sums(of: Callable[[Expr], Expr], finish: Callable[[Expr], Expr] = lambda total: total) -> Array:
        return reduce_axes("sum", x.shape, axes, lambda *i: of(x[i]), keep_dims=keep_dims, finish=finish)

    if x.dtype != "int32" or count > _EXACT_SUMS:
        return sums(lambda value: cast(value, dtype), lambda total: total / count)
    # A sum in float32 would lose the digits of large integers, even where they cancel in the end.
    high, low = sums(lambda value: quotient(value, 2**16)), sums(lambda value: modulo(value, 2**16))

    def mean_at(*i: Expr) -> Expr:
        whole = high[i] + quotient(low[i], 2**16)
        return (cast(whole, dtype) * 2**16 + cast(modulo(low[i], 2**16), dtype)) / count

    return compute(high.shape, mean_at)


MEAN = _reduction("Mean", _mean_definition, _float_of)
register_gradient("Mean", _mean_gradient, inputs_to_save=("x",))


@op(method=True)
def mean(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The mean of the elements along the given axes.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        float32 tensor (complex64 for complex numbers) without the reduced axes. The mean of nothing is NaN.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Mean`.

    Example:
        >>> import tenfold as tf
        >>> tf.mean([[1, 2], [3, 5]], 1).array_sync()
        [1.5, 4.0]
    """
    return _reduce(MEAN, "mean", convert_to_tensor(x, "x", "mean"), axis, keep_dims)


def _prod_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    """The product of the other elements: of those before, times those after. Division would fail at zeros."""
    x = saved[0]
    axes = resolve_axes(attributes["axis"], x.rank, "prod")
    rest = [axis for axis in range(x.rank) if axis not in axes]
    order = [*rest, *axes]
    back = sorted(range(x.rank), key=order.__getitem__)

    def gradient() -> Tensor:
        turned = cast_to(x, dy.dtype).transpose(order)
        row = turned.reshape([*(x.shape[axis] for axis in rest), _size(x.shape[axis] for axis in axes)])
        others = row.cumprod(-1, True, False).mul(row.cumprod(-1, True, True))
        others = others.reshape(turned.shape).transpose(back)
        return _with_reduced_axes(dy, x.shape, attributes).mul(others)

    return [gradient]


def _size(lengths: Iterable[int]) -> int:
    size = 1
    for length in lengths:
        size *= length
    return size


PROD = _reduction("Prod", _combining("prod", sum_out_type), sum_out_type)
register_gradient("Prod", _prod_gradient, inputs_to_save=("x",))


@op(method=True)
def prod(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The product of the elements along the given axes.

    Args:
        x: tensor of any numeric dtype and shape.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        Tensor of the same dtype (int32 for bools) without the reduced axes; int32 wraps around. The product of
        nothing is 1.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Prod`.

    Example:
        >>> import tenfold as tf
        >>> tf.prod([[1, 2], [3, 4]], 1).array_sync()
        [2.0, 12.0]
    """
    return _reduce(PROD, "prod", operands.number(x, "prod"), axis, keep_dims)


# --- max, min ----------------------------------------------------------------------------------------------


def _extreme_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    """The whole gradient for each element that equals the extreme."""
    x, y = saved

    def gradient() -> Tensor:
        extreme = x.equal(_with_reduced_axes(y, x.shape, attributes))
        return _with_reduced_axes(dy, x.shape, attributes).mul(extreme.cast(dy.dtype))

    return [gradient]


def _extreme(kind: str, of_bools: str) -> Callable[..., Array]:
    numbers, bools = _combining(kind), _combining(of_bools)
    return lambda x, **attributes: (bools if x.dtype == "bool" else numbers)(x, **attributes)


MAX = _reduction("Max", _extreme("max", "any"))
register_gradient("Max", _extreme_gradient, inputs_to_save=("x",), outputs_to_save=[True])


@op(method=True)
def max(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The greatest element along the given axes; NaN if there is one.

    Args:
        x: tensor of any real dtype and shape.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        Tensor of the same dtype (int32 for bools) without the reduced axes. The greatest of nothing is the least
        number of the dtype, minus infinity for floats.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Max`.

    Example:
        >>> import tenfold as tf
        >>> tf.max([[1, 2], [4, 3]], 1).array_sync()
        [2.0, 4.0]
    """
    return _reduce(MAX, "max", operands.real(x, "max"), axis, keep_dims)


MIN = _reduction("Min", _extreme("min", "all"))
register_gradient("Min", _extreme_gradient, inputs_to_save=("x",), outputs_to_save=[True])


@op(method=True)
def min(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The least element along the given axes; NaN if there is one.

    Args:
        x: tensor of any real dtype and shape.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        Tensor of the same dtype (int32 for bools) without the reduced axes. The least of nothing is the greatest
        number of the dtype, infinity for floats.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Min`.

    Example:
        >>> import tenfold as tf
        >>> tf.min([[1, 2], [4, 3]], 1).array_sync()
        [1.0, 3.0]
    """
    return _reduce(MIN, "min", operands.real(x, "min"), axis, keep_dims)


# --- arg_max, arg_min --------------------------------------------------------------------------------------


def _position(name: str, kind: str) -> Kernel:
    """The kernel of a position along one axis, whose gradient is zero."""

    def infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
        shape = specs[0].shape
        axis = resolve_axis(attributes["axis"], len(shape), name)
        _check_not_empty(name, shape, axis)
        return TensorSpec(reduced_shape(shape, (axis,), keep_dims=False), "int32")

    def gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
        return [lambda: ENGINE.zeros(saved[0].shape, dy.dtype)]

    def definition(x: Array, *, axis: int) -> Array:
        dtype = sum_out_type(x.dtype)
        return first_best(kind, x.shape, resolve_axis(axis, x.rank, name), lambda *i: cast(x[i], dtype))

    register_gradient(name, gradient, inputs_to_save=("x",))
    return define_kernel(Kernel(name, ("x",), infer, definition=definition))


def _check_not_empty(op: str, shape: Shape, axis: int) -> None:
    if not shape[axis]:
        raise ValueError(
            f"{op}: argument 'axis' is {axis}, along which the tensor of shape {list(shape)} has no elements; choose "
            "an axis of positive length."
        )


def _find(kernel: Kernel, op: str, x: TensorLike, axis: int) -> Tensor:
    tensor = convert_to_tensor(x, "x", op)
    operands.refuse_complex(tensor, op)
    number = resolve_axis(axis, tensor.rank, op)
    _check_not_empty(op, tensor.shape, number)
    return ENGINE.run_kernel(kernel.name, (tensor,), {"axis": number})


ARG_MAX = _position("ArgMax", "arg_max")


@op(method=True)
def arg_max(x: TensorLike, axis: int = 0) -> Tensor:
    """The position of the greatest element along an axis, the first if there are several; NaN is passed over.

    Args:
        x: tensor of any real dtype and of rank 1 or more.
        axis: the axis to reduce.

    Returns:
        int32 tensor without that axis.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has no such axis, or no elements along it.

    Source: TensorFlow's `ArgMax`.

    Example:
        >>> import tenfold as tf
        >>> tf.arg_max([[1, 2], [4, 3]], 1).array_sync()
        [1, 0]
    """
    return _find(ARG_MAX, "arg_max", x, axis)


ARG_MIN = _position("ArgMin", "arg_min")


@op(method=True)
def arg_min(x: TensorLike, axis: int = 0) -> Tensor:
    """The position of the least element along an axis, the first if there are several; NaN is passed over.

    Args:
        x: tensor of any real dtype and of rank 1 or more.
        axis: the axis to reduce.

    Returns:
        int32 tensor without that axis.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has no such axis, or no elements along it.

    Source: TensorFlow's `ArgMin`.

    Example:
        >>> import tenfold as tf
        >>> tf.arg_min([[1, 2], [4, 3]], 1).array_sync()
        [0, 1]
    """
    return _find(ARG_MIN, "arg_min", x, axis)


# --- log_sum_exp -------------------------------------------------------------------------------------------


@op(method=True)
def log_sum_exp(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The logarithm of the sum of the exponentials along the given axes, without overflow.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        float32 tensor without the reduced axes.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `reduce_logsumexp`.

    Example:
        >>> import tenfold as tf
        >>> tf.log_sum_exp([1000, 1000]).array_sync()
        1000.6931762695312
    """
    tensor = operands.real_float(x, "log_sum_exp")
    axes = resolve_axes(axis, tensor.rank, "log_sum_exp")
    greatest = tensor.max(axes, True)
    # Where the greatest is infinite, the difference from it would be NaN.
    shift = greatest.where(greatest.is_finite(), scalar_like(0, greatest))
    logarithm = tensor.sub(shift).exp().sum(axes, True).log()
    return logarithm.add(shift).reshape(reduced_shape(tensor.shape, axes, keep_dims))


@op(method=True)
def logsumexp(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """`log_sum_exp` under NumPy's and SciPy's spelling.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        float32 tensor without the reduced axes.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has no such axis.

    Example:
        >>> import tenfold as tf
        >>> tf.logsumexp([1000, 1000]).array_sync()
        1000.6931762695312
    """
    return log_sum_exp(x, axis, keep_dims)
