"""What a figure depends on besides the code (processor, cores, load, versions), and where figures are written."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.testdata import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of one run."""

    processor: str
    cores: int
    system: str
    python: str


def this_machine() -> Machine:
    """Describe the machine without naming it."""
    system = f"{platform.system()} {platform.machine()}"
    return Machine(_processor(), os.cpu_count() or 1, system, sys.version.split()[0])


def load_average() -> float:
    """Processes that wanted to run, over the last minute: above the number of cores, times are doubtful."""
    return round(os.getloadavg()[0], 2)


def publish(name: str, lines: Sequence[str], load_before: float) -> None:
    """Print figures, and write them to a page of results together with the machine's description."""
    machine = this_machine()
    description = (
        f"Machine: {machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}; "
        f"load average {load_before} before and {load_average()} after."
    )
    print("\n".join(lines))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.txt").write_text("\n".join([*lines, "", description, ""]))


def _processor() -> str:
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
