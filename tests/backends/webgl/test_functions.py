"""Traced functions on webgl: what they give, what they leave, threads, a training step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tests.graph.function_cases import CASES, Case, check, check_steps_in_threads, check_threads, check_training


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results(webgl: Any, case: Case) -> None:
    check(case)


def test_threads(webgl: Any) -> None:
    check_threads()
    check_steps_in_threads()


def test_training(webgl: Any) -> None:
    check_training(lambda: tf.train.momentum(0.1, 0.9), 3)


def test_division_by_a_constant_zero(webgl: Any) -> None:
    zero = tf.scalar(0, "int32")
    traced = tf.function(lambda x, n: (x.div(0), n.floor_div(zero)))
    quotients, whole = traced(tf.tensor([1.0, -1.0, 0.0, float("nan")]), tf.tensor([1, 0, -3], dtype="int32"))
    assert np.array_equal(quotients.numpy(), [np.inf, -np.inf, np.nan, np.nan], equal_nan=True)
    assert whole.array_sync() == [0, 0, 0]
