"""Every recorded case that Tenfold replays, on the cpu backend; `python -m tests.conformance` counts the same."""

from __future__ import annotations

import pytest

import tenfold as tf
from tests.conformance.recorded import check_case, check_expected_failures, recorded_cases
from tests.conformance.replay import snake_case
from tests.conformance.vectors import Case

BACKEND = "cpu"


@pytest.mark.parametrize("case", recorded_cases(BACKEND))
def test_recorded_case(case: Case) -> None:
    tf.set_backend(BACKEND)
    check_case(case, BACKEND)


def test_expected_failures_are_few_and_known() -> None:
    check_expected_failures(BACKEND)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("matMul", "mat_mul"),
        ("conv2dTranspose", "conv2d_transpose"),
        ("isNaN", "is_nan"),
        ("batchToSpaceND", "batch_to_space_nd"),
        ("basicLSTMCell", "basic_lstm_cell"),
        ("grayscaleToRGB", "grayscale_to_rgb"),
        ("topk", "topk"),
    ],
)
def test_names_are_spelled_in_pythons_way(name: str, spelled: str) -> None:
    assert snake_case(name) == spelled
