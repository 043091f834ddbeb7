"""Streams of random numbers from seeds: the same on every backend and machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

Seed = int | float | str | None
"""What makes a stream of random numbers repeatable: a number or text. None gives another stream each time."""


def generator(seed: Seed) -> Generator:
    """A generator of random numbers, at the beginning of the stream of `seed`."""
    return np.random.default_rng(None if seed is None else list(str(seed).encode()))
