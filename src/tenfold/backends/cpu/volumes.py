"""Convolutions and pooling of volumes on the cpu backend: those of images, plane by plane, gathered over the depth.

Volumes are `[batch, depth, height, width, channels]`. For each tap of a window's depth the planes that it sees are one
batch of images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tenfold.backends.cpu import convolution, pooling
from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.windows import Axis, Pad, Triple, conv3d_info, plane_pad, pool2d_info, pool3d_info, triple

_Tap = tuple[int, slice, slice]


def _taps(depth: Axis) -> Iterator[_Tap]:
    """Each tap of a window's depth, the windows that it serves, and the planes that it sees."""
    for tap in range(depth.window):
        windows, planes = depth.inside(tap)
        if windows.stop > windows.start:
            yield tap, windows, planes


def _images(volumes: np.ndarray) -> np.ndarray:
    """The planes of volumes as one batch of images."""
    return volumes.reshape(volumes.shape[0] * volumes.shape[1], *volumes.shape[2:])


# --- convolutions ------------------------------------------------------------------------------------------


@cpu_kernel("Conv3D")
def conv3d(
    x: np.ndarray,
    filters: np.ndarray,
    *,
    strides: Triple,
    pad: Pad,
    data_format: str = "NDHWC",
    dilations: Triple = 1,
) -> np.ndarray:
    """Each output channel sums the windows' products with one filter."""
    info = conv3d_info(x.shape, filters.shape, strides, dilations, pad)
    attributes = _of_planes(strides, dilations, pad)
    out = np.zeros(info.out_shape, x.dtype)
    for tap, windows, planes in _taps(info.depth):
        sums = out[:, windows]
        sums += convolution.conv2d(_images(x[:, planes]), filters[tap], **attributes).reshape(sums.shape)
    return out


@cpu_kernel("Conv3DBackpropInputV2")
def conv3d_backprop_input(
    dy: np.ndarray,
    filters: np.ndarray,
    *,
    strides: Triple,
    pad: Pad,
    input_shape: Sequence[int],
    dilations: Triple = 1,
) -> np.ndarray:
    """The gradient of `conv3d` with respect to x; also what a transposed convolution computes."""
    info = conv3d_info(input_shape, filters.shape, strides, dilations, pad)
    attributes = _of_planes(strides, dilations, pad)
    out = np.zeros(input_shape, dy.dtype)
    for tap, windows, planes in _taps(info.depth):
        sums = out[:, planes]
        images = _images(dy[:, windows])
        shape = (len(images), *info.in_shape[2:])
        given = convolution.conv2d_backprop_input(images, filters[tap], **attributes, input_shape=shape)
        sums += given.reshape(sums.shape)
    return out


@cpu_kernel("Conv3DBackpropFilterV2")
def conv3d_backprop_filter(
    x: np.ndarray,
    dy: np.ndarray,
    *,
    strides: Triple,
    pad: Pad,
    filter_shape: Sequence[int],
    dilations: Triple = 1,
) -> np.ndarray:
    """The gradient of `conv3d` with respect to the filters."""
    info = conv3d_info(x.shape, filter_shape, strides, dilations, pad)
    attributes = _of_planes(strides, dilations, pad)
    out = np.zeros(filter_shape, dy.dtype)
    for tap, windows, planes in _taps(info.depth):
        images, given = _images(x[:, planes]), _images(dy[:, windows])
        out[tap] = convolution.conv2d_backprop_filter(images, given, **attributes, filter_shape=filter_shape[1:])
    return out


def _of_planes(strides: Triple, dilations: Triple, pad: Pad) -> dict[str, Any]:
    """The attributes of the convolution of a plane."""
    return {
        "strides": triple("strides", strides)[1:],
        "dilations": triple("dilations", dilations)[1:],
        "pad": plane_pad(pad),
    }


# --- pooling -----------------------------------------------------------------------------------------------


@cpu_kernel("MaxPool3D")
def max_pool3d(
    x: np.ndarray,
    *,
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
    data_format: str = "NDHWC",
) -> np.ndarray:
    """The largest number of each window; NaN is passed over."""
    depth = pool3d_info(x.shape, filter_size, strides, pad, dim_rounding_mode).depth
    return _largest_over_depth(_pooled_planes(x, filter_size, strides, pad, dim_rounding_mode), depth)


@cpu_kernel("MaxPool3DGrad")
def max_pool3d_grad(
    dy: np.ndarray,
    x: np.ndarray,
    output: np.ndarray,
    *,
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
) -> np.ndarray:
    """The gradient of `max_pool3d`: each window's goes to the first of its largest numbers."""
    depth = pool3d_info(x.shape, filter_size, strides, pad, dim_rounding_mode).depth
    planes = _pooled_planes(x, filter_size, strides, pad, dim_rounding_mode)
    largest = _largest_over_depth(planes, depth)
    due = np.ones(dy.shape, bool)
    for_planes = np.zeros(planes.shape, dy.dtype)
    for _, windows, seen in _taps(depth):
        wins = due[:, windows] & (planes[:, seen] == largest[:, windows])
        for_planes[:, seen] += np.where(wins, dy[:, windows], 0)
        due[:, windows] &= ~wins
    pixels = _images(x)
    attributes = _pooling_of_planes(filter_size, strides, pad, dim_rounding_mode)
    return pooling.max_pool_grad(_images(for_planes), pixels, _images(planes), **attributes).reshape(x.shape)


@cpu_kernel("AvgPool3D")
def avg_pool3d(
    x: np.ndarray,
    *,
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
    data_format: str = "NDHWC",
) -> np.ndarray:
    """The mean of what each window sees of the volume: that over the depth of those of the planes."""
    info = pool3d_info(x.shape, filter_size, strides, pad, dim_rounding_mode)
    attributes = _pooling_of_planes(filter_size, strides, pad, dim_rounding_mode)
    images = _images(x)
    planes = pooling.means_of_windows(images, pool2d_info(images.shape, **attributes))
    planes = planes.reshape(*x.shape[:2], *planes.shape[1:])
    out = np.zeros(info.out_shape, x.dtype)
    for _, windows, seen in _taps(info.depth):
        out[:, windows] += planes[:, seen]
    return out / _counts(info.depth).astype(x.dtype)


@cpu_kernel("AvgPool3DGrad")
def avg_pool3d_grad(
    dy: np.ndarray,
    x: np.ndarray,
    *,
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
) -> np.ndarray:
    """The gradient of `avg_pool3d`: each window's is shared by what it sees of the volume."""
    depth = pool3d_info(x.shape, filter_size, strides, pad, dim_rounding_mode).depth
    share = dy / np.maximum(_counts(depth), 1).astype(dy.dtype)
    for_planes = np.zeros((*x.shape[:2], *dy.shape[2:]), dy.dtype)
    for _, windows, seen in _taps(depth):
        for_planes[:, seen] += share[:, windows]
    attributes = _pooling_of_planes(filter_size, strides, pad, dim_rounding_mode)
    info = pool2d_info(_images(x).shape, **attributes)
    return pooling.shares_of_means(_images(for_planes), info).reshape(x.shape)


def _pooling_of_planes(filter_size: Triple, strides: Triple, pad: Pad, dim_rounding_mode: str | None) -> dict[str, Any]:
    """The attributes of the pooling of a plane."""
    return {
        "filter_size": triple("filter_size", filter_size)[1:],
        "strides": triple("strides", strides)[1:],
        "pad": plane_pad(pad),
        "dim_rounding_mode": dim_rounding_mode,
    }


def _pooled_planes(
    x: np.ndarray, filter_size: Triple, strides: Triple, pad: Pad, dim_rounding_mode: str | None
) -> np.ndarray:
    """The largest numbers of the windows of each plane."""
    attributes = _pooling_of_planes(filter_size, strides, pad, dim_rounding_mode)
    images = _images(x)
    planes = pooling.largest_of_windows(images, pool2d_info(images.shape, **attributes))
    return planes.reshape(*x.shape[:2], *planes.shape[1:])


def _largest_over_depth(planes: np.ndarray, depth: Axis) -> np.ndarray:
    out = np.full((planes.shape[0], depth.out, *planes.shape[2:]), pooling.lowest(planes.dtype), planes.dtype)
    for _, windows, seen in _taps(depth):
        np.fmax(out[:, windows], planes[:, seen], out=out[:, windows])
    return out


def _counts(depth: Axis) -> np.ndarray:
    """How many planes each window sees: `[windows, 1, 1, 1]`."""
    counts = np.zeros((depth.out, 1, 1, 1), np.int64)
    for _, windows, _ in _taps(depth):
        counts[windows] += 1
    return counts
