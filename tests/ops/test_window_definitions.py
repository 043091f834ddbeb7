"""Definitions of kernels with windows where no op leads: groups, integers, both strides and dilations, odd padding."""

from __future__ import annotations

import itertools
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


@pytest.mark.parametrize("of", [floats, ints], ids=lambda of: of.__name__)
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


def odd(*shape: int) -> np.ndarray:
    """Few different numbers, so that many are equal, with NaN and infinities among them."""
    values = np.array([0, 1, 2, -1, np.nan, -np.inf, np.inf, np.nan, -np.inf], np.float32)
    return RNG.choice(values, shape, p=[0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.02, 0.04, 0.04])


# Shape of x, size of windows, strides, pad, rounding. Some windows lie in the padding, or see no number.
POOLINGS: list[tuple[tuple[int, ...], Any, Any, Any, str | None]] = [
    ((2, 5, 6, 3), (2, 3), (1, 2), "same", None),
    ((1, 4, 4, 2), (2, 2), (2, 2), "valid", None),
    ((1, 5, 7, 2), (2, 2), (3, 3), 1, "ceil"),
    ((1, 3, 3, 2), (1, 2), (1, 1), ((0, 0), (2, 0), (0, 3), (0, 0)), None),
    ((2, 3, 4, 2), (1, 1), (1, 1), "valid", None),
    ((1, 3, 3, 1), (1, 1), (2, 2), 1, None),
    ((2, 33, 32, 2), (33, 32), (1, 1), "valid", None),
    ((1, 40, 33, 1), (35, 33), (4, 2), "same", None),
]


@pytest.mark.parametrize("of", [floats, ints, odd], ids=lambda of: of.__name__)
@pytest.mark.parametrize("geometry", POOLINGS, ids=str)
def test_pooling(geometry: Any, of: Any) -> None:
    shape, size, strides, pad, rounding = geometry
    attributes = {"filter_size": size, "strides": strides, "pad": pad, "dim_rounding_mode": rounding}
    x = of(*shape)
    y = check("MaxPool", [x], attributes)
    check("AvgPool", [x], attributes)
    dy = floats(*y.shape)
    check("MaxPoolGrad", [dy, x, y.numpy()], attributes)
    check("AvgPoolGrad", [dy, floats(*shape)], attributes)
    if rounding is None:
        for batch in (False, True):
            indexed = {"filter_size": size, "strides": strides, "pad": pad, "include_batch_in_index": batch}
            check("MaxPoolWithArgmax", [x], indexed)


@pytest.mark.parametrize("of", [floats, ints, odd], ids=lambda of: of.__name__)
@pytest.mark.parametrize(
    ("shape", "size", "strides", "pad", "rounding"),
    [
        ((2, 3, 4, 5, 2), (2, 1, 3), (1, 2, 2), "same", None),
        ((1, 5, 4, 4, 1), (2, 2, 2), (2, 3, 1), 1, "ceil"),
        ((1, 2, 3, 3, 2), (1, 2, 2), (1, 1, 1), ((0, 0), (1, 2), (0, 3), (0, 0), (0, 0)), None),
    ],
)
def test_pooling_of_volumes(shape: Any, size: Any, strides: Any, pad: Any, rounding: Any, of: Any) -> None:
    attributes = {"filter_size": size, "strides": strides, "pad": pad, "dim_rounding_mode": rounding}
    x = of(*shape)
    y = check("MaxPool3D", [x], attributes)
    dy = floats(*y.shape)
    check("MaxPool3DGrad", [dy, x, y.numpy()], attributes)
    check("AvgPool3DGrad", [dy, floats(*shape)], attributes)
    if of is not ints:  # The mean of a volume is one of floats.
        check("AvgPool3D", [x], attributes)


# Shape of x, size of the filter, strides, pad, dilations. In the last one windows lie in the padding.
DILATIONS: list[tuple[tuple[int, ...], tuple[int, int], Any, Any, Any]] = [
    ((2, 5, 6, 2), (2, 3), (1, 2), "same", (1, 1)),
    ((1, 6, 5, 1), (3, 2), (2, 1), 1, (1, 2)),
    ((1, 3, 4, 2), (2, 2), (1, 1), ((0, 0), (3, 0), (0, 2), (0, 0)), (1, 1)),
]


@pytest.mark.parametrize(
    ("geometry", "of"),
    [*((g, of) for g in DILATIONS for of in (floats, odd)), *((g, ints) for g in DILATIONS[:2])],
    ids=lambda given: given.__name__ if callable(given) else str(given),
)
def test_dilation(geometry: Any, of: Any) -> None:
    shape, taps, strides, pad, dilations = geometry
    attributes = {"strides": strides, "pad": pad, "dilations": dilations}
    x, filter = of(*shape), of(*taps, shape[3])
    dy = floats(*check("Dilation2D", [x, filter], attributes).shape)
    check("Dilation2DBackpropInput", [x, filter, dy], attributes)
    check("Dilation2DBackpropFilter", [x, filter, dy], attributes)


@pytest.mark.parametrize("modes", [(False, False), (True, False), (False, True)], ids=str)
@pytest.mark.parametrize("kernel", ["ResizeBilinear", "ResizeNearestNeighbor"])
def test_resizing(kernel: str, modes: tuple[bool, bool]) -> None:
    attributes = {"align_corners": modes[0], "half_pixel_centers": modes[1]}
    for size, wanted in itertools.product(range(1, 9), repeat=2):
        x, shape = floats(1, size, 9 - size, 2), (wanted, 9 - wanted)
        y = check(kernel, [x], {**attributes, "size": shape})
        check(f"{kernel}Grad", [x, floats(*y.shape)], attributes)


def test_resizing_of_integers_and_infinities() -> None:
    x = odd(2, 3, 4, 2)
    for kernel, images in itertools.product(("ResizeBilinear", "ResizeNearestNeighbor"), (x, ints(2, 3, 4, 2))):
        check(kernel, [images], {"size": (5, 4), "align_corners": False, "half_pixel_centers": True})


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_crops_of_whole_images_reach_the_edge(method: str) -> None:
    boxes = np.array([[0, 0, 1, 1], [0.25, 0.1, 1, 1], [1, 1, 0, 0], [1, 0.3, 0.6, 1]], np.float32)
    which = np.array([0, 1, 1, 0], np.int32)
    for size, wanted in itertools.product((2, 5, 6, 12, 19), (2, 3, 7, 11)):
        image = floats(2, size, size + 2, 1)
        attributes = {"crop_size": (wanted, wanted + 1), "method": method, "extrapolation_value": 9.0}
        crops = check("CropAndResize", [image, boxes, which], attributes).numpy()
        assert crops.max() <= 1, "a sample is taken for one beyond the edge"


@pytest.mark.parametrize("radians", [0.0, 0.3, -2.0, np.pi])
@pytest.mark.parametrize("center", [0.5, (0.2, 0.9)], ids=str)
@pytest.mark.parametrize(("channels", "fill"), [(3, 7.0), (1, (1.0, 2.0, 3.0)), (4, (1.0, 2.0, 3.0))], ids=str)
def test_rotations(radians: float, center: Any, channels: int, fill: Any) -> None:
    check("RotateWithOffset", [floats(2, 6, 7, channels)], {"radians": radians, "fill_value": fill, "center": center})


@pytest.mark.parametrize("name", ["AvgPool3D", "MaxPool3D"])
def test_planes_of_single_pixels_are_pooled_even_where_their_size_stays(name: str) -> None:
    """Pooling of images by single pixels copies, as TensorFlow.js does; that of volumes does not."""
    attributes = {"filter_size": (2, 1, 1), "strides": (1, 2, 2), "pad": 1, "dim_rounding_mode": "floor"}
    check(name, [floats(1, 3, 3, 3, 1)], attributes)
