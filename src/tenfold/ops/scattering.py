"""Elements and rows put at positions: scattered into zeros or another tensor, and summed by segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tenfold.codegen.compute import Array, all_hold, compute, flatten, in_range, unflatten
from tenfold.codegen.expr import Expr, cast, select
from tenfold.codegen.reductions import Element
from tenfold.codegen.segments import last_places, segment_sums
from tenfold.core.arguments import integer
from tenfold.core.conversion import TensorLike, check_shape, convert_to_tensor
from tenfold.core.dtypes import sum_out_type
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.ops import gathering
from tenfold.ops.elementwise import scalar_like
from tenfold.ops.window_positions import guarded

Thunks = Sequence[Callable[[], Tensor] | None]

# --- scatter_nd, tensor_scatter_update ---------------------------------------------------------------------


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


def _keys(indices: Array, shape: Shape) -> tuple[Array, int]:
    """For each update the position of its place along the first axes, negative beyond them; and how many axes."""
    depth = indices.shape[-1] if indices.rank > 1 else 1
    places = indices.shape[:-1] if indices.rank > 1 else indices.shape

    def key(number: Expr) -> Expr:
        at = unflatten(number, places)
        coordinates = [indices[*at, d] for d in range(depth)] if indices.rank > 1 else [indices[at]]
        exists = all_hold(in_range(one, length) for one, length in zip(coordinates, shape, strict=False))
        return guarded(exists, flatten(coordinates, shape[:depth]), -1)

    return compute([prod(places)], key), depth


def _update(updates: Array, axes: int) -> Element:
    """The update of a number, whose first axes are counted through, at indices along the others."""
    return lambda number, *rest: updates[*unflatten(number, updates.shape[:axes]), *rest]


def _scatter_nd_definition(indices: Array, updates: Array, *, shape: Shape) -> Array:
    keys, depth = _keys(indices, shape)
    kind = "any" if updates.dtype == "bool" else "sum"
    axes = updates.rank - len(shape) + depth
    return segment_sums(kind, keys, shape[:depth], shape[depth:], _update(updates, axes))


SCATTER_ND = define_kernel(
    Kernel("ScatterNd", ("indices", "updates"), _scatter_nd_infer, definition=_scatter_nd_definition)
)


def _scatter_nd_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    return [None, lambda: gathering.gather_nd(dy, _as_column(saved[0]))]


register_gradient("ScatterNd", _scatter_nd_gradient, inputs_to_save=["indices"])


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
        lambda: gathering.gather_nd(dy, _as_column(indices)),
    ]


def _tensor_scatter_update_definition(tensor: Array, indices: Array, updates: Array) -> Array:
    keys, depth = _keys(indices, tensor.shape)
    last = last_places(keys, tensor.shape[:depth])
    update = _update(updates, updates.rank - tensor.rank + depth)

    def element(*i: Expr) -> Expr:
        number = last[i[:depth]]
        return select(number >= 0, update(number, *i[depth:]), tensor[i])

    return compute(tensor.shape, element)


TENSOR_SCATTER_UPDATE = define_kernel(
    Kernel(
        "TensorScatterUpdate",
        ("tensor", "indices", "updates"),
        _tensor_scatter_update_infer,
        definition=_tensor_scatter_update_definition,
    )
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
        return gathering.gather_nd(dy, positions)

    return [
        None,
        lambda: at_positions() if values.shape else at_positions().sum(),
        lambda: dy.sum().sub(at_positions().sum()),
    ]


def _sparse_to_dense_definition(
    sparse_indices: Array, sparse_values: Array, default_value: Array, *, output_shape: Shape
) -> Array:
    keys = _keys(sparse_indices, output_shape)[0]
    last = last_places(keys, output_shape)

    def element(*i: Expr) -> Expr:
        value = sparse_values[last[i]] if sparse_values.rank else sparse_values[()]
        return select(last[i] >= 0, value, default_value[()])

    return compute(output_shape, element)


SPARSE_TO_DENSE = define_kernel(
    Kernel(
        "SparseToDense",
        ("sparse_indices", "sparse_values", "default_value"),
        _sparse_to_dense_infer,
        definition=_sparse_to_dense_definition,
    )
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
        rows = gathering.gather(dy, within)
        counted = ids.equal(within).reshape((*ids.shape, *(1,) * (dy.rank - 1)))
        return rows.where(counted, rows.zeros_like())

    return [for_x, None]


def _unsorted_segment_sum_definition(x: Array, segment_ids: Array, *, num_segments: int) -> Array:
    keys = segment_ids
    if keys.rank != 1:
        keys = compute([keys.size], lambda number: segment_ids.at_flat(number))
    value = _update(x, segment_ids.rank)
    inner = x.shape[segment_ids.rank :]
    return segment_sums("sum", keys, [num_segments], inner, lambda *i: cast(value(*i), sum_out_type(x.dtype)))


UNSORTED_SEGMENT_SUM = define_kernel(
    Kernel(
        "UnsortedSegmentSum",
        ("x", "segment_ids"),
        _unsorted_segment_sum_infer,
        definition=_unsorted_segment_sum_definition,
    )
)
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
