"""Samples of `ops/gathering.py` and `ops/scattering.py`, written out as loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(13)


def floats(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape).astype(np.float32)


def ints(*shape: int, high: int) -> np.ndarray:
    return _rng.integers(0, high, shape).astype(np.int32)


def at(*positions: Any) -> np.ndarray:
    return np.array(positions, np.int32)


WORDS = np.array([["a", "b", "c"], ["ü", "", "f"]], object)
BOOLS = np.array([True, False, False])
COMPLEX = (np.arange(3) - 1j).astype(np.complex64)


def _gather(x: np.ndarray, indices: np.ndarray, axis: int = 0, batch_dims: int = 0) -> np.ndarray:
    axis, batch_dims = axis % x.ndim, batch_dims % indices.ndim if batch_dims < 0 else batch_dims
    if not batch_dims:
        return np.take(x, indices, axis)
    parts = [_gather(one, i, axis - 1, batch_dims - 1) for one, i in zip(x, indices, strict=True)]
    return np.stack(parts)


def _gather_nd(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    depth = indices.shape[-1]
    result = np.empty(indices.shape[:-1] + x.shape[depth:], x.dtype)
    for place in np.ndindex(indices.shape[:-1]):
        result[place] = x[tuple(indices[place])]
    return result


def _places(indices: np.ndarray) -> np.ndarray:
    return indices[:, None] if indices.ndim == 1 else indices


def _scatter_nd(indices: np.ndarray, updates: np.ndarray, shape: list[int]) -> np.ndarray:
    result = np.zeros(shape, updates.dtype)
    for place in np.ndindex(_places(indices).shape[:-1]):
        result[tuple(_places(indices)[place])] += updates[place]
    return result


def _update(tensor: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    result = tensor.copy()
    for place in np.ndindex(_places(indices).shape[:-1]):
        result[tuple(_places(indices)[place])] = updates[place]
    return result


def _to_dense(indices: np.ndarray, values: np.ndarray, shape: list[int], default: Any = 0) -> np.ndarray:
    result = np.full(shape, default, values.dtype)
    for number, place in enumerate(indices.reshape(-1, len(shape))):
        result[tuple(place)] = values[number] if values.shape else values
    return result


def _segment_sum(x: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    result = np.zeros((count, *x.shape[ids.ndim :]), np.int32 if x.dtype == np.bool_ else x.dtype)
    for place in np.ndindex(ids.shape):
        if 0 <= ids[place] < count:
            result[ids[place]] += x[place]
    return result


def _masked(x: np.ndarray, mask: np.ndarray, axis: int = 0) -> np.ndarray:
    return x[(slice(None),) * axis + (mask,)]


SAMPLES = [
    Sample("gather", (floats(4, 3), at(3, 0, 0, 1)), _gather, differentiable=True),
    Sample("gather", (floats(4, 3), at([2, 0], [1, 2]), 1), _gather, differentiable=True),
    Sample("gather", (floats(2, 4, 3), at(3, 0, 3), -2), _gather, differentiable=True),
    Sample("gather", (floats(4, 3), np.array(2, np.int32)), _gather, differentiable=True, label="scalar"),
    Sample("gather", (floats(4, 3), np.zeros([0], np.int32), 1), _gather, differentiable=True, label="nothing"),
    Sample("gather", (floats(2, 3, 4), ints(2, 5, high=3), 1, 1), _gather, differentiable=True, label="batch"),
    Sample("gather", (floats(2, 3, 4), ints(2, 5, high=4), 2, 1), _gather, differentiable=True, label="batch behind"),
    Sample(
        "gather",
        (floats(2, 3, 4, 2), ints(2, 3, 2, 2, high=4), 2, 2),
        _gather,
        differentiable=True,
        label="two batches",
    ),
    Sample("gather", (floats(2, 3, 4), ints(2, 5, high=3), 1, -1), _gather, differentiable=True, label="batch -1"),
    Sample(
        "gather",
        (floats(2, 3, 4), ints(2, high=4), -1, 1),
        lambda x, i, *_: np.stack([x[0, :, i[0]], x[1, :, i[1]]]),
        label="one each",
    ),
    Sample("gather", (np.array([np.nan, np.inf, 1], np.float32), at(1, 0)), _gather, label="odd"),
    Sample("gather", (WORDS, at(2, 0), 1), _gather, label="text"),
    Sample("gather", (WORDS[0], np.array(2, np.int32)), lambda x, i: np.array(x[i], object), label="one text"),
    Sample("gather", (BOOLS, at(2, 0)), _gather, label="bools"),
    Sample("gather", (COMPLEX, at(2, 0)), _gather, label="complex"),
    Sample("gather_nd", (floats(3, 4, 2), at([0, 3], [2, 1], [0, 3])), _gather_nd, differentiable=True),
    Sample("gather_nd", (floats(3, 4), at([[2]], [[0]])), _gather_nd, differentiable=True),
    Sample("gather_nd", (floats(3, 4), at(2, 1)), _gather_nd, differentiable=True, label="one place"),
    Sample("gather_nd", (floats(3, 4), np.zeros([2, 0], np.int32)), _gather_nd, differentiable=True, label="no axes"),
    Sample("gather_nd", (WORDS, at([1, 0], [0, 2])), _gather_nd, label="text"),
    Sample("scatter_nd", (at([1], [3], [1]), floats(3, 2), [4, 2]), _scatter_nd, differentiable=True),
    Sample("scatter_nd", (at(1, 3, 1), floats(3), [4]), _scatter_nd, differentiable=True, label="places alone"),
    Sample("scatter_nd", (at([[0, 1], [2, 2]]), floats(1, 2), [3, 3]), _scatter_nd, differentiable=True),
    Sample("scatter_nd", (at([0], [0]), at(2**31 - 1, 1), [2]), lambda *_: at(-(2**31), 0), label="wraps"),
    Sample("scatter_nd", (np.zeros([0, 1], np.int32), floats(0, 2), [3, 2]), _scatter_nd, label="nothing"),
    Sample(
        "scatter_nd",
        (at([0], [0], [2]), np.array([True, True, False]), [3]),
        lambda *_: np.array([True, False, False]),
        label="bools",
    ),
    Sample("tensor_scatter_update", (floats(4, 2), at([1], [3]), floats(2, 2)), _update, differentiable=True),
    Sample("tensor_scatter_update", (floats(3, 3), at([0, 1], [2, 2]), floats(2)), _update, differentiable=True),
    Sample(
        "tensor_scatter_update", (floats(3), at(2, 0), floats(2)), _update, differentiable=True, label="places alone"
    ),
    Sample("tensor_scatter_update", (floats(3), at([1], [1]), floats(2)), _update, label="the last wins"),
    Sample("tensor_scatter_update", (WORDS, at([1, 1]), np.array(["x"], object)), _update, label="text"),
    Sample("sparse_to_dense", (at([0, 1], [2, 0]), floats(2), [3, 2]), _to_dense, differentiable=True),
    Sample("sparse_to_dense", (at(1, 4), np.float32(3)[...], [6]), _to_dense, differentiable=True, label="one value"),
    Sample(
        "sparse_to_dense", (np.array(2, np.int32), floats(1), [4]), _to_dense, differentiable=True, label="one place"
    ),
    Sample("sparse_to_dense", (at([0, 1]), at(5), [2, 2], 7), _to_dense, label="ints"),
    Sample("sparse_to_dense", (at([0, 1]), np.array(["x"], object), [2, 2], "y"), _to_dense, label="text"),
    Sample("unsorted_segment_sum", (floats(5, 2), at(0, 2, -1, 0, 9), 4), _segment_sum, differentiable=True),
    Sample("unsorted_segment_sum", (floats(2, 3, 2), at([0, 1, 1], [2, 0, 1]), 3), _segment_sum, differentiable=True),
    Sample("unsorted_segment_sum", (floats(3), at(0, 0, 0), 0), _segment_sum, differentiable=True, label="no segments"),
    *(
        Sample("boolean_mask_async", (x, mask, *axis), _masked)
        for x, mask, *axis in [
            (floats(3, 2), np.array([True, False, True])),
            (floats(2, 3), np.array([[True, False, True], [False, False, True]])),
            (floats(2, 3, 2), np.array([True, False, True]), 1),
            (at([1, 2], [3, 4]), np.array([False, False])),
            (WORDS, np.ones(len(WORDS), bool)),
        ]
    ),
    Sample("unsorted_segment_sum", (BOOLS, at(0, 0, 1), 2), _segment_sum, label="bools"),
    Sample("unsorted_segment_sum", (at(2**30, 2**30), at(0, 0), 1), lambda *_: at(-(2**31)), label="wraps"),
]
