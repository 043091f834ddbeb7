"""Tenfold as an engine of benchmarks/engines.py: `python -m benchmarks.tenfold_engine BACKEND`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import tenfold as tf
from benchmarks.engines import About, Inference, Server, Values, blas_threads, python_runtime, serve


class TenfoldEngine:
    """Runs graph models on one backend."""

    def __init__(self, backend: str) -> None:
        tf.set_backend(backend)

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


if __name__ == "__main__":
    serve(Server(TenfoldEngine(sys.argv[1] if len(sys.argv) > 1 else "cpu")).answer)
