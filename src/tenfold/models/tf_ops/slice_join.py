"""Cutting and joining."""

from __future__ import annotations

from tenfold.models.attr_values import array_bools, array_int, array_ints, attr_int
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row

_MASKS = tuple(
    Attribute(name, attr_int, default=0)
    for name in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
)

ROWS = (
    Row("ConcatV2", "Concat", slice(0, -1), (), (InputAttribute("axis", -1, array_int),)),
    Row("Concat", "Concat", slice(1, None), (), (InputAttribute("axis", 0, array_int),)),
    Row("Pack", "Pack", slice(0, None), (Attribute("axis", attr_int, default=0),)),
    Row(
        "Unpack",
        "Unpack",
        (0,),
        (Attribute("num", attr_int), Attribute("axis", attr_int, default=0)),
        outputs="num",
    ),
    Row(
        "GatherV2",
        "GatherV2",
        (0, 1),
        (Attribute("batch_dims", attr_int, default=0),),
        (InputAttribute("axis", 2, array_int, 0),),
    ),
    Row("Gather", "GatherV2", (0, 1), fixed={"axis": 0, "batch_dims": 0}),
    Row("GatherNd", "GatherNd", (0, 1)),
    Row("ScatterNd", "ScatterNd", (0, 1), (), (InputAttribute("shape", 2, array_ints),)),
    Row("TensorScatterUpdate", "TensorScatterUpdate", (0, 1, 2)),
    Row("SparseToDense", "SparseToDense", (0, 2, 3), (), (InputAttribute("output_shape", 1, array_ints),)),
    Row("Reverse", "ReverseWhere", (0,), (), (InputAttribute("flags", 1, array_bools),)),
    Row("ReverseV2", "Reverse", (0,), (), (InputAttribute("dims", 1, array_ints),)),
    Row(
        "Slice",
        "Slice",
        (0,),
        (),
        (InputAttribute("begin", 1, array_ints), InputAttribute("size", 2, array_ints)),
    ),
    Row(
        "StridedSlice",
        "StridedSlice",
        (0,),
        _MASKS,
        (
            InputAttribute("begin", 1, array_ints),
            InputAttribute("end", 2, array_ints),
            InputAttribute("strides", 3, array_ints),
        ),
    ),
    Row(
        "Split",
        "SplitV",
        (1,),
        (Attribute("num_or_size_splits", attr_int, "num_split"),),
        (InputAttribute("axis", 0, array_int),),
        outputs="num_split",
    ),
    Row(
        "SplitV",
        "SplitV",
        (0,),
        (),
        (
            InputAttribute("num_or_size_splits", 1, array_ints),
            InputAttribute("axis", 2, array_int),
        ),
        outputs="num_split",
    ),
    Row("Tile", "Tile", (0,), (), (InputAttribute("reps", 1, array_ints),)),
)
