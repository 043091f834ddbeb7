"""Grey-scale dilation of the cpu backend: a pass over the image per tap of the structuring function.

As in pooling a maximum passes over NaN, and sees the inside of the image only.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.backends.cpu.row_blocks import RowBlock, WindowSums, row_blocks, window_taps
from tenfold.core.windows import ConvInfo, Pad, Pair, pool2d_info

_BLOCK_BYTES = 1 << 18
"""Rows that are read and written at a time."""


@cpu_kernel("Dilation2D")
def dilation2d(x: np.ndarray, filters: np.ndarray, *, strides: Pair, pad: Pad, dilations: Pair = 1) -> np.ndarray:
    """The largest sum of a pixel and its tap in each window, channel by channel."""
    info = pool2d_info(x.shape, filters.shape[:2], strides, pad, dilations=dilations)
    if x.dtype.kind in "iu":
        floats = dilation2d(x.astype(np.float64), filters, strides=strides, pad=pad, dilations=dilations)
        return floats.astype(x.dtype)
    out = np.full(info.out_shape, -np.inf, x.dtype)
    for block in _blocks(x, info):
        windows = block.windows(info)
        for i, j in window_taps(info):
            np.fmax(out[block.region], windows[:, :, :, i, j] + filters[i, j], out=out[block.region])
    return out


@cpu_kernel("Dilation2DBackpropInput")
def dilation2d_backprop_input(
    x: np.ndarray, filters: np.ndarray, dy: np.ndarray, *, strides: Pair, pad: Pad, dilations: Pair = 1
) -> np.ndarray:
    """The gradient of `dilation2d` for x: each window's goes to the first pixel of a largest sum."""
    info = pool2d_info(x.shape, filters.shape[:2], strides, pad, dilations=dilations)
    winners, zero = _winners(x, filters, info), np.zeros((), dy.dtype)
    sums = WindowSums(info, info.batch, dy.dtype)
    for number, tap in enumerate(window_taps(info)):
        sums.add(tap, np.where(winners == number, dy, zero))
    return np.ascontiguousarray(sums.pixels())


@cpu_kernel("Dilation2DBackpropFilter")
def dilation2d_backprop_filter(
    x: np.ndarray, filters: np.ndarray, dy: np.ndarray, *, strides: Pair, pad: Pad, dilations: Pair = 1
) -> np.ndarray:
    """The gradient of `dilation2d` for the filter: each window's goes to the tap of the first largest sum."""
    info = pool2d_info(x.shape, filters.shape[:2], strides, pad, dilations=dilations)
    winners = _winners(x, filters, info)
    out = np.zeros(filters.shape, dy.dtype)
    for number, tap in enumerate(window_taps(info)):
        out[tap] = np.sum(dy, axis=(0, 1, 2), where=winners == number)
    return out


def _winners(x: np.ndarray, filters: np.ndarray, info: ConvInfo) -> np.ndarray:
    """The number of the tap that makes the first largest sum of each window; -1 where none is a number."""
    winners = np.full(info.out_shape, -1, np.int32)
    largest = np.full(info.out_shape, -np.inf, x.dtype if x.dtype.kind == "f" else np.float64)
    for block in _blocks(x.astype(largest.dtype, copy=False), info):
        windows = block.windows(info)
        for number, (i, j) in enumerate(window_taps(info)):
            candidate = windows[:, :, :, i, j] + filters[i, j]
            larger = candidate > largest[block.region]
            np.copyto(winners[block.region], number, where=larger)
            np.copyto(largest[block.region], candidate, where=larger)
    return winners


def _blocks(x: np.ndarray, info: ConvInfo) -> Iterable[RowBlock]:
    if not x.size:
        return []
    row_bytes = 2 * x.itemsize * info.out_width * info.in_channels
    return row_blocks(np.ascontiguousarray(x), info, _BLOCK_BYTES, row_bytes, -np.inf)
