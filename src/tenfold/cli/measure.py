"""Measuring a model on a backend: times with the outputs read, and memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import tenfold as tf
from tenfold.cli.inputs import Feed
from tenfold.devices.host import now, peak_bytes
from tenfold.models.graph_model import GraphModel

SMALLEST_SCALE = 1e-3
"""Outputs that are smaller than this are compared absolutely."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A model on a backend; times in milliseconds, from values in memory to values in memory.

    Attributes:
        backend: its name.
        load_ms: loading the model, from its files or from the cache.
        first_ms: the first inference, with planning, compiling and uploading.
        min_ms: the shortest of the later ones.
        median_ms: half of the later ones took less.
        p90_ms: nine of ten took less.
        runs: how many later ones there were.
        tensors: tensors alive afterwards: the weights and what plans keep.
        tensor_bytes: bytes in those.
        peak_bytes: the most memory that the process has taken; None where the system does not say.
    """

    backend: str
    load_ms: float
    first_ms: float
    min_ms: float
    median_ms: float
    p90_ms: float
    runs: int
    tensors: int
    tensor_bytes: int
    peak_bytes: int | None


def measure(
    model: GraphModel, feeds: Sequence[Feed], runs: int, load_ms: float, on_progress: Callable[[float], None]
) -> tuple[Measurement, list[np.ndarray]]:
    """Run a model once, then several times.

    Args:
        model: freshly loaded.
        feeds: its inputs.
        runs: how many inferences follow the first.
        load_ms: how long loading took.
        on_progress: called with the fraction that is done.

    Returns:
        Figures, and the outputs.
    """
    first_ms, outputs = infer(model, feeds)
    times = []
    for number in range(runs):
        on_progress((number + 1) / (runs + 1))
        times.append(infer(model, feeds)[0])
    memory = tf.memory()
    measured = Measurement(
        backend=tf.get_backend(),
        load_ms=load_ms,
        first_ms=first_ms,
        min_ms=min(times),
        median_ms=statistics.median(times),
        p90_ms=float(np.percentile(times, 90)),
        runs=runs,
        tensors=memory.num_tensors,
        tensor_bytes=memory.num_bytes,
        peak_bytes=peak_bytes(),
    )
    return measured, outputs


def infer(model: GraphModel, feeds: Iterable[Feed]) -> tuple[float, list[np.ndarray]]:
    """Run a model: how many milliseconds that took with the outputs read, and these."""
    values = {feed.name: feed.array for feed in feeds}
    with tf.tidy():
        started = now()
        outputs = model.execute(values)
        arrays = [tensor.numpy() for tensor in (outputs if isinstance(outputs, list) else [outputs])]
        return now() - started, arrays


def difference(got: Iterable[np.ndarray], wanted: Iterable[np.ndarray]) -> float:
    """The largest difference of outputs over their scale.

    It is infinite where shapes, dtypes, texts or the places of NaN and infinities differ.
    """
    return max((_difference(have, want) for have, want in zip(got, wanted, strict=True)), default=0.0)


def _difference(have: np.ndarray, want: np.ndarray) -> float:
    if have.shape != want.shape or have.dtype != want.dtype:
        return float("inf")
    if want.dtype.kind not in "biufc":
        return 0.0 if np.array_equal(have, want) else float("inf")
    finite = np.isfinite(want)
    if not (np.isfinite(have[finite]).all() and np.array_equal(have[~finite], want[~finite], equal_nan=True)):
        return float("inf")
    numbers = want[finite].astype(np.complex128)
    apart = np.max(np.abs(have[finite] - numbers), initial=0)
    return float(apart / max(np.max(np.abs(numbers), initial=0), SMALLEST_SCALE))
