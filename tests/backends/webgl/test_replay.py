"""Every recorded case that Tenfold replays, drawn by the webgl backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.expected_failures import LARGEST_SHARE, expected_failures
from tests.conformance.replay import obstacle
from tests.conformance.vectors import Case, cases
from tests.conformance.verdicts import Status, judge
from tests.shared import vectors_path

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

BACKEND = "webgl"
XFAILS = expected_failures(BACKEND)
CASES = tuple(case for case in cases(vectors_path()) if obstacle(case) is None)


def _parameter(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=XFAILS[case.id], strict=True)] if case.id in XFAILS else []
    return pytest.param(case, id=f"{case.kind}-{case.op}-{case.id}", marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_recorded_case(webgl: WebglBackend, case: Case) -> None:
    verdict = judge(case, BACKEND)
    assert verdict.status is Status.PASSED, verdict.reason


def test_expected_failures_are_few_and_known() -> None:
    known = {case.id for case in CASES} & XFAILS.keys()
    assert len(known) <= LARGEST_SHARE * len(CASES)
    # Another folder of cases has none of these ids; one that has some must have all.
    assert not known or known == XFAILS.keys()
