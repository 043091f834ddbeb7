"""Every line of sections 1 to 16 of the behaviour checklist: a test that bears its id, or a recorded deviation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.shared import shared_path

REPOSITORY = Path(__file__).resolve().parents[2]
LAST_SECTION = 16


def _ids(text: str) -> list[str]:
    sections = re.split(r"^## (\d+)\.", text, flags=re.MULTILINE)
    found = []
    for number, body in zip(sections[1::2], sections[2::2], strict=True):
        if int(number) <= LAST_SECTION:
            found += re.findall(r"^- \[.\] ([A-Z]{3}-\d\d)", body, flags=re.MULTILINE)
    return found


def _tested() -> set[str]:
    names = set()
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        for name in re.findall(r"def test_([a-z]{3}(?:_\d\d)+)_", path.read_text()):
            letters, *numbers = name.split("_")
            names.update(f"{letters.upper()}-{number}" for number in numbers)
    return names


def test_every_line_is_tested_or_a_recorded_deviation() -> None:
    try:
        checklist = shared_path("conformance", "CHECKLIST.md").read_text()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    recorded = set(re.findall(r"[A-Z]{3}-\d\d", (REPOSITORY / "docs" / "deviations.md").read_text()))
    ids = _ids(checklist)
    assert len(ids) > 100
    assert [each for each in ids if each not in _tested() | recorded] == []
