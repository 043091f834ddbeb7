"""TensorFlow.js's helper functions that have a counterpart here, by the names under which they were recorded.

Most of its helpers have none: NumPy or Python does what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import tenfold as tf
from tenfold.core.conversion import cast_array, check_for_errors, convert_to_tensor, infer_dtype
from tenfold.core.windows import ConvInfo, VolumeInfo, conv2d_info, conv3d_info, pool2d_info, pool3d_info, triple
from tenfold.models.io import CompositeBuffer, decode_weights, encode_weights
from tenfold.ops.axes import reduced_shape, resolve_axes
from tenfold.ops.broadcasting import broadcast_shapes
from tenfold.ops.random import resolve_noise_shape
from tenfold.ops.transformations import resolve_shape
from tests.conformance.vectors import TensorValue

_DATA_FORMATS = {"channelsLast": "NHWC", "channelsFirst": "NCHW"}


class Counterpart(NamedTuple):
    """Our function of the same meaning; whether it takes tensors rather than the recorded values."""

    function: Callable[..., Any]
    takes_tensors: bool = False


def _window_fields(info: ConvInfo, data_format: str) -> dict[str, Any]:
    """The record of TensorFlow.js, but for the padding, which here says how far windows reach."""
    fields = {name: getattr(info, name) for name in _SAME_FIELDS}
    return fields | {
        "batch_size": info.batch,
        "data_format": data_format,
        "effective_filter_height": info.effective_height,
        "effective_filter_width": info.effective_width,
    }


_SIDES = ("height", "width")
_SAME_FIELDS = [
    *(f"{what}_{side}" for what in ("in", "out", "filter", "stride", "dilation") for side in _SIDES),
    *(f"{what}_{field}" for what in ("in", "out") for field in ("channels", "shape")),
]


def _conv2d(
    shape: Sequence[int],
    filter_shape: Sequence[int],
    strides: Any,
    dilations: Any,
    pad: Any,
    rounding: str | None = None,
    depthwise: bool = False,
    data_format: str = "channelsLast",
) -> dict[str, Any]:
    layout = _DATA_FORMATS[data_format]
    info = conv2d_info(shape, filter_shape, strides, dilations, pad, layout, rounding, depthwise)
    return _window_fields(info, data_format)


def _pool2d(
    shape: Sequence[int],
    filter_size: Any,
    strides: Any,
    dilations: Any,
    pad: Any,
    rounding: str | None = None,
    data_format: str = "channelsLast",
) -> dict[str, Any]:
    layout = _DATA_FORMATS.get(data_format, data_format)
    return _window_fields(pool2d_info(shape, filter_size, strides, pad, rounding, dilations, layout), data_format)


def _volume_fields(info: VolumeInfo, data_format: str) -> dict[str, Any]:
    """The record of windows over volumes, of which only depth, height and width, and the shapes are ours."""
    fields: dict[str, Any] = {"batch_size": info.in_shape[0], "data_format": data_format}
    for side, axis in zip(("depth", "height", "width"), info.axes, strict=True):
        fields |= {f"in_{side}": axis.size, f"out_{side}": axis.out, f"filter_{side}": axis.window}
        fields |= {f"stride_{side}": axis.stride, f"dilation_{side}": axis.dilation}
        fields[f"effective_filter_{side}"] = (axis.window - 1) * axis.dilation + 1
    for what, shape in (("in", info.in_shape), ("out", info.out_shape)):
        batch, *sides, channels = shape
        fields[f"{what}_channels"] = channels
        fields[f"{what}_shape"] = shape if data_format == "channelsLast" else (batch, channels, *sides)
    return fields


def _channels_last(shape: Sequence[int], data_format: str) -> Sequence[int]:
    if _DATA_FORMATS.get(data_format) is None:
        raise ValueError(f"unknown data format {data_format!r}")
    return shape if data_format == "channelsLast" else [shape[0], *shape[2:], shape[1]]


def _conv3d(
    shape: Sequence[int],
    filter_shape: Sequence[int],
    strides: Any,
    dilations: Any,
    pad: Any,
    depthwise: bool = False,
    data_format: str = "channelsLast",
    rounding: str | None = None,
) -> dict[str, Any]:
    assert not depthwise
    shape = _channels_last(shape, data_format)
    return _volume_fields(conv3d_info(shape, filter_shape, strides, dilations, pad, rounding), data_format)


def _pool3d(
    shape: Sequence[int],
    filter_size: Any,
    strides: Any,
    dilations: Any,
    pad: Any,
    rounding: str | None = None,
    data_format: str = "channelsLast",
) -> dict[str, Any]:
    shape = _channels_last(shape, data_format)
    if dilations == 1:
        return _volume_fields(pool3d_info(shape, filter_size, strides, pad, rounding), data_format)
    # Poolings have no dilations here; a convolution of as many channels has the same windows.
    filter_shape = (*triple("filter_size", filter_size), shape[4], shape[4])
    return _volume_fields(conv3d_info(shape, filter_shape, strides, dilations, pad, rounding), data_format)


def _nested(shape: Sequence[int], values: np.ndarray, is_complex: bool = False) -> Any:
    if is_complex:
        tensor = tf.tensor(values.view(np.complex64), shape)
        return tensor.numpy().view(np.float32).tolist()
    return tf.tensor(values, shape).array_sync()


def _check_conversion(values: Any, dtype: str) -> None:
    check_for_errors(values, cast_array(np.asarray(values), dtype), "values")


def _encode(tensors: Any, group: str | None = None) -> dict[str, Any]:
    named = tensors if isinstance(tensors, Mapping) else {entry["name"]: entry["tensor"] for entry in tensors}
    assert all(isinstance(value, TensorValue) for value in named.values())
    data, specs = encode_weights({name: value.data for name, value in named.items()}, group)
    return {"data": data, "specs": [spec.to_json() for spec in specs]}


def _decode(data: bytes, specs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: tf.tensor(array, array.shape) for name, array in decode_weights(data, specs).items()}


def _infer_shape(value: Any, dtype: str | None = None) -> list[int]:
    return list(tf.tensor(value, dtype=dtype).shape)


LIBRARY: Mapping[str, Counterpart] = {
    "core.io.decodeWeights": Counterpart(_decode),
    "core.io.encodeWeights": Counterpart(_encode),
    "core.io.io_utils.concatenateArrayBuffers": Counterpart(lambda parts: bytes(CompositeBuffer(parts))),
    "core.io.io_utils.concatenateTypedArrays": Counterpart(lambda parts: bytes(CompositeBuffer(parts))),
    "core.ops.axis_util.computeOutAndReduceShapes": Counterpart(
        lambda shape, axes: [list(reduced_shape(shape, axes, False)), [shape[axis] for axis in axes]]
    ),
    "core.ops.broadcast_util.assertAndGetBroadcastShape": Counterpart(lambda a, b: list(broadcast_shapes(a, b))),
    "core.ops.conv_util.computeConv2DInfo": Counterpart(_conv2d),
    "core.ops.conv_util.computeConv3DInfo": Counterpart(_conv3d),
    "core.ops.conv_util.computePool2DInfo": Counterpart(_pool2d),
    "core.ops.conv_util.computePool3DInfo": Counterpart(_pool3d),
    "core.ops.dropout_util.getNoiseShape": Counterpart(lambda x, shape: list(resolve_noise_shape(x.shape, shape))),
    "core.tensor_util.getTensorsInContainer": Counterpart(tf.get_tensors_in_container, takes_tensors=True),
    "core.tensor_util_env.convertToTensor": Counterpart(convert_to_tensor, takes_tensors=True),
    "core.tensor_util_env.inferShape": Counterpart(_infer_shape),
    "core.types.upcastType": Counterpart(tf.upcast_type),
    "core.util.checkConversionForErrors": Counterpart(_check_conversion),
    "core.util.inferDtype": Counterpart(infer_dtype),
    "core.util.inferFromImplicitShape": Counterpart(lambda shape, size: list(resolve_shape((size,), shape))),
    "core.util.parseAxisParam": Counterpart(lambda axis, shape: list(resolve_axes(axis, len(shape), "parse"))),
    "core.util.toNestedArray": Counterpart(_nested),
}
"""Our counterparts by recorded name."""
