"""What a graph asks about itself: shapes and sizes, and ops that hand their input on.

`Const` and `Placeholder` are written by `lowering`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.models.attr_values import attr_int, attr_text
from tenfold.models.tf_ops.row import Attribute, Row, unary

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef


def _identities(node: NodeDef, emit: Emitter) -> None:
    for number in range(len(node.inputs)):
        name = node.name if number == 0 else f"{node.name}:{number}"
        emit.output(node, number, emit(name, "Identity", (emit.input(node, number),)))


ROWS = (
    Row("NoOp", "NoOp", (), outputs=0),
    Row(
        "Print",
        "Print",
        slice(0, None),
        (Attribute("message", attr_text, default=""), Attribute("summarize", attr_int, default=3)),
    ),
    unary("Shape"),
    Row("ShapeN", "ShapeN", slice(0, None), outputs=lambda node: len(node.inputs)),
    unary("Size"),
    unary("Rank"),
    *(
        unary(op, "Identity")
        for op in (
            "Identity", "Snapshot", "StopGradient", "PreventGradient", "CheckNumerics", "PlaceholderWithDefault",
            "ReadVariableOp", "FakeQuantWithMinMaxVars",
            # outside of a loop these only hand their input on
            "Enter", "Exit", "NextIteration", "LoopCond",
        )
    ),
    Row("IdentityN", "Identity", slice(0, None), outputs=lambda node: len(node.inputs), lower=_identities),
)  # fmt: skip
