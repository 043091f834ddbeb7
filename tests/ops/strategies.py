"""Arrays for property tests: every rank from 0 to 6, empty axes, and the values that go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tenfold as tf

HIGHEST_RANK = 6
LONGEST = 3

INT32 = np.iinfo(np.int32)
ODD_FLOATS = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4028235e38, 1.5, -2.0]
ODD_INTEGERS = [INT32.min, INT32.max, INT32.min + 1, -1, 0, 1]

FLOAT32, INTEGER, BOOL = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.bool_)

shapes = hnp.array_shapes(min_dims=0, max_dims=HIGHEST_RANK, min_side=0, max_side=LONGEST)
dtypes = st.sampled_from([FLOAT32, INTEGER, BOOL])
numbers = st.sampled_from([FLOAT32, INTEGER])


def elements(dtype: np.dtype[Any]) -> st.SearchStrategy[Any]:
    """Values of a dtype, odd ones among them."""
    if dtype == FLOAT32:
        return st.sampled_from(ODD_FLOATS) | st.floats(-100, 100, width=32)
    if dtype == INTEGER:
        return st.sampled_from(ODD_INTEGERS) | st.integers(-100, 100)
    return st.booleans()


@st.composite
def arrays(
    draw: st.DrawFn,
    dtype: st.SearchStrategy[np.dtype[Any]] = dtypes,
    shape: st.SearchStrategy[tuple[int, ...]] = shapes,
) -> np.ndarray:
    """An array of a drawn dtype and shape."""
    drawn = draw(dtype)
    return draw(hnp.arrays(drawn, draw(shape), elements=elements(drawn)))


def of_shape(dtype: np.dtype[Any], shape: Sequence[int]) -> st.SearchStrategy[np.ndarray]:
    """An array of that dtype and shape."""
    return hnp.arrays(dtype, tuple(shape), elements=elements(dtype))


def axes_of(array: np.ndarray) -> st.SearchStrategy[list[int]]:
    """Some of an array's axes, counted from either end, in any order."""
    chosen = st.lists(st.integers(0, max(array.ndim - 1, 0)), unique=True, max_size=array.ndim)
    return chosen.flatmap(lambda axes: st.tuples(*[st.sampled_from([a, a - array.ndim]) for a in axes]).map(list))


def axis_of(array: np.ndarray) -> st.SearchStrategy[int]:
    """One axis of an array of rank 1 or more, counted from either end."""
    return st.integers(-array.ndim, array.ndim - 1)


def assert_same(tensor: tf.Tensor, want: Any) -> None:
    """Same shape, dtype and values to the last bit; NaN is NaN, and zeros have their sign."""
    want = np.asarray(want)
    got = tensor.numpy()
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_array_equal(got, want)
    if want.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))


def assert_close(tensor: tf.Tensor, want: np.ndarray, tolerance: float = 1e-5) -> None:
    """Same shape and dtype, special values in the same places, the others within `tolerance` of the largest."""
    got = tensor.numpy()
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    scale = max(float(np.abs(want[finite]).max(initial=0)), 1e-3)
    np.testing.assert_allclose(got[finite], want[finite], rtol=0, atol=tolerance * scale)
