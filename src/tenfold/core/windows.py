"""The arithmetic of sliding windows: output sizes and padding of convolutions and pooling.

Plain integers, no arrays. Shape inference in `ops` and the kernels of every backend read the same records, so
that there is one rule for "same", for explicit padding and for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

Pad: TypeAlias = str | int | Sequence[Sequence[int]]
"""`"same"`, `"valid"`, zeros on every side, or `[before, after]` for each of the four axes."""

Pair: TypeAlias = int | Sequence[int]
"""One number for height and width, or both."""

_DATA_FORMATS = ("NHWC", "NCHW")


class ConvInfo(NamedTuple):
    """Everything about one convolution or pooling that its shapes and attributes decide.

    Padding says how far the windows reach over the edge of the input; it is zero where they end before it.

    Attributes:
        multiplier: output channels per input channel of a depthwise convolution, else 1.
        groups: how many runs of the input's channels are convolved separately (1: an ordinary convolution).
    """

    batch: int
    in_height: int
    in_width: int
    in_channels: int
    out_height: int
    out_width: int
    out_channels: int
    filter_height: int
    filter_width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    pad_top: int
    pad_bottom: int
    pad_left: int
    pad_right: int
    data_format: str
    multiplier: int = 1
    groups: int = 1

    @property
    def effective_height(self) -> int:
        """Rows from the first to the last tap of a window."""
        return (self.filter_height - 1) * self.dilation_height + 1

    @property
    def effective_width(self) -> int:
        """Columns from the first to the last tap of a window."""
        return (self.filter_width - 1) * self.dilation_width + 1

    @property
    def in_shape(self) -> tuple[int, int, int, int]:
        """The input's shape, in `data_format`."""
        return self._ordered(self.in_height, self.in_width, self.in_channels)

    @property
    def out_shape(self) -> tuple[int, int, int, int]:
        """The output's shape, in `data_format`."""
        return self._ordered(self.out_height, self.out_width, self.out_channels)

    def _ordered(self, height: int, width: int, channels: int) -> tuple[int, int, int, int]:
        if self.data_format == "NCHW":
            return self.batch, channels, height, width
        return self.batch, height, width, channels


def conv2d_info(
    x_shape: Sequence[int],
    filter_shape: Sequence[int],
    strides: Pair,
    dilations: Pair,
    pad: Pad,
    data_format: str = "NHWC",
    dim_rounding_mode: str | None = None,
    depthwise: bool = False,
) -> ConvInfo:
    """The sizes of a two-dimensional convolution.

    Args:
        x_shape: `[batch, height, width, channels]`, or `[batch, channels, height, width]` for "NCHW".
        filter_shape: `[height, width, in_channels, out_channels]`, whatever the data format; for a depthwise
            convolution the last axis is the channel multiplier.
        strides: steps from one window to the next.
        dilations: steps from one tap of a window to the next.
        pad: "same", "valid", a number of zeros on every side, or `[before, after]` per axis of `x_shape`.
        data_format: "NHWC" or "NCHW".
        dim_rounding_mode: "floor", "round" or "ceil" of a fractional output size; None drops the fraction.
        depthwise: whether each input channel has filters of its own.

    Raises:
        ValueError: if the shapes do not fit each other, or an argument is out of range.
    """
    if len(filter_shape) != 4:
        raise ValueError(
            f"A two-dimensional convolution needs a filter of rank 4, [height, width, in_channels, "
            f"{'multiplier' if depthwise else 'out_channels'}]; given shape {tuple(filter_shape)}."
        )
    filter_height, filter_width, filter_in, filter_out = filter_shape
    info = _window_info(x_shape, (filter_height, filter_width), strides, dilations, pad, data_format, dim_rounding_mode)
    channels = info.in_channels
    if depthwise:
        if channels != filter_in:
            raise ValueError(
                f"A depthwise convolution needs as many filter channels as x has: x of shape "
                f"{tuple(x_shape)} ({data_format}) has {channels}, the filter of shape "
                f"{tuple(filter_shape)} has {filter_in}."
            )
        return info._replace(out_channels=channels * filter_out, multiplier=filter_out)
    groups = 1 if channels == filter_in else channels // filter_in if filter_in else 0
    if groups * filter_in != channels or (groups > 1 and filter_out % groups):
        raise ValueError(
            f"x of shape {tuple(x_shape)} ({data_format}) has {channels} channels, which do not fit a filter "
            f"of shape {tuple(filter_shape)} [height, width, in_channels, out_channels]: they must be "
            f"in_channels, or k times it where k divides out_channels."
        )
    return info._replace(out_channels=filter_out, groups=groups)


def pool2d_info(
    x_shape: Sequence[int],
    filter_size: Pair,
    strides: Pair,
    pad: Pad,
    dim_rounding_mode: str | None = None,
    dilations: Pair = 1,
    data_format: str = "NHWC",
) -> ConvInfo:
    """The sizes of a two-dimensional pooling; arguments as those of `conv2d_info`.

    Raises:
        ValueError: if an argument is out of range, or a window is larger than the padded input.
    """
    size = _pair("filter_size", filter_size)
    return _window_info(x_shape, size, strides, dilations, pad, data_format, dim_rounding_mode)


def _window_info(
    x_shape: Sequence[int],
    size: tuple[int, int],
    strides: Pair,
    dilations: Pair,
    pad: Pad,
    data_format: str,
    rounding: str | None,
) -> ConvInfo:
    if len(x_shape) != 4:
        raise ValueError(f"Sliding windows need x of rank 4, batch included; given shape {tuple(x_shape)}.")
    if data_format == "NHWC":
        batch, height, width, channels = x_shape
        first_axis = 1
    elif data_format == "NCHW":
        batch, channels, height, width = x_shape
        first_axis = 2
    else:
        raise ValueError(f"data_format must be one of {', '.join(_DATA_FORMATS)}; given {data_format!r}.")
    stride_height, stride_width = _pair("strides", strides)
    dilation_height, dilation_width = _pair("dilations", dilations)
    rows = _Axis(height, size[0], stride_height, dilation_height)
    columns = _Axis(width, size[1], stride_width, dilation_width)
    if rounding is not None and pad in ("same", "valid"):
        raise ValueError(f"dim_rounding_mode needs pad given in numbers; given {rounding!r} with {pad!r}.")
    if pad == "same":
        out_height, top, bottom = rows.same()
        out_width, left, right = columns.same()
    elif pad == "valid":
        out_height, top, bottom = rows.padded(0, 0, "floor")
        out_width, left, right = columns.padded(0, 0, "floor")
    else:
        (before, after), (start, end) = _explicit(pad, first_axis)
        out_height, top, bottom = rows.padded(before, after, rounding)
        out_width, left, right = columns.padded(start, end, rounding)
    return ConvInfo(
        batch, height, width, channels, out_height, out_width, channels, size[0], size[1],
        stride_height, stride_width, dilation_height, dilation_width, top, bottom, left, right, data_format,
    )  # fmt: skip


class _Axis(NamedTuple):
    """Windows along one axis; its methods give the output's size and the reach before and after the input."""

    size: int
    window: int
    stride: int
    dilation: int

    def same(self) -> tuple[int, int, int]:
        out = -(-self.size // self.stride)
        before = max(0, self._reach(out) - self.size) // 2
        return self._with_reach(out, before)

    def padded(self, before: int, after: int, rounding: str | None) -> tuple[int, int, int]:
        room = self.size + before + after - (self.window - 1) * self.dilation - 1
        out = _rounded(room, self.stride, rounding) + 1
        if out < 0:
            raise ValueError(
                f"A window of {self.window} (dilation {self.dilation}) does not fit an axis of {self.size} "
                f"padded by {before} and {after}; use a smaller window or more padding."
            )
        return self._with_reach(out, before)

    def _reach(self, out: int) -> int:
        """How many padded positions `out` windows cover; also right for fractional sizes rounded up."""
        return (out - 1) * self.stride + (self.window - 1) * self.dilation + 1 if out else 0

    def _with_reach(self, out: int, before: int) -> tuple[int, int, int]:
        return out, before, max(0, self._reach(out) - self.size - before)


def _rounded(room: int, stride: int, mode: str | None) -> int:
    if mode is None:
        # As in TensorFlow.js: without a mode, room / stride + 1 as a whole loses its fraction.
        return math.trunc(room / stride + 1) - 1
    if mode == "floor":
        return room // stride
    if mode == "ceil":
        return -(-room // stride)
    if mode == "round":
        return (2 * room + stride) // (2 * stride)
    raise ValueError(f"dim_rounding_mode must be None, 'floor', 'round' or 'ceil'; given {mode!r}.")


def _explicit(pad: Pad, first_axis: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding of height and width as pairs (before, after)."""
    if isinstance(pad, int):
        sides = ((pad, pad), (pad, pad))
    elif isinstance(pad, str) or len(pad) != 4 or any(len(sides) != 2 for sides in pad):
        raise ValueError(
            f"pad must be 'same', 'valid', a whole number, or four pairs [before, after], one per axis; given {pad!r}."
        )
    else:
        (top, bottom), (left, right) = pad[first_axis], pad[first_axis + 1]
        sides = ((top, bottom), (left, right))
    for pair in sides:
        for side in pair:
            if side < 0 or int(side) != side:
                raise ValueError(f"pad must not hold negative numbers or fractions; given {pad!r}.")
    return sides


def _pair(name: str, value: Pair) -> tuple[int, int]:
    height, width = (value, value) if isinstance(value, int) else value
    if height < 1 or width < 1:
        raise ValueError(f"{name} must be 1 or more; given {value!r}.")
    return height, width
