"""What the tables of samples cannot say of the ops that make, cut, join and rearrange tensors."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tenfold as tf


def test_gradients_of_joining() -> None:
    a, b = tf.tensor([[1.0, 2.0]]), tf.tensor([[3.0, 4.0]])
    dy = tf.tensor([[1.0, 2.0], [3.0, 4.0]])
    da, db = tf.grads(lambda a, b: tf.concat([a, b], 0))([a, b], dy)
    assert (da.array_sync(), db.array_sync()) == ([[1.0, 2.0]], [[3.0, 4.0]])
    da, db = tf.grads(lambda a, b: tf.stack([a, b], 2))([a, b], dy.reshape([1, 2, 2]))
    assert (da.array_sync(), db.array_sync()) == ([[1.0, 3.0]], [[2.0, 4.0]])
    (da,) = tf.grads(lambda a: tf.concat([a, a], 1))([a])
    assert da.array_sync() == [[2.0, 2.0]]


def test_gradients_through_several_outputs() -> None:
    x = tf.tensor([1.0, 2.0, 3.0, 4.0])

    def f(x: tf.Tensor) -> tf.Tensor:
        first, _, last = tf.split(x, [1, 1, 2])
        return tf.concat([last, first]).square()

    assert tf.grad(f)(x).array_sync() == [2.0, 0.0, 6.0, 8.0]
    assert tf.grad(lambda x: x.reshape([2, 2]).unstack(1)[1])(x).array_sync() == [0.0, 1.0, 0.0, 1.0]


def test_gradients_of_complex_parts() -> None:
    x = tf.tensor([1.0, 2.0])
    assert tf.grad(lambda x: tf.real(tf.complex(x, x.square())))(x).array_sync() == [1.0, 1.0]
    assert tf.grad(lambda x: tf.imag(tf.complex(x, x.square())))(x).array_sync() == [2.0, 4.0]


def test_methods() -> None:
    x = tf.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.flatten().shape == x.as1d().shape == (4,)
    assert x.as2d(4, 1).shape == (4, 1)
    assert x.as3d(1, 2, 2).shape == (1, 2, 2)
    assert x.as4d(1, 2, 2, 1).shape == (1, 2, 2, 1)
    assert x.as5d(1, 2, 2, 1, 1).shape == (1, 2, 2, 1, 1)
    assert x.slice([0, 0], [1, 1]).as_scalar().array_sync() == 1.0
    assert x.flatten().reshape_as(x).shape == (2, 2)
    assert (x.as_type("int32").dtype, x.to_int().dtype, x.to_bool().dtype, x.to_float().dtype) == (
        "int32",
        "int32",
        "bool",
        "float32",
    )
    assert x.concat(x).shape == x.concat([x], 0).shape == (4, 2)
    assert x.stack([x, x], -1).shape == (2, 2, 3)
    with pytest.raises(ValueError, match="as_scalar"):
        x.as_scalar()
    with pytest.raises(TypeError, match="as2d"):
        x.as2d(4)


def test_asynchronous_ops_await() -> None:
    async def run() -> list[float]:
        masked: tf.Tensor = await tf.boolean_mask_async([1, 2, 3], [True, False, True])
        values, positions = await tf.setdiff1d_async([1, 2, np.nan], [2, np.nan])
        return [*masked.array_sync(), *values.array_sync(), *positions.array_sync()]

    assert asyncio.run(run()) == [1.0, 3.0, 1.0, 0]


def test_from_other_libraries() -> None:
    class Elsewhere:
        def __init__(self) -> None:
            self.values = np.arange(4, dtype=np.float32).reshape(2, 2)

        def __dlpack__(self, **options: object) -> object:
            return self.values.__dlpack__(**options)

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.values.__dlpack_device__()

    source = Elsewhere()
    made = [tf.tensor(source), tf.from_dlpack(source), tf.tensor2d(source)]
    source.values[:] = 9
    assert all(x.array_sync() == [[0.0, 1.0], [2.0, 3.0]] for x in made)


def test_a_tensor_of_text_from_a_tensor_keeps_its_shape() -> None:
    assert tf.tensor(tf.tensor([["a", "b"]])).array_sync() == [["a", "b"]]


@pytest.mark.parametrize("key", [0, [0, -1], [True, False]], ids=str)
def test_mem_22_indexing_leaves_its_result_only(key: Any) -> None:
    x = tf.tensor([[1.0, 2.0], [3.0, 4.0]])
    gc.collect()
    before = tf.memory().num_tensors
    result = x[key]
    assert tf.memory().num_tensors == before + 1
    result.dispose()
    assert tf.memory().num_tensors == before


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: tf.random_normal([50], 3, 2, seed=seed),
        lambda seed: tf.random_standard_normal([50], seed=seed),
        lambda seed: tf.truncated_normal([50], 3, 2, seed=seed),
        lambda seed: tf.random_uniform([50], -1, 4, seed=seed),
        lambda seed: tf.random_uniform_int([50], -3, 9, seed),
        lambda seed: tf.random_gamma([50], 2, 3, seed=seed),
    ],
)
@pytest.mark.parametrize("seed", [7, 3.14, "text", -1])
def test_seeds_repeat(make: Callable[[object], tf.Tensor], seed: object) -> None:
    assert np.array_equal(make(seed).numpy(), make(seed).numpy())
    assert not np.array_equal(make(seed).numpy(), make("another").numpy())
    assert not np.array_equal(make(None).numpy(), make(None).numpy())


def test_distributions() -> None:
    normal = tf.random_normal([20000], 3, 2, seed=1).numpy()
    assert abs(normal.mean() - 3) < 0.1
    assert abs(normal.std() - 2) < 0.1
    truncated = tf.truncated_normal([20000], 3, 2, seed=1).numpy()
    assert abs(truncated.mean() - 3) < 0.1
    assert np.abs(truncated - 3).max() <= 4
    uniform = tf.random_uniform([20000], -1, 3, seed=1).numpy()
    assert -1 <= uniform.min() < -0.99
    assert 2.99 < uniform.max() < 3
    assert abs(tf.random_uniform([20000], dtype="bool", seed=1).numpy().mean() - 0.5) < 0.02
    assert set(tf.random_uniform_int([500], 2, 5, 1).array_sync()) == {2, 3, 4}
    gamma = tf.random_gamma([20000], 2, 4, seed=1).numpy()
    assert abs(gamma.mean() - 0.5) < 0.02
    assert tf.random_normal([3], 0, 5, "int32").dtype == "int32"
