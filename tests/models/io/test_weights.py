"""Weights between arrays and bytes (IO-01, IO-02, IO-03, IO-12)."""

from __future__ import annotations

import numpy as np
import pytest

from tenfold.core.errors import ModelFormatError
from tenfold.models.io import CompositeBuffer, Weights, decode_weights, encode_weights
from tenfold.models.io.specs import parse_specs
from tests.models.io import toy


def test_io_01_every_dtype_is_encoded() -> None:
    values = {name: toy.values()[name] for name in ("floats", "integers", "truths", "complex", "texts")}
    data, specs = encode_weights(values, "optimizer")
    sizes = [48, 12, 3, 16, sum(4 + len(text.encode()) for text in toy.TEXTS)]
    assert len(data) == sum(sizes)
    assert [(spec.name, spec.shape, spec.dtype, spec.group) for spec in specs] == [
        ("floats", (3, 4), "float32", "optimizer"),
        ("integers", (3,), "int32", "optimizer"),
        ("truths", (3, 1), "bool", "optimizer"),
        ("complex", (2,), "complex64", "optimizer"),
        ("texts", (3,), "string", "optimizer"),
    ]
    toy.assert_same(decode_weights(data, specs), values)


def test_io_01_pairs_and_lists_and_strided_arrays_are_encoded() -> None:
    strided = np.arange(6, dtype=np.float32).reshape(2, 3).T
    data, specs = encode_weights([("t", strided), ("s", ["a", b"b"])])
    toy.assert_same(decode_weights(data, specs), {"t": strided, "s": np.array([b"a", b"b"], object)})
    assert specs[0].to_json() == {"name": "t", "shape": [3, 2], "dtype": "float32"}


@pytest.mark.parametrize("value", [np.zeros(1), np.zeros(1, np.int64), [1 + 1j], np.array([None, "x"])])
def test_io_01_other_dtypes_are_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match="'w'"):
        encode_weights({"w": value})


def test_io_01_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'w' is given twice"):
        encode_weights([("w", np.float32([1])), ("w", np.float32([2]))])


def test_io_02_every_kind_of_weight_is_decoded_and_encoded_again() -> None:
    weights = Weights.from_bytes(parse_specs(toy.specs(), "specs"), toy.data())
    toy.assert_same(weights.arrays, toy.values())
    assert bytes(weights.encode()) == toy.data()
    assert not any(array.flags.writeable for array in weights.arrays.values())


def test_io_02_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ModelFormatError, match=r"specs\[0\]\.dtype: 'int8'"):
        decode_weights(b"\0", [{"name": "w", "shape": [1], "dtype": "int8"}])


@pytest.mark.parametrize(
    ("dtype", "stored"), [("bool", "uint8"), ("complex64", "float16"), ("int32", "float16"), ("float32", "int8")]
)
def test_io_02_an_impossible_quantisation_is_refused(dtype: str, stored: str) -> None:
    quantization = {"dtype": stored, "scale": 1, "min": 0}
    with pytest.raises(ModelFormatError, match=r"quantization\.dtype"):
        decode_weights(b"\0\0", [{"name": "w", "shape": [1], "dtype": dtype, "quantization": quantization}])


def test_io_02_halves_of_int32_round_up_as_in_javascript() -> None:
    spec = {"name": "w", "shape": [4], "dtype": "int32"}
    quantized = {**spec, "quantization": {"dtype": "uint8", "scale": 1, "min": -1.5}}
    assert decode_weights(bytes(range(4)), [quantized])["w"].tolist() == [-1, 0, 1, 2]


def test_io_02_values_beyond_int32_are_refused() -> None:
    spec = {"name": "w", "shape": [1], "dtype": "int32"}
    quantized = {**spec, "quantization": {"dtype": "uint8", "scale": 2**31, "min": 0}}
    assert decode_weights(b"\0", [quantized])["w"].tolist() == [0]
    with pytest.raises(ModelFormatError, match="'w': dequantised values lie outside of int32"):
        decode_weights(b"\1", [quantized])


def test_io_03_every_float16_is_widened_and_comes_back() -> None:
    patterns = np.arange(1 << 16, dtype=np.uint16)
    specs = parse_specs(
        [{"name": "h", "shape": [65536], "dtype": "float32", "quantization": {"dtype": "float16"}}], "specs"
    )
    weights = Weights.from_bytes(specs, patterns.tobytes())
    values = weights.arrays["h"]
    assert values[[0x3C00, 0x7C00, 0xFC00, 0x0001]].tolist() == [1.0, np.inf, -np.inf, 2.0**-24]
    assert np.signbit(values[0x8000])
    assert values[0x8000] == 0
    assert np.isnan(values[0x7E00])
    assert bytes(weights.encode()) == patterns.tobytes()


@pytest.mark.parametrize("stored", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("dtype", "scale", "minimum"),
    [
        ("float32", 0.1, -3.0),
        ("float32", 1e-9, 1.0),  # far below the resolution of float32 at 1
        ("float32", 0.0, 5.0),
        ("float32", -0.25, 5.0),
        ("float32", 1e38, -1e38),  # overflows to infinity
        ("float32", 1e-45, 0.0),
        ("int32", 2.0, -100.0),
        ("int32", 0.3, 0.0),
        ("int32", 1, 0),
    ],
)
def test_quantised_weights_are_saved_with_the_bytes_they_were_read_from(
    stored: str, dtype: str, scale: float, minimum: float
) -> None:
    quantization = {"dtype": stored, "scale": scale, "min": minimum}
    everything = np.arange(np.iinfo(stored).max + 1, dtype=stored)
    spec = {"name": "w", "shape": [everything.size], "dtype": dtype, "quantization": quantization}
    weights = Weights.from_bytes(parse_specs([spec], "specs"), everything.tobytes())
    with np.errstate(over="ignore"):
        real = everything * np.float64(scale) + minimum
        wanted = np.floor(real + 0.5).astype(np.int32) if dtype == "int32" else real.astype(np.float32)
    np.testing.assert_array_equal(weights.arrays["w"], wanted)
    assert bytes(weights.encode()) == everything.tobytes()
    assert weights.specs[0].to_json() == spec


def test_truth_values_other_than_0_and_1_are_true_and_come_back() -> None:
    specs = parse_specs([{"name": "b", "shape": [3], "dtype": "bool"}], "specs")
    weights = Weights.from_bytes(specs, b"\0\1\7")
    assert weights.arrays["b"].tolist() == [False, True, True]
    assert bytes(weights.encode()) == b"\0\1\7"


def test_aligned_weights_are_views_and_others_are_copies() -> None:
    specs = parse_specs(
        [
            {"name": "a", "shape": [2], "dtype": "float32"},
            {"name": "flag", "shape": [1], "dtype": "bool"},
            {"name": "b", "shape": [2], "dtype": "float32"},
        ],
        "specs",
    )
    buffer = bytearray(np.float32([1, 2]).tobytes() + b"\1" + np.float32([3, 4]).tobytes())
    weights = Weights.from_bytes(specs, buffer)
    shared = np.frombuffer(buffer, np.uint8)
    assert np.shares_memory(weights.arrays["a"], shared)
    assert not np.shares_memory(weights.arrays["b"], shared)
    assert weights.arrays["b"].flags.aligned
    assert weights.arrays["b"].tolist() == [3, 4]


def test_quantised_buffers_are_released_after_decoding() -> None:
    buffer = bytearray(toy.data())
    weights = Weights.from_bytes(parse_specs(toy.specs(), "specs"), buffer)
    shared = np.frombuffer(buffer, np.uint8)
    assert not any(np.shares_memory(array, shared) for array in weights.arrays.values() if array.dtype != object)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 40])
def test_io_12_data_may_come_in_parts_that_end_anywhere(parts: int) -> None:
    data = toy.data()
    pieces = [bytes(piece) for piece in np.array_split(np.frombuffer(data, np.uint8), parts)]
    toy.assert_same(decode_weights(pieces, toy.specs()), toy.values())


def test_data_that_is_too_short_is_refused_and_data_beyond_the_weights_ignored() -> None:
    for data, specs in [(toy.data(), toy.specs()), (bytes(8), [{"name": "w", "shape": [2], "dtype": "int32"}])]:
        with pytest.raises(ModelFormatError, match="truncated"):
            decode_weights(data[:-1], specs)
        assert list(decode_weights(data + b"more", specs)) == [spec["name"] for spec in specs]


def test_strings_longer_than_the_data_are_refused() -> None:
    with pytest.raises(ModelFormatError, match="'s' wants 4294967295 bytes"):
        decode_weights(b"\xff\xff\xff\xffabc", [{"name": "s", "shape": [1], "dtype": "string"}])


@pytest.mark.parametrize("data", ["text", 5, np.zeros((4, 4), np.uint8)[:, :1], np.array([object()])])
def test_what_is_no_buffer_is_refused(data: object) -> None:
    with pytest.raises(TypeError):
        decode_weights(data, [])  # type: ignore[arg-type]


def test_io_12_composite_buffer() -> None:
    buffer = CompositeBuffer([b"abc", bytearray(b""), memoryview(b"defg"), np.frombuffer(b"hi", np.uint8)])
    assert len(buffer) == 9
    assert bytes(buffer) == bytes(buffer.slice()) == b"abcdefghi"
    assert bytes(buffer.slice(-4, 2)) == b"ab"
    assert bytes(buffer.slice(2, 8)) == b"cdefgh"
    assert bytes(buffer.slice(3, 99)) == b"defghi"
    assert bytes(buffer.slice(7)) == b"hi"
    assert bytes(buffer.slice(5, 3)) == b""
    assert bytes(CompositeBuffer(b"xyz").slice(1)) == b"yz"
    assert len(CompositeBuffer()) == len(CompositeBuffer([])) == 0
    assert bytes(CompositeBuffer(None).slice()) == b""
