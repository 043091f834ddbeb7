"""Traced functions on wasm: what they give, what they leave, threads, a training step."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf
from tenfold.graph.program import make_form
from tests.graph.function_cases import (
    CASES,
    Case,
    check,
    check_steps_in_threads,
    check_threads,
    check_training,
    compare,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results(wasm: Any, case: Case) -> None:
    check(case)


def test_threads(wasm: Any) -> None:
    check_threads()
    check_steps_in_threads()


def test_training(wasm: Any) -> None:
    check_training(lambda: tf.train.adam(0.05), 4)


def test_elementwise_ops_are_one_pass_over_all(wasm: Any) -> None:
    traced = tf.function(lambda x: x.mul(1.25).add(0.5).relu().exp())
    x = tf.zeros([1000])
    plan: Any = make_form(traced.get_concrete_function(x).graph, {"x": x}, wasm).plan
    assert (plan.calls, plan.samples) == (1, 1)


def test_long_chains_are_taken_apart(wasm: Any) -> None:
    def chain(x: tf.Tensor) -> tf.Tensor:
        for _ in range(300):
            x = x.mul(1.01).sin()
        return x

    x = tf.tensor([0.5, -2.0, 3.0])
    compare(tf.function(chain)(x), chain(x))
