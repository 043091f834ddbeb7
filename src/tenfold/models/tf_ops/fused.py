"""TensorFlow's fused ops, written as the kernels that they consist of.

The passes over the graph fuse again, and more; so that there is one way in which a bias or an activation
follows a convolution, whatever the tool that made the model did. The last kernel bears the name of the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.graph.graph import Ref
from tenfold.models.attr_values import attr_bool, attr_float, attr_words
from tenfold.models.tf_ops.row import Attribute
from tenfold.models.tf_ops.windows import DATA_FORMAT, convolution_attributes, padding, spatial

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_FUSED_OPS = Attribute("fused_ops", attr_words, default=())
_EPSILON = Attribute("epsilon", attr_float, default=1e-4)
_LEAKY_ALPHA = Attribute("leakyrelu_alpha", attr_float, default=0.2)


class _Stage(NamedTuple):
    """What follows the main kernel: a kernel, how many further inputs it takes, and its attributes."""

    kernel: str
    arguments: int = 0
    attributes: tuple[Attribute, ...] = ()


_STAGES = {
    "biasadd": _Stage("Add", 1),
    "add": _Stage("Add", 1),
    "prelu": _Stage("Prelu", 1),
    "fusedbatchnorm": _Stage("FusedBatchNorm", 4, (_EPSILON._replace(name="variance_epsilon", source="epsilon"),)),
    "leakyrelu": _Stage("LeakyRelu", 0, (_LEAKY_ALPHA._replace(name="alpha", source="leakyrelu_alpha"),)),
    **{kernel.lower(): _Stage(kernel) for kernel in ("Relu", "Relu6", "Elu", "Sigmoid", "Tanh")},
}

_TO_NHWC = (0, 2, 3, 1)
_TO_NCHW = (0, 3, 1, 2)


def lower_fused_convolution(kernel: str) -> Callable[[NodeDef, Emitter], None]:
    """How to write a convolution with what follows it."""

    def lower(node: NodeDef, emit: Emitter) -> None:
        attributes = convolution_attributes(node, emit)
        _lower_stages(node, emit, kernel, attributes, attributes["data_format"])

    return lower


def lower_fused_matmul(node: NodeDef, emit: Emitter) -> None:
    """Write a matrix product with what follows it."""
    attributes = {
        name: emit.attribute(node, Attribute(name, attr_bool, default=False)) for name in ("transpose_a", "transpose_b")
    }
    _lower_stages(node, emit, "BatchMatMul", attributes, "NHWC")


def lower_bias_add(node: NodeDef, emit: Emitter) -> None:
    """Write the addition of one number per channel."""
    bias = emit.input(node, 1)
    if emit.attribute(node, DATA_FORMAT) == "NCHW":
        bias = channels_first(bias, emit.fresh(node, "bias"), emit)
    emit(node.name, "Add", (emit.input(node, 0), bias))


def lower_pooling(node: NodeDef, emit: Emitter) -> None:
    """Write a pooling; the kernels have the channels last."""
    data_format = emit.attribute(node, DATA_FORMAT)
    attributes: dict[str, Any] = {
        "filter_size": spatial(node, emit, "ksize", data_format),
        "strides": spatial(node, emit, "strides", data_format),
        "pad": padding(node, emit),
        "dim_rounding_mode": None,
    }
    x = emit.input(node, 0)
    if data_format == "NHWC":
        emit(node.name, node.op, (x,), attributes)
        return
    if not isinstance(attributes["pad"], str):
        batch, channels, height, width = attributes["pad"]
        attributes["pad"] = (batch, height, width, channels)
    x = emit(emit.fresh(node, "channels_last"), "Transpose", (x,), {"perm": _TO_NHWC})
    x = emit(emit.fresh(node, "pooled"), node.op, (x,), attributes)
    emit(node.name, "Transpose", (x,), {"perm": _TO_NCHW})


def _lower_stages(node: NodeDef, emit: Emitter, kernel: str, attributes: dict[str, Any], data_format: str) -> None:
    names = emit.attribute(node, _FUSED_OPS)
    unknown = [name for name in names if name not in _STAGES]
    if unknown:
        raise emit.error(
            node, f"attribute 'fused_ops': {', '.join(unknown)} cannot follow; known are {', '.join(_STAGES)}"
        )
    operands = (emit.input(node, 0), emit.input(node, 1))
    if not names:
        emit(node.name, kernel, operands, attributes)
        return
    value = emit(emit.fresh(node, kernel), kernel, operands, attributes)
    position = 2
    for number, name in enumerate(names):
        stage = _STAGES[name]
        arguments = tuple(emit.input(node, position + i) for i in range(stage.arguments))
        position += stage.arguments
        last = number == len(names) - 1
        label = node.name if last else emit.fresh(node, stage.kernel)
        if name in ("biasadd", "prelu", "fusedbatchnorm") and data_format == "NCHW":
            arguments = tuple(
                channels_first(vector, f"{label}/channels_{i}", emit) for i, vector in enumerate(arguments)
            )
        if name == "fusedbatchnorm":
            scale, offset, mean, variance = arguments
            arguments = (mean, variance, offset, scale)
        value = emit(label, stage.kernel, (value, *arguments), emit.attributes(node, stage.attributes))


def channels_first(vector: Ref, name: str, emit: Emitter) -> Ref:
    """One number per channel, in a shape that broadcasts over height and width."""
    rows = emit(f"{name}/rows", "ExpandDims", (vector,), {"axis": -1})
    return emit(f"{name}/columns", "ExpandDims", (rows,), {"axis": -1})
