"""Elements and rows picked by positions, and put at positions: gather, scatter, masks and segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from tenfold.core.arguments import integer
from tenfold.core.conversion import TensorLike, check_shape, convert_to_tensor
from tenfold.core.dtypes import sum_out_type
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.ops.after_reading import after_reading
from tenfold.ops.axes import resolve_axis
from tenfold.ops.elementwise import scalar_like

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


GATHER = define_kernel(Kernel("GatherV2", ("x", "indices"), _gather_infer))


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
        summed = unsorted_segment_sum(rows, _numbered(indices, batches, length), batches * length)
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


# --- gather_nd, scatter_nd, tensor_scatter_update ----------------------------------------------------------


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
        return scatter_nd(indices.reshape((*places, indices.shape[-1])), rows, params.shape)

    return [for_params, None]


GATHER_ND = define_kernel(Kernel("GatherNd", ("params", "indices"), _gather_nd_infer))
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


def _check_updates(updates: Shape, indices: Shape, shape: Shape, op: str) -> None:
    """Raise unless `updates` has one slice of a tensor of `shape` for every coordinate in `indices`."""
    if not indices or not shape:
        raise ValueError(
            f"{op}: 'indices' and the scattered tensor must have rank 1 at least, got the shapes {list(indices)} and "
            f"{list(shape)}."
        )
    depth = indices[-1] if len(indices) > 1 else 1
    places = indices[:-1] if len(indices) > 1 else indices
    if depth > len(shape):
        raise ValueError(f"{op}: {depth} coordinates in 'indices' are too many for the shape {list(shape)}.")
    if updates != places + shape[depth:]:
        raise ValueError(
            f"{op}: 'updates' must have the shape {list(places + shape[depth:])} for 'indices' of shape "
            f"{list(indices)} into the shape {list(shape)}, got {list(updates)}."
        )


def _scatter_nd_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    indices, updates = specs
    shape = tuple(attributes["shape"])
    _check_updates(updates.shape, indices.shape, shape, "scatter_nd")
    return TensorSpec(shape, updates.dtype)


SCATTER_ND = define_kernel(Kernel("ScatterNd", ("indices", "updates"), _scatter_nd_infer))
register_gradient(
    "ScatterNd",
    lambda dy, saved, _: [None, lambda: gather_nd(dy, _as_column(saved[0]))],
    inputs_to_save=["indices"],
)


def _as_column(indices: Tensor) -> Tensor:
    """Positions as scatter_nd takes them, for gather_nd."""
    return indices.reshape((*indices.shape, 1)) if indices.rank == 1 else indices


@op()
def scatter_nd(indices: TensorLike, updates: TensorLike, shape: Sequence[int]) -> Tensor:
    """Put elements or slices into zeros at coordinates along the first axes; where several meet they are summed.

    Args:
        indices: int32 tensor `[..., depth]` of coordinates, or `[n]` of positions along the first axis.
        updates: numeric tensor of shape `indices.shape[:-1] + shape[depth:]`.
        shape: the shape of the result.

    Returns:
        Tensor of the dtype of `updates`.

    Raises:
        TypeError: if `indices` is a tensor of another dtype than int32.
        ValueError: if the shapes do not fit, or a coordinate is out of range.

    Source: TensorFlow's `ScatterNd`.

    Example:
        >>> import tenfold as tf
        >>> tf.scatter_nd([[1], [3], [1]], [9, 10, 1], [5]).array_sync()
        [0.0, 10.0, 0.0, 10.0, 0.0]
    """
    positions = convert_to_tensor(indices, "indices", "scatter_nd", "int32")
    values = convert_to_tensor(updates, "updates", "scatter_nd")
    result = check_shape(shape, "scatter_nd")
    if not ENV.is_true("PROD"):
        _check_updates(values.shape, positions.shape, result, "scatter_nd")
    return ENGINE.run_kernel(SCATTER_ND.name, (positions, values), {"shape": result})


def _tensor_scatter_update_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    tensor, indices, updates = specs
    _check_updates(updates.shape, indices.shape, tensor.shape, "tensor_scatter_update")
    return tensor


def _tensor_scatter_update_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    indices, updates = saved
    return [
        lambda: tensor_scatter_update(dy, indices, ENGINE.zeros(updates.shape, dy.dtype)),
        None,
        lambda: gather_nd(dy, _as_column(indices)),
    ]


TENSOR_SCATTER_UPDATE = define_kernel(
    Kernel("TensorScatterUpdate", ("tensor", "indices", "updates"), _tensor_scatter_update_infer)
)
register_gradient("TensorScatterUpdate", _tensor_scatter_update_gradient, inputs_to_save=["indices", "updates"])


@op()
def tensor_scatter_update(tensor: TensorLike, indices: TensorLike, updates: TensorLike) -> Tensor:
    """A copy of a tensor with elements or slices replaced at coordinates along its first axes.

    Args:
        tensor: tensor of any dtype, of rank 1 at least.
        indices: int32 tensor `[..., depth]` of coordinates, or `[n]` of positions along the first axis. Of equal
            ones the last wins.
        updates: tensor of the dtype of `tensor` and of shape `indices.shape[:-1] + tensor.shape[depth:]`.

    Returns:
        Tensor of the shape and dtype of `tensor`.

    Raises:
        TypeError: if `indices` is no int32 tensor.
        ValueError: if shapes or dtypes do not fit, or a coordinate is out of range.

    Source: TensorFlow's `TensorScatterUpdate`.

    Example:
        >>> import tenfold as tf
        >>> tf.tensor_scatter_update([0, 0, 0], [[1]], [5]).array_sync()
        [0.0, 5.0, 0.0]
    """
    name = "tensor_scatter_update"
    base = convert_to_tensor(tensor, "tensor", name, "string_or_numeric")
    positions = convert_to_tensor(indices, "indices", name, "int32")
    values = convert_to_tensor(updates, "updates", name, "string_or_numeric")
    if values.dtype != base.dtype:
        raise ValueError(f"{name}: 'tensor' and 'updates' must have one dtype, got {base.dtype} and {values.dtype}.")
    if not ENV.is_true("PROD"):
        _check_updates(values.shape, positions.shape, base.shape, name)
    return ENGINE.run_kernel(TENSOR_SCATTER_UPDATE.name, (base, positions, values))


# --- sparse_to_dense ---------------------------------------------------------------------------------------


def _sparse_to_dense_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    indices, values, default = specs
    shape = tuple(attributes["output_shape"])
    count = indices.shape[0] if indices.shape else 1
    depth = indices.shape[1] if len(indices.shape) > 1 else 1
    if len(indices.shape) > 2 or depth != len(shape):
        raise ValueError(
            f"sparse_to_dense: 'sparse_indices' must be [n, {len(shape)}] for the shape {list(shape)}, got "
            f"{list(indices.shape)}."
        )
    if len(values.shape) > 1 or (values.shape and values.shape[0] != count):
        raise ValueError(
            f"sparse_to_dense: 'sparse_values' must be a scalar or have {count} elements, one a position, got the "
            f"shape {list(values.shape)}."
        )
    if default.shape or default.dtype != values.dtype:
        raise ValueError(
            f"sparse_to_dense: 'default_value' must be a {values.dtype} scalar, got {default.dtype} of shape "
            f"{list(default.shape)}."
        )
    return TensorSpec(shape, values.dtype)


def _sparse_to_dense_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    indices, values = saved
    positions = _as_column(indices.reshape((1,)) if not indices.shape else indices)

    def at_positions() -> Tensor:
        return gather_nd(dy, positions)

    return [
        None,
        lambda: at_positions() if values.shape else at_positions().sum(),
        lambda: dy.sum().sub(at_positions().sum()),
    ]


SPARSE_TO_DENSE = define_kernel(
    Kernel("SparseToDense", ("sparse_indices", "sparse_values", "default_value"), _sparse_to_dense_infer)
)
register_gradient("SparseToDense", _sparse_to_dense_gradient, inputs_to_save=["sparse_indices", "sparse_values"])


@op()
def sparse_to_dense(
    sparse_indices: TensorLike,
    sparse_values: TensorLike,
    output_shape: Sequence[int],
    default_value: TensorLike = 0,
) -> Tensor:
    """Put values at coordinates into a tensor that holds a default elsewhere.

    Args:
        sparse_indices: int32 tensor `[n, rank]` of coordinates, `[n]` of positions, or a single position.
        sparse_values: tensor `[n]` of any dtype, or a scalar for all of them.
        output_shape: the shape of the result, of length `rank`.
        default_value: scalar of the dtype of `sparse_values`.

    Returns:
        Tensor of the dtype of `sparse_values`.

    Raises:
        TypeError: if a tensor has another dtype than it must.
        ValueError: if the shapes do not fit, or a coordinate is out of range.

    Source: TensorFlow's `SparseToDense`.

    Example:
        >>> import tenfold as tf
        >>> tf.sparse_to_dense([[0, 1], [1, 0]], [5, 6], [2, 2], 1).array_sync()
        [[1.0, 5.0], [6.0, 1.0]]
    """
    name = "sparse_to_dense"
    indices = convert_to_tensor(sparse_indices, "sparse_indices", name, "int32")
    values = convert_to_tensor(sparse_values, "sparse_values", name, "string_or_numeric")
    default = convert_to_tensor(default_value, "default_value", name, values.dtype)
    inputs = (indices, values, default)
    attributes = {"output_shape": check_shape(output_shape, name)}
    _sparse_to_dense_infer([TensorSpec(t.shape, t.dtype) for t in inputs], attributes)
    return ENGINE.run_kernel(SPARSE_TO_DENSE.name, inputs, attributes)


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


# --- unsorted_segment_sum ----------------------------------------------------------------------------------


def _unsorted_segment_sum_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x, ids = specs
    if not ids.shape or x.shape[: len(ids.shape)] != ids.shape:
        raise ValueError(
            f"unsorted_segment_sum: 'segment_ids' of shape {list(ids.shape)} must have rank 1 at least and the first "
            f"lengths of 'x', which has the shape {list(x.shape)}."
        )
    return TensorSpec((attributes["num_segments"], *x.shape[len(ids.shape) :]), sum_out_type(x.dtype))


def _unsorted_segment_sum_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    """Each row gets what its sum gets; rows without a segment get nothing."""
    ids = saved[0]
    count: Any = attributes["num_segments"]

    def for_x() -> Tensor:
        if not count:
            return ENGINE.zeros((*ids.shape, *dy.shape[1:]), dy.dtype)
        within = ids.maximum(scalar_like(0, ids)).minimum(scalar_like(count - 1, ids))
        rows = gather(dy, within)
        counted = ids.equal(within).reshape((*ids.shape, *(1,) * (dy.rank - 1)))
        return rows.where(counted, rows.zeros_like())

    return [for_x, None]


UNSORTED_SEGMENT_SUM = define_kernel(Kernel("UnsortedSegmentSum", ("x", "segment_ids"), _unsorted_segment_sum_infer))
register_gradient("UnsortedSegmentSum", _unsorted_segment_sum_gradient, inputs_to_save=["segment_ids"])


@op(method=True)
def unsorted_segment_sum(x: TensorLike, segment_ids: TensorLike, num_segments: int) -> Tensor:
    """Sum the slices of a tensor that belong to the same segment.

    Args:
        x: numeric tensor.
        segment_ids: int32 tensor, for each slice the number of its segment, whose shape is that of the first axes
            of `x`. Slices with numbers outside [0, num_segments) are left out.
        num_segments: how many segments there are.

    Returns:
        Tensor of shape `[num_segments] + x.shape[segment_ids.rank:]` and of the dtype of `x`, int32 for bools.

    Raises:
        TypeError: if `segment_ids` is no int32 tensor, or `num_segments` no integer.
        ValueError: if the shapes do not fit.

    Source: TensorFlow's `UnsortedSegmentSum`.

    Example:
        >>> import tenfold as tf
        >>> tf.unsorted_segment_sum([1, 2, 3, 4], [0, 2, 0, -1], 3).array_sync()
        [4.0, 0.0, 2.0]
    """
    values = convert_to_tensor(x, "x", "unsorted_segment_sum")
    ids = convert_to_tensor(segment_ids, "segment_ids", "unsorted_segment_sum", "int32")
    count = integer(num_segments, "num_segments", "unsorted_segment_sum")
    if count < 0:
        raise ValueError(f"unsorted_segment_sum: argument 'num_segments' must not be negative, got {count}.")
    attributes = {"num_segments": count}
    _unsorted_segment_sum_infer([TensorSpec(t.shape, t.dtype) for t in (values, ids)], attributes)
    return ENGINE.run_kernel(UNSORTED_SEGMENT_SUM.name, (values, ids), attributes)
