"""Every recorded case that Tenfold replays, with TensorFlow.js's own kernels where it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.recorded import check_case, recorded_cases
from tests.conformance.vectors import Case

if TYPE_CHECKING:
    from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend

BACKEND = "wasm"
OWN_FAILURES = {"da1828ee008a": "XNNPACK's mean of windows with NaN is -infinity, in TensorFlow.js too"}


@pytest.mark.parametrize("case", recorded_cases(BACKEND, OWN_FAILURES))
def test_recorded_case(xnnpack: XnnpackBackend, case: Case) -> None:
    check_case(case, BACKEND)
