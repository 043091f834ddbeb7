"""Traced functions on wasm: what they give, what they leave, a training step."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf
from tests.graph.function_cases import CASES, Case, check, check_training


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results(wasm: Any, case: Case) -> None:
    check(case)


def test_training(wasm: Any) -> None:
    check_training(lambda: tf.train.adam(0.05), 4)
