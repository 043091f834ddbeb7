"""Samples of `ops/linalg.py`."""

from __future__ import annotations

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(34)


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def _band(a: np.ndarray, lower: int, upper: int) -> np.ndarray:
    rows, columns = a.shape[-2:]
    return np.tril(np.triu(a, -lower if lower >= 0 else -rows), upper if upper >= 0 else columns)


def _qr(x: np.ndarray, full_matrices: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """LAPACK's, which leaves the sign of the last diagonal element where TensorFlow.js turns it."""
    q, r = np.linalg.qr(x.astype(np.float64), "complete" if full_matrices else "reduced")
    q, r = q.copy(), r.copy()
    if x.shape[-2] <= x.shape[-1]:
        q[..., :, -1] *= -1
        r[..., -1, :] *= -1
    return q, r


def _gram_schmidt(xs: np.ndarray) -> np.ndarray:
    q, r = np.linalg.qr(xs.astype(np.float64).T)
    return (q * np.sign(np.diagonal(r))).T


SAMPLES = [
    *(
        Sample("linalg.band_part", (floats(3, 4), lower, upper), _band, differentiable=lower == 1)
        for lower in (0, 1, 3, -1)
        for upper in (0, 2, 4, -2)
    ),
    Sample("linalg.band_part", (floats(2, 1, 3, 2), 1, 0), _band, differentiable=True),
    Sample("linalg.band_part", (np.arange(9, dtype=np.int32).reshape(3, 3), 0, 1), _band),
    Sample("linalg.band_part", (np.ones((3, 3), bool), 0, 1), _band),
    Sample("linalg.band_part", (floats(2, 0, 3), 0, 1), _band, label="no rows"),
    Sample(
        "linalg.band_part",
        (np.full((2, 2), np.nan, np.float32), 0, 0),
        lambda a, *_: np.array([[np.nan, 0], [0, np.nan]]),
        label="nan",
    ),
    *(
        Sample("linalg.qr", (floats(*shape), full), _qr, differentiable=True, tolerance=1e-4)
        for shape in [(2, 2), (3, 3), (4, 2), (2, 3), (2, 3, 2), (2, 1, 2, 2)]
        for full in (False, True)
    ),
    *(
        Sample("linalg.gram_schmidt", (floats(*shape),), _gram_schmidt, differentiable=True, tolerance=1e-4)
        for shape in [(1, 2), (2, 2), (2, 4), (3, 3)]
    ),
    Sample(
        "linalg.gram_schmidt",
        ([floats(3), floats(3)],),
        lambda xs: list(_gram_schmidt(np.stack(xs))),
        tolerance=1e-4,
        label="list",
    ),
]
