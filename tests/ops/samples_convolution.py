"""Samples of `ops/convolution.py` and of the compositions in `ops/fused.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.ops.cpu.reference import Windows, convolution, depthwise_convolution
from tests.ops.harness import Sample

_rng = np.random.default_rng(11)

Reference = Callable[[np.ndarray, np.ndarray, Windows], np.ndarray]


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def _both(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _reference(of_windows: Reference) -> Callable[..., np.ndarray]:
    """The reference of a convolution with the op's own arguments."""

    def run(
        x: np.ndarray,
        filter: np.ndarray,
        strides: Any,
        pad: Any,
        data_format: str = "NHWC",
        dilations: Any = 1,
        dim_rounding_mode: str | None = None,
    ) -> np.ndarray:
        images = x if x.ndim == 4 else x[None]
        if data_format == "NCHW":
            images = images.transpose(0, 2, 3, 1)
            pad = pad if isinstance(pad, (str, int)) else [pad[0], pad[2], pad[3], pad[1]]
        windows = Windows(len(images), images.shape[1:3], filter.shape[:2], _both(strides), _both(dilations), pad)
        out = of_windows(images, filter, windows)
        if data_format == "NCHW":
            out = out.transpose(0, 3, 1, 2)
        return out if x.ndim == 4 else out[0]

    return run


_conv2d, _depthwise = _reference(convolution), _reference(depthwise_convolution)

# Shape of x, height and width of the filter, strides, pad, dilations.
GEOMETRIES: list[tuple[tuple[int, ...], tuple[int, int], Any, Any, Any]] = [
    ((1, 1, 1, 1), (1, 1), 1, "valid", 1),
    ((2, 4, 5, 3), (3, 3), 1, "same", 1),
    ((2, 5, 4, 3), (3, 2), 2, "same", 1),
    ((1, 5, 5, 2), (2, 3), (1, 2), "valid", 1),
    ((1, 6, 5, 2), (2, 2), 1, "valid", (2, 1)),
    ((1, 4, 4, 2), (3, 3), 1, "same", 2),
    ((1, 3, 4, 2), (2, 2), 1, 1, 1),
    ((1, 3, 4, 2), (2, 2), 1, [[0, 0], [1, 0], [0, 2], [0, 0]], 1),
    ((4, 3, 2), (2, 2), 1, "valid", 1),
    ((2, 3, 3, 2), (1, 1), 1, "valid", 1),
]


def _conv1d(x: np.ndarray, filter: np.ndarray, stride: int, pad: Any, **options: Any) -> np.ndarray:
    sides = (pad, pad) if isinstance(pad, int) else pad[-2] if not isinstance(pad, str) else pad
    wide = pad if isinstance(pad, str) else [[0, 0], [0, 0], sides, [0, 0]]
    dilations = (1, options.get("dilation", 1))
    out = _conv2d(x[..., None, :, :], filter[None], (1, stride), wide, dilations=dilations)
    return out.reshape(*x.shape[:-2], *out.shape[-2:])


def _conv2d_transpose(
    x: np.ndarray, filter: np.ndarray, output_shape: Sequence[int], strides: Any, pad: Any
) -> np.ndarray:
    """What each output pixel gets: the convolution of an image with a one at that pixel says with what weight."""
    shape = tuple(output_shape) if x.ndim == 4 else (1, *output_shape)
    pixels = np.eye(int(np.prod(shape[1:]))).reshape(-1, *shape[1:])
    seen = _conv2d(pixels, filter, strides, pad)
    images = x if x.ndim == 4 else x[None]
    out = np.tensordot(images.reshape(len(images), -1), seen.reshape(len(seen), -1), (1, 1))
    return out.reshape(tuple(output_shape))


def _separable(
    x: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray, strides: Any, pad: Any, dilation: Any = 1
) -> np.ndarray:
    return _depthwise(x, depthwise, strides, pad, dilations=dilation) @ pointwise[0, 0].astype(np.float64)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "leakyrelu": lambda x: np.where(x > 0, x, 0.2 * x),
}


def _fused(name: str, forward: Callable[..., np.ndarray], a: np.ndarray, b: np.ndarray, *args: Any) -> list[Sample]:
    """Each activation, with a bias for each channel."""
    channels = forward(a, b, *args).shape[-1]
    bias, slopes = floats(channels), floats(channels)
    positions = {} if name == "mat_mul" else {"data_format": "NHWC"}

    def reference(activation: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
        return lambda a, b, *args, **_: activation(forward(a, b, *args) + bias)

    samples = [
        Sample(
            f"fused.{name}",
            (a, b, *args),
            reference(activation),
            {**positions, "bias": bias, "activation": activation_name},
            differentiable=True,
            label=f"{name} {activation_name}",
        )
        for activation_name, activation in ACTIVATIONS.items()
    ]
    prelu = {**positions, "bias": bias, "activation": "prelu", "prelu_activation_weights": slopes}
    samples.append(
        Sample(
            f"fused.{name}",
            (a, b, *args),
            reference(lambda x: np.where(x > 0, x, slopes * x)),
            prelu,
            differentiable=True,
            label=f"{name} prelu",
        )
    )
    return samples


SAMPLES = [
    *(
        Sample(
            "conv2d",
            (floats(*shape), floats(*window, shape[-1], 3), strides, pad, "NHWC", dilations),
            _conv2d,
            differentiable=True,
        )
        for shape, window, strides, pad, dilations in GEOMETRIES
    ),
    *(
        Sample(
            "depthwise_conv2d",
            (floats(*shape), floats(*window, shape[-1], multiplier), strides, pad, "NHWC", dilations),
            _depthwise,
            differentiable=True,
        )
        for shape, window, strides, pad, dilations in GEOMETRIES
        for multiplier in (1, 2)
    ),
    Sample("conv2d", (floats(2, 3, 4, 5), floats(2, 3, 3, 2), 1, "same", "NCHW"), _conv2d, differentiable=True),
    Sample(
        "conv2d",
        (floats(1, 2, 4, 4), floats(2, 2, 2, 3), 2, [[0, 0], [0, 0], [1, 1], [0, 2]], "NCHW"),
        _conv2d,
        differentiable=True,
        label="channels first, explicit padding",
    ),
    Sample(
        "depthwise_conv2d",
        (floats(2, 3, 4, 5), floats(2, 2, 3, 2), 1, "valid", "NCHW"),
        _depthwise,
        differentiable=True,
    ),
    Sample("conv2d", (floats(0, 4, 4, 2), floats(2, 2, 2, 3), 1, "same"), _conv2d, label="no images"),
    Sample("conv2d", (floats(1, 4, 4, 0), floats(2, 2, 0, 3), 1, "same"), _conv2d, label="no channels"),
    Sample("conv2d", (floats(1, 0, 4, 2), floats(2, 2, 2, 3), 1, "same"), _conv2d, label="no rows"),
    Sample(
        "conv2d",
        (floats(1, 6, 6, 2), floats(3, 3, 2, 2), 2, 1, "NHWC", 1, "ceil"),
        lambda x, filter, *_: _conv2d(x, filter, 2, [[0, 0], [1, 2], [1, 2], [0, 0]]),
        differentiable=True,
        label="rounded up",
    ),
    Sample("conv1d", (floats(2, 6, 3), floats(3, 3, 2), 1, "same"), _conv1d, differentiable=True),
    Sample("conv1d", (floats(6, 2), floats(2, 2, 3), 2, "valid"), _conv1d, differentiable=True),
    Sample("conv1d", (floats(1, 6, 2), floats(2, 2, 1), 1, 1), _conv1d, differentiable=True),
    Sample("conv1d", (floats(1, 5, 2), floats(2, 2, 1), 1, [[0, 0], [0, 2], [0, 0]]), _conv1d, differentiable=True),
    Sample(
        "conv1d",
        (floats(1, 7, 2), floats(3, 2, 1), 1, "valid"),
        _conv1d,
        {"dilation": 2},
        differentiable=True,
        label="dilated",
    ),
    Sample(
        "conv2d_transpose",
        (floats(2, 2, 3, 2), floats(3, 2, 3, 2), [2, 4, 6, 3], 2, "same"),
        _conv2d_transpose,
        differentiable=True,
    ),
    Sample(
        "conv2d_transpose",
        (floats(2, 2, 1), floats(2, 2, 2, 1), [3, 3, 2], 1, "valid"),
        _conv2d_transpose,
        differentiable=True,
    ),
    Sample(
        "conv2d_transpose",
        (floats(1, 2, 2, 2), floats(2, 2, 1, 2), [1, 3, 3, 1], 2, [[0, 0], [0, 1], [0, 1], [0, 0]]),
        _conv2d_transpose,
        differentiable=True,
    ),
    Sample(
        "separable_conv2d",
        (floats(2, 4, 4, 2), floats(2, 2, 2, 2), floats(1, 1, 4, 3), 1, "same"),
        _separable,
        differentiable=True,
    ),
    Sample(
        "separable_conv2d",
        (floats(5, 5, 2), floats(2, 2, 2, 1), floats(1, 1, 2, 2), 1, "valid", 2),
        _separable,
        differentiable=True,
    ),
    *_fused("conv2d", _conv2d, floats(1, 3, 3, 2), floats(2, 2, 2, 3), 1, "same"),
    *_fused("depthwise_conv2d", _depthwise, floats(1, 3, 3, 2), floats(2, 2, 2, 2), 2, "valid"),
    *_fused("mat_mul", np.matmul, floats(2, 3), floats(3, 4)),
    Sample(
        "fused.conv2d",
        (floats(2, 2, 3, 3), floats(1, 1, 2, 3), 1, "same", "NCHW"),
        lambda x, filter, *args, bias, **_: np.maximum(_conv2d(x, filter, *args) + bias[:, None, None], 0),
        {"bias": floats(3), "activation": "relu"},
        differentiable=True,
        label="channels first",
    ),
]
