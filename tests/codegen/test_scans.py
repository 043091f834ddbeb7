"""Cumulative sums and products along axes of any length, in stages, against NumPy."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from tenfold.codegen.compute import Array, stages_of
from tenfold.codegen.evaluate import evaluate, steps
from tenfold.codegen.scans import RUN, SHORT, scan

RNG = np.random.default_rng(17)
ACCUMULATE = {"sum": (np.add, 0), "prod": (np.multiply, 1)}
LENGTHS = [0, 1, 2, RUN, SHORT - 1, SHORT, SHORT + 1, RUN * 5, 1000, 1024, 1025, 5003]


def scanned(kind: str, values: np.ndarray, axis: int, exclusive: bool, reverse: bool) -> np.ndarray:
    ufunc, nothing = ACCUMULATE[kind]
    turned = np.flip(values, axis) if reverse else values
    result = ufunc.accumulate(turned, axis=axis, dtype=values.dtype)
    if exclusive:
        first = np.full_like(np.take(result, range(min(1, values.shape[axis])), axis), nothing)
        result = np.concatenate([first, np.take(result, range(max(values.shape[axis] - 1, 0)), axis)], axis)
    return np.flip(result, axis) if reverse else result


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", ACCUMULATE)
def test_scans_of_integers(kind: str, length: int, exclusive: bool, reverse: bool) -> None:
    for shape, axis in (((length,), 0), ((2, length, 3), 1), ((2, 1, length), 2)):
        values = RNG.integers(-9, 9, shape).astype(np.int32) | 1
        x = Array(shape, "int32", 0)
        array = scan(kind, shape, axis, lambda *i, x=x: x[i], exclusive=exclusive, reverse=reverse)
        assert array.shape == shape
        assert np.array_equal(evaluate(array, [values]), scanned(kind, values, axis, exclusive, reverse))


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_spreads_forwards_only(odd: float) -> None:
    values = np.ones(2000, np.float32)
    values[1234] = odd
    x = Array(values.shape, "float32", 0)
    for kind, (ufunc, _) in ACCUMULATE.items():
        got = evaluate(scan(kind, x.shape, 0, lambda i: x[i]), [values])
        assert np.array_equal(got, ufunc.accumulate(values), equal_nan=True)


def test_digits_of_a_long_sum() -> None:
    values = RNG.uniform(0, 1, 200_000).astype(np.float32)
    x = Array(values.shape, "float32", 0)
    got = evaluate(scan("sum", x.shape, 0, lambda i: x[i]), [values])
    want = values.astype(np.float64).cumsum()
    assert np.abs(got - want).max() < 1e-6 * want[-1]


@pytest.mark.parametrize(("length", "stages", "loads"), [(64, 1, 64), (1000, 3, 21), (1 << 20, 9, 18)])
def test_work_stays_near_the_length(length: int, stages: int, loads: int) -> None:
    x = Array([4, length], "float32", 0)
    found = stages_of(scan("sum", x.shape, 1, lambda *i: x[i]))
    assert len(found) <= stages
    assert sum(map(steps, found)) <= loads * x.size * 1.01
    assert sum(prod(array.shape) for array in found) <= 1.2 * x.size
