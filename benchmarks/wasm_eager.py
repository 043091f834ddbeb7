"""What eager ops cost on wasm, one thread each: Tenfold under wasmtime, TensorFlow.js in Node.js.

    python -m benchmarks.wasm_eager [--rounds N]

A hundred additions on 8x8, each of the one before, and a product of two 512x512 matrices, both until the result was
read. The engines are processes that take turns, and who is first in a round changes. The bounds are on medians; minima
depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.engines import About, Chain, EngineProcess, Launch, Values, python_runtime, serve
from benchmarks.inferences import error_of, rotations
from benchmarks.machine import load_average, publish, wait_until_quiet
from benchmarks.models import ENGINES, TFJS_WASM

TENFOLD = "tenfold"
OPS, OPS_BOUND = 100, 1.5
SIZE, PRODUCT_BOUND = 512, 0.75
CHAINS, PRODUCTS = 25, 5
"""A turn: some ten milliseconds of each, so that what another process left in the caches matters little."""

WARM_UP = 60
"""Chains before those that count: V8 compiles what runs often better."""

ERROR_BOUND = 1e-5


class TenfoldEager:
    """Ops one by one on Tenfold's wasm backend, on one thread."""

    def __init__(self) -> None:
        import tenfold as tf

        self._tf = tf
        if not tf.set_backend("wasm").result():
            raise RuntimeError("the backend 'wasm' could not be initialised")
        tf.set_threads_count(1)
        self._operands: tuple[Any, Any] | None = None
        self._product = np.zeros(0, np.float32)

    def answer(self, request: Any) -> dict[str, object]:
        """Carry out one command."""
        match request["command"]:
            case "about":
                return asdict(About("Tenfold wasm", python_runtime(), self._tf.get_threads_count()))
            case "chain":
                return asdict(self._chain(request["count"]))
            case "product":
                return {"milliseconds": self._multiply(request["input"], request["size"])}
            case "outputs":
                return {"values": [self._product.tolist()]}
            case command:
                raise ValueError(f"{command!r} is not possible")

    def _chain(self, count: int) -> Chain:
        tf = self._tf
        with tf.tidy():
            first, step = tf.zeros([8, 8]), tf.ones([8, 8])
            start = perf_counter()

            def sums() -> Any:
                total = first
                for _ in range(count):
                    total = tf.add(total, step)
                return total

            total = tf.tidy(sums)
            issued = perf_counter()
            values = total.data_sync()
            read = perf_counter()
        return Chain((issued - start) * 1e3, (read - start) * 1e3, float(values[0]))

    def _multiply(self, file: str, size: int) -> float:
        tf = self._tf
        if self._operands is None:
            a, b = np.fromfile(file, np.float32).reshape(2, size, size)
            self._operands = tf.tensor(a), tf.tensor(b)
        start = perf_counter()
        product = tf.mat_mul(*self._operands)
        self._product = product.data_sync()
        elapsed = perf_counter() - start
        product.dispose()
        return elapsed * 1e3


class EagerProcess(EngineProcess):
    """A running engine that computes op by op.

    Attributes:
        chains: microseconds per op of the chains so far.
        products: milliseconds of the products so far.
    """

    def __init__(self, launch: Launch, operands: Path) -> None:
        super().__init__(launch)
        self._operands = str(operands)
        self.chains: list[float] = []
        self.products: list[float] = []

    def take_turn(self) -> None:
        """Several chains and products in a row."""
        for _ in range(CHAINS):
            chain = self.chain(OPS)
            if chain.result != OPS:
                raise ValueError(f"{OPS} additions of one to zero gave {chain.result}")
            self.chains.append(chain.total / OPS * 1e3)
        self.products += [self.multiply() for _ in range(PRODUCTS)]

    def multiply(self) -> float:
        """Milliseconds of a product."""
        return float(self._ask("product", input=self._operands, size=SIZE)["milliseconds"])


def compare(title: str, times: Mapping[str, Sequence[float]], bound: float) -> tuple[list[str], bool]:
    """Lines of a comparison, and whether the bound was met."""
    ratio = statistics.median(times[TENFOLD]) / statistics.median(times[TFJS_WASM])
    least = min(times[TENFOLD]) / min(times[TFJS_WASM])
    lines = [f"{title}: {ratio:.2f} of TensorFlow.js's (at most {bound:g}); minima {least:.2f}"]
    lines += [f"  {statistics.median(some):6.2f} ({min(some):.2f})  {name}" for name, some in times.items()]
    return lines, ratio <= bound


def main() -> int:
    """Print medians, minima and ratios, and say whether results were right and bounds were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--engine", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        serve(TenfoldEager().answer)
        return 0

    wait_until_quiet()
    load_before = load_average()
    launches = {
        TENFOLD: Launch((sys.executable, "-m", "benchmarks.wasm_eager", "--engine")),
        TFJS_WASM: ENGINES[TFJS_WASM],
    }
    operands = np.random.default_rng(5).uniform(-1, 1, (2, SIZE, SIZE)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "operands.bin"
        operands.tofile(file)
        engines = {name: EagerProcess(launch, file) for name, launch in launches.items()}
        for engine in engines.values():
            stack.enter_context(engine)
            for _ in range(WARM_UP):
                engine.chain(OPS)
            engine.multiply()
        abouts = {name: engine.about() for name, engine in engines.items()}
        for names in rotations(list(engines), options.rounds):
            for name in names:
                engines[name].take_turn()
        want: list[Values] = [(operands[0].astype(np.float64) @ operands[1]).astype(np.float32).ravel()]
        errors = {name: error_of(engine.outputs(), want) for name, engine in engines.items()}

    chains = {name: engine.chains for name, engine in engines.items()}
    products = {name: engine.products for name, engine in engines.items()}
    sums, sums_met = compare(f"{OPS} dependent additions on 8x8, µs per op: median (minimum)", chains, OPS_BOUND)
    product, product_met = compare(f"a product of {SIZE}x{SIZE}, ms: median (minimum)", products, PRODUCT_BOUND)
    wrong = [name for name, error in errors.items() if not error <= ERROR_BOUND]
    lines = [*sums, *product, *(f"wrong: {abouts[name].name}, off by {errors[name]:.1e} of scale" for name in wrong)]
    lines += [f"{name}: {about.name}, {about.runtime}, {about.threads} thread" for name, about in abouts.items()]
    publish("wasm_eager", lines, load_before)
    return 0 if sums_met and product_met and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
