"""Five models and a network with drawn weights, on Tenfold (cpu and wasm), TensorFlow.js in Node.js, straight NumPy and
ONNX Runtime (for orientation), in one run.

    python -m benchmarks.models [--rounds N] [--models NAME …] [--engines NAME …] [--results FOLDER]

Rounds of all engines alternate, so that a busy machine is busy for all of them. Bounds are on medians; beside them are
the medians of ratios within a round, and ratios of minima, which depend less on what else the machine does. Writes
models.md and models.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engines import Launch
from benchmarks.inferences import (
    Comparison,
    Measurement,
    circumstances,
    document,
    measure,
    paired_ratio,
    print_measurement,
    times_table,
    write_results,
    wrong_outputs,
)
from benchmarks.machine import RESULTS, Machine, load_average, this_machine
from benchmarks.trials import RANDOM_MOBILENET
from tools.testdata import REPOSITORY

TENFOLD = "tenfold-cpu"
WASM = "tenfold-wasm"
WASM_2 = "tenfold-wasm-2"
TFJS_CPU = "tfjs-cpu"
TFJS_WASM = "tfjs-wasm"
NUMPY = "numpy"
ONNX = "onnx"
ONNX_2 = "onnx-2"

NODE_ENGINE = str(REPOSITORY / "benchmarks" / "tfjs" / "engine.mjs")
ENGINES: dict[str, Launch] = {
    TENFOLD: Launch((sys.executable, "-m", "benchmarks.tenfold_engine", "cpu")),
    WASM: Launch((sys.executable, "-m", "benchmarks.tenfold_engine", "wasm", "--threads", "1")),
    WASM_2: Launch((sys.executable, "-m", "benchmarks.tenfold_engine", "wasm", "--threads", "2")),
    TFJS_CPU: Launch(("node", NODE_ENGINE, "cpu")),
    TFJS_WASM: Launch(("node", NODE_ENGINE, "wasm")),
    NUMPY: Launch((sys.executable, "-m", "benchmarks.numpy_mobilenet")),
    ONNX: Launch((sys.executable, "-m", "benchmarks.onnx_engine", "--threads", "1")),
    ONNX_2: Launch((sys.executable, "-m", "benchmarks.onnx_engine", "--threads", "2")),
}

# Largest error that an engine's outputs may have, relative to their scale.
ERROR_BOUNDS = {TENFOLD: 1e-4, WASM: 1e-3, WASM_2: 1e-3, NUMPY: 1e-4, TFJS_CPU: 1e-4, TFJS_WASM: 1e-3}
ERROR_BOUNDS |= {ONNX: 1e-3, ONNX_2: 1e-3}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, and how Tenfold's median times must compare with others'.

    `times_tfjs_wasm` is of the wasm backend with one thread and with two.
    """

    name: str
    title: str
    engines: tuple[str, ...]
    times_faster_than_tfjs_cpu: float
    times_tfjs_wasm: tuple[float, float]
    times_numpy: float | None = None


# Those whose times are compared follow each other.
EVERYWHERE = (TFJS_CPU, TENFOLD, WASM, TFJS_WASM, WASM_2)
SMALL_OPS = (0.6, 0.5)
LARGE_OPS = (0.6, 0.35)
SUBJECTS = (
    Subject("blazeface", "BlazeFace 128", EVERYWHERE, 8, SMALL_OPS),
    Subject("facemesh", "FaceMesh 192", EVERYWHERE, 8, SMALL_OPS),
    Subject("posenet_257", "PoseNet 257", EVERYWHERE, 20, LARGE_OPS),
    Subject("bodypix_050_257", "BodyPix .50 257", EVERYWHERE, 20, LARGE_OPS),
    Subject("nsfw_mobilenet_v2_mid", "MobileNet v2 1.4 224", (*EVERYWHERE, NUMPY, ONNX, ONNX_2), 20, LARGE_OPS, 1.2),
    Subject(RANDOM_MOBILENET, "MobileNet v2 1.0 224, random", (*EVERYWHERE, ONNX, ONNX_2), 20, LARGE_OPS),
)
TITLES = {subject.name: subject.title for subject in SUBJECTS}


def compare(subject: Subject, measurements: Sequence[Measurement]) -> list[Comparison]:
    """The bounds that can be checked with what was measured."""
    of_it = {m.engine: m for m in measurements if m.model == subject.name}
    bounds = [
        (TENFOLD, TFJS_CPU, 1 / subject.times_faster_than_tfjs_cpu),
        (TENFOLD, NUMPY, subject.times_numpy),
        (WASM, TFJS_WASM, subject.times_tfjs_wasm[0]),
        (WASM_2, TFJS_WASM, subject.times_tfjs_wasm[1]),
    ]
    return [
        Comparison(
            subject.name,
            f"{one} median",
            other,
            of_it[one].median_ms / of_it[other].median_ms,
            bound,
            of_it[one].min_ms / of_it[other].min_ms,
            paired_ratio(of_it[one], of_it[other]),
        )
        for one, other, bound in bounds
        if bound is not None and one in of_it and other in of_it
    ]


def render(
    subjects: Sequence[Subject],
    measurements: Sequence[Measurement],
    comparisons: Sequence[Comparison],
    machine: Machine,
    loads: tuple[float, float],
) -> str:
    """The page of results."""
    names = {m.engine: m.about.name for m in measurements}
    lines = [
        "# Models",
        "",
        "Written by `make bench`. Milliseconds for one inference, from values in memory to values in memory",
        "with every output read: median (minimum) [first inference]. The engines ran in alternating rounds.",
        "",
        *times_table({subject.name: subject.title for subject in subjects}, measurements),
    ]
    if comparisons:
        lines += ["", "| model | | over | is | must be at most | | round by round | minima |", f"|{'---|' * 8}"]
        for c in comparisons:
            figures = (c.ratio, c.bound, c.paired_ratio, c.least_ratio)
            ratio, bound, *others = (_fraction(value, c.bound) for value in figures)
            verdict = "met" if c.is_met else "**missed**"
            cells = (c.model, c.figure, names[c.against], ratio, bound, verdict, *others)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *circumstances(measurements, machine, loads)])


def _fraction(value: float | None, bound: float) -> str:
    """A ratio, as a part of one where its bound is one."""
    if value is None:
        return "–"
    return f"1/{1 / value:.1f}" if bound < 0.2 else f"{value:.2f}"


def main() -> int:
    """Measure, compare, write, and say whether outputs were right and bounds were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--models", nargs="+", choices=list(TITLES), default=list(TITLES), metavar="NAME")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES), metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()

    subjects = [subject for subject in SUBJECTS if subject.name in options.models]
    load_before = load_average()
    measurements: list[Measurement] = []
    for subject in subjects:
        print(f"· {subject.title} …", flush=True)
        engines = {name: ENGINES[name] for name in subject.engines if name in options.engines}
        for m in measure(subject.name, engines, options.rounds):
            print_measurement(m)
            measurements.append(m)
    comparisons = [c for subject in subjects for c in compare(subject, measurements)]
    loads = (load_before, load_average())
    machine = this_machine()

    page = render(subjects, measurements, comparisons, machine, loads)
    write_results(options.results, "models", page, document(measurements, comparisons, machine, loads))

    wrong = wrong_outputs(measurements, ERROR_BOUNDS)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong or not all(c.is_met for c in comparisons) else 0


if __name__ == "__main__":
    sys.exit(main())
