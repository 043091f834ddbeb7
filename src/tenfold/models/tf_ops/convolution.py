"""Convolutions and pooling. Windows are written `(height, width)`; TensorFlow has one entry per axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tenfold.models.attr_values import array_ints, attr_bool, attr_int, attr_word
from tenfold.models.tf_ops.fused import lower_fused_convolution, lower_pooling
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row
from tenfold.models.tf_ops.windows import convolution_attributes, padding, spatial, volume_attributes

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_ROWS_FORMAT = Attribute("data_format", attr_word, default="nwc")
_BATCH_IN_INDEX = Attribute("include_batch_in_index", attr_bool, default=False)


def _convolution(kernel: str) -> Callable[[NodeDef, Emitter], None]:
    def lower(node: NodeDef, emit: Emitter) -> None:
        attributes = convolution_attributes(node, emit)
        emit(node.name, kernel, (emit.input(node, 0), emit.input(node, 1)), attributes)

    return lower


def _convolution_of_rows(node: NodeDef, emit: Emitter) -> None:
    """A convolution over one axis is one over pictures that are one pixel high."""
    if emit.attribute(node, _ROWS_FORMAT) != "nwc":
        raise emit.error(node, "attribute 'data_format': must be NWC")
    attributes = {
        "strides": (1, emit.attribute(node, Attribute("stride", attr_int))),
        "pad": padding(node, emit),
        "data_format": "NHWC",
        "dilations": (1, emit.attribute(node, Attribute("dilation", attr_int, default=1))),
        "dim_rounding_mode": None,
    }
    if not isinstance(attributes["pad"], str):
        raise emit.error(node, "attribute 'padding': must be SAME or VALID")
    x = emit(emit.fresh(node, "image"), "ExpandDims", (emit.input(node, 0),), {"axis": 1})
    kernel = emit(emit.fresh(node, "filter"), "ExpandDims", (emit.input(node, 1),), {"axis": 0})
    image = emit(emit.fresh(node, "Conv2D"), "Conv2D", (x, kernel), attributes)
    emit(node.name, "Squeeze", (image,), {"axis": (1,)})


def _transposed_convolution(node: NodeDef, emit: Emitter) -> None:
    attributes = convolution_attributes(node, emit)
    known, dynamic = emit.input_attributes(node, (InputAttribute("input_shape", 0, array_ints),))
    inputs = (emit.input(node, 2), emit.input(node, 1))
    emit(node.name, "Conv2DBackpropInput", inputs, {**attributes, **known}, dynamic)


def _volume_convolution(node: NodeDef, emit: Emitter) -> None:
    attributes = volume_attributes(node, emit, "dilations")
    emit(node.name, node.op, (emit.input(node, 0), emit.input(node, 1)), attributes)


def _volume_pooling(node: NodeDef, emit: Emitter) -> None:
    attributes = volume_attributes(node, emit, "ksize")
    attributes["filter_size"] = attributes.pop("ksize")
    emit(node.name, node.op, (emit.input(node, 0),), {**attributes, "dim_rounding_mode": None})


def _dilation(node: NodeDef, emit: Emitter) -> None:
    attributes = {
        "strides": spatial(node, emit, "strides", "NHWC"),
        "pad": padding(node, emit),
        "dilations": spatial(node, emit, "rates", "NHWC"),
    }
    emit(node.name, node.op, (emit.input(node, 0), emit.input(node, 1)), attributes)


def _max_pool_with_argmax(node: NodeDef, emit: Emitter) -> None:
    attributes = {
        "filter_size": spatial(node, emit, "ksize", "NHWC"),
        "strides": spatial(node, emit, "strides", "NHWC"),
        "pad": padding(node, emit),
        "include_batch_in_index": emit.attribute(node, _BATCH_IN_INDEX),
    }
    emit(node.name, node.op, (emit.input(node, 0),), attributes, outputs=2)


ROWS = (
    Row("Conv1D", "Conv2D", lower=_convolution_of_rows),
    Row("Conv2D", "Conv2D", lower=_convolution("Conv2D")),
    *(
        Row(op, "DepthwiseConv2dNative", lower=_convolution("DepthwiseConv2dNative"))
        for op in ("DepthwiseConv2dNative", "DepthwiseConv2d")
    ),
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
    Row("Conv3D", "Conv3D", lower=_volume_convolution),
    Row("AvgPool3D", "AvgPool3D", lower=_volume_pooling),
    Row("MaxPool3D", "MaxPool3D", lower=_volume_pooling),
    Row("Dilation2D", "Dilation2D", lower=_dilation),
    Row(
        "MaxPoolWithArgmax",
        "MaxPoolWithArgmax",
        outputs=2,
        output_names=("output", "argmax"),
        lower=_max_pool_with_argmax,
    ),
)
