"""Convolutions and pooling. Windows are written `(height, width)`; TensorFlow has one entry per axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.models.attr_values import array_ints
from tenfold.models.tf_ops.fused import lower_fused_convolution, lower_pooling
from tenfold.models.tf_ops.row import InputAttribute, Row
from tenfold.models.tf_ops.windows import convolution_attributes

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef


def _convolution(node: NodeDef, emit: Emitter) -> None:
    attributes = convolution_attributes(node, emit)
    emit(node.name, node.op, (emit.input(node, 0), emit.input(node, 1)), attributes)


def _transposed_convolution(node: NodeDef, emit: Emitter) -> None:
    attributes = convolution_attributes(node, emit)
    if attributes.pop("dilations") != (1, 1):
        raise emit.error(node, "attribute 'dilations': only 1 is supported in a transposed convolution")
    known, dynamic = emit.input_attributes(node, (InputAttribute("input_shape", 0, array_ints),))
    inputs = (emit.input(node, 2), emit.input(node, 1))
    emit(node.name, "Conv2DBackpropInput", inputs, {**attributes, **known}, dynamic)


ROWS = (
    Row("Conv2D", "Conv2D", lower=_convolution),
    Row("DepthwiseConv2dNative", "DepthwiseConv2dNative", lower=_convolution),
    Row("Conv2DBackpropInput", "Conv2DBackpropInput", lower=_transposed_convolution),
    Row("_FusedConv2D", "Conv2D", lower=lower_fused_convolution("Conv2D")),
    Row(
        "FusedDepthwiseConv2dNative",
        "DepthwiseConv2dNative",
        lower=lower_fused_convolution("DepthwiseConv2dNative"),
    ),
    Row(
        "_FusedDepthwiseConv2dNative",
        "DepthwiseConv2dNative",
        lower=lower_fused_convolution("DepthwiseConv2dNative"),
    ),
    Row("AvgPool", "AvgPool", lower=lower_pooling),
    Row("MaxPool", "MaxPool", lower=lower_pooling),
)
