"""Samples of `ops/recurrent.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

import tenfold as tf
from tests.ops.harness import Sample

_rng = np.random.default_rng(47)

FEATURES, UNITS, BATCH = 3, 2, 4


def _floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


KERNEL, BIAS = _floats(FEATURES + UNITS, 4 * UNITS), _floats(4 * UNITS)
DATA, C, H = _floats(BATCH, FEATURES), _floats(BATCH, UNITS), _floats(BATCH, UNITS)


def _lstm(forget_bias: Any, kernel: Any, bias: Any, data: Any, c: Any, h: Any) -> list[np.ndarray]:
    gates = np.hstack([data, h]) @ kernel + bias
    take, new, keep, give = (gates[:, i * UNITS : (i + 1) * UNITS] for i in range(4))
    next_c = c * expit(keep + forget_bias) + expit(take) * np.tanh(new)
    return [next_c, expit(give) * np.tanh(next_c)]


def _cell(data: tf.Tensor, c: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return c.add(data), h.mul(data)


def _two_cells(cells: Any, data: Any, c: Any, h: Any) -> list[np.ndarray]:
    first = h[0] * data
    return [c[0] + data, c[1] + first, first, h[1] * first]


SAMPLES = [
    Sample("basic_lstm_cell", (np.array(1, np.float32), KERNEL, BIAS, DATA, C, H), _lstm, differentiable=True),
    Sample("multi_rnn_cell", ([_cell, _cell], C, [H, C], [C, H]), _two_cells),
]
