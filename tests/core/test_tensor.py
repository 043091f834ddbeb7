"""Checklist section 3: tensor objects and reading; what Python adds."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.conversion import convert_to_tensor
from tests.core.conftest import Counts


@pytest.mark.parametrize(
    ("values", "dtype", "storage"),
    [
        ([[1.5, 2], [3, 4]], "float32", np.float32),
        ([[1, 2], [3, 4]], "int32", np.int32),
        ([[True, False], [False, True]], "bool", np.bool_),
        ([[1 + 2j, 2], [3, 4]], "complex64", np.complex64),
    ],
)
def test_tns_01_data_is_flat_and_of_the_storage_type(values: Any, dtype: str, storage: type) -> None:
    x = tf.tensor(values, dtype=dtype)
    for data in (x.data_sync(), x.data().result(), asyncio.run(_awaited(x))):
        assert data.dtype == storage
        assert data.tolist() == np.array(values, storage).ravel().tolist()


async def _awaited(x: tf.Tensor) -> Any:
    return await x.data()


def test_tns_01_data_of_strings() -> None:
    x = tf.tensor([["a", "ü"], ["", "d"]])
    assert x.data_sync() == ["a", "ü", "", "d"]
    assert x.data().result() == ["a", "ü", "", "d"]


def test_tns_02_arrays_are_nested_lists() -> None:
    assert tf.tensor([[1, 2], [3, 4]]).array_sync() == [[1, 2], [3, 4]]
    assert tf.scalar(3).array_sync() == 3
    assert tf.scalar("a").array().result() == "a"
    assert tf.tensor([["a"], ["b"]]).array_sync() == [["a"], ["b"]]
    assert tf.zeros([2, 0]).array_sync() == [[], []]
    assert tf.tensor([1 + 2j], dtype="complex64").array_sync() == [1 + 2j]


def test_tns_03_reads_and_ops_interleave() -> None:
    async def run() -> list[Any]:
        a = tf.tensor([1, 2])
        first = a.data()
        b = a.add(1)
        second, third = b.data(), a.data()
        c = b.add(1)
        return [(await each).tolist() for each in (third, c.data(), second, first)]

    assert asyncio.run(run()) == [[1, 2], [3, 4], [2, 3], [1, 2]]


def test_tns_04_queued_reads_of_a_cast() -> None:
    async def run() -> list[Any]:
        x = tf.tensor([1.7, -2.2]).cast("int32")
        first, second = x.data(), x.data()
        return [await first, await second]

    for data in asyncio.run(run()):
        assert data.dtype == np.int32
        assert data.tolist() == [1, -2]


def test_tns_05_bytes() -> None:
    assert tf.tensor([1.5, -2.0]).bytes_sync() == np.array([1.5, -2], np.float32).tobytes()
    assert tf.tensor([1.9, -2.9], dtype="int32").bytes_sync() == np.array([1, -2], np.int32).tobytes()
    assert tf.tensor([True, False]).bytes_sync() == b"\x01\x00"
    native = tf.tensor(["a", "ü"])
    encoded = tf.tensor([b"a", "ü".encode()], dtype="string")
    assert native.bytes_sync() == encoded.bytes_sync() == [b"a", "ü".encode()]
    assert native.bytes().result() == [b"a", "ü".encode()]


NUMERIC = ["bool", "int32", "float32"]


@pytest.mark.parametrize("source", NUMERIC)
@pytest.mark.parametrize("target", NUMERIC)
def test_tns_06_casts_between_numeric_dtypes(source: str, target: str) -> None:
    x = tf.tensor([0, 1, 3.7, -3.7], dtype=source)
    want = {
        "bool": {"bool": [False, True, True, True], "int32": [0, 1, 1, 1], "float32": [0, 1, 1, 1]},
        "int32": {"bool": [False, True, True, True], "int32": [0, 1, 3, -3], "float32": [0, 1, 3, -3]},
        "float32": {"bool": [False, True, True, True], "int32": [0, 1, 3, -3], "float32": [0, 1, 3.7, -3.7]},
    }[source][target]
    y = x.cast(target)
    assert y.dtype == target
    assert np.allclose(y.numpy(), want)


def test_tns_06_complex_casts_keep_the_real_part() -> None:
    z = tf.tensor([1.5 + 2j, 0 + 2j], dtype="complex64")
    assert z.cast("float32").array_sync() == [1.5, 0]
    assert z.cast("int32").array_sync() == [1, 0]
    assert z.cast("bool").array_sync() == [True, False]
    assert tf.tensor([1.5]).cast("complex64").array_sync() == [1.5]


def test_tns_07_strings_do_not_cast() -> None:
    for dtype in ("float32", "int32", "bool", "complex64"):
        with pytest.raises(ValueError, match="only strings"):
            tf.tensor(["a"]).cast(dtype)
        with pytest.raises(ValueError, match="only strings"):
            tf.tensor([1], dtype=dtype).cast("string")
    with pytest.raises(ValueError, match="unknown dtype 'float16'"):
        tf.tensor([1]).cast("float16")


def test_tns_08_to_int32_and_bool() -> None:
    assert tf.tensor([3.9, -3.9], dtype="int32").array_sync() == [3, -3]
    assert tf.tensor([3.9, 0, -0.1], dtype="bool").array_sync() == [True, False, True]


def test_tns_09_inference() -> None:
    inferred = {
        "float32": [1, [1, 2], [[1.5]], [], np.float32([1]), np.float64([1]), np.float16([1])],
        "bool": [True, [[True]], np.array([True])],
        "string": ["a", ["a", "b"], np.array(["a"]), np.array(["a"], object)],
        "int32": [np.int32([1]), np.uint8([1]), np.int64([1]), np.int8([[1]]), bytearray(b"ab")],
        "complex64": [1j, [1 + 1j], np.complex128([1])],
    }
    for dtype, values in inferred.items():
        for value in values:
            assert tf.tensor(value).dtype == dtype, value


def test_tns_10_nan_to_int32_is_zero() -> None:
    assert tf.tensor([float("nan"), 1], dtype="int32").array_sync() == [0, 1]
    assert tf.tensor(np.array([np.nan, 2], np.float32), dtype="int32").array_sync() == [0, 2]


def test_tns_11_views_use_their_own_elements() -> None:
    buffer = np.arange(10, dtype=np.float32)
    assert tf.tensor(buffer[2:8:2]).array_sync() == [2, 4, 6]
    assert tf.tensor(memoryview(buffer)[3:5]).array_sync() == [3, 4]


def test_tensors_do_not_follow_their_array() -> None:
    array = np.zeros(3, np.float32)
    x = tf.tensor(array)
    array[0] = 7
    assert x.array_sync() == [0, 0, 0]


def test_tns_12_complex_ones_and_zeros() -> None:
    assert tf.ones([2], "complex64").array_sync() == [1, 1]
    assert tf.zeros([2], "complex64").array_sync() == [0, 0]


def test_tns_13_shapes_of_tensor2d() -> None:
    with pytest.raises(ValueError, match="tensor2d"):
        tf.tensor2d([1, 2, 3, 4])
    with pytest.raises(ValueError, match="tensor2d"):
        tf.tensor2d([1, 2, 3, 4], [4])
    with pytest.raises(ValueError, match="shape"):
        tf.tensor2d([[1, 2], [3, 4]], [4, 1])
    with pytest.raises((ValueError, TypeError), match="tensor3d"):
        tf.tensor3d(None)
    assert tf.tensor2d([], [0, 3]).shape == (0, 3)
    with pytest.raises(ValueError, match="0 values but has 1"):
        tf.tensor2d([1], [0, 3])


@pytest.mark.parametrize("shape", [[-1], [2.5], ["a"], [True], [None]])
def test_tns_14_shapes_are_non_negative_integers(shape: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="non-negative integers"):
        tf.zeros(shape)
    with pytest.raises((ValueError, TypeError), match="non-negative integers"):
        tf.buffer(shape)


def test_tns_15_strings_as_text_or_bytes() -> None:
    text = "привет"
    assert tf.tensor([text.encode()], dtype="string").data_sync() == [text]
    assert tf.scalar(text.encode(), "string").array_sync() == text
    with pytest.raises(TypeError, match="dtype='string'"):
        tf.scalar(b"ab")
    with pytest.raises((TypeError, ValueError)):
        tf.scalar(b"ab", "float32")


def test_tns_16_isinstance() -> None:
    x, v = tf.scalar(1), tf.variable(tf.scalar(1))
    assert isinstance(x, tf.Tensor)
    assert not isinstance({"shape": []}, tf.Tensor)
    assert isinstance(v, tf.Tensor)
    assert isinstance(v, tf.Variable)
    assert not isinstance(x, tf.Variable)
    v.dispose()


def test_tns_17_18_printing(capsys: pytest.CaptureFixture[str]) -> None:
    x = tf.tensor([[1, 2], [3, 4]])
    x.print()
    x.print(verbose=True)
    printed = capsys.readouterr().out
    assert printed == x.to_string() + "\n" + x.to_string(True) + "\n"
    assert "dtype: float32" in printed


def test_tns_19_convert_to_tensor() -> None:
    x = tf.tensor([1])
    assert convert_to_tensor(x, "p", "test") is x
    with pytest.raises(TypeError, match=r"test: argument 'p' must be a int32 tensor"):
        convert_to_tensor(x, "p", "test", "int32")
    for bad in ("text", ["text"]):
        with pytest.raises(TypeError, match=r"test: argument 'p' must be a numeric tensor, but got a string"):
            convert_to_tensor(bad, "p", "test")
    for bad in (None, {}, {1}, object(), len):
        with pytest.raises(TypeError, match="test: argument 'p'"):
            convert_to_tensor(bad, "p", "test")
    assert convert_to_tensor([1, 2], "p", "test", "int32").dtype == "int32"
    with pytest.raises(TypeError, match="must not be None"):
        convert_to_tensor("text", "p", "test", None)  # type: ignore[arg-type]


def test_tns_20_tensors_in_containers() -> None:
    a, b, c = tf.scalar(1), tf.scalar(2), tf.scalar(3)
    container: dict[str, Any] = {"x": [a, {"y": (b, c)}], "z": 5}
    container["loop"] = container
    assert tf.get_tensors_in_container(container) == [a, b, c] or [
        t.id for t in tf.get_tensors_in_container(container)
    ] == [a.id, b.id, c.id]
    assert tf.get_tensors_in_container(None) == []


def test_shape_strides_and_size() -> None:
    x = tf.zeros([2, 3, 4])
    assert (x.rank, x.ndim, x.size, x.strides) == (3, 3, 24, (12, 4))
    assert tf.scalar(1).strides == ()
    assert len(x) == 2
    with pytest.raises(TypeError, match="no length"):
        len(tf.scalar(1))


def test_python_conversions() -> None:
    assert bool(tf.scalar(1))
    assert float(tf.tensor([2.5])) == 2.5
    assert int(tf.scalar(3)) == 3
    assert [10, 20, 30][tf.scalar(1, "int32")] == 20
    assert tf.scalar("a").item() == "a"
    assert [t.array_sync() for t in tf.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="one element"):
        bool(tf.tensor([1, 2]))
    with pytest.raises(TypeError, match="int32 scalar"):
        [1][tf.scalar(0.0)]
    with pytest.raises(TypeError, match="scalar"):
        iter(tf.scalar(1))


def test_a_single_value_is_formatted_as_a_number() -> None:
    assert f"{tf.scalar(1.25):.1f} {tf.tensor([3], dtype='int32'):03d}" == "1.2 003"
    assert f"{tf.tensor([1, 2])}" == str(tf.tensor([1, 2]))
    with pytest.raises(ValueError, match="one element"):
        format(tf.tensor([1, 2]), ".1f")


def test_hash_is_identity_and_equality_is_elementwise() -> None:
    a, b = tf.tensor([1, 2]), tf.tensor([1, 3])
    assert len({a, b, a}) == 2
    assert (a == b).array_sync() == [True, False]
    assert (a != b).array_sync() == [False, True]


def test_pickling_is_refused_with_a_reason() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(tf.scalar(1))


def test_copies_share_what_cannot_change() -> None:
    x = tf.tensor([1, 2])
    for copied in (copy.copy(x), copy.deepcopy([x])[0]):
        assert copied is not x
        assert copied.storage is x.storage


def test_ranges_are_lists_of_numbers() -> None:
    assert tf.tensor(range(3)).array_sync() == [0, 1, 2]
    assert tf.add(range(2), 1).array_sync() == [1, 2]
    assert tf.tensor([range(2), range(2)], dtype="int32").array_sync() == [[0, 1], [0, 1]]


def test_numpy_interchange() -> None:
    x = tf.tensor([[1, 2], [3, 4]])
    view = np.asarray(x)
    assert view.tolist() == [[1, 2], [3, 4]]
    assert not view.flags.writeable
    assert not x.numpy().flags.writeable
    assert np.array(x, copy=True).flags.writeable
    assert np.asarray(x, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, np.float64, copy=False)
    assert tf.tensor(["a", "b"]).numpy().tolist() == ["a", "b"]
    assert np.add(x, 1).tolist() == [[2, 3], [4, 5]]


def test_dlpack_both_ways() -> None:
    array = np.from_dlpack(tf.tensor([[1, 2], [3, 4]], dtype="int32"))
    assert array.tolist() == [[1, 2], [3, 4]]
    assert array.dtype == np.int32
    x = tf.from_dlpack(np.arange(3, dtype=np.float32))
    assert x.array_sync() == [0, 1, 2]
    with pytest.raises(TypeError, match="string"):
        tf.tensor(["a"]).__dlpack__()


def test_a_disposed_tensor_says_so() -> None:
    x = tf.tensor([1, 2])
    x.dispose()
    assert "disposed" in repr(x)
    for use in (x.data_sync, x.array_sync, x.numpy, x.data, lambda: x.add(1), lambda: tf.tidy(lambda: x.clone())):
        with pytest.raises(tf.DisposedError, match="disposed"):
            use()


def test_a_repr_reads_nothing(counts: Counts, monkeypatch: pytest.MonkeyPatch) -> None:
    x = tf.tensor([1, 2])
    monkeypatch.setattr(type(tf.backend()), "read_sync", None)
    assert repr(x) == "<Tensor float32 [2] on cpu>"


def test_operators_follow_python() -> None:
    ints = tf.tensor([7, -7], dtype="int32")
    assert (ints / 2).array_sync() == [3.5, -3.5]
    assert (ints // 2).array_sync() == [3, -4]
    assert (ints % 4).array_sync() == [3, 1]
    assert (ints + 1).dtype == "int32"
    assert (ints + 1.5).dtype == "float32"
    assert (tf.tensor([True]) + 1).dtype == "int32"
    assert (1 - tf.tensor([0.5])).array_sync() == [0.5]
    assert (2**ints).dtype == "int32"
    assert (-ints).array_sync() == [-7, 7]
    assert abs(ints).array_sync() == [7, 7]
    assert (tf.eye(2) @ tf.tensor([[1, 2], [3, 4]])).array_sync() == [[1, 2], [3, 4]]
    assert (ints > 0).array_sync() == [True, False]
    assert (np.float32(1) + tf.tensor([1.0])).array_sync() == [2]
    assert (np.array([1, 2], np.int32) * tf.tensor([1.0, 2.0])).array_sync() == [1, 4]
    with pytest.raises(TypeError):
        ints + {}
    with pytest.raises(TypeError):
        tf.tensor(["a"]) + 1
