"""Ranking."""

from __future__ import annotations

from tenfold.models.attr_values import array_int, attr_bool, attr_int
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row

_SORTED = Attribute("sorted", attr_bool, default=True)

ROWS = (
    Row(
        "TopKV2",
        "TopK",
        (0,),
        (_SORTED,),
        (InputAttribute("k", 1, array_int),),
        outputs=2,
        output_names=("values", "indices"),
    ),
    Row(
        "TopK",
        "TopK",
        (0,),
        (_SORTED, Attribute("k", attr_int)),
        outputs=2,
        output_names=("values", "indices"),
    ),
    Row("LowerBound", "SearchSorted", (0, 1), fixed={"side": "left"}),
    Row("UpperBound", "SearchSorted", (0, 1), fixed={"side": "right"}),
    Row("Unique", "Unique", fixed={"axis": 0}, outputs=2, output_names=("y", "idx")),
    Row(
        "UniqueV2",
        "Unique",
        (0,),
        (),
        (InputAttribute("axis", 1, lambda axis: array_int(axis) if axis.size else 0),),
        outputs=2,
        output_names=("y", "idx"),
    ),
)
