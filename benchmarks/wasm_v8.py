"""The modules of wasm's plans in V8, beside TensorFlow.js's wasm backend in the same Node.js: what a browser would run.

    python -m benchmarks.wasm_v8 [--rounds N] [--models NAME …] [--results FOLDER]

The loop programs are those that wasmtime runs, in V8's flavour (relaxed SIMD, no fences), on one thread. Writes
wasm_v8.md and wasm_v8.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import cast

import numpy as np

import tenfold as tf
from benchmarks.engines import Launch
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
from benchmarks.machine import RESULTS, load_average, this_machine
from benchmarks.models import ENGINES, TFJS_WASM, TITLES
from benchmarks.trials import trial_of
from tenfold.backends.wasm.arena import aligned
from tenfold.backends.wasm.assembly import assemble
from tenfold.backends.wasm.modules import WIDTH
from tenfold.backends.wasm.plan_modules import plan_module
from tenfold.backends.wasm.plans import WasmPlan
from tenfold.codegen.loops.program import Target
from tenfold.devices.wasm.interface import PAGE_BYTES, RESERVED_BYTES, SLACK_BYTES
from tenfold.graph.program import Program
from tools.testdata import REPOSITORY

V8 = "tenfold-v8"
BOUND = 0.55
ERROR_BOUND = 1e-3
TARGET = Target("wasm relaxed", width=WIDTH, fused=True, slack=SLACK_BYTES)
ENGINE = str(REPOSITORY / "benchmarks" / "tfjs" / "generated.mjs")


class Room:
    """Addresses in a memory that is still to be made."""

    def __init__(self) -> None:
        self.end = RESERVED_BYTES

    def take(self, nbytes: int) -> int:
        """The address of a block, with what may be read around it."""
        address = self.end
        self.end += aligned(nbytes) + SLACK_BYTES
        return address


def export(model: str, folder: Path) -> None:
    """Plan a model for its recorded input, and write what Node.js needs to run the plan."""
    trial = trial_of(model)
    graph_model = tf.load_graph_model_sync(trial.model)
    with tf.tidy():
        graph_model.predict(tf.tensor(trial.values()))
    program: Program = graph_model._ready("benchmark")
    (form,) = [form for form in program._forms.values() if form is not None]
    plan = cast(WasmPlan, form.plan).plan
    made = assemble(plan, TARGET)
    (folder / "plan.wasm").write_bytes(plan_module(made, shared=False))

    room = Room()
    constants, arena, scratch = (room.take(nbytes) for nbytes in (made.constants, made.arena, made.scratch))
    addresses = {
        number: room.take(made.places[number].nbytes)
        for number in dict.fromkeys(made.inputs + made.outputs + made.flags)
    }
    image = np.zeros(made.constants, np.uint8)
    for offset, held in made.layout.values(plan):
        image[offset : offset + held.nbytes] = np.ascontiguousarray(held).reshape(-1).view(np.uint8)
    image.tofile(folder / "constants.bin")
    places = [made.outputs[form.plan_outputs.index(ref)] for ref in form.outputs if ref is not None]
    fresh = [addresses[number] for number in made.fresh]
    description = {
        "pages": -(-room.end // PAGE_BYTES),
        "constants": constants,
        "input": addresses[made.inputs[0]],
        "arguments": [0, 1, 1, arena, constants, scratch, *(addresses[number] for number in made.inputs), *fresh],
        "outputs": [(addresses[number], made.places[number].nbytes // 4) for number in places],
    }
    (folder / "plan.json").write_text(json.dumps(description))


def main() -> int:
    """Measure, compare, write, and say whether outputs were right and the bound was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--models", nargs="+", choices=list(TITLES), default=list(TITLES), metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    tf.set_backend("wasm")

    load_before = load_average()
    measurements: list[Measurement] = []
    for model in options.models:
        print(f"· {TITLES[model]} …", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            export(model, Path(folder))
            ours = Launch(("node", "--experimental-wasm-relaxed-simd", ENGINE, folder))
            for m in measure(model, {V8: ours, TFJS_WASM: ENGINES[TFJS_WASM]}, options.rounds):
                print_measurement(m)
                measurements.append(m)
    medians = {(m.model, m.engine): m.median_ms for m in measurements}
    comparisons = [
        Comparison(model, "median", TFJS_WASM, medians[model, V8] / medians[model, TFJS_WASM], BOUND)
        for model in options.models
    ]
    loads = (load_before, load_average())
    machine = this_machine()
    lines = [
        "# Plans in V8",
        "",
        "Written by `make bench`. Milliseconds for one inference: median (minimum) [first inference].",
        "",
        *times_table({model: TITLES[model] for model in options.models}, measurements),
        "",
        "| model | of TensorFlow.js's median | must be at most | |",
        "|---|---|---|---|",
    ]
    for c in comparisons:
        lines.append(f"| {c.model} | {c.ratio:.2f} | {c.bound} | {'met' if c.is_met else '**missed**'} |")
    page = "\n".join([*lines, "", *circumstances(measurements, machine, loads)])
    write_results(options.results, "wasm_v8", page, document(measurements, comparisons, machine, loads))
    wrong = wrong_outputs(measurements, {V8: ERROR_BOUND, TFJS_WASM: ERROR_BOUND})
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong or not all(c.is_met for c in comparisons) else 0


if __name__ == "__main__":
    sys.exit(main())
