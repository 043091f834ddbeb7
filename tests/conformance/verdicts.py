"""Whether Tenfold agrees with a recorded case: one verdict for the tests and for the runner."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from enum import Enum
from io import StringIO

import tenfold as tf
from tenfold.core.errors import KernelNotFoundError, TenfoldError
from tests.conformance.comparison import assert_agrees, assert_same_spec, tolerance_of
from tests.conformance.replay import expected, missing_functions, obstacle, replay, snake_case
from tests.conformance.vectors import Case

ERRORS_FOR_USERS = (ValueError, TypeError, TenfoldError)
"""What a call that raised in TensorFlow.js must raise here."""


class Status(Enum):
    """How a case came out."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case came out, and why if it did not pass."""

    status: Status
    reason: str = ""


def judge(case: Case, backend: str = "cpu") -> Verdict:
    """Replay a case on the active backend, whose name is `backend`, and leave nothing behind."""
    reason = obstacle(case)
    if reason is not None:
        return Verdict(Status.SKIPPED, reason)
    missing = missing_functions(case)
    if missing:
        return Verdict(Status.FAILED, f"there is no public function {', '.join(missing)}")
    try:
        with tf.tidy(), _debug_mode() if case.debug else nullcontext():
            _check(case, backend)
    except AssertionError as difference:
        return Verdict(Status.FAILED, str(difference))
    except Exception as error:
        return Verdict(Status.FAILED, f"raised {type(error).__name__}: {error}")
    finally:
        tf.dispose_variables()
    return Verdict(Status.PASSED)


def _check(case: Case, backend: str) -> None:
    if case.throws is not None:
        _check_error(case)
    elif case.random:
        assert_same_spec(replay(case), expected(case))
    else:
        assert_agrees(replay(case), expected(case), tolerance_of(case.tol, backend))


def _check_error(case: Case) -> None:
    """The call raises an error meant for users, which names the argument if the recorded message did."""
    assert case.throws is not None
    error: Exception | None = None
    try:
        outcome = replay(case)
    except ERRORS_FOR_USERS as raised:
        error = raised
    assert error is not None, f"should raise; gives {outcome!r}"
    assert not isinstance(error, KernelNotFoundError), f"raised for want of a kernel only: {error}"
    if case.throws.argument is not None:
        # An argument of an op has Python's spelling; other names are what the caller gave.
        named = "|".join(map(re.escape, (snake_case(case.throws.argument), case.throws.argument)))
        message = f"the message does not name {case.throws.argument!r}: {error}"
        assert re.search(rf"(?<!\w)({named})(?!\w)", str(error)), message


@contextmanager
def _debug_mode() -> Iterator[None]:
    """Debug mode prints every kernel and warns of every NaN; what counts here is what comes back."""
    with warnings.catch_warnings(action="ignore"), redirect_stderr(StringIO()):
        try:
            tf.env().set("DEBUG", True)
            yield
        finally:
            tf.env().set("DEBUG", False)
