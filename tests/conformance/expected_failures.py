"""The cases that a backend is known to fail: `tests/xfails/<backend>.txt`, a line each, `id reason`."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "xfails"

LARGEST_SHARE = 0.01
"""Of a backend's cases, at most this part may be expected to fail."""


def expected_failures(backend: str) -> dict[str, str]:
    """The reason of each expected failure of `backend`, by the case's id; none where the backend has no file."""
    file = FOLDER / f"{backend}.txt"
    return parse(file.read_text(encoding="utf-8")) if file.exists() else {}


def parse(text: str) -> dict[str, str]:
    """Read lines of an id and a reason; empty lines and those that start with `#` say nothing."""
    reasons: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        case, _, reason = line.partition(" ")
        if not reason.strip():
            raise ValueError(f"The expected failure {case!r} stands without a reason.")
        if case in reasons:
            raise ValueError(f"The expected failure {case!r} stands twice.")
        reasons[case] = reason.strip()
    return reasons
