"""Every recorded op call and gradient whose public functions exist, on the cpu backend.

Results of random ops are held to shape and dtype only. A call that raised must raise here, one of the kinds
of errors that are meant for users, and name the argument if the recorded message did.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

import tenfold as tf
from tenfold.core.errors import KernelNotFoundError, TenfoldError
from tests.conformance.comparison import assert_agrees, assert_same_spec, tolerance_of
from tests.conformance.expected_failures import LARGEST_SHARE, expected_failures
from tests.conformance.replay import expected, is_replayable, replay, snake_case
from tests.conformance.vectors import Case, cases
from tests.shared import vectors_path

BACKEND = "cpu"
XFAILS = expected_failures(BACKEND)
CASES = tuple(case for kind in ("op", "grad") for case in cases(vectors_path(), kind=kind) if is_replayable(case))
ERRORS_FOR_USERS = (ValueError, TypeError, TenfoldError)


def _parameter(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=XFAILS[case.id], strict=True)] if case.id in XFAILS else []
    return pytest.param(case, id=f"{case.kind}-{case.op}-{case.id}", marks=marks)


@pytest.fixture(autouse=True)
def _clean_slate() -> Iterator[None]:
    tf.set_backend(BACKEND)
    with tf.tidy():
        yield
    tf.dispose_variables()


@contextmanager
def _debug_mode() -> Iterator[None]:
    """Debug mode warns that it is on and of every result with NaN; what counts here is what comes back."""
    with warnings.catch_warnings(action="ignore"):
        try:
            tf.env().set("DEBUG", True)
            yield
        finally:
            tf.env().set("DEBUG", False)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_recorded_call(case: Case) -> None:
    with _debug_mode() if case.debug else nullcontext():
        _check(case)


def _check(case: Case) -> None:
    if case.throws is not None:
        with pytest.raises(ERRORS_FOR_USERS) as raised:
            replay(case)
        assert not isinstance(raised.value, KernelNotFoundError), "raised for want of a kernel only"
        if case.throws.argument is not None:
            named = re.escape(snake_case(case.throws.argument))
            assert re.search(rf"(?<!\w){named}(?!\w)", str(raised.value))
        return
    if case.random:
        assert_same_spec(replay(case), expected(case))
        return
    assert_agrees(replay(case), expected(case), tolerance_of(case.tol))


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
