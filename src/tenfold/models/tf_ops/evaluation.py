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
)
