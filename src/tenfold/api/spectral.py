"""`tf.spectral`. Written by `python -m tools.generate`; do not edit."""

from tenfold.ops.spectral import (
    fft,
    ifft,
    irfft,
    rfft,
)

__all__ = [
    "fft",
    "ifft",
    "irfft",
    "rfft",
]
