"""Checklist section 14: the rule of dtypes; TensorFlow.js's test helpers are not part of the package."""

from __future__ import annotations

import pytest

import tenfold as tf
from tenfold.core.dtypes import bytes_per_element, check_dtype, double_precision


def test_tst_03_upcast_type() -> None:
    order = ["bool", "int32", "float32", "complex64"]
    for i, a in enumerate(order):
        for j, b in enumerate(order):
            assert tf.upcast_type(a, b) == order[max(i, j)]
        with pytest.raises(ValueError, match="string combines with strings only"):
            tf.upcast_type(a, "string")
    assert tf.upcast_type("string", "string") == "string"


def test_sum_out_type() -> None:
    assert [tf.sum_out_type(d) for d in ("bool", "int32", "float32")] == ["int32", "int32", "float32"]


def test_sizes_and_names() -> None:
    assert [bytes_per_element(d) for d in ("bool", "int32", "float32", "complex64")] == [1, 4, 4, 8]
    with pytest.raises(ValueError, match="no common size"):
        bytes_per_element("string")
    with pytest.raises(ValueError, match=r"here: unknown dtype 'float16'; use one of float32, int32"):
        check_dtype("float16", "here")


def test_users_are_not_offered_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(double_precision, "allowed", False)
    for use in (
        lambda: tf.zeros([1], "float64"),
        lambda: tf.scalar(1).cast("float64"),
        lambda: tf.buffer([1], "float64"),
    ):
        with pytest.raises(ValueError, match="unknown dtype 'float64'"):
            use()
