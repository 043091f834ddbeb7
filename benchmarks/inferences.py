"""One model on several engines in one run: alternating rounds, checked outputs, and pages of results.

Each engine is a process of its own, fresh for each model, and loads the model from the same files. An inference is
timed from values in memory to values in memory: feeding, running, reading every output. The outputs are compared with
recorded ones.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.engines import About, EngineProcess, Launch, Values
from benchmarks.machine import Machine, processor_seconds, wait_until_quiet
from benchmarks.trials import trial_of

# An engine's turn in a round: several inferences if they are short, one if it is long.
TURN_SECONDS = 0.3
TURN_INFERENCES = 5

SLOW_TIMES = 20
SLOW_ROUNDS = 3
"""Engines so many times slower than the fastest run in the first rounds only, so that the others have more of them."""

SMALLEST_SCALE = 1e-3

REFERENCE = "tfjs-cpu"
"""The engine that says what a model without recorded outputs should give; the first one where it does not take part."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One engine on one model; times in milliseconds, the error relative to the outputs' scale.

    `turns_ms` are the medians of its turns, round by round. `processor_ms` is what all threads of all its processes
    used of the processors for an inference: it depends less on what else the machine does.
    """

    model: str
    engine: str
    about: About
    load_ms: float
    first_ms: float
    min_ms: float
    median_ms: float
    turns_ms: tuple[float, ...]
    inferences: int
    error: float
    processor_ms: float
    draws: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One bound of the project: a figure of Tenfold's over another engine's.

    `least_ratio` is that of the minima, and `paired_ratio` the median of those of turns in the same round; both have no
    bound.
    """

    model: str
    figure: str
    against: str
    ratio: float
    bound: float
    least_ratio: float | None = None
    paired_ratio: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether Tenfold is as good as it has to be."""
        return self.ratio <= self.bound


def measure(model: str, engines: Mapping[str, Launch], rounds: int, counts_draws: bool = False) -> list[Measurement]:
    """Run one model on its engines, in alternating rounds; draws are counted after them, as that takes time."""
    trial = trial_of(model)
    with ExitStack() as stack:
        processes = {name: stack.enter_context(EngineProcess(launch)) for name, launch in engines.items()}
        abouts = {name: process.about() for name, process in processes.items()}
        loads: dict[str, float] = {}
        for name, process in processes.items():
            start = perf_counter()
            process.load(trial.model, trial.feed, trial.shape)
            loads[name] = (perf_counter() - start) * 1e3
        wait_until_quiet()
        firsts = {name: process.run() for name, process in processes.items()}
        turns: dict[str, list[list[float]]] = {name: [] for name in engines}
        used = dict.fromkeys(engines, 0.0)
        for number, order in enumerate(rotations(list(processes), rounds)):
            for name in order:
                if number >= SLOW_ROUNDS and _least(turns[name]) > SLOW_TIMES * min(map(_least, turns.values())):
                    continue
                process = processes[name]
                used[name] -= processor_seconds(process.pid)
                turns[name].append(take_turn(process))
                used[name] += processor_seconds(process.pid)
        draws = {name: process.draws("run") if counts_draws else None for name, process in processes.items()}
        outputs = {name: process.outputs() for name, process in processes.items()}
    # Where nothing is recorded, one engine's outputs are what the others' are compared with.
    expected = trial.expected or outputs[min(outputs, key=lambda name: name != REFERENCE)]
    errors = {name: error_of(given, expected) for name, given in outputs.items()}
    times = {name: [*chain.from_iterable(some)] for name, some in turns.items()}
    return [
        Measurement(
            model=model,
            engine=name,
            about=abouts[name],
            load_ms=loads[name],
            first_ms=firsts[name],
            min_ms=min(times[name]),
            median_ms=statistics.median(times[name]),
            turns_ms=tuple(map(statistics.median, turns[name])),
            inferences=len(times[name]),
            error=errors[name],
            processor_ms=used[name] / len(times[name]) * 1e3,
            draws=draws[name],
        )
        for name in engines
    ]


def _least(turns: Sequence[Sequence[float]]) -> float:
    return min(map(min, turns))


def paired_ratio(one: Measurement, other: Measurement) -> float:
    """The median of one engine's times over another's in the same round, in which the machine is as busy for both."""
    return statistics.median(a / b for a, b in zip(one.turns_ms, other.turns_ms, strict=False))


def rotations(names: Sequence[str], rounds: int) -> Iterator[list[str]]:
    """The names for each round, each time beginning with another: what precedes a turn may cost it something."""
    for number in range(rounds):
        first = number % len(names)
        yield [*names[first:], *names[:first]]


def take_turn(process: EngineProcess) -> list[float]:
    """A few inferences in a row."""
    times = [process.run()]
    while len(times) < TURN_INFERENCES and sum(times) < TURN_SECONDS * 1e3:
        times.append(process.run())
    return times


def error_of(got: Sequence[Values], expected: Sequence[Values]) -> float:
    """The largest difference relative to the scale of the output it is in; infinite where sizes differ."""
    if [values.size for values in got] != [values.size for values in expected]:
        return float("inf")
    return max(
        float(np.max(np.abs(have - want))) / max(float(np.max(np.abs(want))), SMALLEST_SCALE)
        for have, want in zip(got, expected, strict=True)
    )


def print_measurement(m: Measurement) -> None:
    """Show one while others are still to come."""
    print(f"  {m.about.name}: {m.median_ms:.1f} ms, first {m.first_ms:.0f} ms, error {m.error:.1e}", flush=True)


def times_table(titles: Mapping[str, str], measurements: Sequence[Measurement]) -> list[str]:
    """A row for each model of `titles`, a column for each engine."""
    abouts = {m.engine: m.about for m in measurements}
    lines = ["| model | " + " | ".join(about.name for about in abouts.values()) + " |", "|---|" + "---|" * len(abouts)]
    for model, title in titles.items():
        cells = {
            m.engine: f"{m.median_ms:.1f} ({m.min_ms:.1f}) [{m.first_ms:.0f}]" for m in measurements if m.model == model
        }
        lines.append(f"| {title} | " + " | ".join(cells.get(engine, "–") for engine in abouts) + " |")
    return lines


def circumstances(
    measurements: Sequence[Measurement], machine: Machine, load_averages: tuple[float, float]
) -> list[str]:
    """The last lines of a page: errors, engines, and the machine."""
    abouts = {m.engine: m.about for m in measurements}
    worst = {engine: max(m.error for m in measurements if m.engine == engine) for engine in abouts}
    return [
        "Largest error of an output, relative to its scale: "
        + ", ".join(f"{about.name} {worst[engine]:.1e}" for engine, about in abouts.items())
        + ".",
        "",
        "Engines: "
        + "; ".join(f"{about.name} ({about.runtime}, {about.threads} threads)" for about in abouts.values())
        + ".",
        "",
        f"Machine: {machine.processor}, {machine.cores} cores, {machine.system}; load average "
        f"{load_averages[0]} before and {load_averages[1]} after.",
        "",
    ]


def document(
    measurements: Sequence[Measurement],
    comparisons: Sequence[Comparison],
    machine: Machine,
    load_averages: tuple[float, float],
) -> str:
    """The figures as JSON."""
    content = {
        "machine": asdict(machine),
        "load_average": load_averages,
        "measurements": [asdict(m) for m in measurements],
        "comparisons": [asdict(c) | {"is_met": c.is_met} for c in comparisons],
    }
    return json.dumps(content, indent=1) + "\n"


def write_results(folder: Path, name: str, page: str, figures: str) -> None:
    """Print a page, and write it and its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(page)
    (folder / f"{name}.json").write_text(figures)
    print("\n" + page)


def wrong_outputs(measurements: Iterable[Measurement], error_bounds: Mapping[str, float]) -> list[str]:
    """A sentence for each measurement whose outputs are farther from the recorded ones than its engine's bound."""
    return [
        f"{m.model}: the outputs of {m.about.name} are off by {m.error:.1e} of scale"
        for m in measurements
        if not m.error <= error_bounds[m.engine]
    ]
