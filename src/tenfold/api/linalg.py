"""`tf.linalg`. Written by `python -m tools.generate`; do not edit."""

from tenfold.ops.linalg import (
    band_part,
    gram_schmidt,
    qr,
)

__all__ = [
    "band_part",
    "gram_schmidt",
    "qr",
]
