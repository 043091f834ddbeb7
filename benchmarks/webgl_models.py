"""The five models on Tenfold webgl beside TensorFlow.js webgl in headless Chromium, on the same drivers.

    python -m benchmarks.webgl_models [--rounds N] [--models NAME …] [--drivers NAME …] [--results FOLDER]

On each driver rounds alternate between Tenfold and TensorFlow.js with either way of reading, of which the faster one
counts. No process finds shaders on disk. Writes webgl_models.md and webgl_models.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from benchmarks.drivers import DRIVERS, LLVMPIPE, READINGS, Driver
from benchmarks.inferences import (
    Comparison,
    Measurement,
    circumstances,
    document,
    measure,
    print_measurement,
    times_table,
    write_results,
    wrong_outputs,
)
from benchmarks.machine import RESULTS, Machine, load_average, this_machine
from benchmarks.models import TITLES

MEDIAN, FIRST, DRAWS = "median", "first inference", "draws"
FIGURES: Mapping[str, str] = {MEDIAN: "median_ms", FIRST: "first_ms", DRAWS: "draws"}

FIRST_BOUND = 0.25
SWIFTSHADER_BOUND = 0.5
ERROR_BOUND = 1e-3


@dataclass(frozen=True, slots=True)
class Bounds:
    """What Tenfold's median on llvmpipe, and its draws anywhere, may be of TensorFlow.js's."""

    median: float
    draws: float


BOUNDS = {
    "blazeface": Bounds(0.6, 0.7),
    "facemesh": Bounds(0.6, 0.7),
    "posenet_257": Bounds(0.55, 1),
    "bodypix_050_257": Bounds(0.55, 1),
    "nsfw_mobilenet_v2_mid": Bounds(0.55, 1),
}


def tenfold_on(driver: Driver) -> str:
    """The name of an engine."""
    return f"tenfold-{driver.name}"


def tfjs_on(driver: Driver, reading: str) -> str:
    """The name of an engine."""
    return f"tfjs-{driver.name}-{reading}"


def bounds_of(model: str, driver: Driver) -> dict[str, float]:
    """The figures of a model that are bounded on a driver."""
    bounds = BOUNDS[model]
    if driver is LLVMPIPE:
        return {MEDIAN: bounds.median, FIRST: FIRST_BOUND, DRAWS: bounds.draws}
    return {MEDIAN: SWIFTSHADER_BOUND, DRAWS: bounds.draws}


def compare(model: str, driver: Driver, measurements: Sequence[Measurement]) -> list[Comparison]:
    """The bounds of a model on a driver, each against TensorFlow.js's better figure."""
    by_engine = {m.engine: m for m in measurements if m.model == model}
    ours = by_engine[tenfold_on(driver)]
    theirs = [by_engine[tfjs_on(driver, reading)] for reading in READINGS]
    comparisons = []
    for name, bound in bounds_of(model, driver).items():
        figure = attrgetter(FIGURES[name])
        best = min(theirs, key=figure)
        comparisons.append(Comparison(model, name, best.engine, figure(ours) / figure(best), bound))
    return comparisons


def render(
    titles: Mapping[str, str],
    measurements: Sequence[Measurement],
    comparisons: Sequence[Comparison],
    machine: Machine,
    loads: tuple[float, float],
) -> str:
    """The page of results."""
    lines = [
        "# Models on webgl",
        "",
        "Written by `make bench`. Milliseconds for one inference, from values in memory to values in memory",
        "with every output read: median (minimum) [first inference]. The engines of a driver ran in alternating",
        "rounds; shaders were compiled in every process, with no cache on disk. Both drivers are programs that",
        "draw with the processor. TensorFlow.js reads by dataSync() or by data(); the better figure counts.",
    ]
    for driver in DRIVERS.values():
        on_driver = [m for m in measurements if m.engine in engines_on(driver)]
        if on_driver:
            lines += ["", f"## {driver.renderer}", "", *times_table(titles, on_driver)]
            lines += ["", *_bounds_table(titles, on_driver, comparisons)]
            lines += ["", _processor_line(titles, driver, on_driver)]
            lines += ["", *circumstances(on_driver, machine, loads)[:-2]]
    return "\n".join([*lines, *circumstances(measurements, machine, loads)[-2:]])


def _bounds_table(
    titles: Mapping[str, str], measurements: Sequence[Measurement], comparisons: Sequence[Comparison]
) -> list[str]:
    names = {m.engine: m.about.name for m in measurements}
    draws = {(m.model, m.engine): m.draws for m in measurements}
    (tenfold,) = [engine for engine in names if engine.startswith("tenfold")]
    lines = ["| model | Tenfold's | over that of | is | must be at most | |", "|---|---|---|---|---|---|"]
    for c in comparisons:
        if c.against in names:
            verdict = "met" if c.is_met else "**missed**"
            ratio = f"{c.ratio:.2f}"
            if c.figure == DRAWS:
                ratio += f" ({draws[c.model, tenfold]} over {draws[c.model, c.against]})"
            lines.append(f"| {titles[c.model]} | {c.figure} | {names[c.against]} | {ratio} | {c.bound:g} | {verdict} |")
    return lines


def _processor_line(titles: Mapping[str, str], driver: Driver, measurements: Sequence[Measurement]) -> str:
    spent = {(m.model, m.engine): m.processor_ms for m in measurements}
    ratios = []
    for model, title in titles.items():
        ours = spent[model, tenfold_on(driver)]
        theirs = min(spent[model, tfjs_on(driver, reading)] for reading in READINGS)
        ratios.append(f"{title} {ours:.0f} over {theirs:.0f} ms" + (f" ({ours / theirs:.2f})" if theirs else ""))
    return "Processor time of an inference, all threads and processes: " + ", ".join(ratios) + "."


def engines_on(driver: Driver) -> list[str]:
    """The names of the engines that are compared on a driver."""
    return [tenfold_on(driver), *(tfjs_on(driver, reading) for reading in READINGS)]


def main() -> int:
    """Measure, compare, write, and say whether outputs were right and bounds were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--models", nargs="+", choices=list(BOUNDS), default=list(BOUNDS), metavar="NAME")
    parser.add_argument("--drivers", nargs="+", choices=list(DRIVERS), default=list(DRIVERS), metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()

    titles = {model: TITLES[model] for model in options.models}
    load_before = load_average()
    measurements: list[Measurement] = []
    comparisons: list[Comparison] = []
    for driver in (DRIVERS[name] for name in options.drivers):
        engines = dict(zip(engines_on(driver), [driver.tenfold(), *map(driver.tfjs, READINGS)], strict=True))
        for model, title in titles.items():
            print(f"· {title} on {driver.renderer} …", flush=True)
            measured = measure(model, engines, options.rounds, counts_draws=True)
            for m in measured:
                print_measurement(m)
            measurements += measured
            comparisons += compare(model, driver, measured)
    loads = (load_before, load_average())
    machine = this_machine()

    page = render(titles, measurements, comparisons, machine, loads)
    write_results(options.results, "webgl_models", page, document(measurements, comparisons, machine, loads))

    wrong = wrong_outputs(measurements, dict.fromkeys((m.engine for m in measurements), ERROR_BOUND))
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong or not all(c.is_met for c in comparisons) else 0


if __name__ == "__main__":
    sys.exit(main())
