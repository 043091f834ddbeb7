"""Fourier transforms of the cpu backend, along the last axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


@cpu_kernel("RFFT")
def rfft(input: np.ndarray, *, fft_length: Sequence[int]) -> np.ndarray:
    """The first half of the transform of rows of real numbers, cut or padded to a length."""
    (length,) = fft_length
    if not input.size:
        return np.zeros((*input.shape[:-1], length // 2 + 1), np.complex64)
    return np.fft.rfft(input, length).astype(np.complex64, copy=False)


@cpu_kernel("IRFFT")
def irfft(input: np.ndarray, *, fft_length: Sequence[int]) -> np.ndarray:
    """Rows of a length, of real numbers, whose transform begins with `input`, cut or padded."""
    (length,) = fft_length
    if not input.size:
        return np.zeros((*input.shape[:-1], length), np.float32)
    return np.fft.irfft(input, length).astype(np.float32, copy=False)


def _transformed(transform: Callable[[np.ndarray], np.ndarray], input: np.ndarray) -> np.ndarray:
    if not input.shape[-1]:
        return input.copy()
    # NumPy 1 computes in double precision, whatever it is given.
    return transform(input).astype(input.dtype, copy=False)
