"""Samples of `ops/morphology.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cpu.reference import Windows, window_values
from tests.ops.harness import Sample
from tests.ops.samples_pooling import different

_rng = np.random.default_rng(32)


def _taps(*shape: int) -> np.ndarray:
    """Numbers whose sums with those of `different` differ by more than a finite difference."""
    size = int(np.prod(shape))
    return (_rng.permutation(size).reshape(shape) / 4 / (size + 1)).astype(np.float32)


def _dilation(x: np.ndarray, filter: np.ndarray, strides: Any, pad: Any, dilations: Any = 1) -> np.ndarray:
    def both(value: Any) -> tuple[int, int]:
        return (value, value) if isinstance(value, int) else (value[0], value[1])

    images = x if x.ndim == 4 else x[None]
    geometry = Windows(len(images), images.shape[1:3], filter.shape[:2], both(strides), both(dilations), pad)
    sums = window_values(images.astype(np.float64), geometry, -np.inf) + filter
    out = sums.max(axis=(3, 4)).astype(x.dtype)
    return out if x.ndim == 4 else out[0]


GEOMETRIES: list[tuple[tuple[int, ...], tuple[int, ...], Any, Any, Any]] = [
    ((1, 2, 2, 1), (2, 2, 1), 1, "same", 1),
    ((2, 3, 4, 3), (2, 2, 3), 1, "valid", 1),
    ((3, 4, 1), (2, 3, 1), (1, 2), "same", 1),
    ((1, 5, 6, 2), (2, 2, 2), (2, 1), "same", (1, 2)),
    ((1, 5, 5, 1), (3, 2, 1), 2, "valid", 2),
    ((1, 3, 4, 2), (2, 2, 2), 1, 1, 1),
    ((1, 3, 4, 1), (2, 2, 1), 1, [[0, 0], [1, 0], [0, 1], [0, 0]], 1),
]

SAMPLES = [
    *(
        Sample("dilation2d", (different(*x), _taps(*taps), strides, pad, dilations), _dilation, differentiable=True)
        for x, taps, strides, pad, dilations in GEOMETRIES
    ),
    Sample(
        "dilation2d",
        (np.arange(-9, 9, dtype=np.int32).reshape(1, 3, 3, 2), np.ones((2, 2, 2), np.int32), 1, "same"),
        _dilation,
        label="ints",
    ),
    Sample(
        "dilation2d",
        (different(0, 3, 3, 1), _taps(2, 2, 1), 1, "valid"),
        lambda *_: np.zeros((0, 2, 2, 1)),
        label="no images",
    ),
]
