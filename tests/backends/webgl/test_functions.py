"""Traced functions on webgl: what they give, what they leave, threads, a training step."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf
from tests.graph.function_cases import CASES, Case, check, check_threads, check_training


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results(webgl: Any, case: Case) -> None:
    check(case)


def test_threads(webgl: Any) -> None:
    check_threads()


def test_training(webgl: Any) -> None:
    check_training(lambda: tf.train.momentum(0.1, 0.9), 3)
