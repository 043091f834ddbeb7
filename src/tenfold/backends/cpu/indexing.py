"""Kernels of the cpu backend that pick elements by position, and put them at positions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.slices import slice_extent, strided_slice_info
from tenfold.core.storage import Shape


@cpu_kernel("Slice")
def slice_(x: np.ndarray, *, begin: Sequence[int], size: Sequence[int]) -> np.ndarray:
    extent = slice_extent(x.shape, begin, size)
    key = tuple(slice(b, b + s) for b, s in zip(extent.begin, extent.size, strict=True))
    return np.array(x[key], order="C")


@cpu_kernel("StridedSlice")
def strided_slice(x: np.ndarray, *, begin: Sequence[int], end: Sequence[int], **rest: Any) -> np.ndarray:
    info = strided_slice_info(x.shape, begin, end, **rest)
    return np.array(x[info.key], order="C").reshape(info.shape)


# --- gather ------------------------------------------------------------------------------------------------


@cpu_kernel("GatherV2")
def gather(x: np.ndarray, indices: np.ndarray, *, axis: int = 0, batch_dims: int = 0) -> np.ndarray:
    _check_range(indices, x.shape[axis], "gather")
    axis = axis % x.ndim
    batch_dims = batch_dims + indices.ndim if batch_dims < 0 else batch_dims
    batch, outer, inner = x.shape[:batch_dims], x.shape[batch_dims:axis], x.shape[axis + 1 :]
    if batch_dims == 0:
        return np.take(x, indices.ravel(), axis).reshape(outer + indices.shape + inner)
    rows = prod(batch)
    values = x.reshape(rows, prod(outer), x.shape[axis], prod(inner))
    picked = indices.reshape(rows, prod(indices.shape[batch_dims:]))
    # Positions beside a range: NumPy puts the axes of the positions in front, [batch, picked, outer, inner].
    taken = values[np.arange(rows)[:, None], :, picked].swapaxes(1, 2)
    return np.array(taken, order="C").reshape(batch + outer + indices.shape[batch_dims:] + inner)


def _check_range(indices: np.ndarray, length: int, op: str) -> None:
    if indices.size:
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= length:
            wrong = low if low < 0 else high
            raise ValueError(f"{op}: index {wrong} in 'indices' is not in [0, {length}).")


@cpu_kernel("GatherNd")
def gather_nd(params: np.ndarray, indices: np.ndarray) -> np.ndarray:
    depth = indices.shape[-1]
    outer, inner = params.shape[:depth], params.shape[depth:]
    positions = _positions(indices.reshape(prod(indices.shape[:-1]), depth), outer, "gather_nd")
    return np.asarray(params.reshape(prod(outer), prod(inner))[positions].reshape(indices.shape[:-1] + inner))


def _positions(coordinates: np.ndarray, shape: Shape, op: str) -> np.ndarray:
    """Row-major positions in `shape` of coordinates `[count, len(shape)]`."""
    outside = ((coordinates < 0) | (coordinates >= np.array(shape, np.int64))).any(axis=1)
    if outside.any():
        wrong = coordinates[outside.argmax()].tolist()
        raise ValueError(f"{op}: the position {wrong} in 'indices' is outside of the shape {list(shape)}.")
    steps = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return coordinates.astype(np.int64) @ np.array(steps, np.int64)


# --- scatter -----------------------------------------------------------------------------------------------


@cpu_kernel("ScatterNd")
def scatter_nd(indices: np.ndarray, updates: np.ndarray, *, shape: Shape) -> np.ndarray:
    depth = indices.shape[-1] if indices.ndim > 1 else 1
    coordinates = indices.reshape(indices.size // depth if depth else prod(indices.shape[:-1]), depth)
    outer, inner = shape[:depth], shape[depth:]
    positions = _positions(coordinates, outer, "scatter_nd")
    rows = updates.reshape(len(positions), prod(inner))
    return _sums_at(positions, rows, prod(outer)).reshape(shape)


def _sums_at(positions: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """`count` rows, each the sum of those `rows` that have its position."""
    result = np.zeros((count, *rows.shape[1:]), rows.dtype)
    if rows.size:
        order = np.argsort(positions, kind="stable")
        ascending = positions[order]
        firsts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
        result[ascending[firsts]] = np.add.reduceat(rows[order], firsts, axis=0, dtype=rows.dtype)
    return result


@cpu_kernel("TensorScatterUpdate")
def tensor_scatter_update(tensor: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    depth = indices.shape[-1] if indices.ndim > 1 else 1
    coordinates = indices.reshape(indices.size // depth if depth else prod(indices.shape[:-1]), depth)
    outer, inner = tensor.shape[:depth], tensor.shape[depth:]
    result = np.array(tensor).reshape(prod(outer), prod(inner))
    positions = _positions(coordinates, outer, "tensor_scatter_update")
    result[positions] = updates.reshape(len(positions), prod(inner))
    return result.reshape(tensor.shape)


@cpu_kernel("SparseToDense")
def sparse_to_dense(
    sparse_indices: np.ndarray,
    sparse_values: np.ndarray,
    default_value: np.ndarray,
    *,
    output_shape: Shape,
) -> np.ndarray:
    coordinates = sparse_indices.reshape(-1, len(output_shape))
    result = np.empty(prod(output_shape), sparse_values.dtype)
    result.fill(default_value[()])
    result[_positions(coordinates, output_shape, "sparse_to_dense")] = sparse_values
    return result.reshape(output_shape)


@cpu_kernel("UnsortedSegmentSum")
def unsorted_segment_sum(x: np.ndarray, segment_ids: np.ndarray, *, num_segments: int) -> np.ndarray:
    inner = x.shape[segment_ids.ndim :]
    rows = x.reshape(segment_ids.size, prod(inner))
    ids = segment_ids.ravel()
    kept = (ids >= 0) & (ids < num_segments)
    if not kept.all():
        rows, ids = rows[kept], ids[kept]
    summed = rows.astype(np.int32) if rows.dtype == np.bool_ else rows
    return _sums_at(ids, summed, num_segments).reshape(num_segments, *inner)
