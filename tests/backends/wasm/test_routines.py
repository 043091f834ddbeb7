"""Kernels that are run by routines, where they apply and where they do not, on one thread and on several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.wasm import calls, routines
from tenfold.core.kernel import TensorSpec

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

RNG = np.random.default_rng(5)


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest, wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """How many threads; every call goes to them."""
    monkeypatch.setattr(calls, "WORTH_SHARING", 0)
    monkeypatch.setattr(calls, "WORTH_INTERRUPTING", 0)
    before = wasm.device.threads_count
    wasm.device.set_threads_count(request.param)
    yield request.param
    wasm.device.set_threads_count(before)


SHAPES = [
    ((8, 1), (1, 1)),
    ((8, 3), (3, 8)),
    ((9, 5), (5, 13)),
    ((64, 64), (64, 64)),
    ((130, 700), (700, 37)),
    ((4, 8, 5), (5, 9)),
    ((4, 8, 5), (4, 5, 9)),
    ((1, 8, 5), (3, 5, 9)),
    ((2, 3, 9, 4), (2, 3, 4, 6)),
    ((2, 3, 9, 4), (3, 4, 6)),
    ((2, 9, 4), (4, 4)),
    ((7, 300), (300, 9)),
    ((0, 3), (3, 4)),
    ((9, 0), (0, 4)),
]


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_products(
    wasm: WasmBackend, threads: int, left: tuple[int, ...], right: tuple[int, ...], transposed: tuple[bool, bool]
) -> None:
    a, b = (RNG.uniform(-1, 1, shape).astype(np.float32) for shape in (left, right))
    want = a.astype(np.float64) @ b
    given = [tf.tensor(np.swapaxes(x, -1, -2) if turn else x) for x, turn in zip((a, b), transposed, strict=True)]
    for _ in range(2):
        got = tf.mat_mul(*given, *transposed).numpy()
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_products_of_other_dtypes(wasm: WasmBackend) -> None:
    a = RNG.integers(-5, 5, (9, 9)).astype(np.int32)
    assert (tf.mat_mul(tf.tensor(a), tf.tensor(a)).numpy() == a @ a).all()


def test_numbers_that_are_none(wasm: WasmBackend) -> None:
    """Infinities and NaN stay in their rows and columns."""
    a, b = np.ones((9, 6), np.float32), np.ones((6, 11), np.float32)
    a[2, 3], b[1, 7] = np.nan, np.inf
    got = tf.mat_mul(tf.tensor(a), tf.tensor(b)).numpy()
    assert np.isnan(got[2]).all()
    assert np.isinf(np.delete(got[:, 7], 2)).all()
    rest = np.delete(np.delete(got, 2, 0), 7, 1)
    assert (rest == 6).all()


@pytest.mark.parametrize(
    ("left", "right", "applies"),
    [
        ((8, 5), (5, 9), True),
        ((7, 5), (5, 9), False),
        ((8, 0), (0, 9), False),
        ((2, 4, 5), (5, 9), True),
        ((2, 1, 8, 5), (2, 3, 5, 9), False),
    ],
)
def test_when_products_go_by_tiles(
    wasm: WasmBackend, left: tuple[int, ...], right: tuple[int, ...], applies: bool
) -> None:
    shape = (*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1])
    specs = [TensorSpec(left, "float32"), TensorSpec(right, "float32")]
    recipe = routines.ROUTINES["BatchMatMul"](specs, {}, [TensorSpec(shape, "float32")], wasm.target)
    assert (recipe is not None) == applies


def test_what_products_take_is_given_back(wasm: WasmBackend) -> None:
    x = tf.tensor(RNG.uniform(-1, 1, (100, 100)).astype(np.float32))
    x.mat_mul(x).dispose()
    before = tf.memory().details["num_bytes_in_wasm"]
    for _ in range(20):
        x.mat_mul(x).dispose()
    assert tf.memory().details["num_bytes_in_wasm"] == before
