"""Bad arguments of mathematical functions, comparisons, reductions, normalisation and ranking; and the operators."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import tenfold as tf
from tests.ops.samples_mathematics import FUNCTIONS

UNARY = [*(function.op for function in FUNCTIONS), "reciprocal", "leaky_relu", "step", "is_nan", "is_inf", "is_finite"]
REAL_ONLY = ["sign", "ceil", "floor", "round", "erf", "step", "relu", "relu6", "leaky_relu", "elu", "selu", "sigmoid"]
COMPARISONS = ["equal", "not_equal", "greater", "greater_equal", "less", "less_equal"]
REDUCTIONS = ["sum", "mean", "prod", "max", "min", "all", "any", "log_sum_exp", "moments"]
BOOLS = tf.tensor([True, False])


@pytest.mark.parametrize("name", UNARY)
def test_refuses_what_is_no_number(name: str) -> None:
    function = getattr(tf, name)
    with pytest.raises(TypeError, match=rf"{name}: argument 'x' .*dict"):
        function({})
    with pytest.raises(TypeError, match=rf"{name}: argument 'x' .*string"):
        function("text")


@pytest.mark.parametrize("name", [*REAL_ONLY, "max", "min", "arg_max", "arg_min", "topk", "softplus", "log_sigmoid"])
def test_refuses_complex_numbers(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}: argument 'x' must be real"):
        getattr(tf, name)(tf.tensor([1j]))


def test_clip_by_value_refuses_crossed_bounds() -> None:
    with pytest.raises(ValueError, match=r"clip_by_value: argument 'clip_value_min' \(2\)"):
        tf.clip_by_value([1.0], 2, 1)
    with pytest.raises(ValueError, match="clip_value_min"):
        tf.clip_by_value([1.0], float("nan"), 1)


def test_prelu_refuses_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"prelu: .*\[2\] and \[3\]"):
        tf.prelu(tf.zeros([2]), tf.zeros([3]))
    with pytest.raises(TypeError, match="prelu: argument 'alpha'"):
        tf.prelu(tf.zeros([2]), "text")


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_refuse(name: str) -> None:
    function = getattr(tf, name)
    with pytest.raises(TypeError, match=rf"{name}: argument 'a' .*dict"):
        function({}, 1)
    with pytest.raises(TypeError, match=rf"{name}: .* both strings or both numbers"):
        function("a", 1)
    with pytest.raises(ValueError, match=rf"{name}: .*\[2\] and \[3\]"):
        function(tf.zeros([2]), tf.zeros([3]))


@pytest.mark.parametrize("name", COMPARISONS[2:])
def test_complex_numbers_have_no_order(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}: argument 'a' must be real"):
        getattr(tf, name)(tf.tensor([1j]), tf.tensor([1.0]))


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
def test_logic_wants_bools(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}: argument 'b' must be a bool tensor"):
        getattr(tf, name)(BOOLS, tf.tensor([1, 2]))
    with pytest.raises(TypeError, match="logical_not: argument 'x' must be a bool tensor"):
        tf.logical_not(tf.tensor([1, 2]))


def test_where_refuses() -> None:
    with pytest.raises(TypeError, match="where: argument 'condition' must be a bool tensor"):
        tf.where(tf.tensor([1, 0], dtype="int32"), BOOLS, BOOLS)
    with pytest.raises(TypeError, match=r"where: .* both strings or both numbers"):
        tf.where(BOOLS, "a", 1)
    with pytest.raises(ValueError, match=r"where: .*\[2\]"):
        tf.where(BOOLS, tf.zeros([2]), tf.zeros([3]))


def test_where_of_words() -> None:
    assert tf.where(BOOLS, tf.tensor(["a", "b"]), tf.tensor(["c", "d"])).array_sync() == ["a", "d"]
    assert tf.tensor(["a", "b"]).where(BOOLS, "c").array_sync() == ["a", "c"]


def test_where_async() -> None:
    async def positions() -> object:
        return (await tf.where_async([[True, False], [True, True]])).array_sync()

    assert asyncio.run(positions()) == [[0, 0], [1, 0], [1, 1]]
    found = tf.where_async(tf.tensor(True)).result()
    assert (found.shape, found.dtype) == ((1, 0), "int32")
    with pytest.raises(TypeError, match="where_async: argument 'condition'"):
        tf.where_async(tf.tensor([1.0]))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_refuse_axes(name: str) -> None:
    function, x = getattr(tf, name), tf.tensor([[True, False]])
    with pytest.raises(ValueError, match=rf"{name}: argument 'axis' must be between -2 and 1 .* got 2"):
        function(x, 2)
    with pytest.raises(ValueError, match=rf"{name}: argument 'axis' names an axis twice"):
        function(x, [0, -2])
    with pytest.raises(TypeError, match=rf"{name}: argument 'axis' must be an integer, got float"):
        function(x, 0.5)
    with pytest.raises(ValueError, match=rf"{name}: argument 'axis' must be left out"):
        function(x.all(), 0)


@pytest.mark.parametrize("name", ["arg_max", "arg_min"])
def test_positions_need_elements(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: argument 'axis' is 1, along which .*\[2, 0\]"):
        getattr(tf, name)(tf.zeros([2, 0]), 1)
    with pytest.raises(ValueError, match=rf"{name}: argument 'axis'"):
        getattr(tf, name)(tf.scalar(1))


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_scans_refuse(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: argument 'axis' must be between"):
        getattr(tf, name)([1, 2], 1)
    with pytest.raises(TypeError, match=rf"{name}: argument 'x'"):
        getattr(tf, name)("text")


def test_softmax_is_over_the_last_axis() -> None:
    x = tf.zeros([2, 3])
    with pytest.raises(ValueError, match=r"softmax: argument 'dim' must be the last axis \(-1 or 1\), got 0"):
        tf.softmax(x, 0)
    with pytest.raises(ValueError, match="log_softmax: argument 'axis' must be the last axis"):
        tf.log_softmax(x, 0)
    with pytest.raises(TypeError, match="softmax: argument 'logits'"):
        tf.softmax("text")


def test_batch_norm_refuses() -> None:
    x, channels = tf.zeros([2, 3]), tf.zeros([3])
    with pytest.raises(ValueError, match=r"batch_norm: argument 'mean' must have one number per channel, \[3\]"):
        tf.batch_norm(x, tf.zeros([2]), tf.zeros([2]))
    with pytest.raises(ValueError, match=r"batch_norm: argument 'variance' must have the shape of 'mean', \[3\]"):
        tf.batch_norm(x, channels, tf.zeros([1]))
    with pytest.raises(ValueError, match="batch_norm: argument 'scale' must have the shape"):
        tf.batch_norm(x, channels, channels, None, tf.zeros([2, 3]))
    with pytest.raises(ValueError, match=r"batch_norm4d: argument 'x' must have rank 4, got shape \[2, 3\]"):
        tf.batch_norm4d(x, channels, channels)
    with pytest.raises(TypeError, match="batch_norm2d: argument 'offset'"):
        tf.batch_norm2d(x, channels, channels, {})


def test_names_for_ranks_and_other_names_refuse_alike() -> None:
    with pytest.raises(ValueError, match="batch_norm3d: argument 'x' must have rank 3"):
        tf.batch_norm3d(tf.zeros([2]), [1], [1])
    with pytest.raises(ValueError, match="log_sum_exp: argument 'axis' must be between"):
        tf.logsumexp(tf.zeros([2]), 3)


def test_local_response_normalization_refuses() -> None:
    with pytest.raises(ValueError, match="argument 'x' must have rank 3 or 4"):
        tf.local_response_normalization(tf.zeros([2, 3]))
    for radius in (0.5, -1):
        with pytest.raises(ValueError, match="argument 'depth_radius' must be a whole number"):
            tf.local_response_normalization(tf.zeros([2, 3, 4]), radius)


def test_ranking_refuses() -> None:
    x = tf.zeros([2, 3])
    with pytest.raises(ValueError, match="topk: argument 'x' must have rank 1 or more"):
        tf.topk(tf.scalar(1))
    for k in (4, -1, 1.5):
        with pytest.raises(ValueError, match=r"topk: argument 'k' must .* \(3\), got"):
            tf.topk(x, k)
    with pytest.raises(ValueError, match="in_top_k_async: argument 'predictions'"):
        tf.in_top_k_async(x, tf.zeros([3]))
    for k in (0, 4):
        with pytest.raises(ValueError, match="in_top_k_async: argument 'k' must be a whole number from 1"):
            tf.in_top_k_async(x, tf.zeros([2]), k)


def test_in_top_k_of_equal_predictions() -> None:
    predictions = [[1, 1, 1], [3, 2, 1]]
    assert tf.in_top_k_async(predictions, [1, 2], 2).result().array_sync() == [True, False]
    assert tf.in_top_k_async(predictions, [2, 0], 2).result().array_sync() == [False, True]


def test_operators_compare_by_element() -> None:
    x = tf.tensor([1, 2, 3])
    assert (x == 2).array_sync() == [False, True, False]
    assert (x != 2).array_sync() == [True, False, True]
    assert (x < 2).array_sync() == [True, False, False]
    assert (x <= 2).array_sync() == [True, True, False]
    assert (x > 2).array_sync() == [False, False, True]
    assert (2 >= x).array_sync() == [True, True, False]  # noqa: SIM300
    assert (tf.tensor(["a", "b"]) == "a").array_sync() == [True, False]
    assert (tf.tensor([1, 2], dtype="int32") < 1.5).array_sync() == [True, False]


def test_equality_with_other_things_is_pythons() -> None:
    x = tf.tensor([1.0])
    assert x != "same"
    assert x != None  # noqa: E711
    assert not x == "same"  # noqa: SIM201
    assert {x: 1}[x] == 1
    with pytest.raises(TypeError, match="not supported between"):
        _ = x < "same"


def test_operators_of_logic_and_sign() -> None:
    a, b = tf.tensor([True, True, False]), tf.tensor([True, False, False])
    assert (a & b).array_sync() == [True, False, False]
    assert (a | b).array_sync() == [True, True, False]
    assert (a ^ b).array_sync() == [False, True, False]
    assert (~a).array_sync() == [False, False, True]
    assert (True & a).array_sync() == [True, True, False]
    assert (-tf.tensor([1.0, -2.0])).array_sync() == [-1, 2]
    assert abs(tf.tensor([1.0, -2.0])).array_sync() == [1, 2]
    with pytest.raises(TypeError, match="logical_and: argument 'a' must be a bool tensor"):
        _ = tf.tensor([1, 2]) & 1


def test_second_derivatives_pass_masks() -> None:
    x = tf.tensor([-0.5, 0.5, 3.0])
    cubes = tf.grad(tf.grad(lambda x: x.relu6().square().mul(x.clip_by_value(-1, 2)).sum()))
    assert cubes(x).array_sync() == pytest.approx([0.0, 3.0, 4.0])


def test_reductions_make_new_values() -> None:
    x = tf.tensor(np.ones((2, 3), np.float32))
    for name in ("sum", "mean", "prod", "max", "min"):
        assert getattr(tf, name)(x, []).storage is not x.storage
