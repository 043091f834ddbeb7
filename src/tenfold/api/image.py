"""`tf.image`. Written by `python -m tools.generate`; do not edit."""

from tenfold.ops.image import (
    crop_and_resize,
    flip_left_right,
    grayscale_to_rgb,
    rgb_to_grayscale,
    rotate_with_offset,
)
from tenfold.ops.non_max_suppression import (
    non_max_suppression,
    non_max_suppression_async,
    non_max_suppression_padded,
    non_max_suppression_padded_async,
    non_max_suppression_with_score,
    non_max_suppression_with_score_async,
)
from tenfold.ops.resizing import (
    resize_bilinear,
    resize_nearest_neighbor,
)
from tenfold.ops.thresholding import (
    threshold,
)
from tenfold.ops.warping import (
    transform,
)

__all__ = [
    "crop_and_resize",
    "flip_left_right",
    "grayscale_to_rgb",
    "non_max_suppression",
    "non_max_suppression_async",
    "non_max_suppression_padded",
    "non_max_suppression_padded_async",
    "non_max_suppression_with_score",
    "non_max_suppression_with_score_async",
    "resize_bilinear",
    "resize_nearest_neighbor",
    "rgb_to_grayscale",
    "rotate_with_offset",
    "threshold",
    "transform",
]
