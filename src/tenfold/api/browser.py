"""`tf.browser`. Written by `python -m tools.generate`; do not edit."""

from tenfold.ops.browser import (
    draw,
    from_pixels,
    from_pixels_async,
    to_pixels,
)

__all__ = [
    "draw",
    "from_pixels",
    "from_pixels_async",
    "to_pixels",
]
