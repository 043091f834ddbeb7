"""Ragged tensors: rows of different lengths, given by their values in one row and the splits between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tenfold.core.arguments import integer
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.elementwise import cast_to


def _int32_list(values: Sequence[TensorLike], argument: str, op: str) -> list[Tensor]:
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{op}: argument '{argument}' must be a list of tensors, got {type(values).__name__}.")
    return [convert_to_tensor(value, f"{argument}[{i}]", op, "int32") for i, value in enumerate(values)]


# --- ragged_gather -----------------------------------------------------------------------------------------


class RaggedGather(NamedTuple):
    """Rows of a ragged tensor.

    Attributes:
        output_nested_splits: int32, the splits of each ragged axis, the outermost first.
        output_dense_values: the values.
    """

    output_nested_splits: list[Tensor]
    output_dense_values: Tensor


def _gather_infer(specs: Sequence[TensorSpec], _: Attributes) -> list[TensorSpec]:
    *splits, values, indices = specs
    ragged_axes = len(indices.shape) - 1 + len(splits)
    return [TensorSpec((-1,), "int32")] * ragged_axes + [TensorSpec((-1, *values.shape[1:]), values.dtype)]


# Inputs: the splits, the outermost first, then the values and the indices.
RAGGED_GATHER = define_kernel(Kernel("RaggedGather", ("*params",), _gather_infer, data_dependent=True))


@op()
def ragged_gather(
    params_nested_splits: Sequence[TensorLike],
    params_dense_values: TensorLike,
    indices: TensorLike,
    output_ragged_rank: int,
) -> RaggedGather:
    """Pick rows of a ragged tensor by their positions.

    Args:
        params_nested_splits: int32 tensors of rank 1, for each ragged axis, the outermost first, where its rows begin,
            and where the last one ends.
        params_dense_values: numeric tensor, [values, ...].
        indices: int32 tensor of positions of rows along the outermost axis.
        output_ragged_rank: how many splits the result has. It is what TensorFlow's op is told; it follows from the
            other arguments and is not looked at.

    Returns:
        Splits and values of the rows; axes of `indices` after its first become ragged axes.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if splits are missing, do not ascend or point past the values, the values are a scalar, or a row
            does not exist.

    Source: TensorFlow's `RaggedGather`.

    Example:
        >>> import tenfold as tf
        >>> splits, values = tf.ragged_gather([[0, 2, 2, 5]], [1, 2, 3, 4, 5], [2, 0], 1)
        >>> splits[0].array_sync(), values.array_sync()
        ([0, 3, 5], [3.0, 4.0, 5.0, 1.0, 2.0])
    """
    name = "ragged_gather"
    splits = _int32_list(params_nested_splits, "params_nested_splits", name)
    values = operands.number(params_dense_values, name, "params_dense_values")
    rows = convert_to_tensor(indices, "indices", name, "int32")
    integer(output_ragged_rank, "output_ragged_rank", name)
    if not splits or any(each.rank != 1 for each in splits):
        raise ValueError(
            f"{name}: argument 'params_nested_splits' must hold tensors of rank 1, one at least, got shapes "
            f"{[list(each.shape) for each in splits]}."
        )
    if not values.rank:
        raise ValueError(f"{name}: argument 'params_dense_values' must have rank 1 or more, got a scalar.")
    *nested, dense = ENGINE.run_kernel(RAGGED_GATHER.name, (*splits, values, rows))
    return RaggedGather(nested, dense)


# --- ragged_range ------------------------------------------------------------------------------------------


class RaggedRange(NamedTuple):
    """Ranges of numbers as a ragged tensor.

    Attributes:
        rt_nested_splits: int32, [ranges + 1], where each range begins, and where the last one ends.
        rt_dense_values: the numbers.
    """

    rt_nested_splits: Tensor
    rt_dense_values: Tensor


def _range_infer(specs: Sequence[TensorSpec], _: Attributes) -> list[TensorSpec]:
    lengths = [spec.shape[0] for spec in specs if spec.shape]
    return [TensorSpec((lengths[0] + 1 if lengths else 2,), "int32"), TensorSpec((-1,), specs[0].dtype)]


RAGGED_RANGE = define_kernel(Kernel("RaggedRange", ("starts", "limits", "deltas"), _range_infer, data_dependent=True))


@op()
def ragged_range(starts: TensorLike, limits: TensorLike, deltas: TensorLike) -> RaggedRange:
    """Make ranges of numbers, one for each start.

    Args:
        starts: tensor of any real dtype, [ranges] or a scalar, which holds for all.
        limits: tensor of the same dtype, where each range ends, without that number.
        deltas: tensor of the same dtype, the steps; a negative one counts down.

    Returns:
        The splits between the ranges, and their numbers. A range whose limit lies on the other side is empty.

    Raises:
        TypeError: if an argument is no tensor-like, or dtypes differ.
        ValueError: if an argument is neither a scalar nor of rank 1, lengths differ, or a step is 0.

    Source: TensorFlow's `RaggedRange`.

    Example:
        >>> import tenfold as tf
        >>> splits, numbers = tf.ragged_range([0, 5], [3, 3], [1, -1])
        >>> splits.array_sync(), numbers.array_sync()
        ([0, 3, 5], [0.0, 1.0, 2.0, 5.0, 4.0])
    """
    name = "ragged_range"
    first = operands.real(starts, name, "starts")
    last = convert_to_tensor(limits, "limits", name, first.dtype)
    steps = convert_to_tensor(deltas, "deltas", name, first.dtype)
    shapes = [each.shape for each in (first, last, steps)]
    if any(len(shape) > 1 for shape in shapes) or len({shape for shape in shapes if shape}) > 1:
        raise ValueError(
            f"{name}: arguments 'starts', 'limits' and 'deltas' must be scalars or have rank 1 and one length, got the "
            f"shapes {', '.join(str(list(shape)) for shape in shapes)}."
        )
    return RaggedRange(*ENGINE.run_kernel(RAGGED_RANGE.name, (first, last, steps)))


# --- ragged_tensor_to_tensor -------------------------------------------------------------------------------


PARTITION_TYPES = ("FIRST_DIM_SIZE", "VALUE_ROWIDS", "ROW_SPLITS")


def _to_tensor_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    values = specs[1]
    types = attributes["row_partition_types"]
    ragged_rank = len(types) - (types[:1] == ("FIRST_DIM_SIZE",))
    return TensorSpec((-1,) * (ragged_rank + len(values.shape)), values.dtype)


RAGGED_TENSOR_TO_TENSOR = define_kernel(
    Kernel(
        "RaggedTensorToTensor",
        ("shape", "values", "default_value", "*row_partition_tensors"),
        _to_tensor_infer,
        data_dependent=True,
    )
)


@op()
def ragged_tensor_to_tensor(
    shape: TensorLike,
    values: TensorLike,
    default_value: TensorLike,
    row_partition_tensors: Sequence[TensorLike],
    row_partition_types: Sequence[str],
) -> Tensor:
    """Make a dense tensor of a ragged one: rows are filled up, or cut where they are too long.

    Args:
        shape: int32 tensor of rank 1, the shape wanted; -1 stands for as long as needed, the scalar -1 for a shape of
            which nothing is known.
        values: tensor of any dtype, [values, ...].
        default_value: what rows are filled up with; its shape broadcasts with that of one value.
        row_partition_tensors: int32 tensors that say which values belong to which row, the outermost axis first.
        row_partition_types: what each of them is: `ROW_SPLITS` (where rows begin, and the last one ends),
            `VALUE_ROWIDS` (for each value the number of its row, not descending) or, first and before those, the scalar
            `FIRST_DIM_SIZE` (how many rows there are).

    Returns:
        Tensor of the dtype of `values`, with an axis for each partition before the axes of `values`.

    Raises:
        TypeError: if an argument is no tensor-like, or a tensor of another dtype.
        ValueError: if shapes or partitions do not fit.

    Source: TensorFlow's `RaggedTensorToTensor`.

    Example:
        >>> import tenfold as tf
        >>> tf.ragged_tensor_to_tensor([2, -1], [1, 2, 3], 0, [[0, 1, 3]], ["ROW_SPLITS"]).array_sync()
        [[1.0, 0.0], [2.0, 3.0]]
    """
    name = "ragged_tensor_to_tensor"
    wanted = convert_to_tensor(shape, "shape", name, "int32")
    entries = convert_to_tensor(values, "values", name, "string_or_numeric")
    default = convert_to_tensor(default_value, "default_value", name, "string_or_numeric")
    if (default.dtype == "string") != (entries.dtype == "string"):
        raise TypeError(
            f"{name}: argument 'default_value' must have the dtype of 'values', {entries.dtype}, got {default.dtype}."
        )
    partitions = _int32_list(row_partition_tensors, "row_partition_tensors", name)
    types = _partition_types(row_partition_types, len(partitions), name)
    if not entries.rank:
        raise ValueError(f"{name}: argument 'values' must have rank 1 or more, got a scalar.")
    tensors = (wanted, entries, cast_to(default, entries.dtype), *partitions)
    return ENGINE.run_kernel(RAGGED_TENSOR_TO_TENSOR.name, tensors, {"row_partition_types": types})


def _partition_types(types: Sequence[str], count: int, op: str) -> tuple[str, ...]:
    found = tuple(types)
    if any(each not in PARTITION_TYPES for each in found) or "FIRST_DIM_SIZE" in found[1:]:
        raise ValueError(
            f"{op}: argument 'row_partition_types' must hold 'ROW_SPLITS' or 'VALUE_ROWIDS', and 'FIRST_DIM_SIZE' "
            f"first if at all, got {list(found)}."
        )
    if not found or len(found) != count or found[0] == "VALUE_ROWIDS":
        raise ValueError(
            f"{op}: argument 'row_partition_types' must begin with 'FIRST_DIM_SIZE' or 'ROW_SPLITS' and have an entry "
            f"for each of the {count} row_partition_tensors, got {list(found)}."
        )
    return found
