"""Sparse tensors, given by the places and values of what is not zero, and sums over segments of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands

Thunks = Sequence[Callable[[], Tensor] | None]


def _indices(value: TensorLike, argument: str, op: str, rank: int) -> Tensor:
    """An int32 tensor of a certain rank."""
    tensor = convert_to_tensor(value, argument, op, "int32")
    _check_rank(tensor, argument, op, rank)
    return tensor


def _check_rank(tensor: Tensor, argument: str, op: str, rank: int) -> None:
    if tensor.rank != rank and not ENV.is_true("PROD"):
        raise ValueError(f"{op}: argument '{argument}' must have rank {rank}, got the shape {list(tensor.shape)}.")


# --- sparse_fill_empty_rows --------------------------------------------------------------------------------


class SparseFillEmptyRows(NamedTuple):
    """A sparse tensor in which no row is empty.

    Attributes:
        output_indices: int32, [entries, rank], the places, ordered by row.
        output_values: [entries], the values.
        empty_row_indicator: bool, [rows], which rows were empty.
        reverse_index_map: int32, [entries given], where each given entry stands now.
    """

    output_indices: Tensor
    output_values: Tensor
    empty_row_indicator: Tensor
    reverse_index_map: Tensor


def _fill_infer(specs: Sequence[TensorSpec], _: Attributes) -> list[TensorSpec]:
    indices, values = specs[:2]
    return [
        TensorSpec((-1, indices.shape[1]), "int32"),
        TensorSpec((-1,), values.dtype),
        TensorSpec((-1,), "bool"),
        TensorSpec((indices.shape[0],), "int32"),
    ]


def _fill_gradient(dys: list[Tensor], saved: list[Tensor], _: Attributes) -> Thunks:
    """A given value gets the gradient from where it went, the default value that from everywhere else."""
    dy, (reverse_index_map,) = dys[1], saved

    def for_values() -> Tensor:
        return dy.gather(reverse_index_map)

    return [None, for_values, None, lambda: dy.sum().sub(for_values().sum())]


SPARSE_FILL_EMPTY_ROWS = define_kernel(
    Kernel(
        "SparseFillEmptyRows",
        ("indices", "values", "dense_shape", "default_value"),
        _fill_infer,
        data_dependent=True,
    )
)
register_gradient("SparseFillEmptyRows", _fill_gradient, outputs_to_save=[False, False, False, True])


@op(namespace="sparse")
def sparse_fill_empty_rows(
    indices: TensorLike, values: TensorLike, dense_shape: TensorLike, default_value: TensorLike
) -> SparseFillEmptyRows:
    """Give the empty rows of a sparse tensor one entry each, in their first column.

    Args:
        indices: int32 tensor, [entries, rank], the places of entries.
        values: tensor of any dtype, [entries].
        dense_shape: int32 tensor, [rank], the shape of the dense tensor.
        default_value: scalar of the dtype of `values`, what empty rows get.

    Returns:
        The new places and values, ordered by row, which rows were empty, and where the given entries went.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes do not fit, or an entry stands in a row that does not exist.

    Source: TensorFlow's `SparseFillEmptyRows`.

    Example:
        >>> import tenfold as tf
        >>> filled = tf.sparse.sparse_fill_empty_rows([[0, 1], [2, 0]], [5, 7], [3, 2], -1)
        >>> filled.output_indices.array_sync(), filled.output_values.array_sync()
        ([[0, 1], [1, 0], [2, 0]], [5.0, -1.0, 7.0])
    """
    name = "sparse_fill_empty_rows"
    places = _indices(indices, "indices", name, 2)
    entries = convert_to_tensor(values, "values", name, "string_or_numeric")
    _check_rank(entries, "values", name, 1)
    shape = _indices(dense_shape, "dense_shape", name, 1)
    default = convert_to_tensor(default_value, "default_value", name, entries.dtype)
    _check_rank(default, "default_value", name, 0)
    if not shape.size or places.shape != (*entries.shape, *shape.shape):
        raise ValueError(
            f"{name}: argument 'indices' must have the shape [entries, rank] for 'values' of shape [entries] and "
            f"'dense_shape' of shape [rank], rank 1 or more; got {list(places.shape)}, {list(entries.shape)} "
            f"and {list(shape.shape)}."
        )
    return SparseFillEmptyRows(*ENGINE.run_kernel(SPARSE_FILL_EMPTY_ROWS.name, (places, entries, shape, default)))


# --- sparse_reshape ----------------------------------------------------------------------------------------


class SparseReshape(NamedTuple):
    """Where the entries of a sparse tensor stand in another shape.

    Attributes:
        output_indices: int32, [entries, new rank], the places.
        output_shape: int32, [new rank], the shape, no length of which is open any more.
    """

    output_indices: Tensor
    output_shape: Tensor


def _reshape_infer(specs: Sequence[TensorSpec], _: Attributes) -> list[TensorSpec]:
    indices, _shape, new_shape = specs
    return [TensorSpec((indices.shape[0], new_shape.shape[0]), "int32"), TensorSpec(new_shape.shape, "int32")]


SPARSE_RESHAPE = define_kernel(Kernel("SparseReshape", ("input_indices", "input_shape", "new_shape"), _reshape_infer))


@op(namespace="sparse")
def sparse_reshape(input_indices: TensorLike, input_shape: TensorLike, new_shape: TensorLike) -> SparseReshape:
    """Find the places of a sparse tensor's entries in another shape.

    Args:
        input_indices: int32 tensor, [entries, rank], the places of entries.
        input_shape: int32 tensor, [rank], the shape of the dense tensor.
        new_shape: int32 tensor, [new rank], the shape wanted; one length may be -1 and follows from the others.

    Returns:
        The places in the new shape, and the new shape.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes do not fit, or do not hold as many elements.

    Source: TensorFlow's `SparseReshape`.

    Example:
        >>> import tenfold as tf
        >>> places, shape = tf.sparse.sparse_reshape([[0, 1], [1, 2]], [2, 3], [3, -1])
        >>> places.array_sync(), shape.array_sync()
        ([[0, 1], [2, 1]], [3, 2])
    """
    name = "sparse_reshape"
    places = _indices(input_indices, "input_indices", name, 2)
    before = _indices(input_shape, "input_shape", name, 1)
    after = _indices(new_shape, "new_shape", name, 1)
    if places.shape[1] != before.shape[0]:
        raise ValueError(
            f"{name}: argument 'input_indices' must have as many columns as 'input_shape' has lengths, got the shapes "
            f"{list(places.shape)} and {list(before.shape)}."
        )
    return SparseReshape(*ENGINE.run_kernel(SPARSE_RESHAPE.name, (places, before, after)))


# --- sparse_segment_sum, sparse_segment_mean ---------------------------------------------------------------


def _segment_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    data = specs[0]
    return TensorSpec((-1, *data.shape[1:]), data.dtype)


def _segment_sum_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    """Each row that was added gets the gradient of its segment."""
    data, indices, segment_ids = saved
    return [lambda: dy.gather(segment_ids).unsorted_segment_sum(indices, data.shape[0]), None, None]


def _segment_mean_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    segment_ids = saved[2]

    def shared() -> Tensor:
        counts = ENGINE.ones(segment_ids.shape, dy.dtype).unsorted_segment_sum(segment_ids, dy.shape[0])
        return dy.div(counts.maximum(1).reshape((dy.shape[0], *[1] * (dy.rank - 1))))

    return _segment_sum_gradient(shared(), saved, attributes)


def _segment_kernel(name: str) -> Kernel:
    return define_kernel(Kernel(name, ("data", "indices", "segment_ids"), _segment_infer, data_dependent=True))


SPARSE_SEGMENT_SUM = _segment_kernel("SparseSegmentSum")
register_gradient("SparseSegmentSum", _segment_sum_gradient, inputs_to_save=("data", "indices", "segment_ids"))

SPARSE_SEGMENT_MEAN = _segment_kernel("SparseSegmentMean")
register_gradient("SparseSegmentMean", _segment_mean_gradient, inputs_to_save=("data", "indices", "segment_ids"))


def _reduce_segments(kernel: Kernel, op: str, data: TensorLike, indices: TensorLike, segment_ids: TensorLike) -> Tensor:
    rows = operands.number(data, op, "data")
    if not rows.rank:
        raise ValueError(f"{op}: argument 'data' must have rank 1 or more, got a scalar.")
    positions = _indices(indices, "indices", op, 1)
    segments = _indices(segment_ids, "segment_ids", op, 1)
    if positions.shape != segments.shape:
        raise ValueError(
            f"{op}: arguments 'indices' and 'segment_ids' must have one length, got {positions.size} and "
            f"{segments.size}."
        )
    return ENGINE.run_kernel(kernel.name, (rows, positions, segments))


@op(namespace="sparse")
def sparse_segment_sum(data: TensorLike, indices: TensorLike, segment_ids: TensorLike) -> Tensor:
    """Sum chosen rows of a tensor, segment by segment.

    Args:
        data: tensor of any numeric dtype, [rows, ...].
        indices: int32 tensor, [n], the rows to add.
        segment_ids: int32 tensor, [n], the segment of each, not descending.

    Returns:
        Tensor of the same dtype (int32 for bools), [segments, ...]: one row for each number up to the last segment,
        zeros where nothing was added.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes do not fit, a row does not exist, or segments are negative or descend.

    Source: TensorFlow's `SparseSegmentSum`.

    Example:
        >>> import tenfold as tf
        >>> tf.sparse.sparse_segment_sum([[1, 2], [3, 4], [5, 6]], [0, 2, 1], [0, 0, 1]).array_sync()
        [[6.0, 8.0], [3.0, 4.0]]
    """
    return _reduce_segments(SPARSE_SEGMENT_SUM, "sparse_segment_sum", data, indices, segment_ids)


@op(namespace="sparse")
def sparse_segment_mean(data: TensorLike, indices: TensorLike, segment_ids: TensorLike) -> Tensor:
    """Average chosen rows of a tensor, segment by segment.

    Args:
        data: tensor of any numeric dtype, [rows, ...].
        indices: int32 tensor, [n], the rows to average.
        segment_ids: int32 tensor, [n], the segment of each, not descending.

    Returns:
        Tensor of the same dtype (int32 for bools), [segments, ...]: one row for each number up to the last segment,
        zeros where there was nothing to average. Means of integers are truncated toward zero.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if the shapes do not fit, a row does not exist, or segments are negative or descend.

    Source: TensorFlow's `SparseSegmentMean`.

    Example:
        >>> import tenfold as tf
        >>> tf.sparse.sparse_segment_mean([[1, 2], [3, 4], [5, 6]], [0, 2, 1], [0, 0, 1]).array_sync()
        [[3.0, 4.0], [3.0, 4.0]]
    """
    return _reduce_segments(SPARSE_SEGMENT_MEAN, "sparse_segment_mean", data, indices, segment_ids)
