"""Tenfold as an engine of benchmarks/engines.py.

python -m benchmarks.tenfold_engine BACKEND [--driver llvmpipe|swiftshader] [--threads N]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import tenfold as tf
from benchmarks.drivers import DRIVERS, Driver, driver_threads
from benchmarks.engines import About, Chain, Draws, Inference, Server, Values, blas_threads, python_runtime, serve


class TenfoldEngine:
    """Runs graph models on one backend."""

    def __init__(self, backend: str) -> None:
        if not tf.set_backend(backend):
            raise RuntimeError(f"the backend {backend!r} could not be initialised")

    def about(self) -> About:
        """Name, runtime and number of threads."""
        return About(f"Tenfold {tf.get_backend()}", python_runtime(), blas_threads())

    def load(self, model: Path, values: Values) -> Inference:
        """A closure that feeds the values as a tensor and reads every output."""
        graph_model = tf.load_graph_model_sync(model)

        def run() -> list[Values]:
            with tf.tidy():
                results = graph_model.predict(tf.tensor(values))
                if isinstance(results, dict):
                    results = list(results.values())
                tensors = results if isinstance(results, list | tuple) else [results]
                return [np.asarray(tensor.data_sync(), np.float32) for tensor in tensors]

        return run


class TenfoldThreads(TenfoldEngine):
    """Runs graph models on the wasm backend, on so many threads."""

    def __init__(self, backend: str, threads: int) -> None:
        super().__init__(backend)
        self._device: Any = tf.backend().device
        self._device.set_threads_count(threads)

    def about(self) -> About:
        """Name, runtime, and number of threads."""
        about = super().about()
        threads = self._device.threads_count
        return About(f"{about.name}, {threads} thread{'s'[: threads - 1]}", about.runtime, threads)


class TenfoldDrawing(TenfoldEngine):
    """Runs graph models, and chains of ops, on a backend that draws."""

    def __init__(self, backend: str, driver: Driver) -> None:
        super().__init__(backend)
        self._backend: Any = tf.backend()
        driver.check(self._backend.limits.renderer)

    def about(self) -> About:
        """Name, runtime with the renderer, and number of the renderer's threads."""
        about = super().about()
        return About(about.name, f"{about.runtime}, {self._backend.limits.renderer}", driver_threads())

    def draws(self) -> Draws:
        """The draws that there have been."""
        return Draws(int(self._backend.draws_made), int(self._backend.draws))

    def chain(self, count: int) -> Chain:
        """Add one `count` times to an 8x8 tensor on the device; what may be compiled or uploaded has been before."""
        tf.env().set("WEBGL_CPU_FORWARD", False)
        with tf.tidy():
            first, step = tf.tensor(np.zeros((8, 8), np.float32)), tf.tensor(np.ones((8, 8), np.float32))
            _add(first, step, 2).data_sync()
            start = perf_counter()
            total = _add(first, step, count)
            issued = perf_counter()
            values = total.data_sync()
            read = perf_counter()
        return Chain((issued - start) * 1e3, (read - start) * 1e3, float(values[0]))


def _add(total: tf.Tensor, step: tf.Tensor, times: int) -> tf.Tensor:
    def sums() -> tf.Tensor:
        result = total
        for _ in range(times):
            result = tf.add(result, step)
        return result

    return tf.tidy(sums)


def main() -> None:
    """Answer commands until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backend")
    parser.add_argument("--driver", choices=DRIVERS)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads is not None:
        serve(Server(TenfoldThreads(options.backend, options.threads)).answer)
    elif options.driver is None:
        serve(Server(TenfoldEngine(options.backend)).answer)
    else:
        serve(Server(TenfoldDrawing(options.backend, DRIVERS[options.driver])).answer)


if __name__ == "__main__":
    main()
