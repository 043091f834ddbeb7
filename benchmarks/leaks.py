"""Whether memory stays what it is on webgl and wasm: many inferences, many eager ops, and many contexts made and
destroyed.

    python -m benchmarks.leaks [--driver llvmpipe|swiftshader] [CASE …]

Each case is a process of its own, on webgl with forwarding to the host off, and prints a series: what `memory()` says,
and the process's resident memory. After the first sample the former must not change at all, and the latter may grow by
a few MiB, as allocators do not give everything back. The linear memory of wasm must stay within a bound of what the
plan's arena, packed weights and threads take. Linux only, as it reads /proc/self.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks.drivers import DRIVERS, LLVMPIPE
from benchmarks.loading import resident_bytes
from benchmarks.machine import load_average, publish
from benchmarks.trials import trial_of

INFERENCES = 1_000
OPS = 10_000
CONTEXTS = 100
SAMPLES = 10
GROWTH_BOUND = 4 * 2**20
MODEL = "blazeface"


RESERVED_BOUND = 1.3
"""The linear memory over what is planned."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory after so many repetitions; what `memory()` says is empty where there is no backend.

    `planned_bytes` is what a plan on wasm takes, 0 where there is none.
    """

    repetitions: int
    resident_bytes: int
    memory: dict[str, int]
    planned_bytes: int = 0


def infer(tf: Any) -> Iterator[Sample]:
    """Inferences of a model, each fed anew and read."""
    trial = trial_of(MODEL)
    values, model = trial.values(), tf.load_graph_model_sync(trial.model)

    def run() -> None:
        with tf.tidy():
            results = model.predict(tf.tensor(values))
            for tensor in results.values() if isinstance(results, dict) else results:
                tensor.data_sync()

    for sample in _samples(run, INFERENCES, lambda: _account(tf)):
        yield replace(sample, planned_bytes=_planned_bytes(tf, model))


def _planned_bytes(tf: Any, model: Any) -> int:
    """Arena, packed weights, and what threads have for themselves."""
    if tf.get_backend() != "wasm":
        return 0
    (form,) = [form for form in model._ready("benchmark")._forms.values() if form is not None]
    made = form.plan.assembly
    return int(made.arena + made.constants + made.scratch * tf.backend().device.threads_count)


def compute(tf: Any) -> Iterator[Sample]:
    """Eager ops of several shapes, half of them read, none disposed of by name."""
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in [(8, 8), (33, 65), (1, 100), (257, 31)]]
    turn = iter(range(OPS + SAMPLES))

    def run() -> None:
        number = next(turn)
        x = tf.tensor(arrays[number // 2 % len(arrays)])
        y = tf.relu(x) if number % 4 < 2 else tf.sum(x)
        if number % 2:
            y.data_sync()

    return _samples(run, OPS, lambda: _account(tf))


def make_contexts() -> Iterator[Sample]:
    """Contexts that compile a program, draw, are read, and are destroyed."""
    from tenfold.devices.gl.interface import FLOAT32, Draw
    from tenfold.devices.gl.native import NativeGlDevice

    body = "uniform float floats[1];\nout vec4 result;\nvoid main() { result = vec4(floats[0]); }\n"

    def run() -> None:
        device = NativeGlDevice()
        program, target = device.compile(body, []), device.create_texture(64, 64, 1, FLOAT32)
        device.draw(Draw(program, (), target, floats=(2.0,)))
        if not np.all(device.read(target) == 2):
            raise ValueError("a context does not draw what it should")
        device.dispose()

    return _samples(run, CONTEXTS, dict)


CASES: dict[str, Callable[[], Iterator[Sample]]] = {
    "webgl inferences": lambda: infer(_on("webgl")),
    "webgl ops": lambda: compute(_on("webgl")),
    "webgl contexts": make_contexts,
    "wasm inferences": lambda: infer(_on("wasm")),
    "wasm ops": lambda: compute(_on("wasm")),
}


def _on(backend: str) -> Any:
    import tenfold as tf

    if not tf.set_backend(backend).result():
        raise RuntimeError(f"the backend {backend!r} could not be initialised")
    tf.env().set("WEBGL_CPU_FORWARD", False)
    return tf


def _account(tf: Any) -> dict[str, int]:
    memory = tf.memory()
    counts = {"num_tensors": memory.num_tensors, "num_data_buffers": memory.num_data_buffers}
    return {**counts, "num_bytes": memory.num_bytes, **memory.details}


def _samples(run: Callable[[], None], repetitions: int, account: Callable[[], dict[str, int]]) -> Iterator[Sample]:
    share = repetitions // SAMPLES
    for number in range(1, SAMPLES + 1):
        for _ in range(share):
            run()
        gc.collect()
        yield Sample(number * share, resident_bytes("VmRSS"), account())


def sample_case(case: str, driver: str) -> list[Sample]:
    """The series of a case, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.leaks", "--sample", case]
    environment = {**os.environ, **DRIVERS[driver].tenfold().environment}
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return [Sample(**sample) for sample in json.loads(answer)]


def describe(case: str, samples: list[Sample]) -> tuple[list[str], bool]:
    """Lines for a case, and whether memory was flat."""
    first, last = samples[0], samples[-1]
    growth = last.resident_bytes - first.resident_bytes
    changed = sorted({key for s in samples for key in s.memory if s.memory[key] != first.memory.get(key)})
    lines = [
        f"{case}: resident memory {growth / 2**20:+.1f} MiB from {first.repetitions} to {last.repetitions} "
        f"(at most {GROWTH_BOUND / 2**20:+.1f})",
        "  resident MiB: " + ", ".join(f"{s.resident_bytes / 2**20:.1f}" for s in samples),
    ]
    if first.memory:
        shown = first.memory if not changed else {key: first.memory[key] for key in first.memory if key not in changed}
        lines.append("  unchanged: " + ", ".join(f"{key} {value:,}" for key, value in shown.items()))
    lines += [f"  **changed** {key}: " + ", ".join(f"{s.memory[key]:,}" for s in samples) for key in changed]
    is_kept = True
    if last.planned_bytes:
        ratio = last.memory["num_bytes_in_wasm_reserved"] / last.planned_bytes
        is_kept = ratio <= RESERVED_BOUND
        lines.append(f"  linear memory: {ratio:.2f} of {last.planned_bytes:,} planned (at most {RESERVED_BOUND:g})")
    return lines, growth <= GROWTH_BOUND and not changed and is_kept


def main() -> int:
    """Print the series, and say whether all were flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--driver", choices=list(DRIVERS), default=LLVMPIPE.name)
    parser.add_argument("--sample", choices=list(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sample:
        print(json.dumps([asdict(sample) for sample in CASES[options.sample]()]))
        return 0
    load_before = load_average()
    lines = [f"Memory, on webgl with {options.driver}, every {100 // SAMPLES} % of the repetitions"]
    flat = True
    for case in options.cases:
        description, is_flat = describe(case, sample_case(case, options.driver))
        lines += description
        flat = flat and is_flat
    publish("leaks", lines, load_before)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
