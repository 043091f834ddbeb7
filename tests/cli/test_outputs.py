"""Outputs: figures about arrays of every kind, and files of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tenfold.cli.outputs import describe_output, write_arrays


def test_figures() -> None:
    got = describe_output("y", np.array([[1.0, 2], [3, 6]], np.float32))
    assert (got.dtype, got.shape, got.min, got.max, got.mean, got.not_finite) == ("float32", [2, 2], 1, 6, 3, 0)
    assert got.first == [1, 2, 3, 6]
    assert got.top == []


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    got = describe_output("y", np.array([np.nan, 1, np.inf, 3], np.float32))
    assert (got.min, got.max, got.mean, got.not_finite) == (1, 3, 2, 2)
    assert got.first == ["nan", 1, "inf", 3]
    assert json.loads(json.dumps(asdict(got), allow_nan=False))["not_finite"] == 2


@pytest.mark.parametrize(
    ("array", "dtype", "first"),
    [
        (np.array([True, False]), "bool", [True, False]),
        (np.array([1, 2], np.int32), "int32", [1, 2]),
        (np.array(["a", "b"], object), "string", ["a", "b"]),
        (np.array([b"\xc3\xa9"], object), "string", ["é"]),
        (np.array([1 + 2j], np.complex64), "complex64", ["(1+2j)"]),
        (np.empty((0, 3), np.float32), "float32", []),
        (np.array(5.0, np.float32), "float32", [5]),
    ],
)
def test_every_dtype(array: np.ndarray, dtype: str, first: list[object]) -> None:
    got = describe_output("y", array)
    assert (got.dtype, got.first) == (dtype, first)
    json.dumps(asdict(got), allow_nan=False)


def test_scores_of_classes_are_ranked() -> None:
    scores = np.array([[0.1, 0.4, 0.05, 0.3, 0.05, 0.1]], np.float32)
    assert [index for index, _ in describe_output("y", scores).top] == [1, 3, 0, 5, 2]
    assert [index for index, _ in describe_output("y", scores, top=2).top] == [1, 3]
    assert describe_output("y", scores * 10).top == [], "these are no scores"
    assert describe_output("y", scores * 10, top=1).top == [(1, 4)]
    assert describe_output("y", scores[0], top=2).top == [], "only [1, N] has classes"


def test_arrays_are_written_under_safe_names(tmp_path: Path) -> None:
    names = ["scope/node:0", "scope_node_0", "../..", "scope/node:0"]
    arrays = [np.arange(3), np.array(["a", "bc"], object), np.array(1.5), np.arange(2)]
    paths = write_arrays(tmp_path / "out" / "there", names, arrays)
    assert [path.name for path in paths] == ["scope_node_0.npy", "scope_node_0-2.npy", "_.npy", "scope_node_0-3.npy"]
    for path, array in zip(paths, arrays, strict=True):
        np.testing.assert_array_equal(
            np.load(path, allow_pickle=False), array.astype(str) if array.dtype == object else array
        )
