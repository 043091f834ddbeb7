"""What `tf.function` makes of exp(relu(x * a + b)) on a million floats: one pass on wasm, on one thread.

    python -m benchmarks.functions [--rounds N]

Beside it TensorFlow.js's wasm backend in Node.js, which computes op by op, and NumPy, whose results are in memory that
it has had before. The operand is in memory; the time ends when the result can be read. What a call costs beyond that of
the compiled plan is measured on small tensors. The engines are processes that take turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from benchmarks.engines import About, EngineProcess, Launch, Values, python_runtime, serve
from benchmarks.machine import load_average, publish, wait_until_quiet
from benchmarks.models import ENGINES, TFJS_WASM

SIZE = 1_000_000
FACTOR, OFFSET = 1.25, 0.5
TURN = 5
WARM_UP = 20
"""Runs before those that count: V8 compiles what runs often better."""

TENFOLD, NUMPY = "tenfold", "numpy"
BOUNDS = {TFJS_WASM: 0.2, NUMPY: 1.0}
ERROR_BOUND = 1e-5
KEEPING_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 29)}
"""What keeps the C library from giving large arrays back to the system, which costs NumPy more than its arithmetic."""
CALLS = 2000


class Engine(Protocol):
    """An engine's side."""

    def about(self) -> About:
        """Name, runtime and number of threads."""

    def load(self, values: Values) -> Callable[[], Values]:
        """A function of nothing that computes the expression of these values and gives the result to be read."""


class NumpyEngine:
    """NumPy, as one writes it."""

    def about(self) -> About:
        """Name, runtime and number of threads."""
        return About("NumPy", python_runtime(), 1)

    def load(self, values: Values) -> Callable[[], Values]:
        """See `Engine`."""
        factor, offset = np.float32(FACTOR), np.float32(OFFSET)
        return lambda: np.exp(np.maximum(values * factor + offset, 0))


class TenfoldEngine:
    """A traced function on Tenfold's wasm backend, on one thread."""

    def __init__(self) -> None:
        import tenfold as tf

        self._tf = tf
        if not tf.set_backend("wasm").result():
            raise RuntimeError("the backend 'wasm' could not be initialised")
        tf.set_threads_count(1)

    def about(self) -> About:
        """Name, runtime and number of threads."""
        return About("Tenfold wasm, tf.function", python_runtime(), self._tf.get_threads_count())

    def load(self, values: Values) -> Callable[[], Values]:
        """See `Engine`."""
        tf = self._tf
        x = tf.tensor(values)

        @tf.function
        def expression(x: tf.Tensor, factor: float, offset: float) -> tf.Tensor:
            return x.mul(factor).add(offset).relu().exp()

        def run() -> Values:
            nonlocal result
            result = x  # what the call before gave may be given back
            result = expression(x, FACTOR, OFFSET)
            values: Values = result.data_sync()
            return values

        result = x
        return run


class Server:
    """Answers the commands of one `Expression`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._run: Callable[[], Values] | None = None
        self._result = np.zeros(0, np.float32)

    def answer(self, request: Any) -> dict[str, object]:
        """Carry out one command."""
        match request["command"]:
            case "about":
                about = self._engine.about()
                return {"name": about.name, "runtime": about.runtime, "threads": about.threads}
            case "expression":
                if self._run is None:
                    self._run = self._engine.load(np.fromfile(request["input"], np.float32))
                self._result = np.zeros(0, np.float32)
                start = perf_counter()
                self._result = self._run()
                return {"milliseconds": (perf_counter() - start) * 1e3}
            case "outputs":
                return {"values": [self._result.tolist()]}
            case command:
                raise ValueError(f"{command!r} is not possible")


class Expression(EngineProcess):
    """A running engine that computes the expression."""

    def __init__(self, launch: Launch, values: Path) -> None:
        super().__init__(launch)
        self._values = str(values)

    def turn(self, count: int) -> list[float]:
        """Milliseconds of several runs in a row."""
        arguments = {"input": self._values, "factor": FACTOR, "offset": OFFSET}
        return [float(self._ask("expression", **arguments)["milliseconds"]) for _ in range(count)]


def overhead() -> str:
    """What a call of a traced function costs beyond its compiled plan, in a line."""
    import tenfold as tf
    from tenfold.graph.program import make_form

    tf.set_backend("wasm").result()
    x = tf.zeros([8, 8])
    traced = tf.function(lambda x: x.mul(FACTOR).add(OFFSET).relu().exp())
    traced(x)
    plan = make_form(traced.get_concrete_function(x).graph, {"x": x}, tf.backend()).plan
    if plan is None:
        raise RuntimeError("the function did not become a plan")

    def plan_alone() -> None:
        for result in plan([x]):
            result.storage.release()

    call, alone = (min(_microseconds(run) for _ in range(10)) for run in (lambda: traced(x), plan_alone))
    return f"A call on 8x8: {call:.1f} µs, of which the plan {alone:.1f}, least of ten times {CALLS}."


def _microseconds(run: Callable[[], object]) -> float:
    start = perf_counter()
    for _ in range(CALLS):
        run()
    return (perf_counter() - start) / CALLS * 1e6


def launches() -> dict[str, Launch]:
    """The engines by name."""
    module = (sys.executable, "-m", "benchmarks.functions", "--engine")
    return {
        TENFOLD: Launch((*module, TENFOLD)),
        NUMPY: Launch((*module, NUMPY), KEEPING_MEMORY),
        TFJS_WASM: ENGINES[TFJS_WASM],
    }


def measure(rounds: int) -> tuple[dict[str, About], dict[str, list[float]], list[str]]:
    """What the engines say of themselves, their milliseconds, and which of them are wrong."""
    values = np.random.default_rng(0).uniform(-3, 3, SIZE).astype(np.float32)
    want = np.exp(np.maximum(values.astype(np.float64) * FACTOR + OFFSET, 0))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "values.bin"
        values.tofile(file)
        engines = {name: stack.enter_context(Expression(launch, file)) for name, launch in launches().items()}
        abouts = {name: engine.about() for name, engine in engines.items()}
        for engine in engines.values():
            engine.turn(WARM_UP)
        times: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(rounds):
            for name, engine in engines.items():
                times[name] += engine.turn(TURN)
        wrong = [name for name, engine in engines.items() if not _is_right(engine.outputs(), want)]
    return abouts, times, wrong


def _is_right(outputs: Sequence[Values], want: np.ndarray) -> bool:
    (got,) = outputs
    return got.shape == want.shape and bool((np.abs(got / want - 1) <= ERROR_BOUND).all())


def main() -> int:
    """Print milliseconds and ratios, and say whether results were right and bounds were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--engine", choices=[TENFOLD, NUMPY], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine is not None:
        serve(Server(TenfoldEngine() if options.engine == TENFOLD else NumpyEngine()).answer)
        return 0

    wait_until_quiet()
    load_before = load_average()
    abouts, times, wrong = measure(options.rounds)
    medians = {name: statistics.median(some) for name, some in times.items()}
    lines = [f"exp(relu(x * a + b)) on {SIZE} floats, ms: median (minimum)"]
    lines += [f"  {medians[name]:6.2f} ({min(some):.2f})  {abouts[name].name}" for name, some in times.items()]
    met = not wrong
    for name, bound in BOUNDS.items():
        ratio = medians[TENFOLD] / medians[name]
        met = met and ratio <= bound
        lines.append(f"{ratio:.2f} of {abouts[name].name}'s (at most {bound:g})")
    lines += [f"wrong: {abouts[name].name}" for name in wrong]
    lines.append(overhead())
    lines += [f"{about.name}: {about.runtime}, {about.threads} threads" for about in abouts.values()]
    publish("functions", lines, load_before)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
