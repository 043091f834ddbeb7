"""Checklist section 5: variables."""

from __future__ import annotations

import numpy as np
import pytest

import tenfold as tf
from tests.core.conftest import Counts


def test_var_01_assign() -> None:
    v = tf.variable(tf.tensor([1, 2, 3]))
    assert v.array_sync() == [1, 2, 3]
    v.assign(tf.tensor([4, 5, 6]))
    assert v.array_sync() == [4, 5, 6]
    v.dispose()


def test_var_02_names() -> None:
    a, b = tf.variable(tf.scalar(1)), tf.variable(tf.scalar(1))
    c = tf.variable(tf.scalar(1), name="mine")
    assert a.name
    assert a.name != b.name
    assert c.name == "mine"
    tf.dispose([a, b, c])


def test_var_03_names_are_unique_among_the_living() -> None:
    v = tf.variable(tf.scalar(1), name="same")
    with pytest.raises(ValueError, match="'same' was already registered"):
        tf.variable(tf.scalar(1), name="same")
    v.dispose()
    tf.variable(tf.scalar(1), name="same")
    tf.dispose_variables()
    tf.variable(tf.scalar(1), name="same").dispose()


def test_var_04_ops_take_variables() -> None:
    v = tf.variable(tf.tensor([1, 2, 3]))
    assert v.add(1).array_sync() == [2, 3, 4]
    assert tf.mul(v, v).array_sync() == [1, 4, 9]
    v.dispose()


def test_var_05_shares_its_initial_values(counts: Counts) -> None:
    initial = tf.tensor([1, 2])
    v = tf.variable(initial)
    assert (counts.tensors, counts.buffers) == (2, 1)
    assert initial.array_sync() == [1, 2]
    tf.dispose([v, initial])


def test_var_06_assign_disposes_nothing(counts: Counts) -> None:
    first, second = tf.tensor([1, 2]), tf.tensor([3, 4])
    v = tf.variable(first)
    assert (counts.tensors, counts.buffers) == (3, 2)
    v.assign(second)
    assert (counts.tensors, counts.buffers) == (3, 2)
    assert first.array_sync() == [1, 2]
    assert second.array_sync() == [3, 4]
    tf.dispose([first, second, v])
    assert (counts.tensors, counts.buffers, counts.data_ids) == (0, 0, 0)


def test_var_07_dispose_removes_itself_only(counts: Counts) -> None:
    first, second = tf.tensor([1, 2]), tf.tensor([3, 4])
    v = tf.variable(first)
    v.assign(second)
    v.dispose()
    v.dispose()
    assert counts.tensors == 2
    assert first.array_sync() == [1, 2]
    assert second.array_sync() == [3, 4]


def test_var_08_assign_checks_shape_and_dtype() -> None:
    v = tf.variable(tf.tensor([1, 2]))
    with pytest.raises(ValueError, match=r"shape of the new value \(\[3\]\)"):
        v.assign(tf.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match=r"dtype of the new value \(int32\)"):
        v.assign(tf.tensor([1, 2], dtype="int32"))
    v.dispose()


def test_var_09_trainable() -> None:
    fixed = tf.variable(tf.scalar(2), trainable=False, name="fixed")
    free = tf.variable(tf.scalar(3), name="free")
    assert (fixed.trainable, free.trainable) == (False, True)
    result = tf.variable_grads(lambda: fixed.mul(free))
    assert set(result.grads) == {"free"}
    tf.dispose([fixed, free])


def test_dtype_argument_casts() -> None:
    v = tf.variable(tf.tensor([1.7]), dtype="int32")
    assert v.array_sync() == [1]
    v.dispose()


def test_assign_takes_values() -> None:
    v = tf.variable(tf.tensor([1, 2], dtype="int32"))
    v.assign([3, 4])
    assert v.array_sync() == [3, 4]
    v.assign(np.array([5, 6]))
    assert v.array_sync() == [5, 6]
    with pytest.raises(ValueError, match="shape"):
        v.assign([1, 2, 3])


def test_the_repr_names_it() -> None:
    v = tf.variable(tf.tensor([1.0, 2.0]), name="weight")
    assert repr(v) == "<Variable 'weight' float32 [2] on cpu>"
    v.dispose()
    assert repr(v) == "<Variable 'weight' float32 [2] disposed>"
