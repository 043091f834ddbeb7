"""Settings that hold for every test, in tests/, in docstrings and in Markdown pages alike.

Hypothesis runs without deadlines; in CI a skip is a failure; code blocks of the Markdown pages are tests.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import hypothesis
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from tenfold.core.backends import BACKENDS
from tenfold.core.dtypes import double_precision

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# Gradients are held against finite differences in float64, which users are not offered.
double_precision.allowed = True

IN_CI = os.environ.get("CI") == "true"

# Deadlines measure the machine's load, not the code. In CI the same examples run every time.
hypothesis.settings.register_profile("tenfold", deadline=None, derandomize=IN_CI, print_blob=True)
hypothesis.settings.load_profile("tenfold")

# A page's blocks run in order and share their names: with more than one worker, use `--dist loadfile`.
pytest_collect_file = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], patterns=["*.md"]).pytest()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: what a test needs, `make test` installs."""
    report = yield
    return _refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a module that skips itself while it is collected has failed, too."""
    report = yield
    return _refuse_skip(report)


def _refuse_skip(report: Report) -> Report:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {reason}"
    return report


@pytest.fixture(autouse=True, scope="module")
def _backend_is_left_as_found() -> Generator[None, None, None]:
    """A module that chooses a backend leaves the next one the backend that programs have without choosing."""
    yield
    if BACKENDS.active is not None and BACKENDS.active.name != "cpu" and "cpu" in BACKENDS.entries:
        BACKENDS.set("cpu").result()


@pytest.fixture(autouse=True)
def _separate_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never read or fill the user's own cache of models."""
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path_factory.getbasetemp() / "tenfold-cache"))
