"""The cpu backend's convolution kernels beside straight NumPy, layer by layer, for the shapes of five models.

    python benchmarks/cpu_layers.py [MODEL ...] [--rounds N] [--bare]

The rival is what a careful person writes in an hour: one im2col copy and one BLAS product per convolution, 1×1
convolutions directly, depthwise ones as a product and a sum per tap over a padded image. Both sides then add a
bias and clip as relu6 does (`--bare`: neither). They take turns, layer by layer; the table gives the minimum and
the median of the rounds, in milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tenfold.backends.cpu.convolution import conv2d, depthwise_conv2d
from tenfold.backends.cpu.pooling import avg_pool, max_pool


class Layer(NamedTuple):
    """`count` layers of one shape; `outputs` is 0 for depthwise convolution and pooling."""

    count: int
    kind: str
    height: int
    channels: int
    window: int
    stride: int = 1
    outputs: int = 0
    pad: str = "same"


def convs(*rows: tuple[int, int, int, int]) -> list[Layer]:
    """1×1 convolutions from rows (count, height, channels, outputs)."""
    return [Layer(count, "conv", height, channels, 1, 1, outputs) for count, height, channels, outputs in rows]


def depthwise(*rows: tuple[int, int, int, int]) -> list[Layer]:
    """3×3 depthwise convolutions from rows (count, height, channels, stride)."""
    return [Layer(count, "depthwise", height, channels, 3, stride) for count, height, channels, stride in rows]


def halvings(*rows: tuple[int, int, int]) -> list[Layer]:
    """2×2 max pooling from rows (count, height, channels)."""
    return [Layer(count, "max pool", height, channels, 2, 2) for count, height, channels in rows]


MODELS: dict[str, list[Layer]] = {
    "MobileNet v2 1.4, 224": [
        Layer(1, "conv", 224, 3, 3, 2, 48),
        *depthwise(
            (1, 112, 48, 1), (1, 112, 144, 2), (1, 56, 192, 1), (1, 56, 192, 2), (2, 28, 288, 1), (1, 28, 288, 2),
            (4, 14, 528, 1), (2, 14, 816, 1), (1, 14, 816, 2), (3, 7, 1344, 1),
        ),
        *convs(
            (1, 112, 48, 24), (1, 112, 24, 144), (1, 56, 144, 32), (2, 56, 32, 192), (1, 56, 192, 32),
            (1, 28, 192, 48), (3, 28, 48, 288), (2, 28, 288, 48), (1, 14, 288, 88), (4, 14, 88, 528),
            (3, 14, 528, 88), (1, 14, 528, 136), (3, 14, 136, 816), (2, 14, 816, 136), (1, 7, 816, 224),
            (3, 7, 224, 1344), (2, 7, 1344, 224), (1, 7, 1344, 448), (1, 7, 448, 1792),
        ),
        Layer(1, "avg pool", 7, 1792, 7, 1, pad="valid"),
    ],
    "PoseNet 0.75, 257": [
        Layer(1, "conv", 257, 3, 3, 2, 24),
        *depthwise(
            (1, 129, 24, 1), (1, 129, 48, 2), (1, 65, 96, 1), (1, 65, 96, 2), (1, 33, 192, 1), (1, 33, 192, 2),
            (7, 17, 384, 1),
        ),
        *convs(
            (1, 129, 24, 48), (1, 65, 48, 96), (1, 65, 96, 96), (1, 33, 96, 192), (1, 33, 192, 192),
            (1, 17, 192, 384), (7, 17, 384, 384), (1, 17, 384, 17), (2, 17, 384, 32), (1, 17, 384, 34),
        ),
    ],
    "BodyPix 0.50, 257": [
        Layer(1, "conv", 257, 3, 3, 2, 16),
        *depthwise(
            (1, 129, 16, 1), (1, 129, 32, 2), (1, 65, 64, 1), (1, 65, 64, 2), (1, 33, 128, 1), (1, 33, 128, 2),
            (7, 17, 256, 1),
        ),
        *convs(
            (1, 129, 16, 32), (1, 65, 32, 64), (1, 65, 64, 64), (1, 33, 64, 128), (1, 33, 128, 128),
            (1, 17, 128, 256), (7, 17, 256, 256), (1, 17, 256, 48), (2, 17, 256, 32), (2, 17, 256, 34),
            (1, 17, 256, 17), (1, 17, 256, 1), (1, 17, 256, 24),
        ),
    ],
    "BlazeFace, 128": [
        Layer(1, "conv", 128, 3, 5, 2, 24),
        *depthwise(
            (2, 64, 24, 1), (1, 64, 28, 2), (1, 32, 32, 1), (1, 32, 36, 1), (1, 32, 42, 2), (1, 16, 48, 1),
            (1, 16, 56, 1), (1, 16, 64, 1), (1, 16, 72, 1), (1, 16, 80, 1), (1, 16, 88, 2), (4, 8, 96, 1),
        ),
        *convs(
            (1, 64, 24, 24), (1, 64, 24, 28), (1, 32, 28, 32), (1, 32, 32, 36), (1, 32, 36, 42), (1, 16, 42, 48),
            (1, 16, 48, 56), (1, 16, 56, 64), (1, 16, 64, 72), (1, 16, 72, 80), (1, 16, 80, 88), (1, 16, 88, 2),
            (1, 16, 88, 32), (1, 8, 88, 96), (5, 8, 96, 96), (1, 8, 96, 6),
        ),
        *halvings((1, 64, 28), (1, 32, 42), (1, 16, 88)),
    ],
    "FaceMesh, 192": [
        Layer(1, "conv", 192, 3, 3, 2, 16),
        *depthwise(
            (2, 96, 16, 1), (1, 96, 16, 2), (2, 48, 32, 1), (1, 48, 32, 2), (2, 24, 64, 1), (1, 24, 64, 2),
            (2, 12, 128, 1), (1, 12, 128, 2), (2, 6, 128, 1), (3, 6, 128, 2), (4, 3, 128, 1), (3, 3, 32, 1),
        ),
        *convs(
            (2, 96, 16, 16), (1, 48, 16, 32), (2, 48, 32, 32), (1, 24, 32, 64), (2, 24, 64, 64), (1, 12, 64, 128),
            (2, 12, 128, 128), (3, 6, 128, 128), (7, 3, 128, 128), (3, 3, 128, 32), (3, 3, 32, 32),
        ),
        *[Layer(1, "conv", 3, 32, 3, 3, outputs, "valid") for outputs in (1, 266, 1404)],
        *halvings((1, 96, 16), (1, 48, 32), (1, 24, 64), (1, 12, 128), (3, 6, 128)),
    ],
}  # fmt: skip


# --- straight NumPy ----------------------------------------------------------------------------------------


def padded(x: np.ndarray, layer: Layer) -> np.ndarray:
    if layer.pad == "valid" or layer.window == 1:
        return x
    missing = max(0, (-(-layer.height // layer.stride) - 1) * layer.stride + layer.window - layer.height)
    sides = (missing // 2, missing - missing // 2)
    return np.pad(x, ((0, 0), sides, sides, (0, 0))) if missing else x


def windows(x: np.ndarray, layer: Layer) -> np.ndarray:
    """`[batch, rows, columns, channels, window rows, window columns]`."""
    views = np.lib.stride_tricks.sliding_window_view(padded(x, layer), (layer.window, layer.window), (1, 2))
    return views[:, :: layer.stride, :: layer.stride]


def straight(x: np.ndarray, filters: np.ndarray, bias: np.ndarray, layer: Layer, bare: bool) -> np.ndarray:
    if layer.kind == "conv" and layer.window == 1:
        out = x.reshape(-1, layer.channels) @ filters.reshape(layer.channels, -1)
        out = out.reshape(*x.shape[:3], layer.outputs)
    elif layer.kind == "conv":
        patches = windows(x, layer).transpose(0, 1, 2, 4, 5, 3)
        out = patches.reshape(-1, filters[..., 0].size) @ filters.reshape(-1, layer.outputs)
        out = out.reshape(*patches.shape[:3], layer.outputs)
    elif layer.kind == "depthwise":
        taps = windows(x, layer)
        out = taps[..., 0, 0] * filters[0, 0, :, 0]
        for i in range(3):
            for j in range(3):
                if i or j:
                    out += taps[..., i, j] * filters[i, j, :, 0]
    elif layer.kind == "max pool":
        return windows(x, layer).max(axis=(4, 5))
    else:
        return windows(x, layer).mean(axis=(4, 5))
    if not bare:
        out += bias
        np.clip(out, 0, 6, out=out)
    return out


# --- measuring ---------------------------------------------------------------------------------------------


def ours(x: np.ndarray, filters: np.ndarray, bias: np.ndarray, layer: Layer, bare: bool) -> np.ndarray:
    def epilogue(out: np.ndarray, index: tuple[slice, ...]) -> None:
        part = out[index]
        part += bias
        np.clip(part, 0, 6, out=part)

    strides, finish = (layer.stride, layer.stride), None if bare else epilogue
    if layer.kind == "conv":
        return conv2d(x, filters, strides=strides, pad=layer.pad, epilogue=finish)
    if layer.kind == "depthwise":
        return depthwise_conv2d(x, filters, strides=strides, pad=layer.pad, epilogue=finish)
    pool = max_pool if layer.kind == "max pool" else avg_pool
    return pool(x, filter_size=layer.window, strides=strides, pad=layer.pad)


def milliseconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


def measure(layer: Layer, rounds: int, bare: bool) -> tuple[list[float], list[float]]:
    """The times of `rounds` runs of ours and of the straight implementation, taken in turns."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, layer.height, layer.height, layer.channels)).astype(np.float32)
    shape = (layer.window, layer.window, layer.channels, layer.outputs or 1)
    filters = rng.normal(size=shape).astype(np.float32)
    bias = rng.normal(size=layer.outputs or layer.channels).astype(np.float32)
    got, want = ours(x, filters, bias, layer, bare), straight(x, filters, bias, layer, bare)
    if got.shape != want.shape or np.abs(got - want).max() > 1e-4 * np.abs(want).max():
        raise AssertionError(f"the two implementations disagree on {layer}")
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(milliseconds(lambda: ours(x, filters, bias, layer, bare)))
        theirs.append(milliseconds(lambda: straight(x, filters, bias, layer, bare)))
    return mine, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="beginnings of names; all without")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--bare", action="store_true", help="without bias and relu6")
    arguments = parser.parse_args()
    wanted = tuple(name.lower() for name in arguments.models)
    # The C library returns large blocks to the system until a larger one was freed; a model gets there in its
    # first run, and these layers should not pay for it either.
    np.empty(24 << 20, np.uint8)
    for name, layers in MODELS.items():
        if wanted and not name.lower().startswith(wanted):
            continue
        print(f"\n{name}\n{'layer':44}{'ours':>8}{'median':>8}{'straight':>10}{'median':>8}{'ratio':>7}")
        totals = {"": np.zeros(4)}
        for layer in layers:
            mine, theirs = measure(layer, arguments.rounds, arguments.bare)
            row = np.array([min(mine), statistics.median(mine), min(theirs), statistics.median(theirs)])
            outputs = f" -> {layer.outputs}" if layer.outputs else ""
            what = f"{layer.window}x{layer.window}/{layer.stride} {layer.kind} {layer.height}x{layer.channels}{outputs}"
            print_row(f"{layer.count} x {what}", row)
            for key in ("", layer.kind):
                totals[key] = totals.get(key, np.zeros(4)) + layer.count * row
        for kind, row in totals.items():
            print_row(f"all {kind}", row)


def print_row(what: str, row: np.ndarray) -> None:
    print(f"{what:44}{row[0]:8.3f}{row[1]:8.3f}{row[2]:10.3f}{row[3]:8.3f}{row[0] / row[2]:7.2f}")


if __name__ == "__main__":
    main()
