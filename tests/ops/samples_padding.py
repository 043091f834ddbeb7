"""Samples of `ops/padding.py` and `ops/space_batch.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(14)


def floats(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape).astype(np.float32)


INTS = np.arange(6, dtype=np.int32).reshape(2, 3)
BOOLS = np.array([[True], [False]])
COMPLEX = (np.arange(2) - 1j).astype(np.complex64)


def _pad(x: np.ndarray, paddings: Any, constant: Any = 0) -> np.ndarray:
    return np.pad(x, paddings, constant_values=constant)


def _to_batch(x: np.ndarray, blocks: list[int], paddings: Any) -> np.ndarray:
    count = len(blocks)
    padded = np.pad(x, [(0, 0), *paddings, *[(0, 0)] * (x.ndim - 1 - count)])
    parts = [
        padded[(slice(None), *(slice(first, None, block) for first, block in zip(offset, blocks, strict=True)))]
        for offset in np.ndindex(*blocks)
    ]
    return np.concatenate(parts)


def _to_space(x: np.ndarray, blocks: list[int], crops: Any) -> np.ndarray:
    count = len(blocks)
    parts = np.split(x, int(np.prod(blocks)))
    space = [n * b for n, b in zip(x.shape[1:], blocks, strict=False)]
    whole = np.empty((len(parts[0]), *space, *x.shape[1 + count :]), x.dtype)
    for part, offset in zip(parts, np.ndindex(*blocks), strict=True):
        whole[(slice(None), *(slice(first, None, block) for first, block in zip(offset, blocks, strict=True)))] = part
    return whole[(slice(None), *(slice(a, n - b) for n, (a, b) in zip(space, crops, strict=True)))]


def _to_pixels(x: np.ndarray, block: int, data_format: str = "NHWC") -> np.ndarray:
    if data_format == "NCHW":
        return _to_pixels(x.transpose(0, 2, 3, 1), block).transpose(0, 3, 1, 2)
    batch, height, width, depth = x.shape
    result = np.empty((batch, height * block, width * block, depth // block**2), x.dtype)
    for row, column in np.ndindex(block, block):
        first = (row * block + column) * result.shape[-1]
        result[:, row::block, column::block] = x[..., first : first + result.shape[-1]]
    return result


SAMPLES = [
    Sample("pad", (floats(2, 3), [[1, 0], [0, 2]]), _pad, differentiable=True),
    Sample("pad", (floats(2, 3), [[1, 0], [0, 2]], 1.5), _pad, differentiable=True, label="a value"),
    Sample("pad", (floats(2, 3), [[0, 0], [0, 0]]), _pad, label="nothing"),
    Sample("pad", (floats(0, 2), [[1, 1], [0, 0]], np.inf), _pad, label="empty"),
    Sample("pad", (INTS, [[1, 1], [1, 1]], -3), _pad, label="ints"),
    Sample("pad", (BOOLS, [[1, 1], [0, 1]], 1), _pad, label="bools"),
    Sample("pad", (COMPLEX, [[1, 1]], 2), _pad, label="complex"),
    Sample("pad", (floats(1, 2, 1, 1, 2, 1), [[1, 0]] * 6), _pad, label="rank 6"),
    Sample("pad1d", (INTS[0], [1, 2], 7), lambda x, pair, value: _pad(x, [pair], value)),
    Sample("pad2d", (INTS, [[1, 2], [0, 1]]), _pad),
    Sample("pad3d", (INTS[None], [[1, 2], [0, 1], [0, 0]]), _pad),
    Sample("pad4d", (INTS[None, None], [[1, 2], [0, 1], [0, 0], [1, 1]]), _pad),
    *(
        Sample("mirror_pad", (x, paddings, mode), np.pad, differentiable=x.dtype == np.float32)
        for mode in ("reflect", "symmetric")
        for x, paddings in ((floats(3, 4), [[2, 1], [0, 3]]), (floats(2), [[1, 1]]), (INTS, [[1, 0], [2, 2]]))
    ),
    Sample("mirror_pad", (floats(2), [[2, 2]], "symmetric"), np.pad, differentiable=True, label="whole axis"),
    Sample("mirror_pad", (floats(0, 2), [[0, 0], [1, 1]], "reflect"), np.pad, label="empty"),
    Sample("space_to_batch_nd", (floats(2, 4, 3, 2), [2, 3], [[0, 0], [1, 2]]), _to_batch, differentiable=True),
    Sample("space_to_batch_nd", (INTS, [3], [[2, 1]]), _to_batch, label="ints"),
    Sample("space_to_batch_nd", (floats(1, 2, 2, 2), [2, 1, 2], [[0, 0]] * 3), _to_batch, label="three axes"),
    Sample("batch_to_space_nd", (floats(12, 2, 2, 1), [2, 3], [[1, 0], [2, 1]]), _to_space, differentiable=True),
    Sample("batch_to_space_nd", (INTS, [2], [[0, 3]]), _to_space, label="ints"),
    Sample("batch_to_space_nd", (floats(4, 1, 1), [2, 2], [[1, 1], [0, 0]]), _to_space, label="nothing left"),
    Sample("depth_to_space", (floats(2, 1, 3, 8), 2), _to_pixels, differentiable=True),
    Sample("depth_to_space", (floats(1, 9, 2, 1), 3, "NCHW"), _to_pixels, differentiable=True),
]
