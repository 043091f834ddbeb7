"""Kernels of the cpu backend called with what TensorFlow.js's functions of the same meaning were recorded with.

The replay in `tests/conformance` goes through the public functions; these tests tell a wrong kernel from a wrong
argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tenfold.backends.cpu import convolution, matmul, normalization, pooling, resize
from tests.conformance.comparison import assert_agrees, tolerance_of
from tests.conformance.vectors import UNDEFINED, Case, TensorValue, cases
from tests.shared import vectors_path

PARAMETERS: dict[str, tuple[str, ...]] = {
    "conv2d": ("strides", "pad", "data_format", "dilations", "dim_rounding_mode"),
    "depthwiseConv2d": ("strides", "pad", "data_format", "dilations", "dim_rounding_mode"),
    "maxPool": ("filter_size", "strides", "pad", "dim_rounding_mode"),
    "avgPool": ("filter_size", "strides", "pad", "dim_rounding_mode"),
    "maxPoolWithArgmax": ("filter_size", "strides", "pad", "include_batch_in_index"),
    "image.resizeBilinear": ("size", "align_corners", "half_pixel_centers"),
    "image.resizeNearestNeighbor": ("size", "align_corners", "half_pixel_centers"),
    "matMul": ("transpose_a", "transpose_b"),
    "softmax": ("dim",),
    "logSoftmax": ("axis",),
}
"""What follows the tensors, by the kernels' names."""

KERNELS: dict[str, Callable[..., Any]] = {
    "conv2d": convolution.conv2d,
    "depthwiseConv2d": convolution.depthwise_conv2d,
    "maxPool": pooling.max_pool,
    "avgPool": pooling.avg_pool,
    "maxPoolWithArgmax": pooling.max_pool_with_argmax,
    "image.resizeBilinear": resize.resize_bilinear,
    "image.resizeNearestNeighbor": resize.resize_nearest_neighbor,
    "matMul": matmul.batch_mat_mul,
    "softmax": normalization.softmax,
    "logSoftmax": normalization.log_softmax,
}

GRADIENTS: dict[str, Callable[..., np.ndarray]] = {
    "maxPool": lambda dy, x, y, attributes: pooling.max_pool_grad(dy, x, y, **attributes),
    "avgPool": lambda dy, x, y, attributes: pooling.avg_pool_grad(dy, x, **attributes),
    "image.resizeBilinear": lambda dy, x, y, attributes: resize.resize_bilinear_grad(
        x, dy, **_without_size(attributes)
    ),
    "image.resizeNearestNeighbor": lambda dy, x, y, attributes: resize.resize_nearest_neighbor_grad(
        x, dy, **_without_size(attributes)
    ),
}

NUMBERS = ("float32", "int32")


def takes_them_as_they_are(case: Case) -> bool:
    """Whether conversion and promotion of arguments, which are the public functions', change nothing."""
    tensors = [arg for arg in case.args[:2] if isinstance(arg, TensorValue)]
    if case.op == "matMul" and len(tensors) < 2:
        return False
    same = len({tensor.dtype for tensor in tensors}) == 1 and tensors[0].dtype in NUMBERS
    return same and not (case.op == "softmax" and tensors[0].dtype == "int32")


FORWARD = [
    case
    for case in cases(vectors_path(), kind="op")
    if case.op in KERNELS and case.throws is None and takes_them_as_they_are(case)
]
# TensorFlow.js divides by the size of the window at the padding too, which is not the gradient of its mean.
FAULTY = {"1bdaf96dd8ce"}

BACKWARD = [
    case
    for case in cases(vectors_path(), kind="grad")
    if case.op in GRADIENTS and case.throws is None and case.fields["api"] == "grad" and case.id not in FAULTY
]


def _without_size(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name != "size"}


def attributes_of(op: str, args: tuple[Any, ...]) -> dict[str, Any]:
    given = zip(PARAMETERS[op], args, strict=False)
    return {name: value for name, value in given if value not in (None, UNDEFINED)}


def whole_batch(op: str, x: np.ndarray) -> tuple[np.ndarray, bool]:
    """x as the kernel takes it, and whether a batch axis was added."""
    images = op not in ("matMul", "softmax", "logSoftmax") and x.ndim == 3
    return (x[None], True) if images else (x, False)


def result_of(case: Case) -> np.ndarray | dict[str, np.ndarray]:
    tensors = [arg.data for arg in case.args[:2] if isinstance(arg, TensorValue)]
    x, added = whole_batch(case.op, tensors[0])
    out = KERNELS[case.op](x, *tensors[1:], **attributes_of(case.op, case.args[len(tensors) :]))
    if isinstance(out, tuple):
        return dict(zip(("result", "indexes"), out, strict=True))
    return out[0] if added else out


def recorded(array: np.ndarray) -> TensorValue:
    return TensorValue(array.shape, array.dtype.name, array)


@pytest.mark.parametrize("case", FORWARD, ids=lambda case: f"{case.op}-{case.id}")
def test_a_kernel_gives_what_was_recorded(case):
    got = result_of(case)
    got = {name: recorded(value) for name, value in got.items()} if isinstance(got, dict) else recorded(got)
    assert_agrees(got, case.out, tolerance_of(case.tol))


@pytest.mark.parametrize("case", BACKWARD, ids=lambda case: f"{case.op}-{case.id}")
def test_a_gradient_kernel_gives_what_was_recorded(case):
    (step,) = case.fields["program"]
    x, added = whole_batch(case.op, case.fields["inputs"][0].data)
    attributes = attributes_of(case.op, step.args[1:])
    y = KERNELS[case.op](x, **attributes)
    dy = case.fields["dy"]
    gradient = GRADIENTS[case.op](np.ones_like(y) if dy is None else dy.data.reshape(y.shape), x, y, attributes)
    assert_agrees(recorded(gradient[0] if added else gradient), case.fields["grads"][0], tolerance_of(case.tol))
