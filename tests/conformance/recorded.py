"""The recorded cases that Tenfold replays, as parameters of the tests that replay them on one backend or another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from tests.conformance.expected_failures import LARGEST_SHARE, expected_failures
from tests.conformance.replay import obstacle
from tests.conformance.vectors import Case, cases
from tests.conformance.verdicts import Status, judge
from tests.shared import vectors_path

CASES = tuple(case for case in cases(vectors_path()) if obstacle(case) is None)

NONE: Mapping[str, str] = MappingProxyType({})


def recorded_cases(backend: str, more_failures: Mapping[str, str] = NONE) -> list[object]:
    """All cases; those that the backend is known to fail, by its file or by id and reason, are expected to."""
    failures = {**expected_failures(backend), **more_failures}

    def parameter(case: Case) -> object:
        marks = [pytest.mark.xfail(reason=failures[case.id], strict=True)] if case.id in failures else []
        return pytest.param(case, id=f"{case.kind}-{case.op}-{case.id}", marks=marks)

    return list(map(parameter, CASES))


def check_case(case: Case, backend: str) -> None:
    """Replay a case on the active backend, and fail with what is wrong."""
    verdict = judge(case, backend)
    assert verdict.status is Status.PASSED, verdict.reason


def check_expected_failures(backend: str) -> None:
    """The file of a backend names few cases, and no others than there are."""
    failures = expected_failures(backend)
    known = {case.id for case in CASES} & failures.keys()
    assert len(known) <= LARGEST_SHARE * len(CASES)
    # Another folder of cases has none of these ids; one that has some must have all.
    assert not known or known == failures.keys()
