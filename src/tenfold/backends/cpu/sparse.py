"""Kernels of the cpu backend for sparse tensors and for sums over segments of rows."""

from __future__ import annotations

from math import prod

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("SparseFillEmptyRows")
def sparse_fill_empty_rows(
    indices: np.ndarray, values: np.ndarray, dense_shape: np.ndarray, default_value: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rows = int(dense_shape[0])
    given = indices[:, 0].astype(np.int64)
    wrong = (given < 0) | (given >= rows)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"sparse_fill_empty_rows: entry {place} in 'indices' stands in row {given[place]}, which is not in "
            f"[0, {rows})."
        )
    empty = np.bincount(given, minlength=rows) == 0
    added = np.flatnonzero(empty)
    order = np.argsort(np.concatenate([given, added]), kind="stable")
    places = np.zeros((len(order), indices.shape[1]), np.int32)
    places[: len(given)] = indices
    places[len(given) :, 0] = added
    entries = np.concatenate([values, np.full(len(added), default_value, values.dtype)])
    new_places = np.empty(len(order), np.int32)
    new_places[order] = np.arange(len(order), dtype=np.int32)
    return places[order], entries[order], empty, new_places[: len(given)].copy()


@cpu_kernel("SparseReshape")
def sparse_reshape(
    input_indices: np.ndarray, input_shape: np.ndarray, new_shape: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    before, after = tuple(input_shape.tolist()), _closed_shape(input_shape, new_shape)
    strides = np.array([prod(before[axis + 1 :]) for axis in range(len(before))], np.int64)
    flat = input_indices.astype(np.int64) @ strides
    places = np.empty((len(flat), len(after)), np.int32)
    for axis in reversed(range(len(after))):
        flat, places[:, axis] = np.divmod(flat, max(after[axis], 1))
    return places, np.array(after, np.int32)


def _closed_shape(input_shape: np.ndarray, new_shape: np.ndarray) -> tuple[int, ...]:
    """The new shape, with the length that was left open."""
    before, after = input_shape.tolist(), new_shape.tolist()
    size, known = prod(before), prod(length for length in after if length != -1)
    if after.count(-1) > 1 or any(length < -1 for length in after):
        raise ValueError(
            f"sparse_reshape: argument 'new_shape' must hold non-negative lengths and -1 once at most, got {after}."
        )
    if -1 in after and known:
        after[after.index(-1)] = size // known
    if -1 in after or prod(after) != size:
        raise ValueError(
            f"sparse_reshape: argument 'new_shape' must hold the {size} elements of the shape {before}, got "
            f"{new_shape.tolist()}."
        )
    return tuple(after)


@cpu_kernel("SparseSegmentSum")
def sparse_segment_sum(data: np.ndarray, indices: np.ndarray, segment_ids: np.ndarray) -> np.ndarray:
    return _segment_sums(data, indices, segment_ids, "sparse_segment_sum")[0]


@cpu_kernel("SparseSegmentMean")
def sparse_segment_mean(data: np.ndarray, indices: np.ndarray, segment_ids: np.ndarray) -> np.ndarray:
    sums, starts = _segment_sums(data, indices, segment_ids, "sparse_segment_mean")
    if not len(starts):
        return sums
    counts = np.diff(starts, append=len(segment_ids)).reshape(-1, *[1] * (data.ndim - 1))
    of_segments = segment_ids[starts]
    # A quotient of integers is truncated, not floored, when it is stored as an integer.
    sums[of_segments] = (sums[of_segments] / counts).astype(data.dtype)
    return sums


def _segment_sums(
    data: np.ndarray, indices: np.ndarray, segment_ids: np.ndarray, op: str
) -> tuple[np.ndarray, np.ndarray]:
    """The sums of all segments, and where in `segment_ids` each segment that has rows begins."""
    if not len(indices):
        return np.zeros((0, *data.shape[1:]), data.dtype), np.zeros(0, np.intp)
    if segment_ids[0] < 0 or (segment_ids[1:] < segment_ids[:-1]).any():
        raise ValueError(f"{op}: argument 'segment_ids' must hold numbers from 0 on that do not descend.")
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= len(data):
        raise ValueError(f"{op}: index {low if low < 0 else high} in 'indices' is not in [0, {len(data)}).")
    starts = np.flatnonzero(np.diff(segment_ids, prepend=-1))
    sums = np.zeros((int(segment_ids[-1]) + 1, *data.shape[1:]), data.dtype)
    sums[segment_ids[starts]] = np.add.reduceat(data[indices], starts, axis=0, dtype=data.dtype)
    return sums, starts
