"""Broadcasting and casts of arrays of any rank, with NumPy as the judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tenfold as tf
from tests.ops.strategies import (
    BOOL,
    FLOAT32,
    HIGHEST_RANK,
    INTEGER,
    LONGEST,
    arrays,
    assert_same,
    dtypes,
    numbers,
    of_shape,
)

Array = np.ndarray
Ops = dict[str, Callable[..., Any]]

ARITHMETIC: Ops = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
EXTREMES: Ops = {"maximum": np.maximum, "minimum": np.minimum}
COMPARISONS: Ops = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
LOGIC: Ops = {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}


@st.composite
def broadcasting(draw: st.DrawFn, dtype: st.SearchStrategy[np.dtype[Any]], count: int = 2) -> list[Array]:
    """Arrays of one dtype that broadcast against each other."""
    shapes = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=HIGHEST_RANK, min_side=0, max_side=LONGEST)
    )
    drawn = draw(dtype)
    return [draw(of_shape(drawn, shape)) for shape in shapes.input_shapes]


@given(st.sampled_from(sorted(ARITHMETIC)), broadcasting(numbers))
def test_arithmetic_broadcasts_and_wraps_around(name: str, operands: list[Array]) -> None:
    with np.errstate(all="ignore"):
        want = ARITHMETIC[name](*operands)
    assert_same(getattr(tf, name)(*operands), want)


@given(st.sampled_from(sorted(ARITHMETIC)), broadcasting(st.just(BOOL)))
def test_arithmetic_of_bools_is_that_of_integers(name: str, operands: list[Array]) -> None:
    want = ARITHMETIC[name](*[x.astype(np.int32) for x in operands])
    assert_same(getattr(tf, name)(*operands), want)


@given(st.sampled_from(sorted(EXTREMES)), broadcasting(numbers))
def test_extremes_broadcast_and_pass_nan_on(name: str, operands: list[Array]) -> None:
    got = getattr(tf, name)(*operands)
    np.testing.assert_array_equal(got.numpy(), EXTREMES[name](*operands))
    assert got.dtype == operands[0].dtype.name


@given(st.sampled_from(sorted(COMPARISONS)), broadcasting(dtypes))
def test_comparisons_broadcast(name: str, operands: list[Array]) -> None:
    assert_same(getattr(tf, name)(*operands), COMPARISONS[name](*operands))


@given(st.sampled_from(sorted(LOGIC)), broadcasting(st.just(BOOL)))
def test_logic_broadcasts(name: str, operands: list[Array]) -> None:
    assert_same(getattr(tf, name)(*operands), LOGIC[name](*operands))


@given(broadcasting(st.just(BOOL), 1), st.data())
def test_where_broadcasts(conditions: list[Array], data: st.DataObject) -> None:
    (condition,) = conditions
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=2, base_shape=condition.shape, max_dims=6, min_side=0)
    )
    dtype = data.draw(dtypes)
    a, b = (data.draw(of_shape(dtype, shape)) for shape in shapes.input_shapes)
    assert_same(tf.where(condition, a, b), np.where(condition, a, b))


@given(broadcasting(st.just(FLOAT32)))
def test_quotients_follow_ieee(operands: list[Array]) -> None:
    with np.errstate(all="ignore"):
        want = np.divide(*operands)
    assert_same(tf.div(*operands), want)


@given(broadcasting(st.just(INTEGER)))
def test_quotients_of_integers_floor(operands: list[Array]) -> None:
    a, b = operands
    with np.errstate(all="ignore"):
        want = np.floor_divide(a, b)
    assert_same(tf.div(a, b), want)
    assert_same(tf.floor_div(a, b), want)


@given(broadcasting(st.just(FLOAT32)))
def test_gradients_of_broadcast_operands_have_their_shapes(operands: list[Array]) -> None:
    """Each element of an operand counts as often as it was repeated."""
    da, db = tf.grads(lambda a, b: tf.add(a, b))([tf.tensor(x, x.shape) for x in operands])
    size = np.broadcast_shapes(*(x.shape for x in operands))
    for gradient, operand in zip((da, db), operands, strict=True):
        times = np.prod(size) // operand.size if operand.size else 0
        assert_same(gradient, np.full(operand.shape, times, np.float32))


@given(arrays(), st.data())
def test_broadcast_to_is_numpys(x: Array, data: st.DataObject) -> None:
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=x.shape, max_dims=6, min_side=0))
    wanted = shapes.result_shape
    assert_same(tf.broadcast_to(x, wanted), np.broadcast_to(x, wanted))


@given(arrays(dtype=numbers), dtypes)
def test_casts_truncate_and_test_for_zero(x: Array, dtype: np.dtype[Any]) -> None:
    if dtype == INTEGER and x.dtype == FLOAT32:
        x = np.where(np.abs(x) < 2**31, x, np.float32(np.nan))
        want = np.trunc(np.nan_to_num(x)).astype(np.int32)
    else:
        want = x.astype(dtype)
    assert_same(tf.cast(x, dtype.name), want)


@pytest.mark.parametrize("name", ["add", "mul", "less", "maximum"])
@given(shapes=hnp.array_shapes(min_dims=1, max_dims=5, min_side=2, max_side=4), axis=st.integers(0, 4))
def test_shapes_that_do_not_fit_are_refused(name: str, shapes: tuple[int, ...], axis: int) -> None:
    axis %= len(shapes)
    other = [*shapes[:axis], shapes[axis] + 1, *shapes[axis + 1 :]]
    with pytest.raises(ValueError, match=f"{name}: .*broadcast"):
        getattr(tf, name)(tf.zeros(shapes), tf.zeros(other))


def test_floor_div_rounds_the_quotient_of_floats() -> None:
    """NumPy's floor_divide gives NaN for infinite dividends, and -1 for negative numbers over infinity."""
    a = np.array([np.inf, -np.inf, 1, -1, 1, -1, 0, 7.5, np.nan], np.float32)
    b = np.array([2, 2, np.inf, np.inf, 0, 0, 0, -2, 1], np.float32)
    with np.errstate(all="ignore"):
        assert_same(tf.floor_div(a, b), np.floor(a / b))


def test_floor_div_rounds_once() -> None:
    a, b = np.array([1, 7, -2.5], np.float32), np.array([0.1, 0.1, -0.001], np.float32)
    assert_same(tf.floor_div(a, b), np.floor_divide(a, b))


def test_powers_of_integers_wrap() -> None:
    pairs = [(17, 16), (3, 40), (-3, 21), (2, 31), (-2, 32), (0, 0), (0, 5), (5, 1)]
    below = [((1, -1), 1), ((-1, -3), -1), ((-1, -4), 1), ((2, -1), 0), ((-7, -2), 0), ((0, -1), 0)]
    want = [(base**exponent + 2**31) % 2**32 - 2**31 for base, exponent in pairs]
    base, exponent = np.array([*pairs, *(pair for pair, _ in below)], np.int32).T
    assert_same(tf.pow(base, exponent), np.array([*want, *(power for _, power in below)], np.int32))
