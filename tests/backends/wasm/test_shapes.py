"""Kernels that move and combine elements, on wasm: random shapes of every rank and dtype, and empty ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tests.graph.builder import tensor

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 17)
CASES = 12
"""Random shapes of each rank and op; the ranks are 1 to 6."""

Rng = np.random.Generator
Answer = tuple[Any, np.ndarray]


def values_of(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers of any dtype, some floats NaN."""
    dtype = rng.choice(["float32", "float32", "int32", "bool"])
    values = rng.integers(-4, 5, shape)
    if dtype == "float32":
        return np.where(rng.uniform(size=shape) < 0.02, np.nan, values).astype(np.float32)
    return values > 0 if dtype == "bool" else values.astype(np.int32)


def _transpose(rng: Rng, x: np.ndarray) -> Answer:
    order = [int(axis) for axis in rng.permutation(x.ndim)]
    return tf.transpose(tensor(x), order), x.transpose(order)


def _scan(rng: Rng, x: np.ndarray) -> Answer:
    axis, reverse = int(rng.integers(x.ndim)), bool(rng.integers(2))
    wide = x.astype(np.int32) if x.dtype == np.bool_ else x
    turned = np.flip(wide, axis) if reverse else wide
    want = turned.cumsum(axis, dtype=wide.dtype)
    return tf.cumsum(tensor(x), axis, reverse=reverse), np.flip(want, axis) if reverse else want


def _tile(rng: Rng, x: np.ndarray) -> Answer:
    reps = [int(n) for n in rng.integers(1, 3, x.ndim)]
    return tf.tile(tensor(x), reps), np.tile(x, reps)


def _reverse(rng: Rng, x: np.ndarray) -> Answer:
    axis = int(rng.integers(x.ndim))
    return tf.reverse(tensor(x), axis), np.flip(x, axis)


def _gather(rng: Rng, x: np.ndarray) -> Answer:
    axis = int(rng.integers(x.ndim))
    places = rng.integers(0, max(x.shape[axis], 1), 5 if x.shape[axis] else 0).astype(np.int32)
    return tf.gather(tensor(x), tensor(places), axis), x.take(places, axis)


def _sum(rng: Rng, x: np.ndarray) -> Answer:
    axes = tuple(sorted(int(axis) for axis in rng.choice(x.ndim, rng.integers(1, x.ndim + 1), replace=False)))
    wide = x.astype(np.int32) if x.dtype == np.bool_ else x
    return tf.sum(tensor(x), axes), wide.sum(axes, dtype=wide.dtype)


def _best(rng: Rng, x: np.ndarray) -> Answer:
    x = x if x.shape[0] else x[None]
    axis = int(rng.choice([axis for axis, length in enumerate(x.shape) if length]))
    want = (np.nan_to_num(x, nan=-9) if x.dtype == np.float32 else x).argmax(axis)
    return tf.arg_max(tensor(x), axis), np.where(np.isnan(x).all(axis), 0, want).astype(np.int32)


def _top(rng: Rng, x: np.ndarray) -> Answer:
    k = int(rng.integers(0, x.shape[-1] + 1))
    keys = -np.nan_to_num(x.astype(np.float32), nan=-9)
    return tf.topk(tensor(x), k).indices, np.argsort(keys, axis=-1, kind="stable")[..., :k].astype(np.int32)


def _pad(rng: Rng, x: np.ndarray) -> Answer:
    around = [(int(n), int(m)) for n, m in rng.integers(0, 4, (x.ndim, 2))]
    return tf.pad(tensor(x), around), np.pad(x, around)


def _concat(rng: Rng, x: np.ndarray) -> Answer:
    axis = int(rng.integers(x.ndim))
    return tf.concat([tensor(x), tensor(x[::-1])], axis), np.concatenate([x, x[::-1]], axis)


OPS: tuple[Callable[[Rng, np.ndarray], Answer], ...] = (
    *(_transpose, _scan, _tile, _reverse, _gather, _sum, _best, _top, _pad, _concat),
)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__.strip("_"))
def test_shapes_of_every_rank(wasm: WasmBackend, op: Callable[[Rng, np.ndarray], Answer]) -> None:
    rng, before = np.random.default_rng(29), wasm.host_calls.total()
    for rank in range(1, 7):
        for case in range(CASES if rank < 4 else CASES // 3):
            shape = tuple(int(n) for n in rng.choice(LENGTHS[: 10 if rank < 4 else 5], rank))
            if case == 0:
                shape = (*shape[:-1], 0)
            x = values_of(rng, shape)
            got, want = op(rng, x)
            assert got.shape == want.shape, (shape, x.dtype)
            assert np.array_equal(got.numpy(), want, equal_nan=True), (shape, x.dtype)
    assert wasm.host_calls.total() == before
