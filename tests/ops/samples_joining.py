"""Samples of `ops/joining.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(12)


def floats(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape).astype(np.float32)


def ints(*shape: int) -> np.ndarray:
    return _rng.integers(-9, 10, shape).astype(np.int32)


WORDS = np.array([["a", "b"], ["ü", ""]], object)
BOOLS = np.array([[True, False], [False, False]])
COMPLEX = (np.arange(4).reshape(2, 2) - 1j).astype(np.complex64)


def _concat(tensors: Any, axis: int = 0) -> np.ndarray:
    return np.concatenate(tensors, axis)


def _unstack(x: np.ndarray, axis: int = 0) -> list[np.ndarray]:
    return [x.take(i, axis) for i in range(x.shape[axis])]


def _split(x: np.ndarray, given: Any, axis: int = 0) -> list[np.ndarray]:
    if isinstance(given, int):
        return np.split(x, given, axis)
    sizes = [x.shape[axis] - sum(n for n in given if n != -1) if n == -1 else n for n in given]
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def _mesh(*coordinates: np.ndarray, indexing: str = "xy") -> list[np.ndarray]:
    return list(np.meshgrid(*coordinates, indexing=indexing))  # type: ignore[call-overload]


def _flip(x: np.ndarray, axis: Any = None) -> np.ndarray:
    return np.flip(x, tuple(axis) if isinstance(axis, list) else axis)


SAMPLES = [
    Sample("concat", ([floats(2, 3), floats(1, 3), floats(0, 3)],), _concat, label="three"),
    Sample("concat", ([floats(2, 3), floats(2, 1)], -1), _concat, label="last axis"),
    Sample("concat", ([floats(2, 3)], 1), _concat, label="one"),
    Sample("concat", ([ints(2), floats(2)],), lambda ts: np.concatenate(ts).astype(np.float32), label="mixed"),
    Sample("concat", ([BOOLS, ints(1, 2)],), lambda ts: np.concatenate(ts).astype(np.int32), label="bools and ints"),
    *(Sample("concat", ([x, x], 1), _concat, label=str(x.dtype)) for x in (WORDS, BOOLS, COMPLEX)),
    Sample("concat1d", ([ints(2), ints(3)],), _concat),
    Sample("concat2d", ([ints(2, 1), ints(2, 3)], 1), _concat),
    Sample("concat3d", ([ints(2, 1, 1), ints(2, 3, 1)], 1), _concat),
    Sample("concat4d", ([ints(2, 1, 1, 1), ints(2, 3, 1, 1)], 1), _concat),
    *(Sample("stack", ([floats(2, 3), floats(2, 3)], axis), np.stack) for axis in (0, 1, 2, -1)),
    Sample("stack", ([ints(), ints()],), np.stack, label="scalars"),
    *(Sample("stack", ([x, x, x], 1), np.stack, label=str(x.dtype)) for x in (WORDS, BOOLS, COMPLEX)),
    *(Sample("unstack", (floats(2, 3, 4), axis), _unstack, differentiable=True) for axis in (0, 1, -1)),
    *(Sample("unstack", (x, 1), _unstack, label=str(x.dtype)) for x in (WORDS, BOOLS, COMPLEX)),
    Sample("unstack", (WORDS[0],), lambda x: [np.array(v, object) for v in x], label="text to scalars"),
    Sample("unstack", (floats(0, 2),), _unstack, label="nothing"),
    Sample("split", (floats(4, 6), 2), _split, differentiable=True),
    Sample("split", (floats(4, 6), 3, -1), _split, differentiable=True),
    Sample("split", (floats(4, 6), [1, -1, 2], 1), _split, differentiable=True),
    Sample("split", (floats(4, 6), [6], 1), _split, differentiable=True, label="one part"),
    Sample("split", (floats(4, 0), [0, 0], 1), _split, label="empty"),
    *(Sample("split", (x, 2, 1), _split, label=str(x.dtype)) for x in (WORDS, BOOLS, COMPLEX)),
    Sample("tile", (floats(2, 3), [2, 1]), np.tile, differentiable=True),
    Sample("tile", (floats(2, 1, 3), [1, 4, 2]), np.tile, differentiable=True),
    Sample("tile", (floats(2), [0]), np.tile, differentiable=True, label="no times"),
    Sample("tile", (floats(), []), np.tile, differentiable=True, label="scalar"),
    *(Sample("tile", (x, [1, 2]), np.tile, label=str(x.dtype)) for x in (WORDS, BOOLS, COMPLEX)),
    Sample("reverse", (floats(2, 3, 2),), _flip, differentiable=True, label="all"),
    Sample("reverse", (floats(2, 3, 2), [0, -1]), _flip, differentiable=True),
    Sample("reverse", (floats(2, 3, 2), 1), _flip, differentiable=True),
    Sample("reverse", (floats(),), _flip, label="scalar"),
    *(Sample("reverse", (x, 0), _flip, label=str(x.dtype)) for x in (WORDS, BOOLS, COMPLEX)),
    Sample("reverse1d", (ints(4),), _flip),
    Sample("reverse2d", (ints(2, 3), 1), _flip),
    Sample("reverse3d", (ints(2, 3, 1),), _flip),
    Sample("reverse4d", (ints(2, 3, 1, 2), [3]), _flip),
    Sample("meshgrid", (ints(3), floats(2)), _mesh),
    Sample("meshgrid", (ints(3), floats(2)), _mesh, kwargs={"indexing": "ij"}, label="ij"),
    Sample("meshgrid", (ints(3), ints(2), ints(4)), _mesh, label="three"),
    Sample("meshgrid", (ints(3), floats(2)[0], ints(2, 2)), _mesh, label="other ranks"),
    Sample("meshgrid", (), _mesh, label="nothing"),
]
