"""Ops of one's own."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf


def test_tns_22_an_op_runs_its_function_and_bears_its_name() -> None:
    def add_one(x: tf.Tensor, by: float = 1) -> tf.Tensor:
        """Adds."""
        return x.add(by)

    op = tf.op({"addOne": add_one})
    assert op(tf.scalar(1), by=2).array_sync() == 3.0
    assert op.__name__ == "addOne__op"
    assert op.__doc__ == "Adds."


def test_tns_22_a_trailing_underscore_is_dropped() -> None:
    assert tf.op({"range_": lambda: 1}).__name__ == "range__op"

    @tf.op
    def slice_(x: tf.Tensor) -> tf.Tensor:
        return x

    assert slice_.__name__ == "slice__op"


@pytest.mark.parametrize(
    ("definition", "error"),
    [({}, ValueError), ({"a": max, "b": min}, ValueError), ({"a": 1}, TypeError), (None, TypeError)],
)
def test_tns_22_anything_but_one_function_is_refused(definition: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="op: argument 'definition'"):
        tf.op(definition)


def test_intermediate_tensors_are_gone() -> None:
    kept = []

    @tf.op
    def square_of_sum(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        kept.append(a.add(b))
        return kept[0].square()

    before = tf.memory().num_tensors
    result = square_of_sum(tf.scalar(1), tf.scalar(2))
    assert kept[0].is_disposed
    assert result.array_sync() == 9.0
    result.dispose()
    del result
    assert tf.memory().num_tensors == before


def test_an_error_inside_leaves_no_scope_open() -> None:
    @tf.op
    def fail(x: tf.Tensor) -> tf.Tensor:
        x.square()
        raise KeyError("no")

    with pytest.raises(KeyError):
        fail(tf.scalar(1))
    assert not tf.scalar(2).square().is_disposed


def test_tns_23_something_to_be_awaited_is_warned_of() -> None:
    @tf.op
    def later(condition: tf.Tensor) -> tf.Pending[tf.Tensor]:
        return tf.where_async(condition)

    with pytest.warns(UserWarning, match="op later returns something to be awaited"):
        later(tf.tensor([True]))


def test_an_op_is_differentiable() -> None:
    cube = tf.op({"cube": lambda x: x.mul(x).mul(x)})
    assert tf.grad(cube)(tf.scalar(2)).array_sync() == 12.0
