"""The arithmetic of sliding windows: output sizes and padding of convolutions and pooling.

Plain integers, no arrays. Shape inference in `ops` and the kernels of every backend read the same records, so
that there is one rule for "same", for explicit padding and for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Pad: TypeAlias = str | int | Sequence[Sequence[int]]
"""`"same"`, `"valid"`, zeros on every side, or `[before, after]` for each axis."""

Pair: TypeAlias = int | Sequence[int]
"""One number for height and width, or both."""

Triple: TypeAlias = int | Sequence[int]
"""One number for depth, height and width, or all three."""

_DATA_FORMATS = ("NHWC", "NCHW")
_COUNTS = {4: "four", 5: "five"}


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
    def strides(self) -> tuple[int, int]:
        """Steps from one window to the next."""
        return self.stride_height, self.stride_width

    @property
    def dilations(self) -> tuple[int, int]:
        """Steps from one tap of a window to the next."""
        return self.dilation_height, self.dilation_width

    @property
    def effective_height(self) -> int:
        """Rows from the first to the last tap of a window."""
        return (self.filter_height - 1) * self.dilation_height + 1

    @property
    def effective_width(self) -> int:
        """Columns from the first to the last tap of a window."""
        return (self.filter_width - 1) * self.dilation_width + 1

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The windows along height and width."""
        return (
            Axis(self.in_height, self.out_height, self.filter_height, self.stride_height, self.dilation_height,
                 self.pad_top, self.pad_bottom),
            Axis(self.in_width, self.out_width, self.filter_width, self.stride_width, self.dilation_width,
                 self.pad_left, self.pad_right),
        )  # fmt: skip

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


class Axis(NamedTuple):
    """Windows along one axis; `before` and `after` are how far they reach over the input.

    A size of -1, one that only running the graph tells, makes as unknown an `out`.
    """

    size: int
    out: int
    window: int
    stride: int
    dilation: int
    before: int
    after: int

    def inside(self, tap: int) -> tuple[slice, slice]:
        """The windows whose tap of that number lies inside the input, and the positions that it sees there."""
        offset = tap * self.dilation - self.before
        first = max(0, -(offset // self.stride))
        last = min(self.out - 1, (self.size - 1 - offset) // self.stride)
        if last < first:
            return slice(0, 0), slice(0, 0)
        seen = slice(first * self.stride + offset, last * self.stride + offset + 1, self.stride)
        return slice(first, last + 1), seen


class VolumeInfo(NamedTuple):
    """A three-dimensional convolution or pooling: windows along the depth, over planes that are images.

    Attributes:
        depth: the windows along the depth.
        plane: those of each plane.
    """

    depth: Axis
    plane: ConvInfo

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The windows along depth, height and width."""
        return self.depth, *self.plane.axes

    @property
    def in_shape(self) -> tuple[int, int, int, int, int]:
        """The input's shape, `[batch, depth, height, width, channels]`."""
        batch, *plane = self.plane.in_shape
        return batch, self.depth.size, plane[0], plane[1], plane[2]

    @property
    def out_shape(self) -> tuple[int, int, int, int, int]:
        """The output's shape, `[batch, depth, height, width, channels]`."""
        batch, *plane = self.plane.out_shape
        return batch, self.depth.out, plane[0], plane[1], plane[2]

    @property
    def strides(self) -> tuple[int, int, int]:
        """Steps from one window to the next."""
        return self.depth.stride, *self.plane.strides

    @property
    def dilations(self) -> tuple[int, int, int]:
        """Steps from one tap of a window to the next."""
        return self.depth.dilation, *self.plane.dilations


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
    channels = _channels(x_shape, data_format)
    if depthwise:
        if channels != filter_in:
            raise ValueError(
                f"A depthwise convolution needs as many filter channels as x has: x of shape "
                f"{tuple(x_shape)} ({data_format}) has {channels}, the filter of shape "
                f"{tuple(filter_shape)} has {filter_in}."
            )
        out_channels, multiplier, groups = channels * filter_out, filter_out, 1
    else:
        groups = 1 if channels == filter_in else channels // filter_in if filter_in else 0
        if groups * filter_in != channels or (groups > 1 and filter_out % groups):
            raise ValueError(
                f"x of shape {tuple(x_shape)} ({data_format}) has {channels} channels, which do not fit a "
                f"filter of shape {tuple(filter_shape)} [height, width, in_channels, out_channels]: they must "
                f"be in_channels, or k times it where k divides out_channels."
            )
        out_channels, multiplier = filter_out, 1
    rows, columns = _both_axes(
        x_shape, (filter_height, filter_width), strides, dilations, pad, data_format, dim_rounding_mode
    )
    return _info(x_shape[0], channels, rows, columns, out_channels, data_format, multiplier, groups)


def conv2d_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the attributes of a kernel say of the windows of a two-dimensional convolution, for `conv2d_info`."""
    return {
        "strides": attributes["strides"],
        "pad": attributes["pad"],
        "data_format": attributes.get("data_format", "NHWC"),
        "dilations": attributes.get("dilations", (1, 1)),
        "dim_rounding_mode": attributes.get("dim_rounding_mode"),
    }


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
    channels = _channels(x_shape, data_format)
    size = _pair("filter_size", filter_size)
    rows, columns = _both_axes(x_shape, size, strides, dilations, pad, data_format, dim_rounding_mode)
    return _info(x_shape[0], channels, rows, columns, channels, data_format, 1, 1)


def conv3d_info(
    x_shape: Sequence[int],
    filter_shape: Sequence[int],
    strides: Triple,
    dilations: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
) -> VolumeInfo:
    """The sizes of a three-dimensional convolution.

    Args:
        x_shape: `[batch, depth, height, width, in_channels]`.
        filter_shape: `[depth, height, width, in_channels, out_channels]`.
        strides: steps from one window to the next.
        dilations: steps from one tap of a window to the next.
        pad: "same", "valid", a number of zeros on every side, or `[before, after]` per axis of `x_shape`.
        dim_rounding_mode: "floor", "round" or "ceil" of a fractional output size; None drops the fraction.

    Raises:
        ValueError: if the shapes do not fit each other, or an argument is out of range.
    """
    _check_volume(x_shape)
    if len(filter_shape) != 5:
        raise ValueError(
            f"A three-dimensional convolution needs a filter of rank 5, [depth, height, width, in_channels, "
            f"out_channels]; given shape {tuple(filter_shape)}."
        )
    if x_shape[4] != filter_shape[3]:
        raise ValueError(
            f"x of shape {tuple(x_shape)} has {x_shape[4]} channels, the filter of shape {tuple(filter_shape)} takes "
            f"{filter_shape[3]}; they must be equal."
        )
    stride, *strides_of_plane = triple("strides", strides)
    dilation, *dilations_of_plane = triple("dilations", dilations)
    plane = conv2d_info(
        plane_shape(x_shape), filter_shape[1:], strides_of_plane, dilations_of_plane, plane_pad(pad), "NHWC",
        dim_rounding_mode,
    )  # fmt: skip
    depth = _axis(x_shape[1], filter_shape[0], stride, dilation, _side(pad, 1, 5), dim_rounding_mode)
    return VolumeInfo(depth, plane)


def pool3d_info(
    x_shape: Sequence[int],
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
) -> VolumeInfo:
    """The sizes of a three-dimensional pooling; arguments as those of `conv3d_info`.

    Raises:
        ValueError: if an argument is out of range, or a window is larger than the padded input.
    """
    _check_volume(x_shape)
    window, *window_of_plane = triple("filter_size", filter_size)
    stride, *strides_of_plane = triple("strides", strides)
    plane = pool2d_info(plane_shape(x_shape), window_of_plane, strides_of_plane, plane_pad(pad), dim_rounding_mode)
    return VolumeInfo(_axis(x_shape[1], window, stride, 1, _side(pad, 1, 5), dim_rounding_mode), plane)


def triple(name: str, value: Triple) -> tuple[int, int, int]:
    """Depth, height and width of what gives all three, or one number for all.

    Raises:
        ValueError: if a number is less than 1.
    """
    depth, height, width = (value, value, value) if isinstance(value, int) else value
    if min(depth, height, width) < 1:
        raise ValueError(f"{name} must be 1 or more; given {value!r}.")
    return depth, height, width


def plane_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Of volumes `[batch, depth, height, width, channels]` one plane each: the shape without the depth."""
    batch, _, height, width, channels = shape
    return batch, height, width, channels


def plane_pad(pad: Pad) -> Pad:
    """The padding of planes from that of volumes, whose pairs are five.

    Raises:
        ValueError: if it holds another number of pairs.
    """
    if isinstance(pad, (str, int)):
        return pad
    _side(pad, 1, 5)
    return (pad[0], *pad[2:])


def _check_volume(x_shape: Sequence[int]) -> None:
    if len(x_shape) != 5:
        raise ValueError(f"Windows in volumes need x of rank 5, batch included; given shape {tuple(x_shape)}.")


def _info(
    batch: int,
    channels: int,
    rows: Axis,
    columns: Axis,
    out_channels: int,
    data_format: str,
    multiplier: int,
    groups: int,
) -> ConvInfo:
    return ConvInfo(
        batch, rows.size, columns.size, channels, rows.out, columns.out, out_channels, rows.window, columns.window,
        rows.stride, columns.stride, rows.dilation, columns.dilation, rows.before, rows.after, columns.before,
        columns.after, data_format, multiplier, groups,
    )  # fmt: skip


def _channels(x_shape: Sequence[int], data_format: str) -> int:
    if len(x_shape) != 4:
        raise ValueError(f"Sliding windows need x of rank 4, batch included; given shape {tuple(x_shape)}.")
    if data_format not in _DATA_FORMATS:
        raise ValueError(f"data_format must be one of {', '.join(_DATA_FORMATS)}; given {data_format!r}.")
    return x_shape[3] if data_format == "NHWC" else x_shape[1]


def _both_axes(
    x_shape: Sequence[int],
    window: tuple[int, int],
    strides: Pair,
    dilations: Pair,
    pad: Pad,
    data_format: str,
    rounding: str | None,
) -> tuple[Axis, Axis]:
    first = 1 if data_format == "NHWC" else 2
    stride_height, stride_width = _pair("strides", strides)
    dilation_height, dilation_width = _pair("dilations", dilations)
    return (
        _axis(x_shape[first], window[0], stride_height, dilation_height, _side(pad, first, 4), rounding),
        _axis(x_shape[first + 1], window[1], stride_width, dilation_width, _side(pad, first + 1, 4), rounding),
    )


def _axis(size: int, window: int, stride: int, dilation: int, pad: str | tuple[int, int], rounding: str | None) -> Axis:
    """Windows along one axis; `pad` is "same", "valid" or a pair (before, after)."""
    if isinstance(pad, str) and rounding is not None:
        raise ValueError(f"dim_rounding_mode needs pad given in numbers; given {rounding!r} with {pad!r}.")
    if pad == "same":
        return _same(size, window, stride, dilation)
    if isinstance(pad, str):
        return _padded(size, window, stride, dilation, 0, 0, "floor")
    return _padded(size, window, stride, dilation, *pad, rounding)


def _same(size: int, window: int, stride: int, dilation: int) -> Axis:
    if size < 0:
        return Axis(size, size, window, stride, dilation, 0, 0)
    out = -(-size // stride)
    missing = max(0, _reach(out, window, stride, dilation) - size)
    return Axis(size, out, window, stride, dilation, missing // 2, missing - missing // 2)


def _padded(size: int, window: int, stride: int, dilation: int, before: int, after: int, rounding: str | None) -> Axis:
    if size < 0:
        return Axis(size, size, window, stride, dilation, before, after)
    out = _rounded(size + before + after - (window - 1) * dilation - 1, stride, rounding) + 1
    if out < 0:
        raise ValueError(
            f"A window of {window} (dilation {dilation}) does not fit an axis of {size} padded by {before} and "
            f"{after}; use a smaller window or more padding."
        )
    # Sizes rounded up let the last window reach beyond the padding asked for, rounded down they leave some.
    after = max(0, _reach(out, window, stride, dilation) - size - before)
    return Axis(size, out, window, stride, dilation, before, after)


def _reach(out: int, window: int, stride: int, dilation: int) -> int:
    """How many positions `out` windows cover."""
    return (out - 1) * stride + (window - 1) * dilation + 1 if out else 0


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


def _side(pad: Pad, axis: int, rank: int) -> str | tuple[int, int]:
    """What `pad` says of one axis of a tensor of that rank: "same", "valid" or a pair (before, after)."""
    if pad == "same" or pad == "valid":
        return str(pad)
    if isinstance(pad, int):
        before, after = pad, pad
    elif isinstance(pad, str) or len(pad) != rank or any(len(sides) != 2 for sides in pad):
        raise ValueError(
            f"pad must be 'same', 'valid', a whole number, or {_COUNTS[rank]} pairs [before, after], one per axis; "
            f"given {pad!r}."
        )
    else:
        before, after = pad[axis]
    for side in (before, after):
        if side < 0 or int(side) != side:
            raise ValueError(f"pad must not hold negative numbers or fractions; given {pad!r}.")
    return before, after


def _pair(name: str, value: Pair) -> tuple[int, int]:
    height, width = (value, value) if isinstance(value, int) else value
    if height < 1 or width < 1:
        raise ValueError(f"{name} must be 1 or more; given {value!r}.")
    return height, width
