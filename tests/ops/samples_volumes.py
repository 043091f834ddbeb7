"""Samples of `ops/convolution3d.py` and `ops/pooling3d.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.ops.harness import Sample
from tests.ops.samples_pooling import different

_rng = np.random.default_rng(31)


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def _three(value: Any) -> list[int]:
    return [value] * 3 if isinstance(value, int) else list(value)


def _sides(lengths: tuple[int, ...], reach: list[int], strides: list[int], pad: Any) -> list[tuple[int, int]]:
    """Padding before and after depth, height and width."""
    if pad == "same":
        missing = [max(0, (-(-n // s) - 1) * s + r - n) for n, r, s in zip(lengths, reach, strides, strict=True)]
        return [(m // 2, m - m // 2) for m in missing]
    if pad == "valid":
        pad = 0
    return [(pad, pad)] * 3 if isinstance(pad, int) else [(before, after) for before, after in pad[1:4]]


def _windows(x: np.ndarray, size: Any, strides: Any, pad: Any, fill: float, dilations: Any = 1) -> np.ndarray:
    """What each window sees: `[batch, windows over three axes, channels, window depth, height, width]`."""
    taps, steps, rates = _three(size), _three(strides), _three(dilations)
    reach = [(t - 1) * r + 1 for t, r in zip(taps, rates, strict=True)]
    sides = _sides(x.shape[1:4], reach, steps, pad)
    padded = np.pad(x.astype(np.float64), [(0, 0), *sides, (0, 0)], constant_values=fill)
    seen = sliding_window_view(padded, reach, axis=(1, 2, 3))
    d, h, w = steps
    return seen[:, ::d, ::h, ::w, :, :: rates[0], :: rates[1], :: rates[2]]


def _batched(x: np.ndarray, filled: Any) -> np.ndarray:
    return filled(x) if x.ndim == 5 else filled(x[None])[0]


def _conv(
    x: np.ndarray, filter: np.ndarray, strides: Any, pad: Any, _: str = "NDHWC", dilations: Any = 1
) -> np.ndarray:
    def of_batch(volumes: np.ndarray) -> np.ndarray:
        windows = _windows(volumes, filter.shape[:3], strides, pad, 0, dilations)
        return np.einsum("bdhwcijk,ijkco->bdhwo", windows, filter.astype(np.float64))

    return _batched(x, of_batch)


def _transposed(x: np.ndarray, filter: np.ndarray, output_shape: Any, strides: Any, pad: Any) -> np.ndarray:
    """The transpose of the matrix of the convolution, made from the unit volumes."""
    size = int(np.prod(output_shape))
    units = np.eye(size).reshape(size, *output_shape)
    volumes = units if len(output_shape) == 4 else units.reshape(-1, *output_shape[1:])
    outs = _conv(volumes, filter, strides, pad).reshape(size, -1)
    return (outs @ x.astype(np.float64).ravel()).reshape(output_shape)


def _max(x: np.ndarray, size: Any, strides: Any, pad: Any, *_: Any) -> np.ndarray:
    def of_batch(volumes: np.ndarray) -> np.ndarray:
        return _windows(volumes, size, strides, pad, -np.inf).max(axis=(5, 6, 7)).astype(x.dtype)

    return _batched(x, of_batch)


def _avg(x: np.ndarray, size: Any, strides: Any, pad: Any, *_: Any) -> np.ndarray:
    def of_batch(volumes: np.ndarray) -> np.ndarray:
        return np.nanmean(_windows(volumes, size, strides, pad, np.nan), axis=(5, 6, 7))

    return _batched(x, of_batch)


CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], Any, Any, Any]] = [
    ((1, 2, 3, 1, 3), (1, 1, 1, 3, 2), 1, "valid", 1),
    ((2, 3, 4, 3, 2), (2, 2, 2, 2, 2), 1, "same", 1),
    ((4, 3, 5, 1), (3, 2, 3, 1, 2), (2, 1, 3), "same", 1),
    ((1, 4, 5, 4, 1), (2, 2, 2, 1, 1), (2, 1, 2), "valid", 1),
    ((1, 5, 4, 5, 1), (2, 2, 3, 1, 1), 1, "same", (3, 2, 1)),
    ((1, 3, 2, 3, 1), (2, 2, 1, 1, 2), 1, 1, 1),
    ((1, 3, 3, 2, 1), (2, 2, 2, 1, 1), 2, [[0, 0], [2, 1], [0, 1], [1, 0], [0, 0]], 1),
]

TRANSPOSES: list[tuple[tuple[int, ...], tuple[int, ...], list[int], Any, Any]] = [
    ((1, 1, 1, 1), (2, 2, 2, 1, 1), [2, 2, 2, 1], 1, "valid"),
    ((1, 2, 2, 1, 2), (2, 1, 2, 3, 2), [1, 3, 2, 2, 3], 1, "valid"),
    ((1, 2, 2, 2, 1), (2, 3, 1, 2, 1), [1, 3, 4, 2, 2], (2, 2, 1), "same"),
]

POOLINGS: list[tuple[tuple[int, ...], Any, Any, Any]] = [
    ((1, 1, 1, 1, 1), 1, 1, 0),
    ((2, 3, 4, 4, 2), 2, 1, "valid"),
    ((3, 3, 3, 2), 2, 1, "same"),
    ((1, 5, 4, 3, 1), (3, 2, 1), (2, 1, 2), "same"),
    ((1, 3, 3, 3, 1), 2, 2, 1),
    ((1, 3, 4, 3, 1), 2, 1, [[0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]),
]

SAMPLES = [
    *(
        Sample("conv3d", (floats(*x), floats(*taps), strides, pad, "NDHWC", dilations), _conv, differentiable=True)
        for x, taps, strides, pad, dilations in CONVOLUTIONS
    ),
    Sample("conv3d", (floats(0, 3, 3, 3, 2), floats(2, 2, 2, 2, 3), 1, "valid"), _conv, label="no volumes"),
    *(
        Sample("conv3d_transpose", (floats(*x), floats(*taps), shape, strides, pad), _transposed, differentiable=True)
        for x, taps, shape, strides, pad in TRANSPOSES
    ),
    *(
        Sample(op, (different(*shape), size, strides, pad), reference, differentiable=True)
        for op, reference in (("max_pool3d", _max), ("avg_pool3d", _avg))
        for shape, size, strides, pad in POOLINGS
    ),
    *(
        Sample(op, (different(0, 3, 3, 3, 2), 2, 1, "valid"), lambda *_: np.zeros((0, 2, 2, 2, 2)), label="no volumes")
        for op in ("max_pool3d", "avg_pool3d")
    ),
    Sample("max_pool3d", (np.arange(8, dtype=np.int32).reshape(2, 2, 2, 1), 2, 1, "valid"), _max, label="ints"),
]
