"""Samples of `ops/normalization.py` and `ops/evaluation.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from tests.ops.harness import Sample
from tests.ops.samples_arithmetic import BOOLS, EXTREME, floats, ints
from tests.ops.samples_reduction import distinct

Array = np.ndarray
WIDE = np.array([[-1e4, 0, 1e4], [-np.inf, 0, 1], [80, 80, 80]], np.float32)


def _moments(x: Array, axis: Any = None, keep_dims: bool = False) -> tuple[Array, Array]:
    values = x.astype(np.float64)
    return np.mean(values, axis=axis, keepdims=keep_dims), np.var(values, axis=axis, keepdims=keep_dims)


def _batch_norm(
    x: Array, mean: Array, variance: Array, offset: Any = None, scale: Any = None, variance_epsilon: float = 0.001
) -> Array:
    y = (x - mean) / np.sqrt(variance + variance_epsilon)
    y = y if scale is None else y * scale
    return y if offset is None else y + offset


def _local_response(x: Array, radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5) -> Array:
    """Channel by channel, by the definition."""
    out = np.empty(x.shape, np.float64)
    for channel in range(x.shape[-1]):
        around = x[..., max(channel - radius, 0) : channel + radius + 1].astype(np.float64)
        out[..., channel] = x[..., channel] / (bias + alpha * (around**2).sum(-1)) ** beta
    return out


def _top_k(x: Array, k: int = 1, sorted: bool = True) -> tuple[Array, Array]:
    """Row by row with Python's own stable sort; NaN last."""
    rows = x.reshape(-1, x.shape[-1])
    found = np.zeros((len(rows), k), np.int32)
    for number, row in enumerate(rows.tolist()):
        order = list(range(len(row)))
        order.sort(key=lambda i: (row[i] != row[i], 0 if row[i] != row[i] else -row[i]))
        found[number] = order[:k] if sorted else np.sort(order[:k])
    shape = (*x.shape[:-1], k)
    return np.take_along_axis(rows, found, 1).reshape(shape), found.reshape(shape)


def _statistics(*shape: int, rank: int | None = None) -> tuple[Array, ...]:
    own = shape if rank == len(shape) else shape[-1:]
    return floats(*shape), floats(*own), floats(*own, low=0.5), floats(*own), floats(*own)


def _is_among(predictions: np.ndarray, targets: np.ndarray, k: int) -> np.ndarray:
    best = np.argsort(-predictions, axis=-1, kind="stable")[..., :k]
    return np.asarray((best == targets[..., None]).any(-1))


SAMPLES = [
    *(
        Sample(name, (floats(*shape),), lambda x, f=f: f(x.astype(np.float64), axis=-1), differentiable=True)
        for name, f in {"softmax": special.softmax, "log_softmax": special.log_softmax}.items()
        for shape in [(4,), (1,), (2, 3), (0, 2), (1, 2, 1, 2, 1, 3)]
    ),
    *(
        Sample(name, (WIDE,), lambda x, f=f: f(x.astype(np.float64), axis=-1), label="wide")
        for name, f in {"softmax": special.softmax, "log_softmax": special.log_softmax}.items()
    ),
    *(Sample(name, (floats(2, 0),), np.copy, differentiable=True) for name in ("softmax", "log_softmax")),
    Sample("softmax", (np.array([1, 2, 3], np.int32), 0), lambda x, dim: special.softmax(x), label="integers"),
    *(
        Sample("moments", (floats(*shape), axis), _moments, {"keep_dims": keep}, differentiable=True)
        for shape, axis in [((), None), ((5,), None), ((2, 3), 0), ((2, 3, 4), (0, 2))]
        for keep in (False, True)
    ),
    Sample("moments", (BOOLS,), _moments, label="bools"),
    Sample("moments", (ints(3, 4), -1), _moments, label="integers"),
    Sample("moments", (np.zeros((0, 2), np.float32), 0), lambda x, axis: (np.full(2, np.nan),) * 2, label="nothing"),
    *(
        Sample(name, _statistics(*shape, rank=rank), _batch_norm, differentiable=True)
        for name, shape in [
            ("batch_norm", (3,)),
            ("batch_norm2d", (4, 3)),
            ("batch_norm3d", (2, 2, 3)),
            ("batch_norm4d", (2, 2, 1, 3)),
            ("batch_norm", (1, 2, 1, 2, 2, 3)),
        ]
        for rank in (1, len(shape))
    ),
    Sample("batch_norm", (*_statistics(4, 3)[:3], None, None, 0.5), _batch_norm, differentiable=True, label="bare"),
    Sample("batch_norm", _statistics(4, 3)[:4], _batch_norm, differentiable=True, label="offset only"),
    Sample(
        "batch_norm",
        _statistics(4, 3)[:3],
        _batch_norm,
        {"scale": np.array([1, -2, 3], np.float32)},
        differentiable=True,
        label="scale only",
    ),
    Sample("batch_norm", (ints(4, 3), *_statistics(4, 3)[1:]), _batch_norm, label="integers"),
    *(
        Sample("local_response_normalization", (floats(*shape), *options), _local_response, differentiable=True)
        for shape, options in [
            ((1, 2, 5), ()),
            ((2, 1, 2, 6), (1, 1.0, 1.0, 0.75)),
            ((2, 1, 6), (2, 2.0, 0.5, 1.0)),
            ((1, 1, 1, 3), (0, 1.0)),
            ((2, 2, 1), (7,)),
        ]
    ),
    *(
        Sample("topk", (distinct(*shape), k), _top_k)
        for shape, k in [((5,), 1), ((5,), 5), ((2, 3), 0), ((2, 3, 40), 4), ((0, 3), 2), ((1, 2, 1, 1, 2, 3), 2)]
    ),
    *(
        Sample("topk", (floats(3, 64).round(), 5, in_order), _top_k, label=f"ties, sorted {in_order}")
        for in_order in (True, False)
    ),
    Sample("topk", (np.array([[np.nan, 1, 3, np.nan], [1, 2, 3, 4]], np.float32), 3), _top_k, label="nan"),
    Sample(
        "topk", (np.array([[np.nan, 1, 3, np.nan], [4, 2, 3, 4]], np.float32), 3, False), _top_k, label="nan unsorted"
    ),
    Sample("topk", (np.full((2, 40), np.nan, np.float32), 3), _top_k, label="only nan"),
    Sample("topk", (np.array([-np.inf] * 3 + [0] + [-np.inf] * 40, np.float32), 3), _top_k, label="infinite"),
    Sample("topk", (EXTREME, 5), _top_k, label="integers"),
    *(Sample("in_top_k_async", (distinct(4, 5), np.array([4, 0, 2, 2], np.int32), k), _is_among) for k in (1, 3, 5)),
    Sample("topk", (np.tile(EXTREME, 16), 9), _top_k, label="many integers"),
]
