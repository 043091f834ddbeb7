"""Fourier transforms along the last axis."""

from __future__ import annotations

from tenfold.models.attr_values import array_ints
from tenfold.models.tf_ops.row import InputAttribute, Row, unary

_LENGTH = InputAttribute("fft_length", 1, array_ints, None)

ROWS = (
    unary("FFT"),
    unary("IFFT"),
    Row("RFFT", "RFFT", (0,), (), (_LENGTH,)),
    Row("IRFFT", "IRFFT", (0,), (), (_LENGTH,)),
)
