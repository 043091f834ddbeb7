"""The cpu backend's reductions against NumPy's, over shapes and axes of every kind, and their exactness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.backends.cpu.reduction import arg_max, max_, mean, reduce, sum_
from tenfold.backends.cpu.selection import top_k

shapes = st.lists(st.integers(0, 40), min_size=0, max_size=4).map(tuple)


@st.composite
def reductions(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...], bool]:
    shape = draw(shapes)
    axes = draw(st.lists(st.integers(-len(shape), len(shape) - 1), unique_by=lambda a: a % len(shape))) if shape else []
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(-(2**31), 2**31, shape).astype(np.int32)
    return values, tuple(axes), draw(st.booleans())


@settings(max_examples=150)
@given(reductions())
def test_agrees_with_numpy(case: tuple[np.ndarray, tuple[int, ...], bool]) -> None:
    x, axes, keep = case
    got = reduce(np.add, x, axes, keep, 0)
    assert np.array_equal(got, x.sum(axis=axes, keepdims=keep, dtype=np.int32))
    assert got.dtype == np.int32
    least = int(np.iinfo(np.int32).min)
    greatest = reduce(np.maximum, x, axes, keep, least)
    assert np.array_equal(greatest, x.max(axis=axes, keepdims=keep, initial=least))
    assert not np.shares_memory(got, x)
    assert not np.shares_memory(greatest, x)


@pytest.mark.parametrize("shape", [(300000, 3), (100000, 40), (2, 65537, 2), (1 << 20,), (1001, 3, 1001)])
def test_long_sums_lose_no_digits(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).random(shape, np.float32)
    for axis in range(x.ndim):
        exact = x.sum(axis=axis, dtype=np.float64)
        assert np.abs(sum_(x, axis=axis) - exact).max() <= 3e-6 * np.abs(exact).max()


def test_means_of_integers_are_exact() -> None:
    x = np.full(3, 2**24 + 1, np.int32)
    assert mean(x, axis=0).dtype == np.float32
    assert mean(np.array([2**24, 2**24 + 2], np.int32), axis=0) == np.float32(2**24)
    assert mean(x - 2**24, axis=0) == 1


def test_nan_takes_part_in_extremes_but_not_in_positions() -> None:
    x = np.random.default_rng(2).random((64, 100), np.float32)
    x[3, 50] = np.nan
    assert np.isnan(max_(x, axis=1)[3])
    assert np.isfinite(np.delete(max_(x, axis=1), 3)).all()
    assert np.array_equal(arg_max(x, axis=1), np.nanargmax(x, axis=1))
    assert np.array_equal(arg_max(x, axis=0), np.nanargmax(x, axis=0))


@settings(max_examples=60)
@given(st.integers(1, 200), st.data())
def test_partitioning_finds_what_sorting_finds(length: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, length))
    x = (
        np.random.default_rng(length)
        .integers(-3, 4, (5, length))
        .astype(data.draw(st.sampled_from([np.int32, np.float32])))
    )
    values, indices = top_k(x, k=k)
    wanted = np.argsort(-x, axis=1, kind="stable")[:, :k]
    assert np.array_equal(indices, wanted)
    assert np.array_equal(values, np.take_along_axis(x, wanted, 1))
