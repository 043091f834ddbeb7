"""Samples of `ops/transformations.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(15)


def floats(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape).astype(np.float32)


WORDS = np.array([["a", "b"], ["ü", ""]], object)
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 0.9, -2.9, 3e9], np.float32)
COMPLEX = np.array([1.9 - 2j, 0 + 3j, 0], np.complex64)


def _squeeze(x: np.ndarray, axis: Any = None) -> np.ndarray:
    return np.squeeze(x, tuple(axis) if isinstance(axis, list) else axis)


def _to(dtype: Any) -> Any:
    return lambda x, _: x.astype(dtype)


SAMPLES = [
    Sample("clone", (floats(2, 3),), np.copy, differentiable=True),
    Sample("clone", (WORDS,), np.copy, label="text"),
    Sample("reshape", (floats(2, 3), [3, -1]), np.reshape, differentiable=True),
    Sample("reshape", (floats(1), []), np.reshape, differentiable=True, label="scalar"),
    Sample("reshape", (floats(0, 3), [3, -1]), np.reshape, label="empty"),
    Sample("reshape", (WORDS, [4]), np.reshape, label="text"),
    Sample(
        "cast",
        (ODD, "int32"),
        lambda x, _: np.array([0, 0, 0, 0, 0, -2, 3000000000 - 2**32], np.int32),
        label="odd to int",
    ),
    Sample("cast", (ODD, "bool"), lambda x, _: x != 0, label="odd to bool"),
    Sample("cast", (ODD, "complex64"), _to(np.complex64), label="odd to complex"),
    Sample("cast", (COMPLEX, "float32"), lambda x, _: x.real, label="complex to float"),
    Sample("cast", (COMPLEX, "int32"), lambda x, _: x.real.astype(np.int32), label="complex to int"),
    Sample("cast", (COMPLEX, "bool"), lambda x, _: x.real != 0, label="complex to bool"),
    Sample("cast", (np.array([True, False]), "float32"), _to(np.float32)),
    Sample("cast", (np.array([2, 0, -1], np.int32), "bool"), _to(np.bool_)),
    Sample("cast", (WORDS, "string"), lambda x, _: x, label="text"),
    *(Sample("expand_dims", (floats(2, 3), axis), np.expand_dims, differentiable=True) for axis in (0, 1, 2, -1, -3)),
    Sample("expand_dims", (floats(),), lambda x: x[None], label="scalar"),
    Sample("expand_dims", (WORDS, 1), np.expand_dims, label="text"),
    Sample("squeeze", (floats(1, 3, 1),), _squeeze, differentiable=True),
    Sample("squeeze", (floats(1, 3, 1), [-1]), _squeeze, differentiable=True),
    Sample("squeeze", (floats(1, 3, 1), 0), _squeeze),
    Sample("squeeze", (floats(1, 1),), _squeeze, label="to a scalar"),
    Sample("squeeze", (floats(2, 3), []), lambda x, _: x, label="no axes"),
    Sample("ensure_shape", (floats(2, 3), [2, None]), lambda x, _: x),
    Sample("broadcast_to", (floats(3, 1), [2, 3, 4]), np.broadcast_to, differentiable=True),
    Sample("broadcast_to", (floats(), [2, 2]), np.broadcast_to, differentiable=True),
    Sample("broadcast_to", (floats(2, 3), [2, 3]), np.broadcast_to, label="same"),
    Sample("broadcast_to", (floats(1, 3), [0, 3]), np.broadcast_to, differentiable=True, label="to nothing"),
    Sample("broadcast_to", (WORDS, [1, 2, 2]), np.broadcast_to, label="text"),
    *(
        Sample(
            "broadcast_args",
            (np.array(a, np.int32), np.array(b, np.int32)),
            lambda a, b: np.array(np.broadcast_shapes(tuple(a), tuple(b)), np.int32),
        )
        for a, b in (([1, 6], [3, 1]), ([2], [4, 1, 2]), ([], [3, 1]))
    ),
]
