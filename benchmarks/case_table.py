"""Benchmarks that are a table of cases, one a line, each with a bound: their command lines, and the page they write."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from benchmarks.machine import load_average, publish, wait_until_quiet


@dataclass(frozen=True, slots=True)
class Options:
    """What a command line asks for; `only` holds words, and cases with none of them in their names are left out."""

    rounds: int
    threads: int
    only: tuple[str, ...]

    def wants(self, name: str) -> bool:
        """Whether a case is among those asked for."""
        return not self.only or any(word in name for word in self.only)


class Line(NamedTuple):
    """One line of the table, without the case's name; `met` says whether it is as it must be, `remark` if not why."""

    figures: str
    met: bool = True
    remark: str = ""


class NamedCase(Protocol):
    """A case of the table."""

    @property
    def name(self) -> str:
        """What --only looks at."""


CaseT = TypeVar("CaseT", bound=NamedCase)


def read_options(description: str | None, rounds: int) -> Options:
    """Read the command line; `rounds` is how many there are unless it says otherwise."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="WORD", help="only cases whose names hold one of these"
    )
    options = parser.parse_args()
    return Options(options.rounds, options.threads, tuple(options.only))


def tabulate(
    page: str, heading: Iterable[str], cases: Iterable[CaseT], measure: Callable[[CaseT], Line], options: Options
) -> int:
    """Measure the cases that were asked for, print the table, and write it to a page of results if it is whole.

    Returns:
        The status for the shell: 1 if a line is not as it must be.
    """
    partial = bool(options.only)
    if not partial:
        wait_until_quiet()
    load_before = load_average()
    lines, missed = list(heading), False
    if partial:
        print("\n".join(lines), flush=True)
    for case in cases:
        if not options.wants(case.name):
            continue
        figures, met, remark = measure(case)
        missed = missed or not met
        lines.append(f"{figures}  {case.name}{f'  {remark}' if remark else ''}")
        if partial:
            print(lines[-1], flush=True)
    if not partial:
        publish(page, lines, load_before)
    return 1 if missed else 0
