"""Samples of `ops/slicing.py`: Python's own slices are the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(11)

X = _rng.normal(size=(4, 3, 5)).astype(np.float32)
LINE = np.arange(6, dtype=np.int32)
WORDS = np.array([["a", "bc", ""], ["ü", "e", "f"]], object)
BOOLS = np.array([[True, False, True]])
COMPLEX = (np.arange(4) - 1j).astype(np.complex64)
DEEP = _rng.normal(size=(2, 1, 3, 2, 1, 2)).astype(np.float32)


def _at(*key: Any) -> Callable[..., np.ndarray]:
    return lambda x, *_args, **_kwargs: x[key]


def _box(x: np.ndarray, begin: Any, size: Any = None) -> np.ndarray:
    begins = [begin] if isinstance(begin, int) else list(begin)
    sizes = [-1] * len(begins) if size is None else [size] if isinstance(size, int) else list(size)
    sizes += [-1] * (len(begins) - len(sizes))
    return x[tuple(slice(b, None if s == -1 else b + s) for b, s in zip(begins, sizes, strict=True))]


S = slice

SAMPLES = [
    Sample("slice", (X, [1, 0, 2], [2, 3, 2]), _box, differentiable=True),
    Sample("slice", (X, [1, 1], [-1, 2]), _box, differentiable=True, label="axes left out"),
    Sample("slice", (X, 2), _box, differentiable=True, label="a number"),
    Sample("slice", (X, [0, 3, 0], [4, 0, 5]), _box, differentiable=True, label="nothing"),
    Sample("slice", (X, [0, 0, 0], [4, 3, 5]), _box, label="everything"),
    Sample("slice", (LINE, [2], [3]), _box),
    Sample("slice", (WORDS, [0, 1], [2, 1]), _box, label="text"),
    Sample("slice", (BOOLS, [0, 1]), _box, label="bools"),
    Sample("slice", (COMPLEX, [1]), _box, label="complex"),
    Sample("slice", (DEEP, [1, 0, 1, 0, 0, 1]), _box, differentiable=True, label="rank 6"),
    Sample("slice1d", (LINE, 2, 3), _box),
    Sample("slice2d", (X[0], [1, 2], [2, 2]), _box),
    Sample("slice3d", (X, [1, 0, 2], [2, 3, 2]), _box),
    Sample("slice4d", (X[None], [0, 1, 0, 2], [1, 2, 3, 2]), _box),
    Sample("strided_slice", (LINE, [1], [5], [2]), _at(S(1, 5, 2))),
    Sample("strided_slice", (LINE, [-1], [-7], [-2]), _at(S(-1, -7, -2)), label="backwards"),
    Sample("strided_slice", (LINE, [9], [-9], [-1]), _at(S(9, -9, -1)), label="clamped"),
    Sample("strided_slice", (LINE, [4], [2], [1]), _at(S(4, 2)), label="nothing"),
    Sample("strided_slice", (LINE, [0], [0], [-3], 1, 1), _at(S(None, None, -3)), label="both masks"),
    Sample(
        "strided_slice",
        (X, [1, 0, 4], [4, 3, 0], [2, 1, -2]),
        _at(S(1, 4, 2), S(0, 3), S(4, 0, -2)),
        differentiable=True,
    ),
    Sample(
        "strided_slice",
        (X, [0, 2], [4, 0], [3, -1]),
        _at(S(0, 4, 3), S(2, 0, -1)),
        differentiable=True,
        label="left out",
    ),
    Sample(
        "strided_slice",
        (X, [1, 0, -1], [2, 0, 0], None, 0, 0, 2, 0, 5),
        _at(1, ..., -1),
        differentiable=True,
        label="ellipsis",
    ),
    Sample(
        "strided_slice",
        (X, [0, 0, 0, 1], [0, 0, 0, 3], None, 0, 0, 2, 5),
        _at(None, ..., None, S(1, 3)),
        label="new axes",
    ),
    Sample(
        "strided_slice",
        (X, [0, 0, -2], [0, 0, 0], None, 1, 1, 0, 2, 4),
        _at(S(None), None, -2),
        differentiable=True,
        label="mixed",
    ),
    Sample("strided_slice", (X, [5], [9], [2]), _at(S(5, 9, 2)), differentiable=True, label="empty"),
    Sample("strided_slice", (WORDS, [0, 0], [2, 3], [1, 2]), _at(S(0, 2), S(0, 3, 2)), label="text"),
    Sample("strided_slice", (np.array(7, np.int32), [], []), _at(...), label="scalar"),
    Sample("strided_slice", (np.float32(7)[...], [0], [0], None, 0, 0, 0, 1), _at(None), label="scalar with an axis"),
]
