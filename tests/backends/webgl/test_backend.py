"""Storage, calls and accounts of the webgl backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 4), (2, 3), (5, 1, 7), (2, 3, 4, 5), (1, 2, 1, 2, 3), (2,) * 6])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_values_come_back_from_the_device(webgl: WebglBackend, shape: tuple[int, ...], dtype: str) -> None:
    values = RNG.integers(-(2**31), 2**31, shape).astype(dtype)
    x = tf.tensor(values, dtype=dtype)
    webgl.upload(x.storage)
    x.storage.data.host = None
    assert x.numpy().dtype == values.dtype
    assert np.array_equal(x.numpy(), values)


def test_ops_draw(webgl: WebglBackend) -> None:
    a, b = RNG.uniform(-1, 1, (2, 7, 5)).astype(np.float32)
    before = webgl.draws
    y = tf.tensor(a).add(b).relu()
    assert webgl.draws == before + 2
    np.testing.assert_allclose(y.numpy(), np.maximum(a + b, 0), rtol=1e-6)
    assert not webgl.host_calls
