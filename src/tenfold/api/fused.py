"""`tf.fused`. Written by `python -m tools.generate`; do not edit."""

from tenfold.ops.fused import (
    conv2d,
    depthwise_conv2d,
    mat_mul,
)

__all__ = [
    "conv2d",
    "depthwise_conv2d",
    "mat_mul",
]
