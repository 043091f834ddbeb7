"""Kernels of the cpu backend for ragged tensors."""

from __future__ import annotations

from math import prod

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel

INT32_MAX = 2**31 - 1

# --- RaggedGather ------------------------------------------------------------------------------------------


@cpu_kernel("RaggedGather")
def ragged_gather(*params: np.ndarray) -> tuple[np.ndarray, ...]:
    *nested, values, indices = params
    _check_nested_splits(nested, len(values))
    rows = indices.ravel().astype(np.int64)
    count = len(nested[0]) - 1
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise ValueError(f"ragged_gather: 'indices' must be in [0, {count}), got {indices.tolist()}.")
    found = [_regular_splits(indices.shape, axis) for axis in range(indices.ndim - 1)]
    starts, ends = rows, rows + 1
    for splits in nested:
        # Rows of this axis that each index picks; they become values of the next.
        picked = _ranges(starts, ends)
        lengths = splits[picked + 1] - splits[picked]
        found.append(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        starts, ends = splits[starts], splits[ends]
    if indices.ndim == 0:
        found = found[1:]
    return *found, values[_ranges(starts, ends)]


def _check_nested_splits(nested: list[np.ndarray], values: int) -> None:
    for axis, splits in enumerate(nested):
        below = values if axis + 1 == len(nested) else len(nested[axis + 1]) - 1
        if not len(splits) or splits[0] < 0 or splits[-1] > below or (splits[1:] < splits[:-1]).any():
            raise ValueError(
                f"ragged_gather: 'params_nested_splits[{axis}]' must ascend within [0, {below}], got {splits.tolist()}."
            )


def _regular_splits(shape: tuple[int, ...], axis: int) -> np.ndarray:
    """The splits between rows of one length."""
    return np.arange(prod(shape[: axis + 1]) + 1, dtype=np.int32) * np.int32(shape[axis + 1])


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The numbers from each start to before its end, one range after the other."""
    lengths = ends.astype(np.int64) - starts
    begins = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(starts - begins, lengths)


# --- RaggedRange -------------------------------------------------------------------------------------------


@cpu_kernel("RaggedRange")
def ragged_range(starts: np.ndarray, limits: np.ndarray, deltas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, last, step = np.broadcast_arrays(*(np.atleast_1d(x).astype(np.float64) for x in (starts, limits, deltas)))
    if (step == 0).any():
        raise ValueError("ragged_range: argument 'deltas' must not hold 0.")
    sizes = np.maximum(np.ceil((last - first) / step), 0)
    if not (sizes <= INT32_MAX).all() or sizes.sum() > INT32_MAX:
        raise ValueError("ragged_range: the ranges have more numbers than an int32 can count, or no end.")
    counts = sizes.astype(np.int64)
    splits = np.concatenate([[0], np.cumsum(counts)])
    places = np.arange(splits[-1]) - np.repeat(splits[:-1], counts)
    numbers = np.repeat(first, counts) + places * np.repeat(step, counts)
    return splits.astype(np.int32), numbers.astype(starts.dtype)


# --- RaggedTensorToTensor ----------------------------------------------------------------------------------


@cpu_kernel("RaggedTensorToTensor")
def ragged_tensor_to_tensor(
    shape: np.ndarray,
    values: np.ndarray,
    default_value: np.ndarray,
    *partitions: np.ndarray,
    row_partition_types: tuple[str, ...],
) -> np.ndarray:
    pairs = list(zip(partitions, row_partition_types, strict=True))
    if not partitions[0].size:
        raise ValueError("ragged_tensor_to_tensor: the first of 'row_partition_tensors' must not be empty.")
    rows = len(partitions[0]) - 1 if row_partition_types[0] == "ROW_SPLITS" else int(pairs.pop(0)[0].ravel()[0])
    splits = _nested_splits(pairs, rows, len(values))
    lengths = _dense_shape(shape, values.shape, rows, splits)
    _check_default(default_value.shape, values.shape)
    dense = np.empty(lengths, values.dtype)
    dense[...] = default_value
    # For each row of an axis where it begins in the dense tensor, counted in elements of that axis; -1 if it was cut.
    places = np.where(np.arange(rows) < lengths[0], np.arange(rows), -1)
    for axis, each in enumerate(splits, start=1):
        counts = np.diff(each)
        columns = np.arange(each[-1]) - np.repeat(each[:-1], counts)
        parents = np.repeat(places, counts)
        inside = (parents >= 0) & (columns < lengths[axis])
        places = np.where(inside, parents * lengths[axis] + columns, -1)
    element = lengths[len(splits) + 1 :]
    flat = dense.reshape(prod(lengths[: len(splits) + 1]), *element)
    flat[places[places >= 0]] = values[: len(places)][places >= 0]
    return dense


def _nested_splits(pairs: list[tuple[np.ndarray, str]], rows: int, values: int) -> list[np.ndarray]:
    """All partitions as splits, each of as many rows as the one before it has values."""
    found: list[np.ndarray] = []
    for partition, kind in pairs:
        splits = partition.astype(np.int64)
        if kind == "VALUE_ROWIDS":
            if len(splits) and (splits[0] < 0 or splits[-1] >= rows or (splits[1:] < splits[:-1]).any()):
                raise ValueError(
                    f"ragged_tensor_to_tensor: 'row_partition_tensors' hold row ids {partition.tolist()}, which must "
                    f"ascend within [0, {rows})."
                )
            splits = np.concatenate([[0], np.cumsum(np.bincount(splits, minlength=rows))])
        if len(splits) != rows + 1 or splits[0] != 0 or (splits[1:] < splits[:-1]).any():
            raise ValueError(
                f"ragged_tensor_to_tensor: 'row_partition_tensors' hold {partition.tolist()}, which must ascend from 0 "
                f"and part {rows} rows."
            )
        rows = int(splits[-1])
        found.append(splits)
    if not 0 <= rows <= values:
        raise ValueError(
            f"ragged_tensor_to_tensor: 'row_partition_tensors' hold {rows} values, but there are {values} in 'values'."
        )
    return found


def _dense_shape(shape: np.ndarray, values: tuple[int, ...], rows: int, splits: list[np.ndarray]) -> tuple[int, ...]:
    """The shape of the result: what was wanted, and what is needed where that is open."""
    needed = [rows, *(int(np.diff(each).max(initial=0)) for each in splits), *values[1:]]
    wanted = [-1] * len(needed) if shape.ndim == 0 and shape == -1 else shape.tolist()
    if shape.ndim > 1 or not isinstance(wanted, list) or len(wanted) != len(needed):
        raise ValueError(
            f"ragged_tensor_to_tensor: argument 'shape' must be -1 or have {len(needed)} lengths, got {shape.tolist()}."
        )
    element = wanted[len(splits) + 1 :]
    if any(length >= 0 and length != own for length, own in zip(element, values[1:], strict=True)):
        raise ValueError(
            f"ragged_tensor_to_tensor: argument 'shape' is {wanted}, but 'values' has the shape {list(values)}."
        )
    return tuple(own if length < 0 else length for length, own in zip(wanted, needed, strict=True))


def _check_default(default: tuple[int, ...], values: tuple[int, ...]) -> None:
    fits = zip(reversed(default), reversed(values[1:]), strict=False)
    if len(default) >= len(values) or any(length not in (1, own) for length, own in fits):
        raise ValueError(
            f"ragged_tensor_to_tensor: argument 'default_value' must broadcast with one of 'values', got the shapes "
            f"{list(default)} and {list(values)}."
        )
