"""What a run of the conformance cases found: counts per op and in total, and each failure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.vectors import Case
from tests.conformance.verdicts import Status, Verdict

COLUMNS = ("passed", "failed", "expected", "unexpected", "skipped")
"""Outcomes: `expected` is a failure that has a reason in the backend's list, `unexpected` a pass of such a case."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that did not come out as it should, or a line that is no case."""

    id: str
    kind: str
    op: str
    outcome: str
    recording: str
    message: str


@dataclass(slots=True)
class Report:
    """The outcomes of a run so far.

    Attributes:
        backend: the backend that ran.
        folder: where the cases came from.
        xfails: reasons of expected failures by id.
        counts: outcomes by (kind, op).
        failures: what failed, expected or not, and what passed unexpectedly.
        skips: how many cases were skipped, by reason.
    """

    backend: str
    folder: str
    xfails: Mapping[str, str]
    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[Failure] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, verdict: Verdict) -> None:
        """Count the verdict on a case."""
        outcome, message = verdict.status.value, verdict.reason
        if case.id in self.xfails and verdict.status is Status.FAILED:
            outcome, message = "expected", f"{self.xfails[case.id]} ({verdict.reason})"
        elif case.id in self.xfails and verdict.status is Status.PASSED:
            outcome, message = "unexpected", f"passes, but is expected to fail: {self.xfails[case.id]}"
        self.counts[case.kind, case.op][outcome] += 1
        if outcome == "skipped":
            self.skips[verdict.reason] += 1
        elif outcome != "passed":
            self.failures.append(Failure(case.id, case.kind, case.op, outcome, case.recording, message))

    def add_unreadable(self, recording: str, line: int, message: str) -> None:
        """Count a line that could not be read as a failure."""
        self.counts["unreadable", recording]["failed"] += 1
        self.failures.append(Failure(f"line {line}", "unreadable", recording, "failed", recording, message))

    @property
    def wrong(self) -> list[Failure]:
        """The failures that nobody expected, and the passes of what is expected to fail."""
        return [failure for failure in self.failures if failure.outcome != "expected"]

    def totals(self) -> dict[str, Counter[str]]:
        """Outcomes by kind, and of all under `total`."""
        totals: dict[str, Counter[str]] = defaultdict(Counter)
        for (kind, _), counts in sorted(self.counts.items()):
            totals[kind] += counts
        totals["total"] = sum(self.counts.values(), Counter())
        return dict(totals)

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON stores it."""
        return {
            "backend": self.backend,
            "folder": self.folder,
            "totals": {kind: _row(counts) for kind, counts in self.totals().items()},
            "ops": [{"kind": kind, "op": op, **_row(counts)} for (kind, op), counts in sorted(self.counts.items())],
            "failures": [{name: getattr(f, name) for name in Failure.__slots__} for f in self.failures],
            "skips": dict(self.skips),
        }

    def lines(self, per_op: bool = True) -> Iterator[str]:
        """The report as a table, failures and reasons of skips after it."""
        width = max([len(op) for _, op in self.counts] + [20])
        yield f"{'kind':12}{'op':{width}}" + "".join(f"{name:>11}" for name in COLUMNS)
        if per_op:
            for (kind, op), counts in sorted(self.counts.items()):
                yield f"{kind:12}{op:{width}}{_figures(counts)}"
            yield ""
        for kind, counts in self.totals().items():
            yield f"{kind:12}{'':{width}}{_figures(counts)}"
        for reason, number in self.skips.most_common():
            yield f"skipped {number}: {reason}"
        for failure in self.failures:
            where = f"{failure.recording} {failure.id} {failure.kind} {failure.op}"
            yield f"{failure.outcome}: {where}: {' '.join(failure.message.split())}"


def _row(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in COLUMNS}


def _figures(counts: Counter[str]) -> str:
    return "".join(f"{counts[name] or '':>11}" for name in COLUMNS)
