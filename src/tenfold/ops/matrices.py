"""Products of matrices, transposition and norms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import index

from tenfold.codegen.compute import Array, broadcast, compute
from tenfold.codegen.expr import Expr
from tenfold.codegen.reductions import reduce_axes
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.ops import axes as axes_of
from tenfold.ops import operands
from tenfold.ops.axes import Axes
from tenfold.ops.broadcasting import broadcast_shapes, sum_to_shape
from tenfold.ops.elementwise import cast_to, match_types

Thunks = Sequence[Callable[[], Tensor] | None]

# --- mat_mul -----------------------------------------------------------------------------------------------


def _product_shape(a: Shape, b: Shape, transpose_a: bool, transpose_b: bool) -> Shape:
    """The shape of the products of matrices that stand in the last two axes.

    Raises:
        ValueError: if there are less than two axes, the inner lengths differ, or the others do not broadcast.
    """
    if len(a) < 2 or len(b) < 2:
        raise ValueError(
            f"the product of matrices needs tensors of rank 2 or more, got shapes {list(a)} and {list(b)}; "
            "dot takes vectors."
        )
    rows, inner_a = (a[-1], a[-2]) if transpose_a else (a[-2], a[-1])
    inner_b, columns = (b[-1], b[-2]) if transpose_b else (b[-2], b[-1])
    if inner_a != inner_b:
        raise ValueError(
            f"the inner lengths {inner_a} and {inner_b} of shapes {list(a)} (transposed: {transpose_a}) and {list(b)} "
            f"(transposed: {transpose_b}) must be equal."
        )
    return (*broadcast_shapes(a[:-2], b[:-2]), rows, columns)


def _mat_mul_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    a, b = specs
    transposes = attributes.get("transpose_a", False), attributes.get("transpose_b", False)
    return TensorSpec(_product_shape(a.shape, b.shape, *transposes), a.dtype)


def _mat_mul_definition(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    terms = a.shape[-2] if transpose_a else a.shape[-1]

    shape = _product_shape(a.shape, b.shape, transpose_a, transpose_b)

    def term(*i: Expr) -> Expr:
        *batch, row, column, k = i
        left = (k, row) if transpose_a else (row, k)
        right = (column, k) if transpose_b else (k, column)
        return broadcast(a, [*batch, *left]) * broadcast(b, [*batch, *right])

    return reduce_axes("sum", [*shape, terms], [len(shape)], term)


BATCH_MAT_MUL = define_kernel(Kernel("BatchMatMul", ("a", "b"), _mat_mul_infer, definition=_mat_mul_definition))


def product(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """The products of the matrices of two tensors of one dtype, unchecked."""
    return ENGINE.run_kernel(BATCH_MAT_MUL.name, (a, b), {"transpose_a": transpose_a, "transpose_b": transpose_b})


def _mat_mul_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    a, b = saved
    transpose_a, transpose_b = attributes.get("transpose_a", False), attributes.get("transpose_b", False)

    def for_a() -> Tensor:
        other = cast_to(b, dy.dtype)
        return product(other, dy, transpose_b, True) if transpose_a else product(dy, other, False, not transpose_b)

    def for_b() -> Tensor:
        other = cast_to(a, dy.dtype)
        return product(dy, other, True, transpose_a) if transpose_b else product(other, dy, not transpose_a, False)

    return [lambda: sum_to_shape(for_a(), a.shape), lambda: sum_to_shape(for_b(), b.shape)]


register_gradient("BatchMatMul", _mat_mul_gradient, inputs_to_save=["a", "b"])


@op(method=True)
def mat_mul(a: TensorLike, b: TensorLike, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Multiply the matrices in the last two axes, A · B; the axes before them are batches and broadcast.

    Args:
        a: tensor of any numeric dtype and shape `[..., rows, inner]`, or `[..., inner, rows]` if transposed.
        b: tensor of shape `[..., inner, columns]`, or `[..., columns, inner]` if transposed.
        transpose_a: whether to transpose the matrices of `a` first.
        transpose_b: whether to transpose those of `b`.

    Returns:
        Tensor of shape `[..., rows, columns]` and the wider dtype (int32 for two bools).

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the inner lengths differ, a rank is less than 2, or the batches do not broadcast.

    Source: TensorFlow's `BatchMatMulV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.mat_mul([[1, 2]], [[1, 2], [3, 4]]).array_sync()
        [[7.0, 10.0]]
    """
    left, right = operands.number(a, "mat_mul", "a"), operands.number(b, "mat_mul", "b")
    if left.dtype != right.dtype:
        left, right = match_types(left, right)
    if not ENV.is_true("PROD"):
        try:
            _product_shape(left.shape, right.shape, transpose_a, transpose_b)
        except ValueError as error:
            raise ValueError(f"mat_mul: {error}") from None
    return product(left, right, bool(transpose_a), bool(transpose_b))


@op(method=True)
def dot(t1: TensorLike, t2: TensorLike) -> Tensor:
    """The dot product of vectors and matrices: a vector is a row on the left and a column on the right.

    Args:
        t1: vector `[inner]` or matrix `[rows, inner]` of any numeric dtype.
        t2: vector `[inner]` or matrix `[inner, columns]`.

    Returns:
        Tensor of the wider dtype, of shape `[rows, columns]` without the axes that the vectors do not have.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if a rank is neither 1 nor 2, or the inner lengths differ.

    Source: NumPy's `dot`.

    Example:
        >>> import tenfold as tf
        >>> tf.dot([1, 2], [[1, 2], [3, 4]]).array_sync()
        [7.0, 10.0]
    """
    left, right = operands.number(t1, "dot", "t1"), operands.number(t2, "dot", "t2")
    for argument, tensor in (("t1", left), ("t2", right)):
        if tensor.rank not in (1, 2):
            raise ValueError(f"dot: argument '{argument}' must have rank 1 or 2, got shape {list(tensor.shape)}.")
    if left.shape[-1] != right.shape[0]:
        raise ValueError(
            f"dot: the last axis of 't1' and the first of 't2' must be of one length, got shapes {list(left.shape)} "
            f"and {list(right.shape)}."
        )
    return vector_product(left, right)


def vector_product(a: Tensor, b: Tensor) -> Tensor:
    """The operator `@`: `mat_mul` with vectors, as rows on the left or columns on the right, whose axes it drops.

    Raises:
        ValueError: if an operand is a scalar, or they do not fit.
    """
    if not a.rank or not b.rank:
        raise ValueError("@: both operands must have rank 1 or more; use * to multiply by a scalar.")
    rows = a if a.rank > 1 else a.reshape((1, a.size))
    columns = b if b.rank > 1 else b.reshape((b.size, 1))
    result = mat_mul(rows, columns)
    shape = result.shape[:-2] + result.shape[-2:-1] * (a.rank > 1) + result.shape[-1:] * (b.rank > 1)
    return result.reshape(shape)


@op(method=True)
def outer_product(v1: TensorLike, v2: TensorLike) -> Tensor:
    """The products of each element of one vector with each of another.

    Args:
        v1: vector `[rows]` of any numeric dtype.
        v2: vector `[columns]`.

    Returns:
        Tensor of shape `[rows, columns]` and the wider dtype.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if an argument is no vector.

    Source: NumPy's `outer`.

    Example:
        >>> import tenfold as tf
        >>> tf.outer_product([1, 2], [3, 4]).array_sync()
        [[3.0, 4.0], [6.0, 8.0]]
    """
    left, right = operands.number(v1, "outer_product", "v1"), operands.number(v2, "outer_product", "v2")
    for argument, tensor in (("v1", left), ("v2", right)):
        if tensor.rank != 1:
            raise ValueError(f"outer_product: argument '{argument}' must have rank 1, got shape {list(tensor.shape)}.")
    return mat_mul(left.reshape((left.size, 1)), right.reshape((1, right.size)))


# --- transpose ---------------------------------------------------------------------------------------------


def _transpose_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape, perm = specs[0].shape, attributes["perm"]
    if sorted(perm) != list(range(len(shape))):
        raise ValueError(f"perm must name each axis of a tensor of shape {list(shape)} once, got {list(perm)}.")
    return TensorSpec(tuple(shape[axis] for axis in perm), specs[0].dtype)


def _transpose_definition(x: Array, *, perm: Sequence[int]) -> Array:
    inverse = sorted(range(x.rank), key=perm.__getitem__)
    return compute([x.shape[axis] for axis in perm], lambda *i: x[[i[place] for place in inverse]])


TRANSPOSE = define_kernel(Kernel("Transpose", ("x",), _transpose_infer, definition=_transpose_definition))


def _transpose_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    perm: Sequence[int] = attributes["perm"]
    inverse = tuple(sorted(range(len(perm)), key=perm.__getitem__))
    return [lambda: ENGINE.run_kernel(TRANSPOSE.name, (dy,), {"perm": inverse})]


register_gradient("Transpose", _transpose_gradient)


@op(method=True)
def transpose(x: TensorLike, perm: Sequence[int] | None = None, conjugate: bool = False) -> Tensor:
    """Put the axes into another order.

    Args:
        x: tensor of any dtype and shape.
        perm: for each axis of the result the axis of `x` that it is; reversed order if None. Negative ones
            count from the last.
        conjugate: whether to conjugate complex values as well.

    Returns:
        Tensor of the same dtype with the axes in that order.

    Raises:
        TypeError: if `x` is no tensor-like.
        ValueError: if `perm` does not name every axis once.

    Source: TensorFlow's `Transpose` and `ConjugateTranspose`.

    Example:
        >>> import tenfold as tf
        >>> tf.transpose([[1, 2, 3], [4, 5, 6]]).array_sync()
        [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    """
    tensor = convert_to_tensor(x, "x", "transpose", "string_or_numeric")
    rank = tensor.rank
    order = tuple(range(rank))[::-1] if perm is None else tuple(index(axis) for axis in perm)
    if not ENV.is_true("PROD") and sorted(axis + rank if axis < 0 else axis for axis in order) != list(range(rank)):
        raise ValueError(
            f"transpose: argument 'perm' must name each axis of a tensor of rank {rank} once, got {list(order)}."
        )
    if rank <= 1:
        result: Tensor = tensor.clone()
    else:
        result = ENGINE.run_kernel(TRANSPOSE.name, (tensor,), {"perm": tuple(axis % rank for axis in order)})
    return _conjugate(result) if conjugate and result.dtype == "complex64" else result


def _conjugate(x: Tensor) -> Tensor:
    opposite = ENGINE.run_kernel("Neg", (ENGINE.run_kernel("Imag", (x,)),))
    return ENGINE.run_kernel("Complex", (ENGINE.run_kernel("Real", (x,)), opposite))


# --- norm --------------------------------------------------------------------------------------------------


@op(method=True)
def norm(x: TensorLike, ord: float | str = "euclidean", axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The norm of vectors or matrices.

    Of vectors: `1` sums absolute values, `2` or `"euclidean"` is their length, infinity and minus infinity are
    the largest and smallest absolute value. Of matrices, `"fro"` or `"euclidean"` is the Frobenius norm, `1` the
    largest sum of absolute values down a column, infinity and minus infinity the largest and smallest along a row.

    Args:
        x: tensor of any numeric dtype and shape.
        ord: which norm.
        axis: one axis, that of the vectors; two, rows and columns of the matrices; None takes all
            elements as one vector.
        keep_dims: whether the result keeps those axes with length 1.

    Returns:
        Tensor of the shape of `x` without those axes; the norm of a scalar is its absolute value.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.
        ValueError: if there is no such norm, or more than two axes are given.

    Source: NumPy's `linalg.norm`.

    Example:
        >>> import tenfold as tf
        >>> tf.norm([3, 4]).array_sync()
        5.0
    """
    tensor = operands.number(x, "norm")
    if tensor.rank == 0:
        return tensor.abs()
    if axis is None:
        result = _vector_norm(tensor.reshape((tensor.size,)), ord, 0)
        return result.reshape((1,) * tensor.rank) if keep_dims else result
    given = list(axis) if isinstance(axis, Sequence) else [axis]
    resolved = [axes_of.resolve_axis(each, tensor.rank, "norm") for each in given]
    if len(resolved) == 1:
        result = _vector_norm(tensor, ord, resolved[0])
    elif len(set(resolved)) == len(resolved) == 2:
        result = _matrix_norm(tensor, ord, *resolved)
    else:
        raise ValueError(f"norm: argument 'axis' must be None, one axis or two different ones, got {axis!r}.")
    return result.reshape(axes_of.reduced_shape(tensor.shape, resolved, True)) if keep_dims else result


def _vector_norm(x: Tensor, ord: float | str, axis: int) -> Tensor:
    if ord == 1:
        return x.abs().sum(axis)
    if ord == math.inf:
        return x.abs().max(axis)
    if ord == -math.inf:
        return x.abs().min(axis)
    if ord in (2, "euclidean"):
        return _length(x, (axis,))
    raise ValueError(f"norm: argument 'ord' of vectors must be 1, 2, 'euclidean', inf or -inf, got {ord!r}.")


def _matrix_norm(x: Tensor, ord: float | str, rows: int, columns: int) -> Tensor:
    if ord in ("fro", "euclidean"):
        return _length(x, (rows, columns))
    if ord == 1:
        return x.abs().sum(rows, True).max((rows, columns))
    if ord == math.inf:
        return x.abs().sum(columns, True).max((rows, columns))
    if ord == -math.inf:
        return x.abs().sum(columns, True).min((rows, columns))
    raise ValueError(f"norm: argument 'ord' of matrices must be 1, 'fro', 'euclidean', inf or -inf, got {ord!r}.")


def _length(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    magnitudes = x.abs() if x.dtype == "complex64" else x
    return magnitudes.square().sum(axes).sqrt()


@op(method=True)
def euclidean_norm(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Tensor:
    """The square root of the sum of squares; see `norm`.

    Args:
        x: tensor of any numeric dtype and shape.
        axis: one axis or two; None takes all elements.
        keep_dims: whether the result keeps those axes with length 1.

    Returns:
        Tensor of the shape of `x` without those axes.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.
        ValueError: if more than two axes are given, or one that `x` does not have.

    Source: TensorFlow's `norm`.

    Example:
        >>> import tenfold as tf
        >>> tf.euclidean_norm([[3, 4], [6, 8]], 1).array_sync()
        [5.0, 10.0]
    """
    return norm(x, "euclidean", axis, keep_dims)
