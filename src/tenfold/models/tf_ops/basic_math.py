"""Functions of each element."""

from __future__ import annotations

from tenfold.models.attr_values import array_float, attr_float
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row, binary, unary

ROWS = (
    *(
        unary(op)
        for op in (
            "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf",
            "Exp", "Expm1", "Floor", "IsFinite", "IsInf", "IsNan", "Log", "Log1p", "Neg", "Reciprocal",
            "Relu", "Relu6", "Round", "Rsqrt", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Sqrt",
            "Square", "Tan", "Tanh", "ComplexAbs", "Real", "Imag",
        )
    ),
    unary("Inv", "Reciprocal"),
    unary("IsNaN", "IsNan"),
    Row("LeakyRelu", "LeakyRelu", (0,), (Attribute("alpha", attr_float, default=0.2),)),
    binary("Prelu"),
    binary("Complex"),
    Row(
        "ClipByValue",
        "ClipByValue",
        (0,),
        input_attributes=(
            InputAttribute("clip_value_min", 1, array_float),
            InputAttribute("clip_value_max", 2, array_float),
        ),
    ),
)  # fmt: skip
