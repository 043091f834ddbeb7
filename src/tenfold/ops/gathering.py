"""Elements and rows picked by positions or by a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from tenfold.codegen.compute import Array, compute
from tenfold.codegen.expr import Expr
from tenfold.core.arguments import integer
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.ops import scattering
from tenfold.ops.after_reading import after_reading
from tenfold.ops.axes import resolve_axis

Thunks = Sequence[Callable[[], Tensor] | None]

# --- gather ------------------------------------------------------------------------------------------------


def _gather_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x, indices = specs
    axis = resolve_axis(attributes.get("axis", 0), len(x.shape), "gather")
    batch_dims = _batch_dims(x.shape, indices.shape, axis, attributes.get("batch_dims", 0))
    return TensorSpec(x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1 :], x.dtype)


def _batch_dims(x: Shape, indices: Shape, axis: int, batch_dims: int) -> int:
    count = batch_dims + len(indices) if batch_dims < 0 else batch_dims
    if not 0 <= count <= min(len(indices), axis):
        raise ValueError(
            f"gather: argument 'batch_dims' is {batch_dims}, but must not exceed the rank of 'indices', "
            f"{len(indices)}, nor the axis, {axis}."
        )
    if x[:count] != indices[:count]:
        raise ValueError(
            f"gather: the first {count} lengths of 'x' and 'indices' must agree, got the shapes {list(x)} and "
            f"{list(indices)}."
        )
    return count


def _gather_definition(x: Array, indices: Array, *, axis: int = 0, batch_dims: int = 0) -> Array:
    axis = resolve_axis(axis, x.rank, "gather")
    batch_dims = _batch_dims(x.shape, indices.shape, axis, batch_dims)
    after = axis + indices.rank - batch_dims

    def element(*i: Expr) -> Expr:
        position = indices[*i[:batch_dims], *i[axis:after]]
        return x[*i[:axis], position, *i[after:]]

    return compute(x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1 :], element)


GATHER = define_kernel(Kernel("GatherV2", ("x", "indices"), _gather_infer, definition=_gather_definition))


def _gather_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    """Rows of dy are summed by the position that they came from, each batch with positions of its own."""
    x, indices = saved
    axis = resolve_axis(attributes.get("axis", 0), len(x.shape), "gather")
    batch_dims = _batch_dims(x.shape, indices.shape, axis, attributes.get("batch_dims", 0))
    batch, outer, inner = x.shape[:batch_dims], x.shape[batch_dims:axis], x.shape[axis + 1 :]
    length, batches = x.shape[axis], prod(batch)
    picked = indices.rank - batch_dims

    def for_x() -> Tensor:
        first_picked = batch_dims + len(outer)
        picked_axes = range(first_picked, first_picked + picked)
        other_axes = [*range(batch_dims, first_picked), *range(first_picked + picked, dy.rank)]
        rows = _transposed(dy, [*range(batch_dims), *picked_axes, *other_axes])
        rows = rows.reshape((indices.size, *outer, *inner))
        summed = rows.unsorted_segment_sum(_numbered(indices, batches, length), batches * length)
        back = summed.reshape((*batch, length, *outer, *inner))
        in_front = [*range(batch_dims), *range(batch_dims + 1, axis + 1)]
        return _transposed(back, [*in_front, batch_dims, *range(axis + 1, back.rank)])

    return [for_x, None]


def _transposed(x: Tensor, order: list[int]) -> Tensor:
    return x if order == sorted(order) else x.transpose(order)


def _numbered(indices: Tensor, batches: int, length: int) -> Tensor:
    """Positions in each of `batches` runs of `length`, numbered throughout."""
    if batches == 1:
        return indices.reshape((indices.size,))
    starts = (np.arange(batches, dtype=np.int32) * np.int32(length)).reshape(batches, 1)
    by_batch = indices.reshape((batches, indices.size // batches if batches else 0))
    return by_batch.add(ENGINE.make_tensor(starts, starts.shape, "int32")).reshape((indices.size,))


register_gradient("GatherV2", _gather_gradient, inputs_to_save=["x", "indices"])


@op(method=True)
def gather(x: TensorLike, indices: TensorLike, axis: int = 0, batch_dims: int = 0) -> Tensor:
    """Pick slices along an axis of a tensor by their positions.

    Args:
        x: tensor of any dtype, of rank 1 at least.
        indices: int32 tensor of positions in [0, length of the axis).
        axis: the axis along which is picked; negative ones count from the end.
        batch_dims: how many leading axes `x` and `indices` have in common: along these each entry has positions
            of its own. Negative ones count from the rank of `indices`.

    Returns:
        Tensor of the dtype of `x` and of shape `x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1:]`.

    Raises:
        TypeError: if `indices` is a tensor of another dtype.
        ValueError: if a position is out of range, or `axis` or `batch_dims` do not fit the shapes.

    Source: TensorFlow's `GatherV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.gather([10, 20, 30], [2, 0, 2]).array_sync()
        [30.0, 10.0, 30.0]
        >>> tf.gather([[1, 2], [3, 4]], [1], 1).array_sync()
        [[2.0], [4.0]]
    """
    values = convert_to_tensor(x, "x", "gather", "string_or_numeric")
    positions = convert_to_tensor(indices, "indices", "gather", "int32")
    axis = resolve_axis(axis, len(values.shape), "gather")
    batch_dims = _batch_dims(values.shape, positions.shape, axis, integer(batch_dims, "batch_dims", "gather"))
    return ENGINE.run_kernel(GATHER.name, (values, positions), {"axis": axis, "batch_dims": batch_dims})


# --- gather_nd ---------------------------------------------------------------------------------------------


def _gather_nd_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    params, indices = specs
    if not params.shape or not indices.shape:
        raise ValueError(
            f"gather_nd: 'x' and 'indices' must have rank 1 at least, got the shapes {list(params.shape)} and "
            f"{list(indices.shape)}."
        )
    depth = indices.shape[-1]
    if depth > len(params.shape):
        raise ValueError(
            f"gather_nd: the last axis of 'indices' must not be longer than the rank of 'x', {len(params.shape)}; got "
            f"{depth}."
        )
    return TensorSpec(indices.shape[:-1] + params.shape[depth:], params.dtype)


def _gather_nd_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    params, indices = saved

    def for_params() -> Tensor:
        # Rank 1 is the coordinates of one place here, but several places to scatter_nd.
        places = (1,) if indices.rank == 1 else indices.shape[:-1]
        rows = dy.reshape((*places, *params.shape[indices.shape[-1] :]))
        return scattering.scatter_nd(indices.reshape((*places, indices.shape[-1])), rows, params.shape)

    return [for_params, None]


def _gather_nd_definition(params: Array, indices: Array) -> Array:
    places, depth = indices.rank - 1, indices.shape[-1]

    def element(*i: Expr) -> Expr:
        return params[*(indices[*i[:places], d] for d in range(depth)), *i[places:]]

    return compute(indices.shape[:-1] + params.shape[depth:], element)


GATHER_ND = define_kernel(Kernel("GatherNd", ("params", "indices"), _gather_nd_infer, definition=_gather_nd_definition))
register_gradient("GatherNd", _gather_nd_gradient, inputs_to_save=["params", "indices"])


@op()
def gather_nd(x: TensorLike, indices: TensorLike) -> Tensor:
    """Pick elements or slices of a tensor by coordinates along its first axes.

    Args:
        x: tensor of any dtype, of rank 1 at least.
        indices: int32 tensor `[..., depth]` of coordinates along the first `depth` axes of `x`.

    Returns:
        Tensor of the dtype of `x` and of shape `indices.shape[:-1] + x.shape[depth:]`.

    Raises:
        TypeError: if `indices` is a tensor of another dtype.
        ValueError: if coordinates are more than the axes of `x`, or out of range.

    Source: TensorFlow's `GatherNd`.

    Example:
        >>> import tenfold as tf
        >>> tf.gather_nd([[10, 11], [20, 21]], [[0, 1], [1, 0]]).array_sync()
        [11.0, 20.0]
    """
    positions = convert_to_tensor(indices, "indices", "gather_nd", "int32")
    values = convert_to_tensor(x, "x", "gather_nd", "string_or_numeric")
    _gather_nd_infer((TensorSpec(values.shape, values.dtype), TensorSpec(positions.shape, "int32")), {})
    return ENGINE.run_kernel(GATHER_ND.name, (values, positions))


# --- boolean_mask_async ------------------------------------------------------------------------------------


@op()
def boolean_mask_async(tensor: TensorLike, mask: TensorLike, axis: int | None = None) -> Pending[Tensor]:
    """Pick the slices of a tensor where a mask is true.

    Args:
        tensor: tensor of any dtype.
        mask: bool tensor of rank 1 at least, whose shape is that of the axes of `tensor` from `axis` on.
        axis: the first axis that the mask speaks of; 0 if None.

    Returns:
        To be awaited: a tensor in which one axis, as long as the mask has trues, stands for the masked ones.

    Raises:
        TypeError: if `mask` is a tensor of another dtype.
        ValueError: if the mask is a scalar or its shape does not fit.

    Source: TensorFlow's `tf.boolean_mask`.

    Example:
        >>> import tenfold as tf
        >>> tf.boolean_mask_async([[1, 2], [3, 4], [5, 6]], [True, False, True]).result().array_sync()
        [[1.0, 2.0], [5.0, 6.0]]
    """
    values = convert_to_tensor(tensor, "tensor", "boolean_mask_async", "string_or_numeric")
    choice = convert_to_tensor(mask, "mask", "boolean_mask_async", "bool")
    first = 0 if axis is None else resolve_axis(axis, len(values.shape), "boolean_mask_async")
    shape = choice.shape
    if not shape or values.shape[first : first + len(shape)] != shape:
        raise ValueError(
            f"boolean_mask_async: argument 'mask' of shape {list(shape)} must have rank 1 at least and the lengths of "
            f"the axes of {list(values.shape)} from {first} on."
        )
    return after_reading([choice], lambda flat: selected(values, flat.reshape(shape), first))


def selected(x: Tensor, mask: np.ndarray, axis: int) -> Tensor:
    """The slices of `x` where a mask over its axes from `axis` on is true.

    Raises:
        ValueError: if the mask's shape is not that of those axes.
    """
    end = axis + mask.ndim
    if x.shape[axis:end] != mask.shape:
        raise ValueError(f"A mask of shape {list(mask.shape)} does not fit axes {axis} on of {list(x.shape)}.")
    positions = np.flatnonzero(mask).astype(np.int32)
    merged = x.reshape((*x.shape[:axis], mask.size, *x.shape[end:]))
    return gather(merged, ENGINE.make_tensor(positions, positions.shape, "int32"), axis)
