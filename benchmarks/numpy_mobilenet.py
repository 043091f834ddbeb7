"""MobileNet v2 written straight in NumPy, as a peer: im2col and BLAS, depthwise as a sum over nine taps.

It reads the same model.json, folds nothing and plans nothing: what a competent afternoon with NumPy
gives. Run as `python -m benchmarks.numpy_mobilenet`, it is an engine of benchmarks/engines.py.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.engines import About, Inference, Server, Values, blas_threads, python_runtime, serve

Layer = Callable[..., Values]


class NumPyEngine:
    """Runs the graph of nsfwjs's MobileNet v2 (mid) and nothing else."""

    def about(self) -> About:
        """Name, runtime and number of threads."""
        return About("NumPy im2col + BLAS", python_runtime(), blas_threads())

    def load(self, model: Path, values: Values) -> Inference:
        """A closure over decoded weights."""
        document = json.loads(model.read_text())
        weights = read_weights(model, document)
        steps = [
            (node["name"], layer_of(node), node.get("input", []))
            for node in document["modelTopology"]["node"]
            if node["op"] not in ("Const", "Placeholder")
        ]

        def run() -> list[Values]:
            known = dict(weights, input=values)
            for name, layer, inputs in steps:
                known[name] = layer(*(known[key] for key in inputs))
            return [known["Identity"]]

        return run


def read_weights(model: Path, document: Any) -> dict[str, Values]:
    """The weights, dequantised."""
    (group,) = document["weightsManifest"]
    raw = np.concatenate([np.fromfile(model.parent / path, np.uint8) for path in group["paths"]])
    weights: dict[str, Values] = {}
    offset = 0
    for spec in group["weights"]:
        quantisation = spec.get("quantization")
        dtype = np.dtype(quantisation["dtype"] if quantisation else spec["dtype"])
        end = offset + int(np.prod(spec["shape"])) * dtype.itemsize
        stored = raw[offset:end].view(dtype).reshape(spec["shape"])
        if quantisation:
            stored = np.float32(quantisation["scale"]) * stored + np.float32(quantisation["min"])
        weights[spec["name"]] = stored
        offset = end
    return weights


def layer_of(node: Any) -> Layer:
    """The function of a node, with its attributes bound."""
    operation: str = node["op"]
    attributes = node.get("attr", {})
    if operation in ("_FusedConv2D", "FusedDepthwiseConv2dNative"):
        stride = int(attributes["strides"]["list"]["i"][1])
        fused = [base64.b64decode(name).decode() for name in attributes["fused_ops"]["list"]["s"]]
        convolve = conv2d if operation == "_FusedConv2D" else depthwise_conv2d
        return partial(convolve, stride=stride, relu6="Relu6" in fused)
    return SIMPLE_LAYERS[operation]


def conv2d(x: Values, kernel: Values, bias: Values, *, stride: int, relu6: bool) -> Values:
    """Convolution with "same" padding, as one matrix product over gathered windows."""
    size, _, channels, filters = kernel.shape
    if size > 1:
        windows = sliding_window_view(pad_same(x, size, stride), (size, size), axis=(1, 2))[:, ::stride, ::stride]
        x = windows.transpose(0, 1, 2, 4, 5, 3)
    else:
        x = x[:, ::stride, ::stride]
    batch, height, width = x.shape[:3]
    y = x.reshape(-1, size * size * channels) @ kernel.reshape(-1, filters)
    return finish(y.reshape(batch, height, width, filters), bias, relu6)


def depthwise_conv2d(x: Values, kernel: Values, bias: Values, *, stride: int, relu6: bool) -> Values:
    """Depthwise convolution with "same" padding: for each tap, whole arrays are multiplied and added."""
    size = kernel.shape[0]
    height, width = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    padded = pad_same(x, size, stride)
    y = np.zeros((x.shape[0], height, width, x.shape[3]), np.float32)
    product = np.empty_like(y)
    for row in range(size):
        for column in range(size):
            tap = padded[:, row : row + stride * height : stride, column : column + stride * width : stride]
            np.multiply(tap[:, :height, :width], kernel[row, column, :, 0], out=product)
            y += product
    return finish(y, bias, relu6)


def pad_same(x: Values, size: int, stride: int) -> Values:
    """Zeros around height and width, so that the output has ceil(input / stride)."""
    pads = []
    for extent in x.shape[1:3]:
        total = max((-(-extent // stride) - 1) * stride + size - extent, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), *pads, (0, 0)))


def finish(y: Values, bias: Values, relu6: bool) -> Values:
    """Bias and activation, in place."""
    y += bias
    if relu6:
        np.clip(y, 0, 6, out=y)
    return y


def softmax(x: Values) -> Values:
    """Softmax over the last axis."""
    powers: Values = np.exp(x - x.max(-1, keepdims=True))
    powers /= powers.sum(-1, keepdims=True)
    return powers


SIMPLE_LAYERS: dict[str, Layer] = {
    "Mul": np.multiply,
    "Sub": np.subtract,
    "AddV2": np.add,
    "AvgPool": lambda x: x.mean((1, 2), keepdims=True),
    "Squeeze": lambda x: x.reshape(x.shape[0], -1),
    "_FusedMatMul": lambda x, kernel, bias: x @ kernel + bias,
    "Softmax": softmax,
    "Identity": lambda x: x,
}


if __name__ == "__main__":
    serve(Server(NumPyEngine()).answer)
