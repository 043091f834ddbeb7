"""What loading a 14 MB float32 model costs in time, over json.load and numpy.fromfile, and in memory.

    python -m benchmarks.loading

Times are the best of several with the files in the page cache, the first in fresh processes, as programs load models.
Repeated loads in one process are shown too, but not held to the bound: there numpy.fromfile writes into memory that
its last array left mapped, while a model's weights lie among other objects: the figure says what the allocator does.
Growth is measured in a process of its own, which has loaded another model before so that imports do not
count: its resident memory at the peak while loading, and afterwards, both relative to the bytes of the
float32 weights. Linux only, as it reads /proc/self.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.machine import load_average, publish, wait_until_quiet
from tools.testdata import human_models_root

MODEL = "faceres-deep.json"
WARM_UP = "liveness.json"

TIME_BOUND = 3.0
PEAK_BOUND = 2.2
AFTER_BOUND = 1.3

REPEATS = 20
FRESH_PROCESSES = 5
STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def read_plainly(model: Path) -> list[object]:
    """What cannot be saved: the JSON parsed and the bytes read."""
    with model.open() as file:
        document = json.load(file)
    paths = [path for group in document["weightsManifest"] for path in group["paths"]]
    return [document, *(np.fromfile(model.parent / path, np.float32) for path in paths)]


def load(model: Path) -> object:
    """Load it as users do."""
    import tenfold as tf

    return tf.load_graph_model_sync(model)


def best_milliseconds(function: Callable[[Path], object], model: Path) -> float:
    """The shortest of several calls."""
    times = []
    for _ in range(REPEATS):
        gc.collect()
        start = perf_counter()
        result = function(model)
        times.append(perf_counter() - start)
        del result
    return min(times) * 1e3


def first_milliseconds(way: str) -> float:
    """The shortest first call in fresh processes, `way` being a subcommand of this module."""
    return min(float(ask_fresh_process(way)) for _ in range(FRESH_PROCESSES))


def ask_fresh_process(subcommand: str) -> str:
    """What this module prints as a new process."""
    command = [sys.executable, "-m", "benchmarks.loading", subcommand]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def resident_bytes(field: str) -> int:
    """VmRSS (now) or VmHWM (the peak) of this process."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"{STATUS} has no {field}")


def measure_growth() -> tuple[int, int]:
    """Growth of this process at the peak of loading, and after it, in bytes."""
    models = human_models_root() / "models"
    load(models / WARM_UP)
    before = resident_bytes("VmRSS")
    CLEAR_REFS.write_text(RESET_PEAK)
    model = load(models / MODEL)
    peak, after = resident_bytes("VmHWM") - before, resident_bytes("VmRSS") - before
    del model
    return peak, after


def measure_first(function: Callable[[Path], object]) -> float:
    """Milliseconds of the first call for the model in this process, which has dealt with another one before."""
    models = human_models_root() / "models"
    function(models / WARM_UP)
    start = perf_counter()
    result = function(models / MODEL)
    seconds = perf_counter() - start
    del result
    return seconds * 1e3


SUBCOMMANDS: dict[str, Callable[[], object]] = {
    "growth": measure_growth,
    "first": lambda: measure_first(load),
    "first-plain": lambda: measure_first(read_plainly),
}


def main() -> int:
    """Print times and growth, and say whether the bounds were met."""
    if sys.argv[1:]:
        print(json.dumps(SUBCOMMANDS[sys.argv[1]]()))
        return 0
    model = human_models_root() / "models" / MODEL
    shards = [path for group in json.loads(model.read_text())["weightsManifest"] for path in group["paths"]]
    weight_bytes = sum((model.parent / path).stat().st_size for path in shards)

    wait_until_quiet()
    load_before = load_average()
    plain, ours = best_milliseconds(read_plainly, model), best_milliseconds(load, model)
    first_plain, first = first_milliseconds("first-plain"), first_milliseconds("first")
    peak, after = json.loads(ask_fresh_process("growth"))

    rows = [
        (
            "time over json.load + numpy.fromfile",
            first / first_plain,
            TIME_BOUND,
            f"{first:.1f} over {first_plain:.1f} ms",
        ),
        ("growth while loading over weights", peak / weight_bytes, PEAK_BOUND, f"{peak / 2**20:.1f} MiB"),
        ("growth after loading over weights", after / weight_bytes, AFTER_BOUND, f"{after / 2**20:.1f} MiB"),
    ]
    lines = [f"{MODEL}, {weight_bytes / 2**20:.1f} MiB of float32 weights"]
    lines += [f"  {title}: {ratio:.2f} (at most {bound:g}; {detail})" for title, ratio, bound, detail in rows]
    lines.append(f"  repeated in one process: {ours / plain:.2f} ({ours:.1f} over {plain:.1f} ms)")
    publish("loading", lines, load_before)
    return 0 if all(ratio <= bound for _, ratio, bound, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
