"""The loader and the comparison, on records made here."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.conformance.comparison import assert_agrees, assert_same_spec, tolerance_of
from tests.conformance.expected_failures import parse
from tests.conformance.vectors import (
    UNDEFINED,
    BufferValue,
    Input,
    ObjectValue,
    Result,
    Step,
    TensorValue,
    Throws,
    cases,
    decode,
)


def tensor(values: npt.ArrayLike, dtype: str = "float32", **more: object) -> TensorValue:
    record = {"shape": list(np.shape(values)), "dtype": dtype, "data": np.ravel(values).tolist(), **more}
    value = decode({"$t": record})
    assert isinstance(value, TensorValue)
    return value


def test_tensors_decode_to_arrays_of_their_dtype() -> None:
    special = decode({"$t": {"shape": [4], "dtype": "float32", "data": ["NaN", "-Infinity", "-0", 0.1]}})
    assert special.data.dtype == np.float32
    assert np.isnan(special.data[0])
    assert special.data[1] == -np.inf
    assert np.signbit(special.data[2])
    pairs = decode({"$t": {"shape": [2], "dtype": "complex64", "data": [1, 2, "NaN", 4]}})
    assert pairs.data[0] == 1 + 2j
    text = decode({"$t": {"shape": [2], "dtype": "string", "data": ["é", {"b64": "/w=="}]}})
    assert text.data.tolist() == ["é".encode(), b"\xff"]
    filled = decode({"$t": {"shape": [2, 3], "dtype": "bool", "fill": 1, "n": 6}})
    assert filled.data.tolist() == [[True] * 3] * 2
    variable = tensor([1, 2], var="v", trainable=False)
    assert (variable.variable, variable.trainable) == ("v", False)


def test_tensor_of_statistics_keeps_its_head() -> None:
    record = {"shape": [9], "dtype": "int32", "stats": {"n": 9}, "head": [1, 2]}
    value = decode({"$t": record})
    assert value.data is None
    assert value.head.tolist() == [1, 2]


def test_other_values_decode() -> None:
    assert decode([{"$u": 1}, {"$n": "Infinity"}, {"$long": "9007199254740993"}]) == [
        UNDEFINED,
        math.inf,
        9007199254740993,
    ]
    assert decode({"$ta": {"type": "Uint8Array", "data": [1, 255]}}).tolist() == [1, 255]
    buffer = decode({"$buf": {"shape": [1], "dtype": "string", "data": [None]}})
    assert isinstance(buffer, BufferValue)
    assert buffer.data.tolist() == [None]
    assert decode({"$ab": "AQI="}) == b"\x01\x02"
    assert decode({"$pix": {"width": 1, "height": 1, "data": [1, 2, 3, 4]}}).width == 1
    assert decode({"$obj": {"class_name": "Zeros", "config": {}}}) == ObjectValue("Zeros", {})
    assert decode([{"$in": 1}, {"$ref": [0, "values", 2]}]) == [Input(1), Result(0, ("values", 2))]
    assert decode({"alignCorners": True, "size": [1, 2]}) == {"alignCorners": True, "size": [1, 2]}


def test_cases_are_chosen_by_kind_op_and_file(tmp_path: Path) -> None:
    records = [
        {"id": "a", "kind": "op", "op": "abs", "args": [1], "throws": {"type": "Error", "arg": "x"}},
        {"id": "b", "kind": "grad", "op": "abs", "program": [{"op": "abs", "args": [{"$in": 0}]}]},
    ]
    for stem, record in zip(("core_a", "grad"), records, strict=True):
        with gzip.open(tmp_path / f"{stem}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    assert [case.id for case in cases(tmp_path)] == ["a", "b"]
    assert [case.id for case in cases(tmp_path, op="abs", file="core_*")] == ["a"]
    (failing,) = cases(tmp_path, kind="op")
    assert (failing.throws, failing.recording) == (Throws("Error", "x"), "core_a")
    (gradient,) = cases(tmp_path, kind="grad")
    assert gradient.fields["program"] == (Step("abs", (Input(0),)),)


def test_float_error_is_relative_to_the_largest_wanted_magnitude() -> None:
    want = tensor([1000.0, 0.0])
    assert_agrees(tensor([1000.0, 0.09]), want, tolerance_of(None))
    with pytest.raises(AssertionError, match="the result is off by"):
        assert_agrees(tensor([1000.0, 0.11]), want, tolerance_of(None))
    with pytest.raises(AssertionError, match="off by"):
        assert_agrees(tensor([2e-7]), tensor([0.0]), tolerance_of(None))


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (tensor([1.0]), tensor([math.nan])),
        (tensor([math.nan]), tensor([1.0])),
        (tensor([math.inf]), tensor([-math.inf])),
        (tensor([1], "int32"), tensor([2], "int32")),
        (tensor([1.0]), tensor([1], "int32")),
        (tensor([1.0]), tensor([[1.0]])),
        ([tensor([1.0])], [tensor([1.0]), tensor([1.0])]),
        ({"values": tensor([1.0])}, {"indices": tensor([1.0])}),
        (3.0, tensor(3.0)),
        ("a", "b"),
        (1.0, 1.1),
    ],
)
def test_differences_are_found(got: object, want: object) -> None:
    with pytest.raises(AssertionError):
        assert_agrees(got, want, tolerance_of(None))


def test_equal_special_values_agree() -> None:
    values = tensor([math.nan, math.inf, -math.inf, 0.0])
    assert_agrees([values, {"a": values}], [values, {"a": values}], tolerance_of(0))
    assert_agrees(tensor([[]]), tensor([[]]), tolerance_of(0))


def test_random_results_are_held_to_shape_and_dtype() -> None:
    assert_same_spec(tensor([1.0, 2.0]), tensor([3.0, 4.0]))
    with pytest.raises(AssertionError):
        assert_same_spec(tensor([1.0, 2.0]), tensor([3.0]))


def test_expected_failures_need_a_reason_and_stand_once() -> None:
    assert parse("# why\n\nabc the kernel is missing\n") == {"abc": "the kernel is missing"}
    with pytest.raises(ValueError, match="without a reason"):
        parse("abc\n")
    with pytest.raises(ValueError, match="twice"):
        parse("abc one\nabc two\n")
