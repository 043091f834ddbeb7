"""Checklist section 1: memory accounting."""

from __future__ import annotations

import gc

import numpy as np

import tenfold as tf
from tenfold.core.kernel import TensorInfo
from tests.core.conftest import Counts, ListBackend


def test_mem_01_nothing_created(counts: Counts) -> None:
    assert counts.tensors == 0
    assert counts.bytes == 0


def test_mem_02_vectors_of_four(counts: Counts) -> None:
    floats = tf.tensor([1, 2, 3, 4])
    assert (counts.tensors, counts.bytes) == (1, 16)
    ints = tf.tensor([1, 2, 3, 4], dtype="int32")
    assert (counts.tensors, counts.bytes) == (2, 32)
    tf.dispose([floats, ints])


def test_mem_03_bools_take_a_byte(counts: Counts) -> None:
    x = tf.tensor([True, False, True, True])
    assert counts.bytes == 4
    x.dispose()


def test_mem_04_scalars(counts: Counts) -> None:
    x = tf.scalar(1)
    assert counts.bytes == 4
    y = tf.scalar(1, "int32")
    assert counts.bytes == 8
    tf.dispose([x, y])


def test_mem_05_sum_returned_from_a_tidy(counts: Counts) -> None:
    total = tf.tidy(lambda: tf.tensor([1, 2, 3, 4]).sum())
    assert (counts.tensors, counts.bytes) == (1, 4)
    assert total.array_sync() == 10


def test_mem_06_dtypes_of_sums() -> None:
    assert tf.tensor([True, True]).sum().dtype == "int32"
    assert tf.tensor([1, 2], dtype="int32").sum().dtype == "int32"
    assert tf.tensor([1.0, 2.0]).sum().dtype == "float32"


def test_mem_07_08_strings_count_their_utf8_bytes(counts: Counts) -> None:
    x = tf.tensor([["a", "bb"], ["c", "d"]])
    assert (counts.tensors, counts.bytes) == (1, 5)
    x.dispose()
    assert (counts.tensors, counts.bytes) == (0, 0)


def test_mem_09_10_reasons_for_unreliable_counts() -> None:
    plain = tf.memory()
    assert plain.unreliable
    assert "upper bound" in " ".join(plain.reasons)
    text = tf.tensor(["a"])
    both = tf.memory()
    assert both.unreliable
    assert any("string" in reason for reason in both.reasons)
    assert any("upper bound" in reason for reason in both.reasons)
    text.dispose()
    assert not any("string" in reason for reason in tf.memory().reasons)


def test_mem_11_a_number_and_a_letter(counts: Counts) -> None:
    alive = [tf.scalar(1), tf.tensor(["a"])]
    assert (counts.tensors, counts.buffers, counts.bytes) == (2, 2, 5)
    tf.dispose(alive)


def test_mem_12_tensor_from_a_storage(counts: Counts) -> None:
    storage = tf.backend().write(np.arange(4, dtype=np.float32), (4,), "float32")
    tensor = tf.engine().make_tensor_from_data_id(TensorInfo(storage, (2, 2), "float32"))
    assert tensor.shape == (2, 2)
    assert tensor.array_sync() == [[0, 1], [2, 3]]
    tensor.dispose()
    assert counts.data_ids == 0


def test_mem_13_disposing_twice(counts: Counts) -> None:
    x, y = tf.scalar(1), tf.scalar(2)
    x.dispose()
    x.dispose()
    assert counts.tensors == 1
    y.dispose()


def test_mem_14_outside_every_scope_on_a_new_backend(backends: None) -> None:
    tf.register_backend("mine", ListBackend)
    tf.set_backend("mine")
    x = tf.tensor([1, 2, 3])
    assert x.data().result().tolist() == [1, 2, 3]
    x.dispose()


def test_mem_15_sharing(counts: Counts) -> None:
    x = tf.tensor([1, 2, 3, 4])
    others = [x.reshape([2, 2]), x.clone(), tf.variable(x)]
    assert counts.tensors == 4
    assert (counts.buffers, counts.data_ids) == (1, 1)
    tf.dispose([x, *others])
    assert (counts.buffers, counts.data_ids) == (0, 0)


def test_mem_16_the_last_holder_frees(counts: Counts) -> None:
    for first in (0, 1, 2):
        x = tf.tensor([1, 2, 3, 4])
        holders = [x, x.reshape([2, 2])]
        holders.append(holders[1].reshape([4, 1]))
        holders.pop(first).dispose()
        assert counts.data_ids == 1
        holders.pop().dispose()
        assert counts.data_ids == 1
        holders.pop().dispose()
        assert counts.data_ids == 0


def test_mem_17_reshape_to_a_scalar() -> None:
    a = tf.tensor([7])
    b = a.reshape([])
    assert b.id != a.id
    b.dispose()
    assert a.data_sync().tolist() == [7]


def test_mem_20_complex_tensors_leak_nothing(counts: Counts) -> None:
    parts = [tf.tensor([1.0, 2.0]), tf.tensor([3.0, 4.0])]
    z = tf.complex(*parts)
    assert (counts.tensors, counts.data_ids) == (3, 3)
    real, imag = tf.real(z), tf.imag(z)
    assert (counts.tensors, counts.data_ids) == (5, 5)
    tf.dispose([*parts, z, real, imag])
    assert (counts.tensors, counts.data_ids) == (0, 0)
    tf.tidy(lambda: tf.complex(tf.tensor([1.0]), tf.tensor([2.0])).mul(tf.scalar(2)) and None)
    assert (counts.tensors, counts.data_ids) == (0, 0)


def test_mem_21_reading_a_slice_makes_no_tensor(counts: Counts) -> None:
    x = tf.tensor([1, 2, 3, 4])
    part = x.slice([1], [2])
    assert part.data_sync().tolist() == [2, 3]
    assert part.data().result().tolist() == [2, 3]
    assert counts.tensors == 2
    tf.dispose([x, part])
    assert counts.tensors == 0


def test_mem_23_custom_gradients_leave_nothing(counts: Counts) -> None:
    x = tf.tensor([[1.0, 2.0]])
    y = tf.softmax(x)
    assert counts.tensors == 2
    gradient = tf.grad(lambda v: tf.softmax(v))(x, tf.tensor([[1.0, 0.0]]))
    assert counts.tensors == 3
    tf.dispose([x, y, gradient])


def test_mem_24_grads_of_div_leave_the_two_gradients(counts: Counts) -> None:
    a, b, dy = tf.scalar(5), tf.scalar(2), tf.scalar(4)
    found = tf.grads(lambda a, b: tf.div(a, b))([a, b], dy)
    assert counts.tensors == 5
    assert [g.array_sync() for g in found] == [2.0, -5.0]
    tf.dispose([a, b, dy, found])
    assert counts.tensors == 0


def test_unreachable_tensors_are_released(counts: Counts) -> None:
    x = tf.tensor([1, 2, 3])
    del x
    gc.collect()
    assert (counts.tensors, counts.buffers, counts.bytes, counts.data_ids) == (0, 0, 0, 0)


def test_intermediates_of_a_chain_are_released_without_tidy(counts: Counts) -> None:
    x = tf.tensor([1.0, 2.0])
    y = x.add(1).mul(2).sub(3)
    assert counts.tensors == 2
    assert y.data_sync().tolist() == [1, 3]
