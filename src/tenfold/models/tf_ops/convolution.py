"""Convolutions and pooling. Windows are written `(height, width)`; TensorFlow has one entry per axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.models.attr_values import array_ints, attr_bool
from tenfold.models.tf_ops.fused import lower_fused_convolution, lower_pooling
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row
from tenfold.models.tf_ops.windows import convolution_attributes, padding, spatial

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_BATCH_IN_INDEX = Attribute("include_batch_in_index", attr_bool, default=False)


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


def _max_pool_with_argmax(node: NodeDef, emit: Emitter) -> None:
    attributes = {
        "filter_size": spatial(node, emit, "ksize", "NHWC"),
        "strides": spatial(node, emit, "strides", "NHWC"),
        "pad": padding(node, emit),
        "include_batch_in_index": emit.attribute(node, _BATCH_IN_INDEX),
    }
    emit(node.name, node.op, (emit.input(node, 0),), attributes, outputs=2)


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
    Row(
        "MaxPoolWithArgmax",
        "MaxPoolWithArgmax",
        outputs=2,
        output_names=("output", "argmax"),
        lower=_max_pool_with_argmax,
    ),
)
