"""ONNX Runtime as an engine of benchmarks/engines.py, for orientation.

    python -m benchmarks.onnx_engine --threads N

It reads a model.json, writes the same network as ONNX, with images in ONNX's order (channels first), and runs that. It
knows the ops of the MobileNets and no others.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from benchmarks.engines import About, Inference, Server, Values, python_runtime, serve
from benchmarks.numpy_mobilenet import read_weights

OPSET, IR_VERSION = 17, 8
CHANNELS_FIRST = [0, 3, 1, 2]

Node = Any
Weights = dict[str, np.ndarray]


class OnnxEngine:
    """Runs MobileNets on ONNX Runtime's CPU provider."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def about(self) -> About:
        """Name, runtime and number of threads."""
        name = f"ONNX Runtime {onnxruntime.__version__}, {self._threads} thread{'s'[: self._threads - 1]}"
        return About(name, python_runtime(), self._threads)

    def load(self, model: Path, values: Values) -> Inference:
        """A closure over a session."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        content = converted(model, values.shape).SerializeToString()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (feed,) = [given.name for given in session.get_inputs()]

        def run() -> list[Values]:
            return [np.asarray(output, np.float32) for output in session.run(None, {feed: values})]

        return run


def converted(model: Path, shape: tuple[int, ...]) -> onnx.ModelProto:
    """A model.json as ONNX, for an input of this shape."""
    document = json.loads(model.read_text())
    nodes = document["modelTopology"]["node"]
    weights: Weights = read_weights(model, document)
    (feed,) = [node["name"] for node in nodes if node["op"] == "Placeholder"]
    made: list[onnx.NodeProto] = []
    constants: Weights = {}
    for node in nodes:
        if node["op"] in RULES:
            made += RULES[node["op"]](node, weights, constants)
        elif node["op"] not in ("Placeholder", "Const"):
            raise ValueError(f"{node['name']}: the op {node['op']} is not known here")
    # Every value but the input is in ONNX's order.
    made.insert(0, helper.make_node("Transpose", [feed], [f"{feed}/first"], perm=CHANNELS_FIRST))
    for one in made[1:]:
        for number, name in enumerate(one.input):
            if name == feed:
                one.input[number] = f"{feed}/first"
    graph = helper.make_graph(
        made,
        "model",
        [helper.make_tensor_value_info(feed, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("Identity", TensorProto.FLOAT, ["batch", "classes"])],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in constants.items()],
    )
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(result)
    return result


def _convolution(node: Node, weights: Weights, constants: Weights) -> list[onnx.NodeProto]:
    x, filters, bias = node["input"]
    is_depthwise = node["op"] != "_FusedConv2D"
    # [height, width, in, out] becomes [out, in, height, width], and [height, width, channels, 1] [channels, 1, ...].
    constants[filters] = weights[filters].transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1))
    constants[bias] = weights[bias]
    strides = [int(number) for number in node["attr"]["strides"]["list"]["i"]][1:3]
    group = weights[filters].shape[2] if is_depthwise else 1
    attributes: dict[str, Any] = {"strides": strides, "auto_pad": "SAME_UPPER", "group": group}
    fused = [base64.b64decode(name).decode() for name in node["attr"]["fused_ops"]["list"]["s"]]
    if "Relu6" not in fused:
        return [helper.make_node("Conv", [x, filters, bias], [node["name"]], **attributes)]
    constants |= {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
    before = f"{node['name']}/before"
    return [
        helper.make_node("Conv", [x, filters, bias], [before], **attributes),
        helper.make_node("Clip", [before, "zero", "six"], [node["name"]]),
    ]


def _product(node: Node, weights: Weights, constants: Weights) -> list[onnx.NodeProto]:
    for name in node["input"][1:]:
        constants[name] = weights[name]
    return [helper.make_node("Gemm", node["input"], [node["name"]])]


def _mean(node: Node, weights: Weights, constants: Weights) -> list[onnx.NodeProto]:
    return [helper.make_node("ReduceMean", node["input"][:1], [node["name"]], axes=[2, 3], keepdims=0)]


def _average(node: Node, weights: Weights, constants: Weights) -> list[onnx.NodeProto]:
    lengths = [int(number) for number in node["attr"]["ksize"]["list"]["i"]][1:3]
    return [helper.make_node("AveragePool", node["input"], [node["name"]], kernel_shape=lengths)]


def _squeeze(node: Node, weights: Weights, constants: Weights) -> list[onnx.NodeProto]:
    constants["image axes"] = np.array([2, 3], np.int64)
    return [helper.make_node("Squeeze", [*node["input"], "image axes"], [node["name"]])]


def _elementwise(op: str) -> Callable[[Node, Weights, Weights], list[onnx.NodeProto]]:
    def rule(node: Node, weights: Weights, constants: Weights) -> list[onnx.NodeProto]:
        for name in node["input"]:
            if name in weights:
                constants[name] = weights[name]
        return [helper.make_node(op, node["input"], [node["name"]])]

    return rule


RULES = {
    "_FusedConv2D": _convolution,
    "FusedDepthwiseConv2dNative": _convolution,
    "_FusedMatMul": _product,
    "Mean": _mean,
    "AvgPool": _average,
    "Squeeze": _squeeze,
    "AddV2": _elementwise("Add"),
    "Mul": _elementwise("Mul"),
    "Sub": _elementwise("Sub"),
    "Softmax": _elementwise("Softmax"),
    "Identity": _elementwise("Identity"),
}


def main() -> None:
    """Answer commands until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    serve(Server(OnnxEngine(parser.parse_args().threads)).answer)


if __name__ == "__main__":
    main()
