"""Where the time of a model's plan goes on the wasm backend: each of its calls alone, on one thread.

    python -m benchmarks.wasm_steps MODEL [--rounds N] [--slowest N]

They are timed one after the other, over and over, so that a busy machine is busy for all of them; the least time of
each counts. Calls run over whatever the one before left, as in a run of the plan, but each for the whole image.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter
from typing import cast

import numpy as np

import tenfold as tf
from tenfold.backends.wasm.arena import aligned
from tenfold.backends.wasm.assembly import Assembly, PlannedCall, assemble, products
from tenfold.backends.wasm.backend import WasmBackend
from tenfold.backends.wasm.plan_modules import plan_module
from tenfold.backends.wasm.plans import WasmPlan
from tenfold.core.backends import backend as active_backend
from tenfold.graph.plan import Plan
from tests.models.golden import ENTRIES, golden_cases, read
from tests.shared import model_path


def plan_of(name: str) -> WasmPlan:
    """The plan of a model for the inputs that it was recorded on."""
    entry, folder, given, _ = next(case.values for case in golden_cases() if case.values[0]["name"] == name)
    model = tf.load_graph_model_sync(model_path(entry["url"]))
    with tf.tidy():
        model.execute({one["name"]: tf.tensor(read(folder, one)) for one in given})
    plans = [form.plan for form in model._ready("benchmark")._forms.values() if form is not None]
    plan = next((plan for plan in plans if isinstance(plan, WasmPlan)), None)
    if plan is None:
        raise SystemExit(f"{name} runs step by step.")
    return plan


def describe(plan: Plan, call: PlannedCall) -> str:
    """A call's step in a line."""
    step = plan.steps[call.step]
    shapes = " ".join(str(list(plan.specs[n].shape)) for n in step.inputs if n is not None)
    stages = "".join(f" +{stage.kernel}" for stage in step.epilogue)
    return f"{step.kernel}{stages} {shapes} -> {list(plan.specs[step.outputs[0]].shape)} ({call.program.name})"


def timed(functions: list[Callable[[], object]], rounds: int) -> np.ndarray:
    """The least milliseconds of each of some functions."""
    best = np.full(len(functions), np.inf)
    for _ in range(rounds):
        for number, function in enumerate(functions):
            start = perf_counter()
            function()
            best[number] = min(best[number], perf_counter() - start)
    return best * 1e3


def main() -> None:
    """Print the calls of a plan, the slowest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=[entry["name"] for entry in ENTRIES], metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--slowest", type=int, default=40)
    options = parser.parse_args()
    tf.set_backend("wasm")
    backend = cast(WasmBackend, active_backend())
    backend.device.set_threads_count(1)
    compiled = plan_of(options.model)
    plan, device = compiled.plan, backend.device
    made = assemble(plan, backend.target, take_turns=False)
    module = device.load(plan_module(made, shared=device.memory.is_shared, separately=True), "calls")
    turns = device.load(plan_module(compiled.assembly, shared=device.memory.is_shared), "plan")
    inputs = [device.allocator.allocate(made.places[n].nbytes) for n in made.inputs]
    outputs = [device.allocator.allocate(made.places[n].nbytes) for n in made.fresh]
    for address, number in zip(inputs, made.inputs, strict=True):
        device.memory.write(address, np.zeros(made.places[number].nbytes, np.uint8))
    room = max(aligned(one.arena) + one.scratch for one in (made, compiled.assembly))
    arena = backend.workspace.at_least(room)

    def run(function: Callable[..., object], assembly: Assembly) -> Callable[[], object]:
        scratch = arena + aligned(assembly.arena)
        return lambda: function(0, 1, 1, arena, compiled.resident.constants, scratch, *inputs, *outputs)

    functions = [run(turns.function("run"), compiled.assembly)]
    functions += [run(module.function(f"call{number}"), made) for number in range(len(made.calls))]
    whole, *times = timed(functions, options.rounds)
    print(f"{options.model}: {len(made.calls)} calls, {whole:.2f} ms in turns, {sum(times):.2f} ms one by one")
    print(f"arena {compiled.assembly.arena / 2**20:.1f} MiB, constants {made.constants / 2**20:.1f} MiB")
    for number in sorted(range(len(times)), key=lambda n: -times[n])[: options.slowest]:
        call = made.calls[number]
        rate = 2 * products(plan, plan.steps[call.step]) / times[number] / 1e6
        print(f"{number:4d} {times[number]:8.3f} ms {rate:6.1f} GFLOP/s  {describe(plan, call)}")


if __name__ == "__main__":
    main()
