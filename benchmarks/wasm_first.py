"""The first inference of MobileNet v2 on wasm, with no compiled module on disk and with one, beside TensorFlow.js's.

    python -m benchmarks.wasm_first [--rounds N] [--results FOLDER]

Every round starts new processes, which take turns. A model is loaded before; planning, packing of weights, compiling
and running are timed. Writes wasm_first.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.engines import EngineProcess, Launch
from benchmarks.machine import RESULTS, load_average, processor_seconds, wait_until_quiet
from benchmarks.models import ENGINES, TFJS_WASM, WASM
from benchmarks.trials import trial_of

MODEL = "nsfw_mobilenet_v2_mid"
COLD, WARM = "Tenfold wasm, nothing on disk", "Tenfold wasm, compiled modules on disk"
BOUNDS = {COLD: 2.5, WARM: 0.7}


def first(launch: Launch) -> tuple[float, float]:
    """Milliseconds of a new process's first inference, and of processors' time for it."""
    trial = trial_of(MODEL)
    with EngineProcess(launch) as process:
        process.about()
        process.load(trial.model, trial.feed, trial.shape)
        before = processor_seconds(process.pid)
        elapsed = process.run()
        return elapsed, (processor_seconds(process.pid) - before) * 1e3


def caching_in(launch: Launch, folder: str) -> Launch:
    """A launch whose compiled modules are in a folder."""
    return replace(launch, environment={**launch.environment, "TENFOLD_CACHE": folder})


def main() -> int:
    """Measure, write, and say whether the bounds were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()

    loads = [load_average()]
    wait_until_quiet()
    times: dict[str, list[tuple[float, float]]] = {TFJS_WASM: [], COLD: [], WARM: []}
    with tempfile.TemporaryDirectory() as warm:
        first(caching_in(ENGINES[WASM], warm))
        for _ in range(options.rounds):
            times[TFJS_WASM].append(first(ENGINES[TFJS_WASM]))
            with tempfile.TemporaryDirectory() as cold:
                times[COLD].append(first(caching_in(ENGINES[WASM], cold)))
            times[WARM].append(first(caching_in(ENGINES[WASM], warm)))
    loads.append(load_average())

    medians = {name: statistics.median(elapsed for elapsed, _ in some) for name, some in times.items()}
    lines = [
        "# First inferences",
        "",
        f"Written by `make bench`. {MODEL}, one thread, new processes; load average {loads[0]:.2f} to {loads[1]:.2f}.",
        "",
        "| | median ms (minimum) | processors' ms | of TensorFlow.js's | must be at most |",
        "|---|---|---|---|---|",
    ]
    for name, some in times.items():
        ratio, bound = medians[name] / medians[TFJS_WASM], BOUNDS.get(name)
        least, used = min(elapsed for elapsed, _ in some), statistics.median(used for _, used in some)
        lines.append(f"| {name} | {medians[name]:.0f} ({least:.0f}) | {used:.0f} | {ratio:.2f} | {bound or '–'} |")
    page = "\n".join([*lines, ""])
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "wasm_first.md").write_text(page)
    print(page)
    return 0 if all(medians[name] <= bound * medians[TFJS_WASM] for name, bound in BOUNDS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
