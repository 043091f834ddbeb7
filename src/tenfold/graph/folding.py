"""Folding into weights: arithmetic with constants after a convolution or product, and padding before one.

`(conv(x, w) * a + b) * c` is `conv(x, w * a * c) + b * c`: what remains is one bias. New weights are computed
in double precision and rounded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tenfold.core.engine import engine
from tenfold.core.kernel import TensorSpec, find_kernel_definition
from tenfold.core.tensor import Tensor
from tenfold.graph.graph import Node, Ref
from tenfold.graph.rewriting import only_reader, rewritten
from tenfold.graph.specialise import SpecialisedGraph

_LINEAR = frozenset({"BatchMatMul", "Conv2D", "DepthwiseConv2dNative"})
"""Kernels whose output is linear in their second input, channel by channel."""


LARGE_MEAN = 16
"""Means beyond so many standard deviations are subtracted first; below, the shift costs at most four bits."""


# --- batch norms -------------------------------------------------------------------------------------------


def lower_batch_norms(given: SpecialisedGraph) -> SpecialisedGraph:
    """Write a batch norm of constant statistics as products and sums with constants.

    That is `x * scale + shift`, or `(x - mean) * scale + offset` where the mean is so large that digits of
    `x - mean` would be lost in the shift.
    """
    replaced: dict[str, Sequence[Node]] = {}
    constants: dict[str, Tensor] = {}
    specs: dict[Ref, TensorSpec] = {}
    for node in given.graph.nodes.values():
        steps = _norm_steps(given, node) if node.op == "FusedBatchNorm" else None
        if steps is None:
            continue
        nodes: list[Node] = []
        running = node.inputs[0]
        for number, (op, values) in enumerate(steps):
            last = number == len(steps) - 1
            name = node.name if last else _free(given, f"{node.name}/{op.lower()}")
            operand = _free(given, f"{node.name}/{op.lower()}_by")
            constants[operand] = _new_constant(values)
            specs[Ref(name)] = given.specs[Ref(node.name)]
            nodes.append(Node(name, op, (running, Ref(operand)), source=node.source))
            running = Ref(name)
        replaced[node.name] = nodes
    return rewritten(given, replaced=replaced, constants=constants, specs=specs)


def _norm_steps(given: SpecialisedGraph, node: Node) -> list[tuple[str, np.ndarray]] | None:
    """What a batch norm does to its input, as kernels with one constant each."""
    kernel = find_kernel_definition(node.op)
    spec = given.specs.get(Ref(node.name))
    if kernel is None or spec is None or spec.dtype != "float32":
        return None
    refs = dict(zip(kernel.inputs, node.inputs, strict=False))
    values: dict[str, np.ndarray] = {}
    for name in ("mean", "variance", "offset", "scale"):
        ref = refs.get(name)
        if ref is None and name in ("offset", "scale"):
            values[name] = np.array(1.0 if name == "scale" else 0.0)
        elif ref is not None and ref.node in given.graph.constants:
            values[name] = _doubles(given.graph.constants[ref.node])
        else:
            return None
    with np.errstate(all="ignore"):
        deviation = np.sqrt(values["variance"] + node.attributes["variance_epsilon"])
        scale = values["scale"] / deviation
        shift = values["offset"] - values["mean"] * scale
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        return None
    if (np.abs(values["mean"]) > LARGE_MEAN * deviation).any():
        return [("Sub", values["mean"]), ("Multiply", scale), ("Add", values["offset"])]
    return [("Multiply", scale), ("Add", shift)]


# --- scales and shifts -------------------------------------------------------------------------------------


class _Affine(NamedTuple):
    """What happens to a channel: `value * scale + shift`, and the nodes that say so, the last one last."""

    scale: np.ndarray
    shift: np.ndarray
    nodes: tuple[Node, ...]


def fold_scales(given: SpecialisedGraph) -> SpecialisedGraph:
    """Multiply the weights of convolutions and products by the constants that follow them."""
    graph = given.graph
    reader = only_reader(graph)
    replaced: dict[str, Sequence[Node]] = {}
    constants: dict[str, Tensor] = {}
    for node in graph.nodes.values():
        spec = given.specs.get(Ref(node.name))
        weights = _constant_weights(given, node)
        if weights is None or spec is None or spec.dtype != "float32" or not spec.shape:
            continue
        affine = _following(given, node, spec, reader)
        # A bias alone is as cheap as it can be.
        if len(affine.nodes) < 2 and all(after.op in ("Add", "Sub") for after in affine.nodes):
            continue
        filter_name, bias_name = (_free(given, f"{node.name}/{part}") for part in ("weights", "bias"))
        last = affine.nodes[-1]
        constants[filter_name] = _new_constant(_scaled(node, _doubles(weights), affine.scale))
        inputs = (node.inputs[0], Ref(filter_name), *node.inputs[2:])
        for after in affine.nodes:
            replaced[after.name] = ()
        if affine.shift.any():
            constants[bias_name] = _new_constant(affine.shift.reshape(_channel_shape(node, spec)))
            replaced[node.name] = (replace(node, inputs=inputs),)
            replaced[last.name] = (replace(last, op="Add", inputs=(Ref(node.name), Ref(bias_name))),)
        else:
            replaced[node.name] = ()
            replaced[last.name] = (replace(node, name=last.name, inputs=inputs),)
    return rewritten(given, replaced=replaced, constants=constants)


def _constant_weights(given: SpecialisedGraph, node: Node) -> Tensor | None:
    """The second input of a node that is linear in it, if it is constant."""
    if node.op not in _LINEAR or node.dynamic:
        return None
    ref = node.inputs[1]
    if ref is None or ref.node not in given.graph.constants:
        return None
    tensor = given.graph.constants[ref.node]
    return tensor if tensor.dtype == "float32" else None


def _following(given: SpecialisedGraph, node: Node, spec: TensorSpec, reader: Mapping[Ref, Node]) -> _Affine:
    axis = _channel_axis(node, spec)
    channels = spec.shape[axis]
    affine = _Affine(np.ones(channels), np.zeros(channels), ())
    ref = Ref(node.name)
    while (after := reader.get(ref)) is not None and given.specs.get(Ref(after.name)) == spec:
        values = _channel_constant(given, after, ref, axis, spec)
        with np.errstate(all="ignore"):
            step = None if values is None else _apply(affine, after, ref, values)
        if step is None or not (np.isfinite(step.scale).all() and np.isfinite(step.shift).all()):
            break
        affine, ref = step, Ref(after.name)
    return affine


def _apply(affine: _Affine, after: Node, ref: Ref, values: np.ndarray) -> _Affine | None:
    """What happens to a channel when one more node follows."""
    scale, shift, nodes = affine.scale, affine.shift, (*affine.nodes, after)
    first = after.inputs[0] == ref
    if after.op == "Add":
        return _Affine(scale, shift + values, nodes)
    if after.op == "Multiply":
        return _Affine(scale * values, shift * values, nodes)
    if after.op == "Sub":
        return _Affine(scale, shift - values, nodes) if first else _Affine(-scale, values - shift, nodes)
    if after.op == "RealDiv" and first and values.all():
        return _Affine(scale / values, shift / values, nodes)
    return None


def _channel_constant(given: SpecialisedGraph, node: Node, ref: Ref, axis: int, spec: TensorSpec) -> np.ndarray | None:
    """The constant that a node of two inputs combines `ref` with, as one number for each channel."""
    if len(node.inputs) != 2 or node.dynamic or node.inputs[0] == node.inputs[1]:
        return None
    other = node.inputs[1] if node.inputs[0] == ref else node.inputs[0]
    if other is None or other.node not in given.graph.constants:
        return None
    tensor = given.graph.constants[other.node]
    rank, channels = len(spec.shape), spec.shape[axis]
    shape = (1,) * (rank - len(tensor.shape)) + tensor.shape
    if tensor.dtype != "float32" or any(n != 1 for i, n in enumerate(shape) if i != axis):
        return None
    return np.broadcast_to(_doubles(tensor).reshape(-1), (channels,))


def _channel_axis(node: Node, spec: TensorSpec) -> int:
    return 1 if node.attributes.get("data_format") == "NCHW" else len(spec.shape) - 1


def _channel_shape(node: Node, spec: TensorSpec) -> tuple[int, ...]:
    axis = _channel_axis(node, spec)
    return (spec.shape[axis], *(1,) * (len(spec.shape) - 1 - axis))


def _scaled(node: Node, weights: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Weights with the output channel `c` multiplied by `scale[c]`."""
    if node.op == "DepthwiseConv2dNative":
        scale = scale.reshape(weights.shape[2:])
    elif node.op == "BatchMatMul" and node.attributes.get("transpose_b"):
        scale = scale[:, None]
    scaled: np.ndarray = weights * scale
    return scaled


# --- padding -----------------------------------------------------------------------------------------------


def fold_pads(given: SpecialisedGraph) -> SpecialisedGraph:
    """Let a convolution pad its input itself, where zeros were padded before it."""
    reader = only_reader(given.graph)
    replaced: dict[str, Node] = {}
    for node in given.graph.nodes.values():
        conv = reader.get(Ref(node.name))
        if node.op != "PadV2" or node.dynamic or node.attributes.get("constant_value", 0) != 0:
            continue
        if conv is None or conv.op not in ("Conv2D", "DepthwiseConv2dNative") or conv.dynamic:
            continue
        pad = _total_padding(node.attributes["paddings"], conv.attributes)
        if pad is not None and conv.inputs[0] == Ref(node.name):
            attributes = {**conv.attributes, "pad": pad}
            inputs = (node.inputs[0], *conv.inputs[1:])
            replaced[conv.name] = replace(conv, inputs=inputs, attributes=attributes)
    return rewritten(given, replaced=replaced)


def _total_padding(paddings: Any, attributes: Mapping[str, Any]) -> list[list[int]] | None:
    """The explicit padding of a convolution over a padded input, or None if it cannot be expressed."""
    own = attributes["pad"]
    spatial = (2, 3) if attributes.get("data_format") == "NCHW" else (1, 2)
    total = [[int(before), int(after)] for before, after in paddings]
    if len(total) != 4 or any(total[axis] != [0, 0] for axis in range(4) if axis not in spatial):
        return None
    if own == "same":
        return None
    if own == "valid":
        own = 0
    for axis in spatial:
        before, after = (own, own) if isinstance(own, int) else own[axis]
        total[axis] = [total[axis][0] + before, total[axis][1] + after]
    return total


# --- values ------------------------------------------------------------------------------------------------


def _doubles(tensor: Tensor) -> np.ndarray:
    return tensor.numpy().astype(np.float64)


def _new_constant(values: np.ndarray) -> Tensor:
    tensor = engine().make_tensor(np.ascontiguousarray(values, np.float32), values.shape, "float32")
    tensor.kept = True
    return tensor


def _free(given: SpecialisedGraph, name: str) -> str:
    while name in given.graph.nodes:
        name += "_"
    return name
