"""Definitions of kernels with windows where no op leads: groups, integers, both strides and dilations, odd padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.engine import ENGINE, KernelCall
from tests.ops.test_definitions import check_call

RNG = np.random.default_rng(41)


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def ints(*shape: int) -> np.ndarray:
    return RNG.integers(-9, 9, shape).astype(np.int32)


def check(kernel: str, inputs: list[np.ndarray], attributes: dict[str, Any]) -> tf.Tensor:
    """Run a kernel on cpu and hold what it gives against its definition."""
    tensors = [tf.tensor(array) for array in inputs]
    outputs = ENGINE.run_kernel(kernel, tensors, attributes)
    check_call(KernelCall(kernel, tuple(tensors), attributes), outputs)
    first: tf.Tensor = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
    return first


# Shape of x, filter, strides, pad, data format, dilations, rounding.
CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], Any, Any, str, Any, str | None]] = [
    ((2, 5, 4, 4), (3, 2, 2, 6), (1, 1), "same", "NHWC", (1, 1), None),
    ((1, 5, 4, 4), (3, 2, 1, 8), (2, 1), "valid", "NHWC", (1, 1), None),
    ((1, 6, 5, 4), (2, 3, 3, 2), (2, 2), 1, "NCHW", (1, 1), "ceil"),
    ((1, 4, 9, 9), (3, 3, 2, 2), (2, 3), "same", "NCHW", (1, 1), None),
    ((1, 9, 9, 2), (3, 2, 2, 3), (2, 3), "same", "NHWC", (2, 1), None),
    ((1, 7, 8, 1), (2, 2, 1, 2), (3, 2), ((0, 0), (4, 1), (0, 5), (0, 0)), "NHWC", (1, 3), "floor"),
    ((1, 4, 4, 2), (2, 2, 2, 2), (3, 3), "valid", "NHWC", (1, 1), None),
    ((1, 3, 3, 1), (1, 1, 1, 1), (1, 1), 2, "NHWC", (1, 1), "round"),
]


@pytest.mark.parametrize("of", [floats, ints])
@pytest.mark.parametrize("geometry", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize(
    ("forward", "back_input", "back_filter"),
    [
        ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"),
        (
            "DepthwiseConv2dNative",
            "DepthwiseConv2dNativeBackpropInput",
            "DepthwiseConv2dNativeBackpropFilter",
        ),
    ],
)
def test_convolutions(forward: str, back_input: str, back_filter: str, geometry: Any, of: Any) -> None:
    x_shape, filter_shape, strides, pad, data_format, dilations, rounding = geometry
    if forward != "Conv2D":
        filter_shape = (*filter_shape[:2], x_shape[1 if data_format == "NCHW" else 3], 2)
    attributes = {
        "strides": strides,
        "pad": pad,
        "data_format": data_format,
        "dilations": dilations,
        "dim_rounding_mode": rounding,
    }
    x, filter = of(*x_shape), of(*filter_shape)
    y = check(forward, [x, filter], attributes)
    dy = of(*y.shape)
    check(back_input, [dy, filter], {**attributes, "input_shape": x_shape})
    check(back_filter, [x, dy], {**attributes, "filter_shape": filter_shape})
