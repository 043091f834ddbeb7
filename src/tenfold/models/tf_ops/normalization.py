"""Normalisation and softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.models.attr_values import array_ints, attr_bool, attr_float, attr_int
from tenfold.models.tf_ops.fused import channels_first
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row
from tenfold.models.tf_ops.windows import DATA_FORMAT

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_EPSILON = Attribute("variance_epsilon", attr_float, "epsilon", 1e-4)
_KEEP_DIMS = Attribute("keep_dims", attr_bool, default=False)
_TRAINING = Attribute("is_training", attr_bool, default=False)


def _fused_batch_norm(node: NodeDef, emit: Emitter) -> None:
    if emit.attribute(node, _TRAINING) and len(node.inputs) < 5:
        raise emit.error(node, "attribute 'is_training': a graph model normalises with given statistics")
    x, *statistics = (emit.input(node, i) for i in range(5))
    if emit.attribute(node, DATA_FORMAT) == "NCHW":
        statistics = [
            channels_first(vector, emit.fresh(node, f"statistic_{number}"), emit)
            for number, vector in enumerate(statistics)
        ]
    scale, offset, mean, variance = statistics
    emit(node.name, "FusedBatchNorm", (x, mean, variance, offset, scale), emit.attributes(node, (_EPSILON,)))


def _euclidean_norm(node: NodeDef, emit: Emitter) -> None:
    known, dynamic = emit.input_attributes(node, (InputAttribute("axis", 1, array_ints),))
    attributes = {**emit.attributes(node, (_KEEP_DIMS,)), **known}
    squares = emit(emit.fresh(node, "Square"), "Square", (emit.input(node, 0),))
    total = emit(emit.fresh(node, "Sum"), "Sum", (squares,), attributes, dynamic)
    emit(node.name, "Sqrt", (total,))


ROWS = (
    Row("EuclideanNorm", "Sqrt", lower=_euclidean_norm),
    *(
        Row(op, "FusedBatchNorm", lower=_fused_batch_norm)
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ),
    Row(
        "LRN",
        "LRN",
        (0,),
        (
            Attribute("depth_radius", attr_int, default=5),
            Attribute("bias", attr_float, default=1.0),
            Attribute("alpha", attr_float, default=1.0),
            Attribute("beta", attr_float, default=0.5),
        ),
    ),
    Row("Softmax", "Softmax", (0,), fixed={"dim": -1}),
    Row("LogSoftmax", "LogSoftmax", (0,), fixed={"axis": -1}),
)
