"""Samples of `ops/losses.py` and `ops/moving_average.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import log_softmax

import tenfold as tf
from tests.ops.harness import Sample

_rng = np.random.default_rng(41)


def _floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-2, 2, shape).astype(np.float32)


def _probabilities(*shape: int) -> np.ndarray:
    return _rng.uniform(0.1, 0.9, shape).astype(np.float32)


LABELS, PREDICTIONS = _floats(3, 4), _floats(3, 4)
ONES_AND_ZEROS = (_rng.random((3, 4)) < 0.5).astype(np.float32)
ONE_HOT = np.eye(4, dtype=np.float32)[[2, 0, 1]]
WEIGHTS = np.array([[1.5, 0, 0.5, 2]] * 2 + [[0, 1, 0, 3]], np.float32)
# The number of weights that are not zero jumps where one of them is.
NO_ZEROS = WEIGHTS + 1


def weighted(losses: Any, weights: Any = None, reduction: int = 3) -> np.ndarray:
    """The losses one by one, each weighted, and what they are reduced to."""
    each = np.asarray(losses, np.float64)
    factors = np.ones_like(each) if weights is None else np.broadcast_to(weights, np.broadcast(each, weights).shape)
    products = each * factors
    counts = {0: None, 1: factors.sum(), 2: 1, 3: np.count_nonzero(factors)}[int(reduction)]
    return products if counts is None else np.asarray(products.sum() / counts)


def _loss(of_elements: Callable[..., Any], extra: str = "") -> Callable[..., np.ndarray]:
    """The reference of a loss from that of its elements, which may take one more argument."""

    def reference(labels: Any, predictions: Any, *rest: Any, **named: Any) -> np.ndarray:
        names = [*(["weights", extra] if extra else ["weights"]), "reduction"]
        named |= dict(zip(names, rest, strict=False))
        of_op = {extra: named.pop(extra)} if extra in named else {}
        return weighted(of_elements(labels.astype(np.float64), predictions.astype(np.float64), **of_op), **named)

    return reference


def _huber(y: np.ndarray, p: np.ndarray, delta: float = 1) -> np.ndarray:
    error = abs(y - p)
    return np.where(error <= delta, error**2 / 2, delta * error - delta**2 / 2)


def _log_loss(y: np.ndarray, p: np.ndarray, epsilon: float = 1e-7) -> np.ndarray:
    return -y * np.log(p + epsilon) - (1 - y) * np.log(1 - p + epsilon)


def _sigmoid(y: np.ndarray, x: np.ndarray, label_smoothing: float = 0) -> np.ndarray:
    y = y * (1 - label_smoothing) + label_smoothing / 2
    return y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)


def _softmax(y: np.ndarray, x: np.ndarray, label_smoothing: float = 0) -> np.ndarray:
    y = y * (1 - label_smoothing) + label_smoothing / y.shape[-1]
    return -(y * log_softmax(x, -1)).sum(-1)


def _cosine(y: np.ndarray, p: np.ndarray, axis: int, weights: Any = None, reduction: int = 3) -> np.ndarray:
    return weighted(1 - (y * p).sum(axis, keepdims=True), weights, reduction)


PAIRS: list[tuple[str, tuple[np.ndarray, np.ndarray], Callable[..., np.ndarray]]] = [
    ("absolute_difference", (LABELS, PREDICTIONS), _loss(lambda y, p: abs(y - p))),
    ("mean_squared_error", (LABELS, PREDICTIONS), _loss(lambda y, p: (y - p) ** 2)),
    ("huber_loss", (LABELS, PREDICTIONS), _loss(_huber, "delta")),
    ("hinge_loss", (ONES_AND_ZEROS, PREDICTIONS), _loss(lambda y, p: np.maximum(0, 1 - (2 * y - 1) * p))),
    ("log_loss", (ONES_AND_ZEROS, _probabilities(3, 4)), _loss(_log_loss, "epsilon")),
    ("sigmoid_cross_entropy", (ONES_AND_ZEROS, 3 * PREDICTIONS), _loss(_sigmoid, "label_smoothing")),
]

VECTORS = [np.array(v, np.float32) for v in ([1.0, 2, 3], [4.0, 5.5, 3])]


def _moving(v: Any, x: Any, decay: Any, step: Any = None, zero_debias: bool = True) -> Any:
    rate = (1 - decay) / (1 - decay**step) if zero_debias else 1 - decay
    return v + (x - v) * rate


SAMPLES = [
    *(
        Sample(
            "losses.compute_weighted_loss",
            (LABELS, weights, r),
            weighted,
            differentiable=weights is NO_ZEROS,
            label=f"{what} {r}",
        )
        for what, weights in {"zeros": WEIGHTS, "no zeros": NO_ZEROS}.items()
        for r in (0, 1, 2, 3)
    ),
    Sample("losses.compute_weighted_loss", (LABELS, NO_ZEROS[:1]), weighted, differentiable=True, label="one row"),
    Sample("losses.compute_weighted_loss", (LABELS, WEIGHTS[:, 3:], 1), weighted, differentiable=True, label="column"),
    Sample("losses.compute_weighted_loss", (LABELS,), weighted, label="no weights"),
    *(
        Sample(f"losses.{name}", arrays, reference, options, differentiable=True, label=label)
        for name, arrays, reference in PAIRS
        for label, options in {
            "plain": {},
            "weighted": {"weights": WEIGHTS},
            "elements": {"weights": WEIGHTS[:1], "reduction": tf.Reduction.NONE},
            "mean": {"weights": WEIGHTS, "reduction": tf.Reduction.MEAN},
            "sum": {"reduction": tf.Reduction.SUM},
        }.items()
    ),
    Sample("losses.absolute_difference", tuple(a.astype(np.int32) for a in PAIRS[0][1]), PAIRS[0][2], label="integers"),
    Sample("losses.mean_squared_error", (np.zeros([0, 2], np.float32),) * 2, lambda y, p: np.array(np.nan)),
    Sample("losses.huber_loss", (LABELS, PREDICTIONS), PAIRS[2][2], {"delta": 0.3}, differentiable=True),
    Sample("losses.sigmoid_cross_entropy", PAIRS[5][1], PAIRS[5][2], {"label_smoothing": 0.3}, differentiable=True),
    Sample("losses.sigmoid_cross_entropy", (ONES_AND_ZEROS, 99 * PREDICTIONS), PAIRS[5][2], label="large logits"),
    Sample("losses.softmax_cross_entropy", (ONE_HOT, PREDICTIONS), _loss(_softmax), differentiable=True),
    Sample("losses.softmax_cross_entropy", (ONE_HOT[0], PREDICTIONS[0]), _loss(_softmax), differentiable=True),
    Sample(
        "losses.softmax_cross_entropy",
        (ONE_HOT, 50 * PREDICTIONS, WEIGHTS[:, 0], 0.2, 1),
        _loss(_softmax, "label_smoothing"),
        label="large logits, smooth labels",
    ),
    *(
        Sample("losses.cosine_distance", (LABELS, PREDICTIONS, axis), _cosine, differentiable=True)
        for axis in (0, 1, -1)
    ),
    Sample("losses.cosine_distance", (LABELS, PREDICTIONS, 1, WEIGHTS[:, 3:], 0), _cosine, label="weighted elements"),
    Sample("moving_average", (*VECTORS, 0.75, 2), _moving, differentiable=True),
    Sample("moving_average", (*VECTORS, np.array(0.75, np.float32), None, False), _moving, differentiable=True),
    Sample("moving_average", (*VECTORS, 0.9), _moving, {"zero_debias": False}),
]
