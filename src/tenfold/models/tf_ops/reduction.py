"""Reductions over axes."""

from __future__ import annotations

from tenfold.models.attr_values import array_int, array_ints, attr_bool
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row

_KEEP_DIMS = Attribute("keep_dims", attr_bool, default=False)
_SIZE = InputAttribute("size", 1, array_int)
_CUMULATIVE = (
    Attribute("exclusive", attr_bool, default=False),
    Attribute("reverse", attr_bool, default=False),
)

ROWS = (
    *(
        Row(op, op, (0,), (_KEEP_DIMS,), (InputAttribute("axis", 1, array_ints),))
        for op in ("All", "Any", "Max", "Mean", "Min", "Prod", "Sum")
    ),
    *(Row(op, op, (0,), (), (InputAttribute("axis", 1, array_int),)) for op in ("ArgMax", "ArgMin")),
    Row("Bincount", "Bincount", (0, 2), (), (_SIZE,)),
    Row("DenseBincount", "DenseBincount", (0, 2), (Attribute("binary_output", attr_bool, default=False),), (_SIZE,)),
    *(Row(op, op, (0,), _CUMULATIVE, (InputAttribute("axis", 1, array_int),)) for op in ("Cumsum", "Cumprod")),
)
