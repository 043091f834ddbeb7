"""What one eager `add` of two scalars costs on the cpu backend, over NumPy's own, and what it is made of.

    python -m benchmarks.add

All stages are timed in one process, in alternating repeats of many calls, and the best repeat counts. A stage
contains the ones above it; its own share is the difference. Tape off, validation on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from timeit import Timer

import numpy as np

import tenfold as tf
from benchmarks.machine import load_average, publish, wait_until_quiet
from tenfold.core.engine import engine
from tenfold.core.tensor import Tensor

BOUND = 15.0
CALLS = 5_000
REPEATS = 40


def stages() -> dict[str, Callable[[], object]]:
    """From NumPy's addition outwards to the public op."""
    tf.set_backend("cpu")
    a, b = tf.scalar(1.5), tf.scalar(2.5)
    x, y = np.asarray(a.numpy()), np.asarray(b.numpy())
    backend = tf.backend()
    kernel = backend.kernel_function("Add")
    inputs = [a, b]
    run_kernel = engine().run_kernel
    return {
        "numpy.add of two scalar arrays": lambda: np.add(x, y),
        "the backend's kernel: NumPy, and a storage for the result": lambda: kernel(inputs, {}, backend),
        "and a tensor, made and disposed": lambda: Tensor(*kernel(inputs, {}, backend)),
        "and engine.run_kernel: dispatch, devices, interceptors": lambda: run_kernel("Add", inputs),
        "and tf.add: arguments, dtypes, shapes": lambda: tf.add(a, b),
        "a + b, the operator": lambda: a + b,
    }


def measure(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Microseconds for one call of each, best of alternating repeats."""
    timers = {name: Timer(function) for name, function in functions.items()}
    idle = Timer(lambda: None)
    best = dict.fromkeys(timers, float("inf"))
    overhead = float("inf")
    for _ in range(REPEATS):
        overhead = min(overhead, idle.timeit(CALLS))
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(CALLS))
    return {name: (seconds - overhead) / CALLS * 1e6 for name, seconds in best.items()}


def main() -> int:
    """Print the stages and the ratio."""
    wait_until_quiet()
    load_before = load_average()
    times = measure(stages())
    numpy, add = next(iter(times.values())), times["and tf.add: arguments, dtypes, shapes"]
    previous = 0.0
    lines = [f"tf.add of two scalars over numpy.add: {add / numpy:.1f} times (at most {BOUND:g})"]
    for name, microseconds in times.items():
        lines.append(f"  {microseconds:6.2f} µs  {microseconds - previous:+6.2f}  {name}")
        previous = microseconds
    publish("add", lines, load_before)
    return 0 if add / numpy <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
