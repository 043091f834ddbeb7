"""Pooling of the cpu backend: a pass over the image per tap of the window, in blocks of rows.

As in TensorFlow.js a maximum passes over NaN, and an average counts what lies inside the image only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.backends.cpu.row_blocks import RowBlock, WindowSums, row_blocks, window_taps
from tenfold.core.windows import ConvInfo, Pad, Pair, pool2d_info

if TYPE_CHECKING:
    from tenfold.backends.cpu.row_blocks import Epilogue

_BLOCK_BYTES = 1 << 18
"""Rows that pooling reads and writes at a time."""


@cpu_kernel("MaxPool")
def max_pool(
    x: np.ndarray,
    *,
    filter_size: Pair,
    strides: Pair,
    pad: Pad,
    dim_rounding_mode: str | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """The largest number of each window of x, `[batch, height, width, channels]`."""
    info = pool2d_info(x.shape, filter_size, strides, pad, dim_rounding_mode)
    if _keeps_pixels(info):
        return _finished(x.copy(), epilogue)
    return largest_of_windows(x, info, epilogue)


def largest_of_windows(x: np.ndarray, info: ConvInfo, epilogue: Epilogue | None = None) -> np.ndarray:
    """The largest number of each window, also where windows are single pixels."""
    least = lowest(x.dtype)
    out = np.full(info.out_shape, least, x.dtype)
    if not x.size:
        return _finished(out, epilogue)
    for block in row_blocks(np.ascontiguousarray(x), info, _BLOCK_BYTES, _row_bytes(x, info), least):
        _accumulate(np.fmax, block, info, out[block.region])
        if epilogue is not None:
            epilogue(out, block.region)
    return out


@cpu_kernel("AvgPool")
def avg_pool(
    x: np.ndarray,
    *,
    filter_size: Pair,
    strides: Pair,
    pad: Pad,
    dim_rounding_mode: str | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """The mean of each window of x, `[batch, height, width, channels]`; for int32 without its fraction."""
    info = pool2d_info(x.shape, filter_size, strides, pad, dim_rounding_mode)
    if _keeps_pixels(info):
        return _finished(x.copy(), epilogue)
    return means_of_windows(x, info, epilogue)


def means_of_windows(x: np.ndarray, info: ConvInfo, epilogue: Epilogue | None = None) -> np.ndarray:
    """The mean of each window, also where windows are single pixels."""
    if x.dtype.kind in "iu":
        means = means_of_windows(x.astype(np.float64), info)
        return _finished(np.nan_to_num(means).astype(x.dtype), epilogue)
    out = np.zeros(info.out_shape, x.dtype)
    if not x.size:
        return _finished(out, epilogue)
    counts = _counts(info).astype(x.dtype)
    for block in row_blocks(np.ascontiguousarray(x), info, _BLOCK_BYTES, _row_bytes(x, info)):
        rows = out[block.region]
        _accumulate(np.add, block, info, rows)
        with np.errstate(invalid="ignore"):
            np.divide(rows, counts[block.region[1]], out=rows)
        if epilogue is not None:
            epilogue(out, block.region)
    return out


@cpu_kernel("MaxPoolWithArgmax")
def max_pool_with_argmax(
    x: np.ndarray, *, filter_size: Pair, strides: Pair, pad: Pad, include_batch_in_index: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The largest number of each window, and its index in the flattened image or, if so wanted, batch."""
    info = pool2d_info(x.shape, filter_size, strides, pad)
    taps, largest = _winners(x, info)
    batch, rows, columns, channels = np.indices(info.out_shape, np.int32, sparse=True)
    rows = rows * info.stride_height - info.pad_top + taps // info.filter_width * info.dilation_height
    columns = columns * info.stride_width - info.pad_left + taps % info.filter_width * info.dilation_width
    index = (rows * info.in_width + columns) * info.in_channels + channels
    if include_batch_in_index:
        index = index + batch * (info.in_height * info.in_width * info.in_channels)
    return largest, np.where(taps < 0, -1, index).astype(np.int32)


@cpu_kernel("MaxPoolGrad")
def max_pool_grad(
    dy: np.ndarray,
    x: np.ndarray,
    output: np.ndarray,
    *,
    filter_size: Pair,
    strides: Pair,
    pad: Pad,
    dim_rounding_mode: str | None = None,
) -> np.ndarray:
    """The gradient of `max_pool`: each window's goes to the first of its largest numbers."""
    info = pool2d_info(x.shape, filter_size, strides, pad, dim_rounding_mode)
    taps, _ = _winners(x, info)
    zero = np.zeros((), dy.dtype)
    shares = [np.where(taps == tap, dy, zero) for tap in range(len(window_taps(info)))]
    return _shared_out(shares, info, dy.dtype)


@cpu_kernel("AvgPoolGrad")
def avg_pool_grad(
    dy: np.ndarray,
    x: np.ndarray,
    *,
    filter_size: Pair,
    strides: Pair,
    pad: Pad,
    dim_rounding_mode: str | None = None,
) -> np.ndarray:
    """The gradient of `avg_pool`: each window's is shared by the pixels that it averages, without the padding."""
    info = pool2d_info(x.shape, filter_size, strides, pad, dim_rounding_mode)
    if _keeps_pixels(info):
        return dy.copy()
    return shares_of_means(dy, info)


def shares_of_means(dy: np.ndarray, info: ConvInfo) -> np.ndarray:
    """The gradient of `means_of_windows`."""
    share = dy / np.maximum(_counts(info), 1).astype(dy.dtype)
    return _shared_out([share] * len(window_taps(info)), info, dy.dtype)


def _keeps_pixels(info: ConvInfo) -> bool:
    """Whether pooling is a copy: windows of one pixel, as many as there are pixels.

    TensorFlow.js asks for no more, so that it also copies where strides and padding happen to make as many.
    """
    return info.filter_height == info.filter_width == 1 and info.in_shape == info.out_shape


def _row_bytes(x: np.ndarray, info: ConvInfo) -> int:
    return x.itemsize * info.out_width * info.in_channels * (1 + info.stride_height * info.stride_width)


def lowest(dtype: np.dtype) -> float:
    """What a maximum starts from."""
    return -np.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def _finished(out: np.ndarray, epilogue: Epilogue | None) -> np.ndarray:
    if epilogue is not None:
        epilogue(out, (slice(None),))
    return out


def _accumulate(ufunc: np.ufunc, block: RowBlock, info: ConvInfo, out: np.ndarray) -> None:
    """Combine each window with what `out` holds: whole rows first, in long runs, then their columns."""
    image, row, _, channel = block.strides
    columns = (info.out_width - 1) * info.stride_width + info.effective_width
    lines = block.view(
        (info.filter_height, block.images, block.height, columns * info.in_channels),
        (row * info.dilation_height, image, row * info.stride_height, channel),
    )
    combined = lines[0] if info.filter_height == 1 else ufunc(lines[0], lines[1])
    for line in lines[2:]:
        ufunc(combined, line, out=combined)
    by_column = combined.reshape(block.images, block.height, columns, info.in_channels)
    for first in range(0, info.effective_width, info.dilation_width):
        last = first + (info.out_width - 1) * info.stride_width + 1
        ufunc(out, by_column[:, :, first : last : info.stride_width], out=out)


def _counts(info: ConvInfo) -> np.ndarray:
    """How many taps of each window lie inside the image: `[rows, columns, 1]`."""
    rows = _inside(info.out_height, info.filter_height, info.stride_height, info.dilation_height,
                   info.pad_top, info.in_height)  # fmt: skip
    columns = _inside(info.out_width, info.filter_width, info.stride_width, info.dilation_width,
                      info.pad_left, info.in_width)  # fmt: skip
    counts: np.ndarray = rows[:, None] * columns
    return counts[:, :, None]


def _inside(windows: int, taps: int, stride: int, dilation: int, before: int, size: int) -> np.ndarray:
    position = np.arange(windows)[:, None] * stride + np.arange(taps) * dilation - before
    count: np.ndarray = np.count_nonzero((position >= 0) & (position < size), axis=1)
    return count


def _winners(x: np.ndarray, info: ConvInfo) -> tuple[np.ndarray, np.ndarray]:
    """Which tap holds the first largest number of each window (-1: none that is a number), and the number."""
    least = lowest(x.dtype)
    largest = np.full(info.out_shape, least, x.dtype)
    winners = np.full(info.out_shape, -1, np.int32)
    if not x.size:
        return winners, largest
    for block in row_blocks(np.ascontiguousarray(x), info, _BLOCK_BYTES, _row_bytes(x, info), least):
        windows = block.windows(info)
        for tap, (i, j) in enumerate(window_taps(info)):
            candidate = windows[:, :, :, i, j]
            larger = candidate > largest[block.region]
            np.copyto(winners[block.region], tap, where=larger)
            np.copyto(largest[block.region], candidate, where=larger)
    return winners, largest


def _shared_out(shares: list[np.ndarray], info: ConvInfo, dtype: np.dtype) -> np.ndarray:
    """Each pixel's sum of the shares that the taps of its windows give it."""
    sums = WindowSums(info, info.batch, dtype)
    for tap, share in zip(window_taps(info), shares, strict=True):
        sums.add(tap, share)
    return np.ascontiguousarray(sums.pixels())
