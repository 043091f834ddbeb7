"""Every recorded case that Tenfold replays, with TensorFlow.js's own kernels where it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.expected_failures import expected_failures
from tests.conformance.replay import obstacle
from tests.conformance.vectors import Case, cases
from tests.conformance.verdicts import Status, judge
from tests.shared import vectors_path

if TYPE_CHECKING:
    from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend

BACKEND = "wasm"
OWN_XFAILS = {"da1828ee008a": "XNNPACK's mean of windows with NaN is -infinity, in TensorFlow.js too"}
XFAILS = expected_failures(BACKEND) | OWN_XFAILS
CASES = tuple(case for case in cases(vectors_path()) if obstacle(case) is None)


def _parameter(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=XFAILS[case.id], strict=True)] if case.id in XFAILS else []
    return pytest.param(case, id=f"{case.kind}-{case.op}-{case.id}", marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_recorded_case(xnnpack: XnnpackBackend, case: Case) -> None:
    verdict = judge(case, BACKEND)
    assert verdict.status is Status.PASSED, verdict.reason
