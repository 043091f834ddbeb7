"""Samples of `ops/pooling.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cpu.reference import Windows, window_values
from tests.ops.harness import Sample

_rng = np.random.default_rng(12)


def different(*shape: int) -> np.ndarray:
    """Numbers that differ from each other and from 0 by more than a finite difference, so that no maximum jumps."""
    size = int(np.prod(shape))
    return (_rng.permutation(size).reshape(shape) / 4 - size / 8 + 0.1).astype(np.float32)


def _windows(x: np.ndarray, size: Any, strides: Any, pad: Any, fill: float, dilations: int = 1) -> np.ndarray:
    def both(value: Any) -> tuple[int, int]:
        return (value, value) if isinstance(value, int) else (value[0], value[1])

    geometry = Windows(len(x), x.shape[1:3], both(size), both(strides), both(dilations), pad)
    return window_values(x.astype(np.float64), geometry, fill)


def _max(x: np.ndarray, size: Any, strides: Any, pad: Any) -> np.ndarray:
    images = x if x.ndim == 4 else x[None]
    out = _windows(images, size, strides, pad, -np.inf).max(axis=(3, 4)).astype(x.dtype)
    return out if x.ndim == 4 else out[0]


def _avg(x: np.ndarray, size: Any, strides: Any, pad: Any) -> np.ndarray:
    images = x if x.ndim == 4 else x[None]
    counts = _windows(np.ones_like(images), size, strides, pad, 0).sum(axis=(3, 4))
    out = _windows(images, size, strides, pad, 0).sum(axis=(3, 4)) / counts
    return out if x.ndim == 4 else out[0]


def _argmax(x: np.ndarray, size: Any, strides: Any, pad: Any, include_batch: bool = False) -> tuple[np.ndarray, ...]:
    positions = np.arange(x.size if include_batch else x[0].size).reshape(-1, *x.shape[1:])
    images = np.broadcast_to(positions, x.shape)
    largest = _windows(x, size, strides, pad, -np.inf)
    places = _windows(images, size, strides, pad, -1)
    flat = (*largest.shape[:3], -1, x.shape[3])
    winner = largest.reshape(flat).argmax(axis=3)[:, :, :, None]
    index = np.take_along_axis(places.reshape(flat), winner, 3)[:, :, :, 0]
    return _max(x, size, strides, pad), index.astype(np.int32)


def _dilated(x: np.ndarray, size: int, kind: str, pad: Any, dilations: int, *_: Any) -> np.ndarray:
    """Zeros beyond the edge count."""
    windows = _windows(x, size, 1, pad, 0, dilations)
    return windows.max(axis=(3, 4)) if kind == "max" else windows.mean(axis=(3, 4))


GEOMETRIES: list[tuple[tuple[int, ...], Any, Any, Any]] = [
    ((1, 1, 1, 1), 1, 1, 0),
    ((2, 4, 4, 3), 2, 2, "valid"),
    ((1, 5, 4, 2), (3, 2), (2, 1), "valid"),
    ((5, 5, 2), 3, 2, "valid"),
    ((1, 5, 5, 2), 3, 1, "same"),
    ((1, 5, 6, 2), 2, 3, 1),
    ((1, 4, 4, 1), 3, 1, [[0, 0], [1, 2], [0, 1], [0, 0]]),
]

SAMPLES = [
    *(
        Sample("max_pool", (different(*shape), size, strides, pad), _max, differentiable=True)
        for shape, size, strides, pad in GEOMETRIES
    ),
    *(
        # At the padding the gradient is TensorFlow.js's, which differs from that of the function.
        Sample("avg_pool", (different(*shape), size, strides, pad), _avg, differentiable=True)
        for shape, size, strides, pad in GEOMETRIES
    ),
    Sample("max_pool", (np.arange(16, dtype=np.int32).reshape(1, 4, 4, 1), 2, 2, "valid"), _max, label="ints"),
    Sample(
        "max_pool",
        (np.array([[[True], [False]], [[False], [False]]]), 1, 1, "valid"),
        lambda x, *_: x.astype(np.int32),
        label="bools",
    ),
    Sample("max_pool", (different(0, 4, 4, 2), 2, 2, "valid"), lambda x, *_: np.zeros((0, 2, 2, 2)), label="no images"),
    Sample("avg_pool", (different(0, 4, 4, 2), 2, 2, "valid"), lambda x, *_: np.zeros((0, 2, 2, 2)), label="no images"),
    *(
        Sample("max_pool_with_argmax", (different(2, 4, 5, 2), size, strides, pad, batch), _argmax, differentiable=True)
        for size, strides, pad in [(2, 2, "valid"), ((3, 2), 1, "same")]
        for batch in (False, True)
    ),
    *(
        Sample("pool", (different(1, 5, 6, 2), 2, kind, pad, 2), _dilated, differentiable=True)
        for kind in ("max", "avg")
        for pad in ("valid", "same", 1)
    ),
    Sample("pool", (different(1, 7, 5, 1), 3, "avg", "same", 3), _dilated, differentiable=True),
    Sample("pool", (different(4, 4, 2), 2, "max", "valid", None, 2), lambda x, *_: _max(x, 2, 2, "valid")),
]
