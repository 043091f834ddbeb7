"""MobileNetV2 1.0 for pictures of 224x224 with weights that are drawn: a network that every runtime can be given.

It is written as TensorFlow.js's converter writes graph models: batch norms folded into biases, biases and activations
fused into convolutions. Weights are scaled so that activations keep their size (He's initialisation). Source: Sandler
et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, table 2.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

SIZE: Final = 224
CLASSES: Final = 1000
SEED: Final = 20

BLOCKS: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repetitions, and stride of the first of them."""

STEM, HEAD = 32, 1280

Json = dict[str, Any]


def write_model(folder: Path) -> Path:
    """Write the network into a folder; its model.json."""
    network = _Network()
    channels = 3
    x = network.convolve(network.placeholder(), channels, STEM, size=3, stride=2, relu6=True)
    channels = STEM
    for expansion, width, repetitions, stride in BLOCKS:
        for number in range(repetitions):
            x = _bottleneck(network, x, channels, width, expansion, stride if number == 0 else 1)
            channels = width
    x = network.convolve(x, channels, HEAD, size=1, stride=1, relu6=True)
    network.classify(x, HEAD)
    return network.write(folder)


def write_picture(folder: Path) -> Path:
    """Write values between -1 and 1 that vary as pictures do: from place to place, and slowly."""
    grid = np.linspace(0, 4 * np.pi, SIZE, dtype=np.float32)
    waves = np.sin(grid[:, None, None] * np.array([1, 2, 3], np.float32) + grid[None, :, None])
    noise = np.random.default_rng(SEED).uniform(-0.2, 0.2, waves.shape)
    file = folder / "picture.f32"
    (0.8 * waves + noise).astype(np.float32).tofile(file)
    return file


def _bottleneck(network: _Network, x: str, channels: int, width: int, expansion: int, stride: int) -> str:
    inner = channels * expansion
    y = network.convolve(x, channels, inner, size=1, stride=1, relu6=True) if expansion > 1 else x
    y = network.convolve_depthwise(y, inner, stride)
    y = network.convolve(y, inner, width, size=1, stride=1, relu6=False)
    return network.add(x, y) if stride == 1 and channels == width else y


class _Network:
    """Nodes and weights in the order in which they are written."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(SEED)
        self._nodes: list[Json] = []
        self._weights: dict[str, np.ndarray] = {}

    def placeholder(self) -> str:
        dims = [{"size": str(length)} for length in (-1, SIZE, SIZE, 3)]
        return self._node("input", "Placeholder", [], dtype=FLOAT, shape={"shape": {"dim": dims}})

    def convolve(self, x: str, channels: int, width: int, *, size: int, stride: int, relu6: bool) -> str:
        fan_in = size * size * channels
        weights = self._drawn((size, size, channels, width), (2 if relu6 else 1) / fan_in)
        return self._fused("_FusedConv2D", x, weights, self._drawn((width,), 1e-2), stride, relu6)

    def convolve_depthwise(self, x: str, channels: int, stride: int) -> str:
        weights = self._drawn((3, 3, channels, 1), 2 / 9)
        return self._fused("FusedDepthwiseConv2dNative", x, weights, self._drawn((channels,), 1e-2), stride, True)

    def add(self, x: str, y: str) -> str:
        return self._node(f"add_{len(self._nodes)}", "AddV2", [x, y], T=FLOAT)

    def classify(self, x: str, channels: int) -> None:
        axes = self._constant("axes", np.array([1, 2], np.int32))
        mean = self._node("mean", "Mean", [x, axes], T=FLOAT, Tidx={"type": "DT_INT32"}, keep_dims={"b": False})
        weights, bias = self._drawn((channels, CLASSES), 4 / channels), self._drawn((CLASSES,), 1e-2)
        no = {"b": False}
        attributes = {"transpose_a": no, "transpose_b": no, "fused_ops": _texts("BiasAdd"), "num_args": {"i": "1"}}
        logits = self._node("logits", "_FusedMatMul", [mean, weights, bias], T=FLOAT, **attributes)
        self._node("Identity", "Identity", [self._node("softmax", "Softmax", [logits], T=FLOAT)], T=FLOAT)

    def write(self, folder: Path) -> Path:
        data = b"".join(values.tobytes() for values in self._weights.values())
        (folder / "weights.bin").write_bytes(data)
        specs = [
            {"name": name, "shape": list(values.shape), "dtype": values.dtype.name}
            for name, values in self._weights.items()
        ]
        document = {
            "format": "graph-model",
            "modelTopology": {"node": self._nodes, "versions": {"producer": 1}},
            "weightsManifest": [{"paths": ["weights.bin"], "weights": specs}],
        }
        file = folder / "model.json"
        file.write_text(json.dumps(document))
        return file

    def _fused(self, op: str, x: str, weights: str, bias: str, stride: int, relu6: bool) -> str:
        fused = _texts("BiasAdd", "Relu6") if relu6 else _texts("BiasAdd")
        return self._node(
            f"{op.strip('_')}_{len(self._nodes)}",
            op,
            [x, weights, bias],
            T=FLOAT,
            data_format=_text("NHWC"),
            padding=_text("SAME"),
            strides=_integers(1, stride, stride, 1),
            dilations=_integers(1, 1, 1, 1),
            fused_ops=fused,
            num_args={"i": "1"},
        )

    def _drawn(self, shape: tuple[int, ...], variance: float) -> str:
        values = self._rng.normal(0, variance**0.5, shape).astype(np.float32)
        return self._constant(f"weights_{len(self._weights)}", values)

    def _constant(self, name: str, values: np.ndarray) -> str:
        self._weights[name] = values
        kind = FLOAT if values.dtype == np.float32 else {"type": "DT_INT32"}
        shape = {"dim": [{"size": str(length)} for length in values.shape]}
        value = {"tensor": {"dtype": kind["type"], "tensorShape": shape}}
        return self._node(name, "Const", [], dtype=kind, value=value)

    def _node(self, name: str, op: str, inputs: list[str], **attributes: Json) -> str:
        self._nodes.append({"name": name, "op": op, "input": inputs, "attr": attributes})
        return name


FLOAT: Final[Json] = {"type": "DT_FLOAT"}


def _text(text: str) -> Json:
    return {"s": base64.b64encode(text.encode()).decode()}


def _texts(*texts: str) -> Json:
    return {"list": {"s": [base64.b64encode(text.encode()).decode() for text in texts]}}


def _integers(*numbers: int) -> Json:
    return {"list": {"i": [str(number) for number in numbers]}}
