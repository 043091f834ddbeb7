"""Products of matrices, and transposition."""

from __future__ import annotations

from tenfold.models.attr_values import array_int, array_ints, attr_bool, attr_text
from tenfold.models.tf_ops.fused import lower_fused_matmul
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row

_TRANSPOSES = (
    Attribute("transpose_a", attr_bool, default=False),
    Attribute("transpose_b", attr_bool, default=False),
)
_ADJOINTS = (
    Attribute("transpose_a", attr_bool, "adj_x", False),
    Attribute("transpose_b", attr_bool, "adj_y", False),
)

ROWS = (
    Row("MatMul", "BatchMatMul", (0, 1), _TRANSPOSES),
    Row("BatchMatMul", "BatchMatMul", (0, 1), _ADJOINTS),
    Row("BatchMatMulV2", "BatchMatMul", (0, 1), _ADJOINTS),
    Row("_FusedMatMul", "BatchMatMul", lower=lower_fused_matmul),
    Row("Einsum", "Einsum", slice(0, None), (Attribute("equation", attr_text),)),
    Row(
        "MatrixBandPart",
        "MatrixBandPart",
        (0,),
        (),
        (InputAttribute("num_lower", 1, array_int), InputAttribute("num_upper", 2, array_int)),
    ),
    Row("Transpose", "Transpose", (0,), (), (InputAttribute("perm", 1, array_ints),)),
)
