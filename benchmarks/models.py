"""The five models of the main job, on Tenfold, TensorFlow.js in Node.js, and straight NumPy, in one run.

    python -m benchmarks.models [--rounds N] [--models NAME …] [--engines NAME …] [--results FOLDER]

Each engine is a process of its own, fresh for each model, and loads the model from the same files. Then
rounds of all engines alternate, so that a busy machine is busy for all of them. An inference is timed
from values in memory to values in memory: feeding, running, reading every output. The outputs are
compared with recorded ones. Writes models.md and models.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.engines import About, EngineProcess, Values
from benchmarks.machine import RESULTS, Machine, load_average, this_machine, wait_until_quiet
from tools.testdata import REPOSITORY, model_file, shared_root

TENFOLD = "tenfold-cpu"
TFJS_CPU = "tfjs-cpu"
TFJS_WASM = "tfjs-wasm"
NUMPY = "numpy"

NODE_ENGINE = str(REPOSITORY / "benchmarks" / "tfjs" / "engine.mjs")
COMMANDS: dict[str, list[str]] = {
    TENFOLD: [sys.executable, "-m", "benchmarks.tenfold_engine", "cpu"],
    TFJS_CPU: ["node", NODE_ENGINE, "cpu"],
    TFJS_WASM: ["node", NODE_ENGINE, "wasm"],
    NUMPY: [sys.executable, "-m", "benchmarks.numpy_mobilenet"],
}

# An engine's turn in a round: several inferences if they are short, one if it is long.
TURN_SECONDS = 0.3
TURN_INFERENCES = 5

# Largest error that an engine's outputs may have, relative to their scale.
ERROR_BOUNDS = {TENFOLD: 1e-4, NUMPY: 1e-4, TFJS_CPU: 1e-4, TFJS_WASM: 1e-3}
SMALLEST_SCALE = 1e-3


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, and how Tenfold's median time must compare with others'."""

    name: str
    title: str
    engines: tuple[str, ...]
    times_faster_than_tfjs_cpu: float
    times_numpy: float | None = None


EVERYWHERE = (TENFOLD, TFJS_CPU, TFJS_WASM)
SUBJECTS = (
    Subject("blazeface", "BlazeFace 128", EVERYWHERE, 8),
    Subject("facemesh", "FaceMesh 192", EVERYWHERE, 8),
    Subject("posenet_257", "PoseNet 257", EVERYWHERE, 20),
    Subject("bodypix_050_257", "BodyPix .50 257", EVERYWHERE, 20),
    Subject("nsfw_mobilenet_v2_mid", "MobileNet v2 1.4 224", (*EVERYWHERE, NUMPY), 20, 1.2),
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One engine on one model; times in milliseconds, the error relative to the outputs' scale."""

    model: str
    engine: str
    about: About
    load_ms: float
    first_ms: float
    min_ms: float
    median_ms: float
    inferences: int
    error: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One bound of the project: Tenfold's median over another engine's."""

    model: str
    against: str
    ratio: float
    bound: float

    @property
    def is_met(self) -> bool:
        """Whether Tenfold is as fast as it has to be."""
        return self.ratio <= self.bound


def measure(subject: Subject, engines: Sequence[str], rounds: int) -> list[Measurement]:
    """Run one model on its engines, in alternating rounds."""
    golden = shared_root() / "models" / "golden" / subject.name
    meta = json.loads((golden / "meta.json").read_text())
    (feed,) = meta["inputs"]
    expected = [np.fromfile(golden / output["file"], np.float32) for output in meta["outputs"]]
    names = [name for name in subject.engines if name in engines]
    with ExitStack() as stack:
        processes = {name: stack.enter_context(EngineProcess(COMMANDS[name])) for name in names}
        abouts = {name: process.about() for name, process in processes.items()}
        loads: dict[str, float] = {}
        for name, process in processes.items():
            start = perf_counter()
            process.load(model_file(meta["url"]), golden / feed["file"], feed["shape"])
            loads[name] = (perf_counter() - start) * 1e3
        wait_until_quiet()
        firsts = {name: process.run() for name, process in processes.items()}
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, process in processes.items():
                times[name] += take_turn(process)
        errors = {name: error_of(process.outputs(), expected) for name, process in processes.items()}
    return [
        Measurement(
            model=subject.name,
            engine=name,
            about=abouts[name],
            load_ms=loads[name],
            first_ms=firsts[name],
            min_ms=min(times[name]),
            median_ms=statistics.median(times[name]),
            inferences=len(times[name]),
            error=errors[name],
        )
        for name in names
    ]


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


def compare(subject: Subject, measurements: Sequence[Measurement]) -> list[Comparison]:
    """The bounds that can be checked with what was measured."""
    medians = {m.engine: m.median_ms for m in measurements if m.model == subject.name}
    bounds = {TFJS_CPU: 1 / subject.times_faster_than_tfjs_cpu, NUMPY: subject.times_numpy}
    return [
        Comparison(subject.name, other, medians[TENFOLD] / medians[other], bound)
        for other, bound in bounds.items()
        if bound is not None and TENFOLD in medians and other in medians
    ]


def render(
    subjects: Sequence[Subject],
    measurements: Sequence[Measurement],
    comparisons: Sequence[Comparison],
    machine: Machine,
    loads: tuple[float, float],
) -> str:
    """The page of results."""
    abouts = {m.engine: m.about for m in measurements}
    lines = [
        "# Models",
        "",
        "Written by `make bench`. Milliseconds for one inference, from values in memory to values in memory",
        "with every output read: median (minimum) [first inference]. The engines ran in alternating rounds.",
        "",
        "| model | " + " | ".join(about.name for about in abouts.values()) + " |",
        "|---|" + "---|" * len(abouts),
    ]
    for subject in subjects:
        cells = {
            m.engine: f"{m.median_ms:.1f} ({m.min_ms:.1f}) [{m.first_ms:.0f}]"
            for m in measurements
            if m.model == subject.name
        }
        lines.append(f"| {subject.title} | " + " | ".join(cells.get(engine, "–") for engine in abouts) + " |")
    if comparisons:
        lines += ["", "| model | Tenfold's median over | is | must be at most | |", "|---|---|---|---|---|"]
        for c in comparisons:
            verdict = "met" if c.is_met else "**missed**"
            bound = f"1/{1 / c.bound:.0f}" if c.bound < 1 else f"{c.bound:g}"
            ratio = f"1/{1 / c.ratio:.1f}" if c.bound < 1 else f"{c.ratio:.2f}"
            lines.append(f"| {c.model} | {abouts[c.against].name} | {ratio} | {bound} | {verdict} |")
    worst = {engine: max(m.error for m in measurements if m.engine == engine) for engine in abouts}
    lines += [
        "",
        "Largest error of an output, relative to its scale: "
        + ", ".join(f"{about.name} {worst[engine]:.1e}" for engine, about in abouts.items())
        + ".",
        "",
        "Engines: "
        + "; ".join(f"{about.name} ({about.runtime}, {about.threads} threads)" for about in abouts.values())
        + ".",
        "",
        f"Machine: {machine.processor}, {machine.cores} cores, {machine.system}; load average "
        f"{loads[0]} before and {loads[1]} after.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, compare, write, and say whether outputs were right and bounds were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [subject.name for subject in SUBJECTS]
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--engines", nargs="+", choices=list(COMMANDS), default=list(COMMANDS), metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()

    subjects = [subject for subject in SUBJECTS if subject.name in options.models]
    load_before = load_average()
    measurements: list[Measurement] = []
    for subject in subjects:
        print(f"· {subject.title} …", flush=True)
        for m in measure(subject, options.engines, options.rounds):
            print(f"  {m.about.name}: {m.median_ms:.1f} ms, first {m.first_ms:.0f} ms, error {m.error:.1e}")
            measurements.append(m)
    comparisons = [c for subject in subjects for c in compare(subject, measurements)]
    loads = (load_before, load_average())
    machine = this_machine()

    options.results.mkdir(parents=True, exist_ok=True)
    page = render(subjects, measurements, comparisons, machine, loads)
    (options.results / "models.md").write_text(page)
    document = {
        "machine": asdict(machine),
        "load_average": loads,
        "measurements": [asdict(m) for m in measurements],
        "comparisons": [asdict(c) | {"is_met": c.is_met} for c in comparisons],
    }
    (options.results / "models.json").write_text(json.dumps(document, indent=1) + "\n")
    print("\n" + page)

    wrong = [m for m in measurements if not m.error <= ERROR_BOUNDS[m.engine]]
    for m in wrong:
        print(f"{m.model}: the outputs of {m.about.name} are off by {m.error:.1e} of scale", file=sys.stderr)
    return 1 if wrong or not all(c.is_met for c in comparisons) else 0


if __name__ == "__main__":
    sys.exit(main())
