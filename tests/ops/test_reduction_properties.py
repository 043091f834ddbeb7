"""Reductions and scans of arrays of any rank along any axes, with NumPy as the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

import tenfold as tf
from tests.ops.strategies import (
    BOOL,
    FLOAT32,
    INTEGER,
    arrays,
    assert_close,
    assert_same,
    axes_of,
    axis_of,
    numbers,
)

Array = np.ndarray
LEAST = {FLOAT32: -np.inf, INTEGER: np.iinfo(np.int32).min}
GREATEST = {FLOAT32: np.inf, INTEGER: np.iinfo(np.int32).max}


@st.composite
def reductions(draw: st.DrawFn, dtype: st.SearchStrategy[np.dtype[Any]]) -> tuple[Array, list[int] | None, bool]:
    """An array, axes of it or None, and whether they stay."""
    x = draw(arrays(dtype=dtype))
    return x, draw(st.none() | axes_of(x)), draw(st.booleans())


def numpys_axes(x: Array, axes: list[int] | None) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if axes is None else tuple(axes)


@given(reductions(st.just(INTEGER)))
def test_sums_and_products_of_integers_wrap_around(case: tuple[Array, list[int] | None, bool]) -> None:
    x, axes, keep = case
    where = numpys_axes(x, axes)
    assert_same(tf.sum(x, axes, keep), np.sum(x, where, dtype=np.int32, keepdims=keep))
    assert_same(tf.prod(x, axes, keep), np.prod(x, where, dtype=np.int32, keepdims=keep))


@given(reductions(st.just(FLOAT32)))
def test_sums_and_means_of_floats(case: tuple[Array, list[int] | None, bool]) -> None:
    x, axes, keep = case
    # The sums of some greatest floats overflow in one order and not in another.
    x = np.where(np.abs(x) > 1e30, np.float32(np.inf), x)
    where = numpys_axes(x, axes)
    with np.errstate(all="ignore"):
        total = x.astype(np.float64).sum(where, keepdims=keep)
        count = np.prod([x.shape[axis] for axis in where])
        assert_close(tf.sum(x, axes, keep), np.asarray(total, np.float32))
        assert_close(tf.mean(x, axes, keep), np.asarray(total / count, np.float32))


@given(reductions(numbers))
def test_extremes_pass_nan_on_and_have_neutral_elements(case: tuple[Array, list[int] | None, bool]) -> None:
    x, axes, keep = case
    where = numpys_axes(x, axes)
    for op, reference, nothing in ((tf.max, np.max, LEAST), (tf.min, np.min, GREATEST)):
        want = reference(x, axis=where, keepdims=keep, initial=nothing[x.dtype])
        np.testing.assert_array_equal(op(x, axes, keep).numpy(), want)


@given(reductions(st.just(BOOL)))
def test_all_and_any(case: tuple[Array, list[int] | None, bool]) -> None:
    x, axes, keep = case
    where = numpys_axes(x, axes)
    assert_same(tf.all(x, axes, keep), np.all(x, where, keepdims=keep))
    assert_same(tf.any(x, axes, keep), np.any(x, where, keepdims=keep))
    assert_same(tf.sum(x, axes, keep), np.sum(x, where, dtype=np.int32, keepdims=keep))


@given(reductions(st.just(FLOAT32)))
def test_the_gradient_of_a_sum_is_dy_everywhere(case: tuple[Array, list[int] | None, bool]) -> None:
    x, axes, keep = case
    gradient = tf.grad(lambda t: tf.sum(t, axes, keep))(tf.tensor(x, x.shape))
    assert_same(gradient, np.ones(x.shape, np.float32))


@given(arrays(dtype=numbers), st.data())
def test_positions_are_the_first_of_what_is_no_nan(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    axis = data.draw(axis_of(x))
    assume(x.shape[axis] > 0)
    fill = -np.inf if x.dtype == FLOAT32 else None
    greatest = np.argmax(np.where(np.isnan(x), fill, x) if fill is not None else x, axis)
    # Where nothing but NaN and -inf stands, the first position of what is no NaN counts.
    if fill is not None:
        only_least = np.isneginf(np.where(np.isnan(x), fill, x)).all(axis)
        greatest = np.where(only_least, np.argmax(~np.isnan(x), axis), greatest)
    assert_same(tf.arg_max(x, axis), greatest.astype(np.int32))


@given(arrays(dtype=st.just(INTEGER)), st.booleans(), st.booleans(), st.data())
def test_scans_of_integers(x: Array, exclusive: bool, reverse: bool, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    axis = data.draw(axis_of(x))
    for op, reference, nothing in ((tf.cumsum, np.cumsum, 0), (tf.cumprod, np.cumprod, 1)):
        turned = np.flip(x, axis) if reverse else x
        want = reference(turned, axis, dtype=np.int32)
        if exclusive:
            first = np.full_like(np.take(x, [0] if x.shape[axis] else [], axis), nothing)
            want = np.concatenate([first, np.take(want, range(x.shape[axis] - 1), axis)], axis)
        want = np.flip(want, axis) if reverse else want
        assert_same(op(x, axis, exclusive, reverse), want)
