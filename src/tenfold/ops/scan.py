"""Cumulative sums and products along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.codegen.compute import Array
from tenfold.codegen.expr import cast
from tenfold.codegen.scans import scan
from tenfold.core.conversion import TensorLike
from tenfold.core.dtypes import sum_out_type
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.axes import resolve_axis
from tenfold.ops.elementwise import cast_to

Thunks = Sequence[Callable[[], Tensor] | None]


def _scan_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape, dtype = specs[0]
    resolve_axis(attributes["axis"], len(shape), "scan")
    return TensorSpec(shape, sum_out_type(dtype))


def _scanning(kind: str) -> Callable[..., Array]:
    """The definition of the scan of a kind."""

    def definition(x: Array, *, axis: int, exclusive: bool = False, reverse: bool = False) -> Array:
        dtype = sum_out_type(x.dtype)
        along = resolve_axis(axis, x.rank, "scan")
        return scan(kind, x.shape, along, lambda *i: cast(x[i], dtype), exclusive=exclusive, reverse=reverse)

    return definition


def _scan(kernel: Kernel, op: str, x: TensorLike, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    tensor = operands.number(x, op)
    attributes = {
        "axis": resolve_axis(axis, tensor.rank, op),
        "exclusive": bool(exclusive),
        "reverse": bool(reverse),
    }
    return ENGINE.run_kernel(kernel.name, (tensor,), attributes)


def _sum_of_rest(values: Tensor, attributes: Attributes) -> Tensor:
    """For each position, the sum over those whose results it had a part in."""
    return values.cumsum(attributes["axis"], attributes["exclusive"], not attributes["reverse"])


CUMSUM = define_kernel(Kernel("Cumsum", ("x",), _scan_infer, definition=_scanning("sum")))
register_gradient("Cumsum", lambda dy, _, attributes: [lambda: _sum_of_rest(dy, attributes)])


@op(method=True)
def cumsum(x: TensorLike, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """The sum of each element and those before it along an axis.

    Args:
        x: tensor of any numeric dtype and of rank 1 or more.
        axis: the axis.
        exclusive: leave the element itself out, so that the first sum is 0.
        reverse: add from the end.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Cumsum`.

    Example:
        >>> import tenfold as tf
        >>> tf.cumsum([1, 2, 3]).array_sync()
        [1.0, 3.0, 6.0]
        >>> tf.cumsum([1, 2, 3], exclusive=True, reverse=True).array_sync()
        [5.0, 3.0, 0.0]
    """
    return _scan(CUMSUM, "cumsum", x, axis, exclusive, reverse)


def _cumprod_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    x, y = saved
    return [lambda: _sum_of_rest(dy.mul(cast_to(y, dy.dtype)), attributes).div_no_nan(cast_to(x, dy.dtype))]


CUMPROD = define_kernel(Kernel("Cumprod", ("x",), _scan_infer, definition=_scanning("prod")))
register_gradient("Cumprod", _cumprod_gradient, inputs_to_save=("x",), outputs_to_save=[True])


@op(method=True)
def cumprod(x: TensorLike, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """The product of each element and those before it along an axis.

    Its gradient is 0 for elements that are 0.

    Args:
        x: tensor of any numeric dtype and of rank 1 or more.
        axis: the axis.
        exclusive: leave the element itself out, so that the first product is 1.
        reverse: multiply from the end.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `Cumprod`.

    Example:
        >>> import tenfold as tf
        >>> tf.cumprod([1, 2, 3]).array_sync()
        [1.0, 2.0, 6.0]
        >>> tf.cumprod([1, 2, 3], exclusive=True, reverse=True).array_sync()
        [6.0, 3.0, 1.0]
    """
    return _scan(CUMPROD, "cumprod", x, axis, exclusive, reverse)
