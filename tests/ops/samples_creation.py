"""Samples of `ops/creation.py`, `ops/patterns.py` and `ops/complex_numbers.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(16)


def floats(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape).astype(np.float32)


WORDS = np.array([["a", "b"], ["ü", ""]], object)
DTYPES: dict[str, Any] = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "complex64": np.complex64}


def _one_hot(indices: np.ndarray, depth: int, on: Any = 1, off: Any = 0, dtype: str = "int32") -> np.ndarray:
    return np.where(indices[..., None] == np.arange(depth), on, off).astype(DTYPES[dtype])


def _diag(x: np.ndarray) -> np.ndarray:
    return np.diag(x.ravel()).reshape(x.shape * 2)


SAMPLES = [
    *(Sample("zeros", ([2, 0, 3], d), lambda s, d: np.zeros(s, DTYPES[d])) for d in DTYPES),
    *(Sample("ones", ([2, 3], d), lambda s, d: np.ones(s, DTYPES[d])) for d in DTYPES),
    *(Sample("zeros_like", (floats(2, 3).astype(d),), np.zeros_like) for d in DTYPES.values()),
    *(Sample("ones_like", (floats(2, 3).astype(d),), np.ones_like) for d in DTYPES.values()),
    Sample("zeros_like", (WORDS,), lambda x: np.full(x.shape, "", object), label="text"),
    Sample("zeros_like", (floats(2),), np.zeros_like, differentiable=True, label="gradient"),
    Sample("ones_like", (floats(2),), np.ones_like, differentiable=True, label="gradient"),
    Sample("fill", ([2, 3], 1.5), lambda s, v: np.full(s, v, np.float32)),
    Sample("fill", ([2], -2.7, "int32"), lambda s, v, d: np.full(s, -2, np.int32)),
    Sample("fill", ([], True), lambda s, v: np.full(s, v, np.bool_)),
    Sample("fill", ([0, 2], "ü"), lambda s, v: np.full(s, v, object)),
    Sample("fill", ([2], "end\0"), lambda s, v: np.array([v] * 2, object), label="text that ends in NUL"),
    Sample("linspace", (-1, 4, 7), lambda a, b, n: np.linspace(a, b, n).astype(np.float32)),
    Sample("linspace", (3, 9, 1), lambda a, b, n: np.array([3], np.float32), label="one"),
    *(
        Sample("range", args, lambda *a: np.arange(*a).astype(np.float32))
        for args in ((0, 5), (2, 9, 3), (5, -4, -2), (0, 1, 0.3), (4, 4), (4, 1, 2), (1, 4, -2))
    ),
    Sample("range", (3, -2), lambda a, b: np.arange(a, b, -1).astype(np.float32), label="turns round"),
    Sample("range", (0, 7, 2, "int32"), lambda a, b, c, d: np.arange(a, b, c).astype(np.int32)),
    Sample("one_hot", (np.array([0, 2, -1, 3], np.int32), 3), _one_hot),
    Sample("one_hot", (np.array([[1], [0]], np.int32), 2, 2.5, -1, "float32"), _one_hot),
    Sample("one_hot", (np.array(1, np.int32), 4, 1, 0, "bool"), _one_hot),
    Sample("one_hot", (np.zeros([0, 2], np.int32), 4), _one_hot, label="empty"),
    *(Sample("eye", (2, 3, None, d), lambda n, m, _, d: np.eye(n, m, dtype=DTYPES[d])) for d in DTYPES),
    Sample("eye", (2,), lambda n: np.eye(n, dtype=np.float32)),
    Sample("eye", (2, 2, [3, 1]), lambda n, m, s: np.tile(np.eye(2, dtype=np.float32), [3, 1, 1, 1])),
    Sample("diag", (floats(3),), _diag, differentiable=True),
    Sample("diag", (floats(2, 2),), _diag, differentiable=True),
    Sample("diag", (floats(),), _diag, label="scalar"),
    Sample("diag", (np.array([True, False]),), _diag, label="bools"),
    Sample("complex", (floats(2, 3), floats(2, 3)), lambda a, b: a + 1j * b),
    Sample("complex", (np.array([1, 2], np.int32), np.array([True, False])), lambda a, b: a + 1j * b, label="casts"),
    Sample("real", ((floats(3) + 1j * floats(3)).astype(np.complex64),), np.real),
    Sample("imag", ((floats(3) + 1j * floats(3)).astype(np.complex64),), np.imag),
    Sample("real", (floats(3),), np.real, label="of real"),
    Sample("imag", (floats(3),), np.zeros_like, label="of real"),
    *(
        Sample(f"tensor{rank}d", (floats(*[2] * rank).tolist(),), lambda v: np.array(v, np.float32), label="nested")
        for rank in range(1, 7)
    ),
    *(
        Sample(
            f"tensor{rank}d",
            (list(range(2**rank)), [2] * rank, "int32"),
            lambda v, shape, _: np.array(v, np.int32).reshape(shape),
            label="flat",
        )
        for rank in range(2, 7)
    ),
    Sample("tensor", ([[True, False]],), lambda v: np.array(v)),
    Sample("tensor", ([1.9, -1.9], None, "int32"), lambda v, shape, dtype: np.array([1, -1], np.int32)),
    Sample("scalar", (2.5,), lambda v: np.array(v, np.float32)),
    Sample("scalar", ("ü",), lambda v: np.array(v, object)),
    Sample("scalar", (3.7, "int32"), lambda v, dtype: np.array(3, np.int32)),
]
