"""`tf.signal`. Written by `python -m tools.generate`; do not edit."""

from tenfold.ops.signal import (
    frame,
    hamming_window,
    hann_window,
    stft,
)

__all__ = [
    "frame",
    "hamming_window",
    "hann_window",
    "stft",
]
