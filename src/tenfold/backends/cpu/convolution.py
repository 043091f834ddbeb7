"""Convolutions of the cpu backend: products of patches with BLAS, and depthwise ones tap by tap in the cache.

Inside, images are channels last and C-contiguous; the "NCHW" format is transposed on the way in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tenfold.backends.cpu.matmul import sums_fit_float64, wrap_int32
from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.backends.cpu.row_blocks import RowBlock, WindowSums, row_blocks, window_taps
from tenfold.core.windows import ConvInfo, Pad, Pair, conv2d_info

if TYPE_CHECKING:
    from tenfold.backends.cpu.row_blocks import Epilogue

Routine: TypeAlias = "Callable[[np.ndarray, np.ndarray, ConvInfo, np.ndarray, Epilogue | None], None]"
"""`routine(x, filters, info, out, epilogue)` fills `out`; nothing is empty, everything is channels last."""

_PATCH_BYTES = 1 << 20
"""Patches copied at a time: half a usual L2 cache, and enough rows for BLAS to be at its best."""

_PRODUCT_BYTES = 2 << 20
"""Output of a 1×1 convolution at a time; smaller pieces cost BLAS more than the epilogue gains."""

_DEPTHWISE_BYTES = 1 << 19
"""Rows that a depthwise convolution reads and writes at a time; measured flat from 256 KB to 1 MB."""

_RUN = 1536
"""Numbers in the innermost loop of a depthwise convolution: few enough for their sums and weights to stay in
the L1 cache while the taps pass, and enough to outweigh the start of the loop, some 15 ns."""

_GATHERED_CHANNELS = 64
"""Below so many channels a depthwise convolution that strides over columns copies them side by side first."""

_SHORT_RUN = 16
"""Below so many numbers in a row, a patch is cheaper to copy tap by tap."""


@cpu_kernel("Conv2D")
def conv2d(
    x: np.ndarray,
    filters: np.ndarray,
    *,
    strides: Pair,
    pad: Pad,
    data_format: str = "NHWC",
    dilations: Pair = 1,
    dim_rounding_mode: str | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """Each output channel sums the windows' products with one filter; grouped where x has more channels."""
    info = conv2d_info(x.shape, filters.shape, strides, dilations, pad, data_format, dim_rounding_mode)
    if info.groups > 1 and info.groups == info.in_channels:
        multiplier = info.out_channels // info.groups
        return _run(_depthwise, x, filters, info._replace(groups=1, multiplier=multiplier), epilogue)
    return _run(_convolve, x, filters, info, epilogue)


@cpu_kernel("DepthwiseConv2dNative")
def depthwise_conv2d(
    x: np.ndarray,
    filters: np.ndarray,
    *,
    strides: Pair,
    pad: Pad,
    data_format: str = "NHWC",
    dilations: Pair = 1,
    dim_rounding_mode: str | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """Each input channel is convolved with filters of its own, `filters[:, :, channel, multiple]`."""
    info = conv2d_info(x.shape, filters.shape, strides, dilations, pad, data_format, dim_rounding_mode, True)
    return _run(_depthwise, x, filters, info, epilogue)


@cpu_kernel("Conv2DBackpropInput")
def conv2d_backprop_input(
    dy: np.ndarray,
    filters: np.ndarray,
    *,
    strides: Pair,
    pad: Pad,
    input_shape: Sequence[int],
    data_format: str = "NHWC",
    dilations: Pair = 1,
    dim_rounding_mode: str | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """The gradient of `conv2d` with respect to x; also what a transposed convolution computes."""
    info = conv2d_info(input_shape, filters.shape, strides, dilations, pad, data_format, dim_rounding_mode)
    return _run(_convolve_back, _checked_dy(dy, info), filters, info, epilogue, backwards=True)


@cpu_kernel("Conv2DBackpropFilter")
def conv2d_backprop_filter(
    x: np.ndarray,
    dy: np.ndarray,
    *,
    strides: Pair,
    pad: Pad,
    filter_shape: Sequence[int],
    data_format: str = "NHWC",
    dilations: Pair = 1,
    dim_rounding_mode: str | None = None,
) -> np.ndarray:
    """The gradient of `conv2d` with respect to the filters."""
    info = conv2d_info(x.shape, filter_shape, strides, dilations, pad, data_format, dim_rounding_mode)
    x, dy = _channels_last(x, info), _channels_last(_checked_dy(dy, info), info)
    parts = [
        _filter_sums(np.ascontiguousarray(x[..., inside]), dy[..., outside], part)
        for inside, outside, part in _groups(_last(info))
    ]
    return np.concatenate(parts, axis=3) if info.groups > 1 else parts[0]


@cpu_kernel("DepthwiseConv2dNativeBackpropInput")
def depthwise_conv2d_backprop_input(
    dy: np.ndarray,
    filters: np.ndarray,
    *,
    strides: Pair,
    pad: Pad,
    input_shape: Sequence[int],
    data_format: str = "NHWC",
    dilations: Pair = 1,
    dim_rounding_mode: str | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """The gradient of `depthwise_conv2d` with respect to x."""
    shape = filters.shape
    info = conv2d_info(input_shape, shape, strides, dilations, pad, data_format, dim_rounding_mode, True)
    return _run(_depthwise_back, _checked_dy(dy, info), filters, info, epilogue, backwards=True)


@cpu_kernel("DepthwiseConv2dNativeBackpropFilter")
def depthwise_conv2d_backprop_filter(
    x: np.ndarray,
    dy: np.ndarray,
    *,
    strides: Pair,
    pad: Pad,
    filter_shape: Sequence[int],
    data_format: str = "NHWC",
    dilations: Pair = 1,
    dim_rounding_mode: str | None = None,
) -> np.ndarray:
    """The gradient of `depthwise_conv2d` with respect to the filters."""
    info = conv2d_info(x.shape, filter_shape, strides, dilations, pad, data_format, dim_rounding_mode, True)
    x, dy, info = _channels_last(x, info), _channels_last(_checked_dy(dy, info), info), _last(info)
    out = np.zeros(filter_shape, x.dtype)
    if not (x.size and dy.size and out.size):
        return out
    by_channel = dy.reshape(*dy.shape[:3], info.in_channels, info.multiplier)
    for block in row_blocks(x, info, _DEPTHWISE_BYTES, _depthwise_row_bytes(x, info)):
        out += np.einsum("nhwijc,nhwcm->ijcm", block.windows(info), by_channel[block.region])
    return out


def _run(
    routine: Routine,
    x: np.ndarray,
    filters: np.ndarray,
    info: ConvInfo,
    epilogue: Epilogue | None,
    backwards: bool = False,
) -> np.ndarray:
    """Bring the operands into the form that `routine` takes, and the result back from it."""
    if info.data_format == "NCHW":
        out = _run(routine, _channels_last(x, info), filters, _last(info), None, backwards)
        return _finished(np.ascontiguousarray(out.transpose(0, 3, 1, 2)), epilogue)
    if info.groups > 1:
        parts = []
        for inside, outside, part in _groups(info):
            operand = x[..., outside if backwards else inside]
            parts.append(_run(routine, operand, filters[..., outside], part, None, backwards))
        return _finished(np.concatenate(parts, axis=3), epilogue)
    shape = info.in_shape if backwards else info.out_shape
    if not x.size or not filters.size:
        return _finished(np.zeros(shape, x.dtype), epilogue)
    terms = filters.size  # An upper bound of the products in one sum.
    if x.dtype.kind in "iu" and routine is not _depthwise and sums_fit_float64(x, filters, terms):
        out = _run(routine, x.astype(np.float64), filters.astype(np.float64), info, None, backwards)
        return _finished(wrap_int32(out), epilogue)
    out = np.empty(shape, x.dtype)
    if out.size:
        routine(np.ascontiguousarray(x), filters, info, out, epilogue)
    return out


def _finished(out: np.ndarray, epilogue: Epilogue | None) -> np.ndarray:
    if epilogue is not None:
        epilogue(out, (slice(None),))
    return out


def _channels_last(x: np.ndarray, info: ConvInfo) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1) if info.data_format == "NCHW" else x)


def _last(info: ConvInfo) -> ConvInfo:
    return info if info.data_format == "NHWC" else info._replace(data_format="NHWC")


def _checked_dy(dy: np.ndarray, info: ConvInfo) -> np.ndarray:
    if dy.shape != info.out_shape:
        raise ValueError(
            f"dy must have the shape of the convolution's output, {info.out_shape} ({info.data_format}); "
            f"given {dy.shape}."
        )
    return dy


def _groups(info: ConvInfo) -> list[tuple[slice, slice, ConvInfo]]:
    """Input channels, output channels and sizes of each convolution that a grouped one consists of."""
    inside, outside = info.in_channels // info.groups, info.out_channels // info.groups
    part = info._replace(in_channels=inside, out_channels=outside, groups=1)
    return [
        (slice(group * inside, (group + 1) * inside), slice(group * outside, (group + 1) * outside), part)
        for group in range(info.groups)
    ]


# --- convolution as a product of patches -------------------------------------------------------------------


class _Patches:
    """Windows as rows of a matrix, in a buffer that serves block after block."""

    def __init__(self, info: ConvInfo, dtype: np.dtype) -> None:
        self._info = info
        self._taps = info.filter_height * info.filter_width * info.in_channels
        run = info.in_channels * (info.filter_width if info.dilation_width == 1 else 1)
        self._short = run < _SHORT_RUN
        self._buffer = np.empty(0, dtype)
        self.row_bytes = self._taps * info.out_width * dtype.itemsize

    def matrix(self, block: RowBlock) -> np.ndarray:
        """`[windows, taps]`; what an earlier call returned is overwritten."""
        windows = block.windows(self._info)
        if windows.flags.c_contiguous:
            return windows.reshape(-1, self._taps)
        if windows.size > self._buffer.size:
            self._buffer = np.empty(windows.size, windows.dtype)
        if self._short:
            # Few channels: a copy along the columns has longer runs, and BLAS takes the transpose as well.
            windows = windows.transpose(3, 4, 5, 0, 1, 2)
        patches = self._buffer[: windows.size].reshape(windows.shape)
        patches[...] = windows
        return patches.reshape(self._taps, -1).T if self._short else patches.reshape(-1, self._taps)


def _convolve(x: np.ndarray, filters: np.ndarray, info: ConvInfo, out: np.ndarray, epilogue: Epilogue | None) -> None:
    matrix = filters.reshape(-1, info.out_channels)
    patches = _Patches(info, x.dtype)
    budget, row_bytes = _PATCH_BYTES, patches.row_bytes
    if matrix.shape[0] == info.in_channels and info.stride_height == info.stride_width == 1:
        budget, row_bytes = _PRODUCT_BYTES, info.out_width * info.out_channels * x.itemsize
        if out.nbytes <= budget and info.out_width == info.in_width and info.out_height == info.in_height:
            # Most layers of most networks are this one: every microsecond around the product shows.
            np.matmul(x.reshape(-1, info.in_channels), matrix, out=out.reshape(-1, info.out_channels))
            _finished(out, epilogue)
            return
    for block in row_blocks(x, info, budget, row_bytes):
        np.matmul(patches.matrix(block), matrix, out=out[block.region].reshape(-1, info.out_channels))
        if epilogue is not None:
            epilogue(out, block.region)


def _convolve_back(
    dy: np.ndarray, filters: np.ndarray, info: ConvInfo, out: np.ndarray, epilogue: Epilogue | None
) -> None:
    by_tap = filters.reshape(-1, info.in_channels, info.out_channels).transpose(0, 2, 1)

    def products(pixels: np.ndarray) -> np.ndarray:
        given: np.ndarray = np.matmul(pixels.reshape(-1, info.out_channels), by_tap)
        return given

    _spread(products, dy, info, out, epilogue)


def _filter_sums(x: np.ndarray, dy: np.ndarray, info: ConvInfo) -> np.ndarray:
    """The sums over all windows of their products with `dy`."""
    taps = info.filter_height * info.filter_width * info.in_channels
    sums = np.zeros((taps, info.out_channels), x.dtype)
    if x.size and dy.size:
        patches = _Patches(info, x.dtype)
        for block in row_blocks(x, info, _PATCH_BYTES, patches.row_bytes):
            sums += patches.matrix(block).T @ dy[block.region].reshape(-1, info.out_channels)
    return sums.reshape(info.filter_height, info.filter_width, info.in_channels, info.out_channels)


def _spread(
    products: Callable[[np.ndarray], np.ndarray],
    dy: np.ndarray,
    info: ConvInfo,
    out: np.ndarray,
    epilogue: Epilogue | None,
) -> None:
    """Add what each window gives back to the pixels it came from.

    `products` makes of some rows of `dy`, `[rows, columns, out_channels]`, what each tap gives to each of its
    pixels, `[taps, rows * columns * in_channels]` in any shape.
    """
    taps = window_taps(info)
    height = max(1, _PATCH_BYTES // (len(taps) * info.out_width * info.in_channels * dy.itemsize))
    for image in range(info.batch):
        sums = WindowSums(info, 1, dy.dtype)
        for top in range(0, info.out_height, height):
            pixels = dy[image, top : top + height]
            given = products(pixels).reshape(len(taps), 1, *pixels.shape[:2], info.in_channels)
            for tap, amounts in zip(taps, given, strict=True):
                sums.add(tap, amounts, top)
        out[image] = sums.pixels()[0]
        if epilogue is not None:
            epilogue(out, (slice(image, image + 1),))


# --- depthwise convolution ---------------------------------------------------------------------------------


def _depthwise(x: np.ndarray, filters: np.ndarray, info: ConvInfo, out: np.ndarray, epilogue: Epilogue | None) -> None:
    """Sums of products over the taps by einsum, whose loop multiplies and adds in one pass.

    That halves the memory traffic of a product and a sum per tap, and takes less than half the time. Columns
    and channels are one axis where neighbouring columns have neighbouring windows, so that the innermost loop
    is long whatever the number of channels.
    """
    if info.multiplier > 1:
        x = np.repeat(x, info.multiplier, axis=3)
        info = info._replace(in_channels=info.out_channels, multiplier=1)
    channels = info.out_channels
    gathered = info.stride_width > 1 and channels < _GATHERED_CHANNELS
    run = _columns_per_run(info.out_width, channels) if gathered or info.stride_width == 1 else 1
    weights = np.empty((info.filter_height, info.filter_width, run, channels), x.dtype)
    weights[...] = filters.reshape(info.filter_height, info.filter_width, 1, channels)
    for block in row_blocks(x, info, _DEPTHWISE_BYTES, _depthwise_row_bytes(x, info)):
        columns = _gathered_columns(block, info) if gathered else _columns(block, info)
        rows = out[block.region].reshape(block.images, block.height, -1)
        _add_taps(columns, weights, info, rows)
        if epilogue is not None:
            epilogue(out, block.region)


class _Columns(NamedTuple):
    """Padded input rows, and the bytes from image to image, row to row, window to window, tap to tap."""

    rows: np.ndarray
    offset: int
    image: int
    row: int
    window: int
    tap: int


def _columns(block: RowBlock, info: ConvInfo) -> _Columns:
    image, row, column, _ = block.strides
    window, tap = column * info.stride_width, column * info.dilation_width
    return _Columns(block.rows, block.offset, image, row, window, tap)


def _gathered_columns(block: RowBlock, info: ConvInfo) -> _Columns:
    """A copy in which windows that were `stride_width` columns apart lie side by side, tap by tap."""
    image, row, column, channel = block.strides
    height = (block.height - 1) * info.stride_height + info.effective_height
    rows = np.ascontiguousarray(
        block.view(
            (block.images, height, info.filter_width, info.out_width, info.out_channels),
            (image, row, column * info.dilation_width, column * info.stride_width, channel),
        )
    )
    image, row, tap, window, _ = rows.strides
    return _Columns(rows, 0, image, row, window, tap)


def _add_taps(columns: _Columns, weights: np.ndarray, info: ConvInfo, out: np.ndarray) -> None:
    """Fill `out`, `[images, rows, columns * channels]`, in runs of as many columns as `weights` repeats."""
    images, height, _ = out.shape
    filter_height, filter_width, run, channels = weights.shape
    whole, rest = divmod(info.out_width, run)
    for first, count, width in ((0, whole, run), (whole * run, 1, rest)):
        if not width:
            continue
        windows = np.ndarray(
            (images, height, count, filter_height, filter_width, width * channels),
            out.dtype,
            columns.rows,
            columns.offset + first * columns.window,
            (
                columns.image,
                columns.row * info.stride_height,
                columns.window * width,
                columns.row * info.dilation_height,
                columns.tap,
                out.itemsize,
            ),
        )
        target = out[:, :, first * channels : (first + count * width) * channels]
        np.einsum(
            "nhqijx,ijx->nhqx",
            windows,
            weights[:, :, :width].reshape(filter_height, filter_width, -1),
            out=target.reshape(images, height, count, width * channels),
        )


def _columns_per_run(width: int, channels: int) -> int:
    """How many columns make an innermost loop: a divisor of the width if there is one that is long enough."""
    most = max(1, _RUN // channels)
    if most >= width:
        return width
    return next((columns for columns in range(most, most // 2, -1) if width % columns == 0), most)


def _depthwise_row_bytes(x: np.ndarray, info: ConvInfo) -> int:
    return x.itemsize * info.out_width * info.out_channels * (1 + info.stride_height * info.stride_width)


def _depthwise_back(
    dy: np.ndarray, filters: np.ndarray, info: ConvInfo, out: np.ndarray, epilogue: Epilogue | None
) -> None:
    def products(pixels: np.ndarray) -> np.ndarray:
        by_channel = pixels.reshape(*pixels.shape[:2], info.in_channels, info.multiplier)
        given: np.ndarray = np.einsum("hwcm,ijcm->ijhwc", by_channel, filters)
        return given

    _spread(products, dy, info, out, epilogue)
