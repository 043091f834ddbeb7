"""Tensors that are made from numbers."""

from __future__ import annotations

from tenfold.models.attr_values import array_float, array_int, array_ints, array_item, attr_dtype
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row, unary

ROWS = (
    Row(
        "Fill",
        "Fill",
        (),
        (Attribute("dtype", attr_dtype, "T"),),
        (InputAttribute("shape", 0, array_ints), InputAttribute("value", 1, array_item)),
    ),
    Row(
        "LinSpace",
        "LinSpace",
        (),
        (),
        (
            InputAttribute("start", 0, array_float),
            InputAttribute("stop", 1, array_float),
            InputAttribute("num", 2, array_int),
        ),
    ),
    Row(
        "Range",
        "Range",
        (),
        (Attribute("dtype", attr_dtype, "Tidx", "int32"),),
        (
            InputAttribute("start", 0, array_item),
            InputAttribute("stop", 1, array_item),
            InputAttribute("step", 2, array_item),
        ),
    ),
    Row(
        "OneHot",
        "OneHot",
        (0,),
        (Attribute("dtype", attr_dtype, "T", "float32"),),
        (
            InputAttribute("depth", 1, array_int),
            InputAttribute("on_value", 2, array_item),
            InputAttribute("off_value", 3, array_item),
        ),
    ),
    unary("OnesLike"),
    unary("ZerosLike"),
)
