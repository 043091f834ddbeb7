"""Samples of `ops/searching.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(17)

NUMBERS = _rng.integers(0, 4, (5, 3, 2)).astype(np.float32)
WORDS = np.array([["a", "b", "a"], ["ü", "", "ü"]], object)
ROWS = np.sort(_rng.integers(0, 9, (2, 6)).astype(np.int32))


def _unique(x: np.ndarray, axis: int = 0) -> list[np.ndarray]:
    slices = [x.take(i, axis) for i in range(x.shape[axis])]
    kept: list[int] = []
    numbers = []
    for i, one in enumerate(slices):
        known = [n for n, k in enumerate(kept) if np.array_equal(slices[k], one, equal_nan=x.dtype.kind == "f")]
        numbers.append(known[0] if known else len(kept))
        kept += [] if known else [i]
    return [x.take(kept, axis), np.array(numbers, np.int32)]


def _search(sequence: np.ndarray, values: np.ndarray, side: Any = "left") -> np.ndarray:
    found = [np.searchsorted(s, v, side) for s, v in zip(sequence, values, strict=True)]
    return np.array(found, np.int32).reshape(values.shape)


def _positions(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def _difference(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = [i for i, value in enumerate(x.tolist()) if value not in y.tolist()]
    return x[kept], _positions(*kept)


SAMPLES = [
    *(Sample("unique", (NUMBERS, axis), _unique) for axis in (0, 1, -1)),
    Sample("unique", (NUMBERS.ravel(),), _unique),
    Sample("unique", (NUMBERS.ravel().astype(np.int32),), _unique),
    Sample("unique", (NUMBERS.ravel() > 1,), _unique, label="bools"),
    Sample("unique", (np.array([np.nan, 1, np.nan, 0, -0.0], np.float32),), _unique, label="odd"),
    Sample("unique", (NUMBERS.ravel().astype(np.complex64),), _unique, label="complex"),
    Sample("unique", (WORDS, 1), _unique, label="text"),
    Sample("unique", (np.zeros([3, 0], np.float32),), _unique, label="empty rows"),
    Sample("unique", (np.zeros([0, 3], np.float32),), _unique, label="no rows"),
    *(Sample("search_sorted", (ROWS, ROWS[:, ::2] + 1, side), _search) for side in ("left", "right")),
    Sample("search_sorted", (ROWS[0], ROWS[1]), lambda s, v: _search(s[None], v[None]), label="no batch"),
    Sample("lower_bound", (ROWS, ROWS), _search),
    Sample("upper_bound", (ROWS, ROWS), lambda s, v: _search(s, v, "right")),
    Sample("setdiff1d_async", (_positions(3, 1, 3, 2), _positions(1, 9)), _difference),
    Sample("setdiff1d_async", (_positions(1, 1), _positions(1)), _difference, label="nothing left"),
    Sample("setdiff1d_async", (np.array([2.5, 1], np.float32), np.array([1], np.float32)), _difference),
]
