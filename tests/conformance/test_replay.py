"""Every recorded case that Tenfold replays, on the cpu backend; `python -m tests.conformance` counts the same."""

from __future__ import annotations

import pytest

import tenfold as tf
from tests.conformance.expected_failures import LARGEST_SHARE, expected_failures
from tests.conformance.replay import obstacle, snake_case
from tests.conformance.vectors import Case, cases
from tests.conformance.verdicts import Status, judge
from tests.shared import vectors_path

BACKEND = "cpu"
XFAILS = expected_failures(BACKEND)
CASES = tuple(case for case in cases(vectors_path()) if obstacle(case) is None)


def _parameter(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=XFAILS[case.id], strict=True)] if case.id in XFAILS else []
    return pytest.param(case, id=f"{case.kind}-{case.op}-{case.id}", marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_recorded_case(case: Case) -> None:
    tf.set_backend(BACKEND)
    verdict = judge(case, BACKEND)
    assert verdict.status is Status.PASSED, verdict.reason


def test_expected_failures_are_few_and_known() -> None:
    known = {case.id for case in CASES} & XFAILS.keys()
    assert len(known) <= LARGEST_SHARE * len(CASES)
    # Another folder of cases has none of these ids; one that has some must have all.
    assert not known or known == XFAILS.keys()


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
