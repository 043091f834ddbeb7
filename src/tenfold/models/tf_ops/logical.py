"""Comparisons, logic and choice."""

from __future__ import annotations

from tenfold.models.tf_ops.row import Row, binary, unary

ROWS = (
    *(
        binary(op)
        for op in (
            "Equal",
            "NotEqual",
            "Greater",
            "GreaterEqual",
            "Less",
            "LessEqual",
            "LogicalAnd",
            "LogicalOr",
            "BitwiseAnd",
        )
    ),
    unary("LogicalNot"),
    Row("Select", "Select", (0, 1, 2)),
    Row("SelectV2", "Select", (0, 1, 2)),
)
