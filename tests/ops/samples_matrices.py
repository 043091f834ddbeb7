"""Samples of `ops/matrices.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(13)


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def ints(*shape: int) -> np.ndarray:
    return _rng.integers(-9, 10, shape).astype(np.int32)


def complexes(*shape: int) -> np.ndarray:
    return (floats(*shape) + 1j * floats(*shape)).astype(np.complex64)


def _mat_mul(a: np.ndarray, b: np.ndarray, transpose_a: bool = False, transpose_b: bool = False) -> np.ndarray:
    left = a.swapaxes(-1, -2) if transpose_a else a
    right = b.swapaxes(-1, -2) if transpose_b else b
    return np.einsum("...ij,...jk->...ik", left, right)


def _norm(x: np.ndarray, ord: Any = None, axis: Any = None, keep_dims: bool = False) -> np.ndarray:
    if axis is None:
        result = np.linalg.norm(x.ravel(), 2 if ord in (None, "euclidean") else ord)
        return np.reshape(result, (1,) * x.ndim if keep_dims else ()).astype(np.float64)
    kind = None if ord == "euclidean" else ord
    return np.asarray(
        np.linalg.norm(x.astype(np.float64), kind, tuple(axis) if isinstance(axis, list) else axis, keep_dims)
    )


MATRICES = [((2, 3), (3, 4)), ((1, 1), (1, 1)), ((5, 2, 3), (5, 3, 2)), ((2, 1, 2, 3), (4, 3, 2)), ((4, 2, 3), (3, 2))]

AXES: list[tuple[tuple[int, ...], Any]] = [
    ((3,), None),
    ((2, 3), None),
    ((2, 3), 1),
    ((2, 3), [-1]),
    ((2, 3, 2), [0, 1]),
    ((2, 3, 2), [2, 0]),
]

SAMPLES = [
    *(
        Sample(
            "mat_mul",
            (
                floats(*a[:-2], a[-1], a[-2]) if transpose_a else floats(*a),
                floats(*b[:-2], b[-1], b[-2]) if transpose_b else floats(*b),
                transpose_a,
                transpose_b,
            ),
            _mat_mul,
            differentiable=True,
        )
        for a, b in MATRICES
        for transpose_a in (False, True)
        for transpose_b in (False, True)
    ),
    Sample("mat_mul", (ints(2, 3), ints(3, 4)), _mat_mul, label="ints"),
    Sample("mat_mul", (ints(2, 3), floats(3, 4)), _mat_mul, label="mixed"),
    Sample(
        "mat_mul",
        (np.eye(3, dtype=bool), np.ones((3, 2), bool)),
        lambda a, b: _mat_mul(a.astype(np.int32), b.astype(np.int32)),
        label="bools",
    ),
    Sample("mat_mul", (complexes(2, 3), complexes(3, 2)), _mat_mul, label="complex"),
    Sample("mat_mul", (floats(0, 3), floats(3, 2)), _mat_mul, label="no rows"),
    Sample("mat_mul", (floats(2, 0), floats(0, 3)), _mat_mul, label="nothing to sum"),
    Sample("mat_mul", (floats(0, 2, 3), floats(3, 2)), _mat_mul, label="no matrices"),
    *(
        Sample("dot", (floats(*a), floats(*b)), np.dot, differentiable=True)
        for a, b in [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 2))]
    ),
    Sample("outer_product", (floats(3), floats(2)), np.outer, differentiable=True),
    Sample("outer_product", (ints(3), ints(0)), np.outer, label="empty"),
    *(
        Sample("transpose", (floats(*shape), perm), np.transpose, differentiable=True)
        for shape, perm in [
            ((), None),
            ((3,), None),
            ((2, 3), None),
            ((2, 3), [0, 1]),
            ((2, 3, 4), [2, 0, 1]),
            ((2, 3, 4), [0, -1, 1]),
            ((2, 0, 3), None),
            ((1, 2, 1, 2, 1, 2), [5, 0, 3, 2, 4, 1]),
        ]
    ),
    Sample("transpose", (ints(2, 3),), np.transpose, label="ints"),
    Sample("transpose", (ints(2, 3) > 0,), np.transpose, label="bools"),
    Sample("transpose", (complexes(2, 3),), np.transpose, label="complex"),
    Sample("transpose", (complexes(2, 3), [1, 0], True), lambda x, *_: x.T.conj(), label="conjugate"),
    *(
        Sample("norm", (floats(*shape), ord, axis, keep_dims), _norm, differentiable=not keep_dims)
        for shape, axis in AXES
        for ord in (1, np.inf, -np.inf, "euclidean")
        for keep_dims in (False, True)
    ),
    Sample("norm", (floats(2, 3), 2, 0), _norm, label="2"),
    Sample("norm", (floats(2, 3), "fro", [0, 1]), _norm, label="fro"),
    Sample("norm", (np.float32(-3)[...],), lambda x: np.abs(x), label="scalar"),
    Sample("norm", (np.array([3, -4], np.int32),), lambda x: np.float32(5), label="ints"),
    Sample("norm", (np.array([3 + 4j, 0], np.complex64),), lambda x: np.float32(5), label="complex"),
    Sample("euclidean_norm", (floats(2, 3), 1, True), lambda x, *_: np.linalg.norm(x, axis=1, keepdims=True)),
]
