"""Cumulative sums and products along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tenfold.codegen.compute import Array, compute, modulo, quotient, reduce
from tenfold.codegen.expr import Expr, call, cast, select
from tenfold.codegen.reductions import run_length
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


_SHORT: Final = 128
"""Scans of axes up to this length combine everything before an element anew; longer ones go by runs."""


def _scanning(kind: str, combine: str, identity: int) -> Callable[..., Array]:
    """The definition of a scan: its kind of reduction, the scalar function of that, and what changes nothing."""

    def definition(x: Array, *, axis: int, exclusive: bool = False, reverse: bool = False) -> Array:
        along, dtype = resolve_axis(axis, x.rank, kind), sum_out_type(x.dtype)
        outer, length, inner = x.shape[:along], x.shape[along], x.shape[along + 1 :]
        run = run_length(length) if length > _SHORT else max(length, 1)
        whole_runs = (length - 1) // run if length else 0

        def at(indices: Sequence[Expr], position: Expr) -> Expr:
            """The element at a position, which counts in the direction of the scan."""
            place = length - 1 - position if reverse else position
            return cast(x[*indices[:along], place, *indices[along + 1 :]], dtype)

        def of_run(*i: Expr) -> Expr:
            return reduce(kind, [run], lambda k: at(i, i[along] * run + k))

        runs = compute([*outer, whole_runs, *inner], of_run)

        def scanned(*i: Expr) -> Expr:
            position = length - 1 - i[along] if reverse else i[along]
            number, within = quotient(position, run), modulo(position, run)

            def earlier(k: Expr) -> Expr:
                return select(k < within if exclusive else k <= within, at(i, number * run + k), identity)

            def of_earlier_run(n: Expr) -> Expr:
                return select(n < number, runs[*i[:along], n, *i[along + 1 :]], identity)

            of_own_run = reduce(kind, [run], earlier)
            return call(combine, reduce(kind, [whole_runs], of_earlier_run), of_own_run) if whole_runs else of_own_run

        return compute(x.shape, scanned)

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


CUMSUM = define_kernel(Kernel("Cumsum", ("x",), _scan_infer, definition=_scanning("sum", "add", 0)))
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


CUMPROD = define_kernel(Kernel("Cumprod", ("x",), _scan_infer, definition=_scanning("prod", "multiply", 1)))
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
