"""Slices of consecutive elements share what they are cut from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend


def on_device(values: np.ndarray) -> tf.Tensor:
    """A tensor whose values are in a texture only."""
    return tf.concat([tf.tensor(values), tf.tensor(values)], 0)


CUTS = [
    ([1, 0, 0], [2, 6, 8]),
    ([7, 0, 0], [1, 6, 8]),
    ([3, 2, 0], [1, 3, 8]),
    ([3, 2, 4], [1, 1, 4]),
    ([0, 0, 0], [8, 6, 8]),
    ([2, 5, 4], [1, 1, 1]),
]


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "complex64"])
@pytest.mark.parametrize(("begin", "size"), CUTS)
def test_runs_that_begin_at_a_texel_are_not_drawn(
    webgl: WebglBackend, dtype: str, begin: list[int], size: list[int]
) -> None:
    values = (np.arange(192).reshape(4, 6, 8) % 7).astype({"bool": np.bool_}.get(dtype, dtype))
    x = on_device(values)
    wanted = np.concatenate([values, values])[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))]
    before = webgl.draws
    cut = tf.slice(x, begin, size)
    assert webgl.draws == before
    twice = tf.concat([cut, cut], 1)
    assert np.array_equal(twice.numpy(), np.concatenate([wanted, wanted], 1))
    x.dispose()
    assert np.array_equal(cut.numpy(), wanted)


def test_slices_of_slices(webgl: WebglBackend) -> None:
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    x = on_device(values)
    before = webgl.draws
    inner = tf.slice(tf.slice(x, [4, 0], [8, 16]), [2, 0], [3, 16])
    assert webgl.draws == before
    assert np.array_equal((inner + inner).numpy(), 2 * values[6:9])
    assert np.array_equal(tf.mat_mul(inner, tf.tensor(values)).numpy(), values[6:9] @ values)


def test_other_slices_are_drawn(webgl: WebglBackend) -> None:
    values = np.arange(120, dtype=np.float32).reshape(4, 6, 5)
    x = on_device(values)
    before = webgl.draws
    for begin, size in (([1, 0, 0], [2, 6, 5]), ([0, 1, 0], [4, 2, 5]), ([0, 0, 1], [4, 6, 3])):
        wanted = values[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))]
        assert np.array_equal(tf.slice(x, begin, size).numpy(), wanted)
    assert webgl.draws == before + 3


def test_on_the_host_a_slice_is_a_view(webgl: WebglBackend) -> None:
    values = np.arange(32, dtype=np.float32).reshape(4, 8)
    x = tf.tensor(values)
    before = webgl.draws
    assert np.array_equal(tf.slice(x, [1, 0], [2, 8]).numpy(), values[1:3])
    assert webgl.draws == before


def test_memory_is_the_texture_that_they_share(webgl: WebglBackend) -> None:
    before = tf.memory()
    x = on_device(np.zeros((64, 64), np.float32))
    held = tf.memory().details["num_bytes_in_gpu"]
    cuts = [tf.slice(x, [row, 0], [16, 64]) for row in range(0, 128, 16)]
    assert tf.memory().details["num_bytes_in_gpu"] == held
    x.dispose()
    assert tf.memory().details["num_bytes_in_gpu"] == held
    for cut in cuts:
        cut.dispose()
    after = tf.memory()
    assert (after.num_tensors, after.num_data_buffers, after.num_bytes) == (
        before.num_tensors,
        before.num_data_buffers,
        before.num_bytes,
    )
    assert after.details["num_bytes_in_gpu"] == before.details["num_bytes_in_gpu"]


def test_slices_of_what_a_plan_left_in_columns(webgl: WebglBackend) -> None:
    x = on_device(np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 16)).astype(np.float32))
    filter = tf.tensor(np.ones((3, 3, 16, 8), np.float32))
    y = tf.conv2d(x, filter, 1, "same")
    assert np.allclose(tf.slice(y, [1, 2, 0, 0], [1, 3, 8, 8]).numpy(), y.numpy()[1:2, 2:5], atol=1e-5)
