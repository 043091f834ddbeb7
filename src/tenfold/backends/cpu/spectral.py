"""Fourier transforms of the cpu backend, along the last axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("FFT")
def fft(input: np.ndarray) -> np.ndarray:
    """The discrete Fourier transform of each row."""
    return _transformed(np.fft.fft, input)


@cpu_kernel("IFFT")
def ifft(input: np.ndarray) -> np.ndarray:
    """The inverse of `fft`."""
    return _transformed(np.fft.ifft, input)


def _transformed(transform: Callable[[np.ndarray], np.ndarray], input: np.ndarray) -> np.ndarray:
    if not input.shape[-1]:
        return input.copy()
    # NumPy 1 computes in double precision, whatever it is given.
    return transform(input).astype(input.dtype, copy=False)
