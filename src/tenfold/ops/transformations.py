"""Ops that see the same values in another shape or dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import DType, check_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor

# --- clone -------------------------------------------------------------------------------------------------


def _identity_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return specs[0]


IDENTITY = define_kernel(Kernel("Identity", ("x",), _identity_infer))
register_gradient("Identity", lambda dy, saved, _: [lambda: dy.cast("float32")])


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
    return ENGINE.run_kernel(IDENTITY.name, (convert_to_tensor(x, "x", "clone", "string_or_numeric"),))  # type: ignore[no-any-return]


# --- reshape -----------------------------------------------------------------------------------------------


def _reshape_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec(resolve_shape(specs[0].shape, attributes["shape"]), specs[0].dtype)


def resolve_shape(shape: Shape, wanted: Sequence[int]) -> Shape:
    """`wanted` with its one -1 replaced by the length that keeps the number of elements of `shape`.

    Raises:
        ValueError: if the numbers of elements cannot agree, or -1 stands twice.
    """
    size = _size(shape)
    known = _size([length for length in wanted if length != -1])
    unknown = [axis for axis, length in enumerate(wanted) if length == -1]
    if len(unknown) > 1 or any(length < -1 for length in wanted):
        raise ValueError(
            f"reshape: the shape {list(wanted)} must hold non-negative lengths, and -1 once at the most."
        )
    if not unknown:
        if known != size:
            raise ValueError(
                f"reshape: size({size}) of {list(shape)} must match the product of the new shape {list(wanted)}."
            )
        return tuple(wanted)
    if (known == 0 and size) or (known and size % known):
        raise ValueError(f"reshape: {size} elements of {list(shape)} do not divide into {list(wanted)}.")
    return tuple((size // known if known else 0) if length == -1 else length for length in wanted)


def _size(lengths: Sequence[int]) -> int:
    size = 1
    for length in lengths:
        size *= length
    return size


RESHAPE = define_kernel(Kernel("Reshape", ("x",), _reshape_infer))
register_gradient(
    "Reshape", lambda dy, saved, _: [lambda: dy.reshape(saved[0].shape)], inputs_to_save=["x"]
)


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
    wanted = resolve_shape(tensor.shape, [int(length) for length in shape])
    return ENGINE.run_kernel(RESHAPE.name, (tensor,), {"shape": wanted})  # type: ignore[no-any-return]


# --- cast --------------------------------------------------------------------------------------------------


def _cast_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec(specs[0].shape, attributes["dtype"])


CAST = define_kernel(Kernel("Cast", ("x",), _cast_infer))


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
    return ENGINE.run_kernel(CAST.name, (tensor,), {"dtype": dtype})  # type: ignore[no-any-return]
