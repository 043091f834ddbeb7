"""Python's `x[...]` against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import tenfold as tf
from tests.ops.harness import double, error_of_scale

X = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
MASK = X > 30

KEYS: list[Any] = [
    0,
    -1,
    (1, 2),
    (1, -2, 3),
    slice(None),
    slice(1, 3),
    slice(None, None, -1),
    (slice(None), slice(3, 0, -2)),
    (..., 1),
    (1, ..., slice(0, 2)),
    None,
    (slice(None), None, ..., None),
    (),
    np.int64(2),
    [0, 2, 2],
    [-1, 0],
    (slice(None), [3, 0]),
    (..., [1, 1, 4]),
    (slice(1, None), ..., [0], None),
    (None, [[0, 1], [2, 0]]),
    np.array([2, 0], np.int32),
    MASK,
    MASK[:, 0, 0],
    (slice(None), MASK[0, :, 4]),
    (..., MASK[0, 0]),
    [True, False, True],
    (None, MASK[:, :, 0], slice(1, 3)),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_agrees_with_numpy(key: Any) -> None:
    got = tf.tensor(X)[key]
    assert got.shape == X[key].shape
    assert np.array_equal(got.numpy(), X[key])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_agrees_with_numpy_on_any_basic_key(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=4)))
    array = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    key = data.draw(basic_indices(shape, allow_newaxis=True, max_dims=6))
    got = tf.tensor(array)[key]
    assert got.shape == array[key].shape
    assert np.array_equal(got.numpy(), array[key])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_gradients_of_any_basic_key(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    key = data.draw(basic_indices(shape, allow_newaxis=True, max_dims=5))
    x = np.zeros(shape)
    dy = np.random.default_rng(0).normal(size=x[key].shape)
    expected = np.zeros(shape)
    expected[key] = dy
    got = tf.grad(lambda t: t[key])(double(x), double(dy))
    assert error_of_scale(got.numpy(), expected) <= 1e-12


def test_positions_in_tensors() -> None:
    x = tf.tensor(X)
    assert np.array_equal(x[tf.scalar(2, "int32")].numpy(), X[2])
    assert np.array_equal(x[tf.tensor([2, 0], dtype="int32")].numpy(), X[[2, 0]])
    assert np.array_equal(x[x.greater(30)].numpy(), X[X > 30])
    assert np.array_equal(x[:, tf.tensor([[0, 1]], dtype="int32")].numpy(), X[:, [[0, 1]]])


def test_text() -> None:
    words = tf.tensor([["a", "b"], ["c", "d"]])
    assert words[1].array_sync() == ["c", "d"]
    assert words[:, [1]].array_sync() == [["b"], ["d"]]
    assert words[0, 1].item() == "b"


def test_numbers_beside_a_list_drop_their_axes_first() -> None:
    assert tf.tensor(X)[0, :, [1, 2]].shape == (4, 2)


def test_iteration() -> None:
    rows = list(tf.tensor([[1, 2], [3, 4]]))
    assert [row.array_sync() for row in rows] == [[1.0, 2.0], [3.0, 4.0]]


def test_gradients_of_lists_and_masks() -> None:
    x = tf.tensor([1.0, 2.0, 3.0])
    assert tf.grad(lambda t: t[[0, 0, 2]])(x).array_sync() == [2.0, 0.0, 1.0]
    assert tf.grad(lambda t: t[[False, True, True]])(x).array_sync() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "key", [3, -4, (0, 0, 0, 0), (..., ...), [3], True, 1.0, "a", [0.5], ([0], [1]), [[True]]], ids=repr
)
def test_refuses(key: Any) -> None:
    with pytest.raises(IndexError):
        tf.tensor(X)[key]


def test_says_what_an_index_may_be() -> None:
    with pytest.raises(IndexError, match=r"integers, slices.*not by 'a'"):
        tf.tensor(X)["a"]
    with pytest.raises(IndexError, match="position 3 is out of range for axis 0"):
        tf.tensor(X)[3]
    with pytest.raises(IndexError, match="gather_nd"):
        tf.tensor(X)[[0], [1]]
