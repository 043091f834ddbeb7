"""What a figure depends on besides the code (processor, cores, load, versions), and where figures are written."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tools.testdata import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "results"

PROCESSES = Path("/proc")
PARENT, USER, SYSTEM = 1, 11, 12  # fields of a process's stat file, after its name

PROCESSOR_TIMES = Path("/proc/stat")
IDLE, IO_WAIT = 3, 4  # fields of its first line, after user, nice and system
QUIET_IDLE_SHARE = 0.9
PATIENCE_SECONDS = 60.0


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


def wait_until_quiet() -> None:
    """Wait, up to a limit, until other programs leave the processors alone for a second; Linux only.

    Matrix products of two threads are many times slower where a third program takes turns with them.
    """
    if not PROCESSOR_TIMES.exists():
        return
    deadline = monotonic() + PATIENCE_SECONDS
    while (idle := _idle_share()) < QUIET_IDLE_SHARE:
        if monotonic() > deadline:
            print(f"· the machine is still busy ({idle:.0%} idle): do not trust the times", flush=True)
            return


def processor_seconds(process: int) -> float:
    """What a process and those that it started have used of the processors so far; 0 where that cannot be told."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for file in PROCESSES.glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        number = int(file.parent.name)
        children.setdefault(int(fields[PARENT]), []).append(number)
        ticks[number] = int(fields[USER]) + int(fields[SYSTEM])
    waiting, total = [process], 0
    while waiting:
        number = waiting.pop()
        total += ticks.get(number, 0)
        waiting += children.get(number, [])
    return total / os.sysconf("SC_CLK_TCK")


def publish(name: str, lines: Sequence[str], load_before: float, suffix: str = ".txt") -> None:
    """Print figures, and write them to a page of results together with the machine's description."""
    machine = this_machine()
    description = (
        f"Machine: {machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}; "
        f"load average {load_before} before and {load_average()} after."
    )
    print("\n".join(lines))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}{suffix}").write_text("\n".join([*lines, "", description, ""]))


def _idle_share(seconds: float = 1.0) -> float:
    before = _processor_times()
    sleep(seconds)
    spent = [now - then for now, then in zip(_processor_times(), before, strict=True)]
    return (spent[IDLE] + spent[IO_WAIT]) / max(sum(spent), 1)


def _processor_times() -> list[int]:
    first_line = PROCESSOR_TIMES.read_text().partition("\n")[0]
    return [int(field) for field in first_line.split()[1:9]]


def _processor() -> str:
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
