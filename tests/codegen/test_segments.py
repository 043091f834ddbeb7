"""Sums and last places by key, at once and by sorting, against NumPy."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

from tenfold.codegen.compute import Array, stages_of
from tenfold.codegen.evaluate import evaluate, steps
from tenfold.codegen.expr import cast
from tenfold.codegen.segments import last_places, segment_sums

RNG = np.random.default_rng(29)

ROWS: list[tuple[int, ...]] = [(), (3,), (0,)]
SIZES = [
    (0, (3,), ()),
    (1, (1,), ()),
    (5, (), (2,)),
    (17, (4, 2), (3,)),
    (300, (7,), ()),
    (300, (400,), (2, 2)),
    (40, (0,), ()),
]


@pytest.fixture(params=["at once", "by sorting"], autouse=True)
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways for all sizes."""
    monkeypatch.setattr("tenfold.codegen.segments.CHEAP", -1)
    monkeypatch.setattr("tenfold.codegen.segments._sorting_steps", lambda _: -(10**12) if sorts(request) else 10**12)
    return str(request.param)


def sorts(request: Any) -> bool:
    return bool(request.param == "by sorting")


def keys_of(rows: tuple[int, ...], elements: int, count: int) -> np.ndarray:
    """Some of them belong to no segment."""
    return RNG.integers(-1, count + 2, (*rows, elements)).astype(np.int32)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("elements", "segments", "inner"), SIZES)
def test_sums(
    elements: int, segments: tuple[int, ...], inner: tuple[int, ...], rows: tuple[int, ...], way: str
) -> None:
    count = prod(segments)
    keys, values = keys_of(rows, elements, count), RNG.integers(-99, 99, (*rows, elements, *inner)).astype(np.int32)
    k, x = Array(keys.shape, "int32", 0), Array(values.shape, "int32", 1)
    want = np.zeros((*rows, count, *inner), np.int32)
    for row in np.ndindex(rows):
        for number, key in enumerate(keys[row]):
            if 0 <= key < count:
                want[row][key] += values[row][number]
    array = segment_sums("sum", k, segments, inner, lambda *i: x[i])
    assert np.array_equal(evaluate(array, [keys, values]), want.reshape((*rows, *segments, *inner)))
    some = evaluate(segment_sums("any", k, segments, inner, lambda *i: x[i] > 90), [keys, values])
    many = evaluate(segment_sums("sum", k, segments, inner, lambda *i: cast(x[i] > 90, "int32")), [keys, values])
    assert some.dtype == np.bool_
    assert np.array_equal(some, many > 0)
    if way == "by sorting" and elements and want.size:
        assert len(stages_of(array)) > 2


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("elements", "segments", "inner"), SIZES)
def test_last_places(elements: int, segments: tuple[int, ...], inner: tuple[int, ...], rows: tuple[int, ...]) -> None:
    count = prod(segments)
    keys = keys_of(rows, elements, count)
    want = np.full((*rows, count), -1, np.int32)
    for row in np.ndindex(rows):
        for number, key in enumerate(keys[row]):
            if 0 <= key < count:
                want[row][key] = number
    got = evaluate(last_places(Array(keys.shape, "int32", 0), segments), [keys])
    assert np.array_equal(np.maximum(got, -1), want.reshape((*rows, *segments)))


def test_odd_values_stay_in_their_segment(way: str) -> None:
    keys = np.array([2, 0, 1, 2, 0], np.int32)
    values = np.array([np.nan, 1, np.inf, 1, 2], np.float32)
    x = Array([5], "float32", 1)
    array = segment_sums("sum", Array([5], "int32", 0), [4], (), lambda i: x[i])
    assert np.array_equal(evaluate(array, [keys, values]), [3, np.inf, np.nan, 0], equal_nan=True)


def test_one_segment_of_many(way: str) -> None:
    values = RNG.uniform(0, 1, 5000).astype(np.float32)
    x = Array([5000], "float32", 1)
    array = segment_sums("sum", Array([5000], "int32", 0), [2], (), lambda i: x[i])
    got = evaluate(array, [np.ones(5000, np.int32), values])
    assert got[0] == 0
    assert abs(got[1] - values.astype(np.float64).sum()) < 1e-6 * got[1]


class TestWork:
    """What the way that is chosen costs at the sizes of models."""

    @pytest.fixture(autouse=True)
    def way(self) -> str:
        return "as chosen"

    @pytest.mark.parametrize(
        ("elements", "segments", "inner", "stages", "times"),
        [
            (64, 10, 4, 1, 4000),
            (1024, 30_000, 128, 16, 3),
            (8192, 8192, 64, 46, 40),
            (1_000_000, 10, 1, 2, 12),
        ],
    )
    def test_work(self, elements: int, segments: int, inner: int, stages: int, times: int) -> None:
        x = Array([elements, inner], "float32", 1)
        array = segment_sums("sum", Array([elements], "int32", 0), [segments], [inner], lambda *i: x[i])
        found = stages_of(array)
        assert len(found) <= stages
        assert sum(map(steps, found)) <= times * (array.size + x.size)
