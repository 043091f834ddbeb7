"""Normalisation and softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.models.attr_values import attr_bool, attr_float, attr_int
from tenfold.models.tf_ops.row import Attribute, Row
from tenfold.models.tf_ops.windows import DATA_FORMAT

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_EPSILON = Attribute("variance_epsilon", attr_float, "epsilon", 1e-4)
_TRAINING = Attribute("is_training", attr_bool, default=False)


def _fused_batch_norm(node: NodeDef, emit: Emitter) -> None:
    if emit.attribute(node, DATA_FORMAT) != "NHWC":
        raise emit.error(node, "attribute 'data_format': only NHWC is supported here")
    if emit.attribute(node, _TRAINING) and len(node.inputs) < 5:
        raise emit.error(node, "attribute 'is_training': a graph model normalises with given statistics")
    x, scale, offset, mean, variance = (emit.input(node, i) for i in range(5))
    emit(node.name, "FusedBatchNorm", (x, mean, variance, offset, scale), emit.attributes(node, (_EPSILON,)))


ROWS = (
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
