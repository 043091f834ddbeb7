"""Pictures."""

from __future__ import annotations

from tenfold.models.attr_values import array_float, array_ints, attr_bool, attr_float, attr_word
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row

_RESIZING = (
    Attribute("align_corners", attr_bool, default=False),
    Attribute("half_pixel_centers", attr_bool, default=False),
)
_SIZE = InputAttribute("size", 1, array_ints)

ROWS = (
    Row("ResizeBilinear", "ResizeBilinear", (0,), _RESIZING, (_SIZE,)),
    Row("ResizeNearestNeighbor", "ResizeNearestNeighbor", (0,), _RESIZING, (_SIZE,)),
    Row(
        "ImageProjectiveTransformV3",
        "Transform",
        (0, 1),
        (
            Attribute("interpolation", attr_word),
            Attribute("fill_mode", attr_word, default="constant"),
        ),
        (InputAttribute("output_shape", 2, array_ints), InputAttribute("fill_value", 3, array_float)),
    ),
    Row(
        "CropAndResize",
        "CropAndResize",
        (0, 1, 2),
        (
            Attribute("method", attr_word, default="bilinear"),
            Attribute("extrapolation_value", attr_float, default=0.0),
        ),
        (InputAttribute("crop_size", 3, array_ints),),
    ),
)
