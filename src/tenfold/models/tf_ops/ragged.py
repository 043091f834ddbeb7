"""Ragged tensors, as values and the splits between rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.models.attr_values import attr_int, attr_texts
from tenfold.models.tf_ops.row import Attribute, Row

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_MOST_RAGGED_AXES = 64


def _gather(node: NodeDef, emit: Emitter) -> None:
    """The splits of each ragged axis of the result come first, then its values."""
    ragged_rank = emit.attribute(node, Attribute("OUTPUT_RAGGED_RANK", attr_int))
    if not 0 <= ragged_rank <= _MOST_RAGGED_AXES:
        raise emit.error(node, f"attribute 'OUTPUT_RAGGED_RANK': {ragged_rank} ragged axes are not possible")
    inputs = [emit.input(node, i) for i in range(len(node.inputs))]
    emit(node.name, node.op, inputs, outputs=ragged_rank + 1)


ROWS = (
    Row("RaggedGather", "RaggedGather", lower=_gather),
    Row("RaggedRange", "RaggedRange", (0, 1, 2), outputs=2, output_names=("rt_nested_splits", "rt_dense_values")),
    Row(
        "RaggedTensorToTensor",
        "RaggedTensorToTensor",
        slice(0, None),
        (Attribute("row_partition_types", attr_texts),),
    ),
)
