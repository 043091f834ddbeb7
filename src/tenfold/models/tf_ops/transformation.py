"""Changes of shape, dtype and border."""

from __future__ import annotations

from tenfold.models.attr_values import (
    array_int,
    array_ints,
    array_item,
    array_pairs,
    attr_data_format,
    attr_dtype,
    attr_int,
    attr_ints,
    attr_shape,
    attr_word,
)
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row, binary

_PADDINGS = InputAttribute("paddings", 1, array_pairs)

ROWS = (
    Row("Cast", "Cast", (0,), (Attribute("dtype", attr_dtype, "DstT"),)),
    Row("Reshape", "Reshape", (0,), (), (InputAttribute("shape", 1, array_ints),)),
    Row("EnsureShape", "EnsureShape", (0,), (Attribute("shape", attr_shape, default=None),)),
    Row("ExpandDims", "ExpandDims", (0,), (), (InputAttribute("axis", 1, array_int),)),
    Row("Squeeze", "Squeeze", (0,), (Attribute("axis", attr_ints, "squeeze_dims", ()),)),
    Row("Pad", "PadV2", (0,), (), (_PADDINGS,), {"constant_value": 0}),
    Row("PadV2", "PadV2", (0,), (), (_PADDINGS, InputAttribute("constant_value", 2, array_item))),
    Row("MirrorPad", "MirrorPad", (0,), (Attribute("mode", attr_word),), (_PADDINGS,)),
    binary("BroadcastArgs"),
    Row("BroadcastTo", "BroadcastTo", (0,), (), (InputAttribute("shape", 1, array_ints),)),
    Row(
        "SpaceToBatchND",
        "SpaceToBatchND",
        (0,),
        (),
        (InputAttribute("block_shape", 1, array_ints), InputAttribute("paddings", 2, array_pairs)),
    ),
    Row(
        "BatchToSpaceND",
        "BatchToSpaceND",
        (0,),
        (),
        (InputAttribute("block_shape", 1, array_ints), InputAttribute("crops", 2, array_pairs)),
    ),
    Row(
        "DepthToSpace",
        "DepthToSpace",
        (0,),
        (
            Attribute("block_size", attr_int),
            Attribute("data_format", attr_data_format, default="NHWC"),
        ),
    ),
)
