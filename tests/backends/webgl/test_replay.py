"""Every recorded case that Tenfold replays, drawn by the webgl backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.recorded import check_case, check_expected_failures, recorded_cases
from tests.conformance.vectors import Case

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

BACKEND = "webgl"


@pytest.mark.parametrize("case", recorded_cases(BACKEND))
def test_recorded_case(webgl: WebglBackend, case: Case) -> None:
    check_case(case, BACKEND)


def test_expected_failures_are_few_and_known() -> None:
    check_expected_failures(BACKEND)
