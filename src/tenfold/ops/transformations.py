"""Ops that see the same values in another shape or dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from tenfold.codegen import expr
from tenfold.codegen.compute import Array, both, broadcast, compute, flatten, in_range
from tenfold.core.arguments import integer, integers
from tenfold.core.conversion import TensorLike, check_shape, convert_to_tensor
from tenfold.core.dtypes import DType, check_dtype, is_floating
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.core.tensor_methods import attach
from tenfold.ops.axes import resolve_axes, resolve_axis
from tenfold.ops.broadcasting import sum_to_shape

# --- clone -------------------------------------------------------------------------------------------------


def _identity_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return specs[0]


def _identity_definition(x: Array) -> Array:
    return compute(x.shape, lambda *i: x[i])


IDENTITY = define_kernel(Kernel("Identity", ("x",), _identity_infer, definition=_identity_definition))
register_gradient("Identity", lambda dy, saved, _: [lambda: _as_gradient(dy)])


def _as_gradient(dy: Tensor) -> Tensor:
    """Gradients of integers and bools are float32."""
    return dy.clone() if dy.dtype == "complex64" or is_floating(dy.dtype) else dy.cast("float32")


@op(method=True)
def clone(x: TensorLike) -> Tensor:
    """Another tensor with the same values, which both share.

    Args:
        x: tensor of any dtype and shape.

    Returns:
        Tensor of the same dtype and shape.

    Source: TensorFlow's `Identity`.

    Example:
        >>> import tenfold as tf
        >>> x = tf.tensor([1, 2])
        >>> tf.clone(x).array_sync()
        [1.0, 2.0]
    """
    return ENGINE.run_kernel(IDENTITY.name, (convert_to_tensor(x, "x", "clone", "string_or_numeric"),))


# --- reshape -----------------------------------------------------------------------------------------------


def _reshape_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec(resolve_shape(specs[0].shape, attributes["shape"]), specs[0].dtype)


def resolve_shape(shape: Shape, wanted: Sequence[int]) -> Shape:
    """`wanted` with its one -1 replaced by the length that keeps the number of elements of `shape`.

    Raises:
        ValueError: if the numbers of elements cannot agree, or -1 stands twice.
    """
    size = prod(shape)
    known = prod(length for length in wanted if length != -1)
    unknown = [axis for axis, length in enumerate(wanted) if length == -1]
    if len(unknown) > 1 or any(length < -1 for length in wanted):
        raise ValueError(f"reshape: the shape {list(wanted)} must hold non-negative lengths, and -1 once at the most.")
    if not unknown:
        if known != size:
            raise ValueError(
                f"reshape: size({size}) of {list(shape)} must match the product of the new shape {list(wanted)}."
            )
        return tuple(wanted)
    if (known == 0 and size) or (known and size % known):
        raise ValueError(f"reshape: {size} elements of {list(shape)} do not divide into {list(wanted)}.")
    return tuple((size // known if known else 0) if length == -1 else length for length in wanted)


def _reshape_definition(x: Array, *, shape: Shape) -> Array:
    resolved = resolve_shape(x.shape, shape)
    return compute(resolved, lambda *i: x.at_flat(flatten(i, resolved)))


RESHAPE = define_kernel(Kernel("Reshape", ("x",), _reshape_infer, definition=_reshape_definition))
register_gradient("Reshape", lambda dy, saved, _: [lambda: dy.reshape(saved[0].shape)], inputs_to_save=["x"])


@op(method=True)
def reshape(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """See the values of a tensor, in row-major order, in another shape; both share them.

    Args:
        x: tensor of any dtype.
        shape: the new lengths; one may be -1 and is found from the number of elements.

    Returns:
        Tensor of that shape.

    Raises:
        ValueError: if the numbers of elements disagree.

    Source: TensorFlow's `Reshape`.

    Example:
        >>> import tenfold as tf
        >>> tf.reshape([1, 2, 3, 4], [2, -1]).array_sync()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    tensor = convert_to_tensor(x, "x", "reshape", "string_or_numeric")
    wanted = resolve_shape(tensor.shape, integers(shape, "shape", "reshape"))
    return ENGINE.run_kernel(RESHAPE.name, (tensor,), {"shape": wanted})


# --- cast --------------------------------------------------------------------------------------------------


def _cast_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec(specs[0].shape, attributes["dtype"])


def _cast_definition(x: Array, *, dtype: DType) -> Array:
    return compute(x.shape, lambda *i: expr.cast(x[i], dtype))


CAST = define_kernel(Kernel("Cast", ("x",), _cast_infer, definition=_cast_definition))


def _cast_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> list[Callable[[], Tensor]]:
    target = saved[0].dtype if saved[0].dtype in ("float64", "complex64") else "float32"
    return [lambda: dy.clone() if dy.dtype == target else dy.cast(target)]


register_gradient("Cast", _cast_gradient, inputs_to_save=["x"])


@op(method=True)
def cast(x: TensorLike, dtype: DType) -> Tensor:
    """The values of a tensor in another dtype.

    To int32: toward zero, NaN becomes 0. To bool: whether a value is not zero. Complex to real: the real part.

    Args:
        x: tensor of any shape.
        dtype: the new dtype; a string tensor can stay one only, and nothing else becomes one.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: if the dtype is unknown, or exactly one of the two is `string`.

    Source: TensorFlow's `Cast`.

    Example:
        >>> import tenfold as tf
        >>> tf.cast([1.5, -2.9, 0.0], "int32").array_sync()
        [1, -2, 0]
    """
    tensor = convert_to_tensor(x, "x", "cast", "string_or_numeric")
    if not ENV.is_true("PROD"):
        check_dtype(dtype, "cast")
    if (dtype == "string") != (tensor.dtype == "string"):
        raise ValueError(f"cast: only strings can be cast to strings, not {tensor.dtype} to {dtype}.")
    return ENGINE.run_kernel(CAST.name, (tensor,), {"dtype": dtype})


# --- axes of length one ------------------------------------------------------------------------------------


@op(method=True)
def expand_dims(x: TensorLike, axis: int = 0) -> Tensor:
    """Put an axis of length 1 into the shape of a tensor.

    Args:
        x: tensor of any dtype.
        axis: where it stands in the result; negative ones count from the end.

    Returns:
        Tensor of one rank more, with the same values.

    Raises:
        TypeError: if `axis` is no integer.
        ValueError: if it is out of range.

    Source: TensorFlow's `ExpandDims`.

    Example:
        >>> import tenfold as tf
        >>> tf.expand_dims([1, 2], 1).array_sync()
        [[1.0], [2.0]]
    """
    tensor = convert_to_tensor(x, "x", "expand_dims", "string_or_numeric")
    axis = resolve_axis(axis, tensor.rank + 1, "expand_dims")
    return tensor.reshape((*tensor.shape[:axis], 1, *tensor.shape[axis:]))


@op(method=True)
def squeeze(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Take axes of length 1 out of the shape of a tensor.

    Args:
        x: tensor of any dtype.
        axis: one axis or several; negative ones count from the end. All of length 1 if None.

    Returns:
        Tensor of lower rank, with the same values.

    Raises:
        TypeError: if an axis is no integer.
        ValueError: if one is out of range, or has another length than 1.

    Source: TensorFlow's `Squeeze`.

    Example:
        >>> import tenfold as tf
        >>> tf.squeeze([[[1]], [[2]]]).array_sync()
        [1.0, 2.0]
        >>> tf.squeeze([[[1]], [[2]]], -1).shape
        (2, 1)
    """
    tensor = convert_to_tensor(x, "x", "squeeze", "string_or_numeric")
    if axis is None:
        return tensor.reshape([length for length in tensor.shape if length != 1])
    dropped = resolve_axes(axis, tensor.rank, "squeeze")
    for each in dropped:
        if tensor.shape[each] != 1:
            raise ValueError(f"squeeze: axis {each} of the shape {list(tensor.shape)} does not have length 1.")
    return tensor.reshape([length for i, length in enumerate(tensor.shape) if i not in dropped])


@op(method=True)
def ensure_shape(x: TensorLike, shape: Sequence[int | None]) -> Tensor:
    """Check the shape of a tensor.

    Args:
        x: tensor of any dtype.
        shape: the expected lengths; None for any.

    Returns:
        The same tensor.

    Raises:
        ValueError: if it has another shape.

    Source: TensorFlow's `EnsureShape`.

    Example:
        >>> import tenfold as tf
        >>> tf.ensure_shape([[1, 2]], [None, 2]).shape
        (1, 2)
    """
    tensor = convert_to_tensor(x, "x", "ensure_shape", "string_or_numeric")
    agrees = len(shape) == tensor.rank and all(
        wanted in (None, length) for wanted, length in zip(shape, tensor.shape, strict=True)
    )
    if not agrees:
        raise ValueError(f"ensure_shape: the shape {list(tensor.shape)} of 'x' does not agree with {list(shape)}.")
    return tensor


# --- broadcasting ------------------------------------------------------------------------------------------


def _broadcast_to_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape = tuple(attributes["shape"])
    _check_broadcast_to(specs[0].shape, shape)
    return TensorSpec(shape, specs[0].dtype)


def _check_broadcast_to(given: Shape, shape: Shape) -> None:
    if len(given) > len(shape) or any(n not in (1, m) for n, m in zip(reversed(given), reversed(shape), strict=False)):
        raise ValueError(f"broadcast_to: the shape {list(given)} does not broadcast to {list(shape)}.")


def _broadcast_to_definition(x: Array, *, shape: Shape) -> Array:
    return compute(shape, lambda *i: broadcast(x, i))


BROADCAST_TO = define_kernel(Kernel("BroadcastTo", ("x",), _broadcast_to_infer, definition=_broadcast_to_definition))


def _broadcast_to_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> list[Callable[[], Tensor]]:
    return [lambda: sum_to_shape(dy, saved[0].shape)]


register_gradient("BroadcastTo", _broadcast_to_gradient, inputs_to_save=["x"])


@op(method=True)
def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """Repeat a tensor along its axes of length 1, and along new ones in front, up to a shape.

    Args:
        x: tensor of any dtype.
        shape: the new shape; aligned at the last axis, lengths of `x` must be equal or 1.

    Returns:
        Tensor of that shape and the same dtype.

    Raises:
        TypeError: if `shape` is no list.
        ValueError: if `x` does not broadcast to it.

    Source: TensorFlow's `BroadcastTo`.

    Example:
        >>> import tenfold as tf
        >>> tf.broadcast_to([1, 2], [2, 2]).array_sync()
        [[1.0, 2.0], [1.0, 2.0]]
    """
    tensor = convert_to_tensor(x, "x", "broadcast_to", "string_or_numeric")
    wanted = check_shape(shape, "broadcast_to")
    if wanted == tensor.shape:
        return tensor.clone()
    _check_broadcast_to(tensor.shape, wanted)
    return ENGINE.run_kernel(BROADCAST_TO.name, (tensor,), {"shape": wanted})


def _broadcast_args_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    s0, s1 = specs
    if len(s0.shape) != 1 or len(s1.shape) != 1:
        raise ValueError(
            f"broadcast_args: 's0' and 's1' must have rank 1, got the shapes {list(s0.shape)} and {list(s1.shape)}."
        )
    return TensorSpec(max(s0.shape, s1.shape), "int32")


def _broadcast_args_definition(s0: Array, s1: Array) -> Array:
    """The longer shape, but for its lengths of 1: there the shorter one says the length, where it has one."""
    long, short = (s0, s1) if s0.size >= s1.size else (s1, s0)
    missing = long.size - short.size

    def length(i: expr.Expr) -> expr.Expr:
        place = i - missing
        takes_other = both(in_range(place, short.size), expr.call("equal", long[i], 1))
        return expr.select(takes_other, short[place], long[i])

    return compute(long.shape, length)


BROADCAST_ARGS = define_kernel(
    Kernel("BroadcastArgs", ("s0", "s1"), _broadcast_args_infer, definition=_broadcast_args_definition)
)


@op()
def broadcast_args(s0: TensorLike, s1: TensorLike) -> Tensor:
    """The shape to which two shapes broadcast, both given as tensors.

    Args:
        s0: int32 tensor of rank 1, a shape.
        s1: int32 tensor of rank 1, another shape.

    Returns:
        int32 tensor of rank 1.

    Raises:
        TypeError: if a tensor has another dtype.
        ValueError: if a rank is not 1, or the shapes do not broadcast.

    Source: TensorFlow's `BroadcastArgs`.

    Example:
        >>> import tenfold as tf
        >>> tf.broadcast_args([1, 6], [3, 1]).array_sync()
        [3, 6]
    """
    shapes = [
        convert_to_tensor(s0, "s0", "broadcast_args", "int32"),
        convert_to_tensor(s1, "s1", "broadcast_args", "int32"),
    ]
    _broadcast_args_infer([TensorSpec(shape.shape, shape.dtype) for shape in shapes], {})
    return ENGINE.run_kernel(BROADCAST_ARGS.name, shapes)


# --- methods -----------------------------------------------------------------------------------------------
# What is reached from tensors only, and says in one word what reshape or cast say in two.


def _as_scalar(self: Tensor) -> Tensor:
    """The only element as a tensor of rank 0."""
    if self.size != 1:
        raise ValueError(f"as_scalar: the tensor must have one element, but has the shape {list(self.shape)}.")
    return self.reshape(())


def _flatten(self: Tensor) -> Tensor:
    """The elements in row-major order as a tensor of rank 1."""
    return self.reshape((self.size,))


def _as_rank(rank: int) -> Callable[..., Tensor]:
    def reshaped(self: Tensor, *lengths: int) -> Tensor:
        name = f"as{rank}d"
        if len(lengths) != rank:
            raise TypeError(f"{name}: takes {rank} lengths, got {len(lengths)}.")
        return self.reshape(tuple(integer(length, "lengths", name) for length in lengths))

    reshaped.__doc__ = f"The same values in a shape of {rank} lengths."
    return reshaped


def _reshape_as(self: Tensor, x: Tensor) -> Tensor:
    """The same values in the shape of another tensor."""
    return self.reshape(x.shape)


def _as_type(self: Tensor, dtype: DType) -> Tensor:
    """The values in another dtype; see `cast`."""
    return cast(self, dtype)


def _to_bool(self: Tensor) -> Tensor:
    """Whether the values are not zero."""
    return cast(self, "bool")


def _to_float(self: Tensor) -> Tensor:
    """The values as float32."""
    return cast(self, "float32")


def _to_int(self: Tensor) -> Tensor:
    """The values as int32, toward zero."""
    return cast(self, "int32")


for _name, _method in {
    "as_scalar": _as_scalar,
    "flatten": _flatten,
    "as1d": _flatten,
    **{f"as{rank}d": _as_rank(rank) for rank in (2, 3, 4, 5)},
    "reshape_as": _reshape_as,
    "as_type": _as_type,
    "to_bool": _to_bool,
    "to_float": _to_float,
    "to_int": _to_int,
}.items():
    attach(_name, _method)
