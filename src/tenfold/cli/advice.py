"""Which backend to use for a model, and why: a reading of measurements.

TensorFlow.js's guide gives a rule of thumb: small models rather on WebAssembly, since a GPU costs something for
every op, large ones on the GPU, and try it on your own device. This is that trial's outcome in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from tenfold.cli.measure import Measurement
from tenfold.cli.terminal import duration, size

EQUALLY_FAST: Final = 1.1
"""Times that differ by less than this factor may be the other way round tomorrow."""

LARGEST_DIFFERENCE: Final = 1e-3
"""Outputs that are further from the reference's, relative to their scale, are wrong."""

MUCH_MEMORY: Final = 2.0
"""A backend that takes this many times the memory of another is worth a word."""


class Trial(NamedTuple):
    """A measurement, and how far the outputs were from those of the reference."""

    measurement: Measurement
    difference: float


def advise(trials: Sequence[Trial], reference: str) -> list[str]:
    """Sentences that say which backend to use, and when another one.

    Args:
        trials: of the backends that could run the model.
        reference: the name of the backend whose outputs were taken as right.
    """
    wrong = [t for t in trials if not t.difference <= LARGEST_DIFFERENCE]
    right = sorted((t.measurement for t in trials if t not in wrong), key=lambda m: m.median_ms)
    warnings = [
        f"Do not use {trial.measurement.backend}: its outputs differ from those of {reference} by "
        f"{trial.difference:.1e} of their scale."
        for trial in wrong
    ]
    if not right:
        return [*warnings, "No backend here runs this model."]
    if len(right) == 1:
        return [f"Use {right[0].backend}: no other backend here runs this model.", *warnings]
    best, why = _fastest(right)
    others = [m for m in right if m is not best]
    return [f"Use {best.backend}: {why}.", *_when_not(best, others), *_memory(best, others), *warnings]


def _fastest(by_median: Sequence[Measurement]) -> tuple[Measurement, str]:
    """The backend to use, and the reason; of those that are equally fast the one that starts the soonest."""
    close = [m for m in by_median if m.median_ms <= EQUALLY_FAST * by_median[0].median_ms]
    if len(close) == 1:
        best, second = by_median[:2]
        times = f"{duration(best.median_ms)} against {duration(second.median_ms)}"
        return best, f"{second.median_ms / best.median_ms:.1f} times as fast as {second.backend}, {times} for a run"
    best = min(close, key=_start)
    names = " and ".join(m.backend for m in close if m is not best)
    return best, f"it is as fast as {names} ({duration(best.median_ms)} for a run) and starts sooner"


def _when_not(best: Measurement, others: Sequence[Measurement]) -> list[str]:
    """For how few inferences another backend is done sooner, because it starts sooner."""
    quickest = min(others, key=_start)
    saved = _start(best) - _start(quickest)
    if saved <= 0 or quickest.median_ms <= best.median_ms:
        return []
    even = 1 + math.ceil(saved / (quickest.median_ms - best.median_ms))
    return [
        f"For fewer than {even} inferences in a process use {quickest.backend}: loading and the first inference take "
        f"{duration(_start(quickest))} there, {duration(_start(best))} with {best.backend}."
    ]


def _memory(best: Measurement, others: Sequence[Measurement]) -> list[str]:
    known = [m for m in others if m.peak_bytes is not None]
    if best.peak_bytes is None or not known:
        return []
    least = min(known, key=lambda m: m.peak_bytes or 0)
    if best.peak_bytes < MUCH_MEMORY * (least.peak_bytes or 0):
        return []
    return [f"Where memory is short use {least.backend}: {size(least.peak_bytes)} against {size(best.peak_bytes)}."]


def _start(measurement: Measurement) -> float:
    """How long it takes until the first outputs are there."""
    return measurement.load_ms + measurement.first_ms
