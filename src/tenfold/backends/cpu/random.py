"""Kernels of the cpu backend that draw random numbers."""

from __future__ import annotations

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.seeds import Seed, generator


@cpu_kernel("Multinomial")
def multinomial(logits: np.ndarray, *, num_samples: int, seed: Seed = None, normalized: bool = False) -> np.ndarray:
    values = logits.astype(np.float64)
    if not normalized:
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    # A number is drawn for each sample; the outcome is the first whose cumulated probability exceeds it.
    bounds = np.cumsum(values, axis=1)[:, :-1]
    drawn = generator(seed).random((len(values), num_samples))
    outcomes = np.empty(drawn.shape, np.int32)
    for row, (limits, numbers) in enumerate(zip(bounds, drawn, strict=True)):
        outcomes[row] = np.searchsorted(limits, numbers, "right")
    return outcomes
