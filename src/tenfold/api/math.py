"""`tf.math`. Written by `python -m tools.generate`; do not edit."""

from tenfold.ops.counting import (
    confusion_matrix,
)

__all__ = [
    "confusion_matrix",
]
