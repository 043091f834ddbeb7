"""Arithmetic on two tensors, and sums of several."""

from __future__ import annotations

from tenfold.models.tf_ops.fused import lower_bias_add
from tenfold.models.tf_ops.row import Row, binary

ROWS = (
    binary("Add"),
    binary("AddV2", "Add"),
    Row("AddN", "AddN", slice(0, None)),
    binary("Sub"),
    binary("Mul", "Multiply"),
    binary("RealDiv"),
    binary("Div", "RealDiv"),
    binary("DivNoNan"),
    binary("FloorDiv"),
    binary("Mod"),
    binary("FloorMod", "Mod"),
    binary("Maximum"),
    binary("Minimum"),
    binary("Pow"),
    binary("SquaredDifference"),
    binary("Atan2"),
    Row("BiasAdd", "Add", (0, 1), lower=lower_bias_add),
    Row("BiasAddV1", "Add", (0, 1), lower=lower_bias_add),
)
