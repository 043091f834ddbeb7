"""Checklist section 4: TensorBuffer."""

from __future__ import annotations

import numpy as np
import pytest

import tenfold as tf


def test_buf_01_starts_at_zero_and_is_set() -> None:
    buffer = tf.buffer([2, 3])
    assert buffer.values.tolist() == [0] * 6
    buffer.set(1.3, 0, 1)
    assert buffer.get(0, 1) == pytest.approx(1.3)
    ints = tf.buffer([2], "int32")
    ints.set(1.3, 0)
    assert ints.get(0) == 1
    assert ints.values.dtype == np.int32
    assert tf.buffer([2], "string").get(1) is None
    scalar = tf.buffer([])
    scalar.set(4)
    assert scalar.get() == 4


def test_buf_02_out_of_range() -> None:
    buffer = tf.buffer([2, 3])
    for location in ((2, 0), (0, 3), (-1, 0)):
        with pytest.raises(IndexError, match="out of range"):
            buffer.get(*location)
        with pytest.raises(IndexError, match="out of range"):
            buffer.set(1, *location)
    with pytest.raises(IndexError, match="must match the rank"):
        buffer.get(0)


def test_buf_03_to_tensor() -> None:
    buffer = tf.buffer([2], "bool")
    buffer.set(True, 1)
    tensor = buffer.to_tensor()
    buffer.set(True, 0)
    assert tensor.array_sync() == [0, 1]
    text = tf.buffer([2], "string")
    text.set("a", 0)
    assert text.to_tensor().array_sync() == ["a", None]


@pytest.mark.parametrize("shape", [[], [5], [2, 3], [2, 3, 4], [2, 1, 3, 2], [2, 2, 1, 2, 3]])
def test_buf_04_locations_and_indices_are_inverse(shape: list[int]) -> None:
    buffer = tf.buffer(shape)
    assert (buffer.rank, buffer.size) == (len(shape), int(np.prod(shape)))
    for index in range(buffer.size):
        location = buffer.index_to_loc(index)
        assert location == tuple(map(int, np.unravel_index(index, shape))) if shape else location == ()
        assert buffer.loc_to_index(location) == index


def test_buf_05_bad_shapes() -> None:
    for shape in ([-1], [1.5, 2]):
        with pytest.raises(ValueError, match=r"buffer: .*\["):
            tf.buffer(shape)


def test_starts_with_values() -> None:
    assert tf.buffer([2, 2], "int32", [1, 2, 3, 4]).get(1, 0) == 3
    with pytest.raises(ValueError, match="3 values do not fill"):
        tf.buffer([2, 2], "int32", [1, 2, 3])
    assert "int32" in repr(tf.buffer([2], "int32"))
