"""Images cut into blocks of rows that fit the cache, with their padding, and seen through sliding windows.

Convolutions and pooling walk over these blocks: for each, the padded input rows it needs lie in one small
buffer (or in the input itself where nothing is padded), and the windows are strided views of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from tenfold.core.windows import ConvInfo

Epilogue: TypeAlias = Callable[[np.ndarray, tuple[slice, ...]], object]
"""`epilogue(out, index)` changes `out[index]` in place: called for each block while that is in the cache."""

Region: TypeAlias = tuple[slice, slice]


class RowBlock(NamedTuple):
    """Some output rows of some images, and the input they are computed from.

    Attributes:
        region: which images and which rows of the output.
        images, height: how many of each.
        rows: an array that holds the padded input rows `[images, rows, columns, channels]`.
        offset: bytes from the start of `rows` to the first of them.
        strides: bytes from image to image, row to row, column to column, channel to channel.
    """

    region: Region
    images: int
    height: int
    rows: np.ndarray
    offset: int
    strides: tuple[int, ...]

    def view(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
        """The input rows under another shape; NumPy refuses one that would leave the array."""
        return np.ndarray(shape, self.rows.dtype, self.rows, self.offset, strides)

    def windows(self, info: ConvInfo) -> np.ndarray:
        """All windows of the block: `[images, rows, columns, window rows, window columns, channels]`."""
        image, row, column, channel = self.strides
        return self.view(
            (
                self.images,
                self.height,
                info.out_width,
                info.filter_height,
                info.filter_width,
                info.in_channels,
            ),
            (
                image,
                row * info.stride_height,
                column * info.stride_width,
                row * info.dilation_height,
                column * info.dilation_width,
                channel,
            ),
        )


def row_blocks(x: np.ndarray, info: ConvInfo, budget: int, row_bytes: int, fill: float = 0) -> Iterator[RowBlock]:
    """Cut the output of `info` into blocks of rows; small images go several to a block.

    Args:
        x: input, `[batch, height, width, channels]`, C-contiguous, not empty.
        info: the windows; its data format is not looked at.
        budget: bytes that the work on one block may touch, so that it stays in the cache.
        row_bytes: bytes that one output row takes, whatever the caller makes of it.
        fill: what the padding holds.
    """
    if not info.out_height or not info.out_width:
        return
    height = min(info.out_height, max(1, budget // row_bytes))
    images = max(1, budget // (row_bytes * height)) if height == info.out_height else 1
    images = min(images, info.batch)
    padding = info.pad_top or info.pad_left or info.pad_bottom or info.pad_right
    buffer = _Padded(x, info, images, height, fill) if padding else None
    for first in range(0, info.batch, images):
        last = min(first + images, info.batch)
        for top in range(0, info.out_height, height):
            bottom = min(top + height, info.out_height)
            region = (slice(first, last), slice(top, bottom))
            if buffer is not None:
                rows = buffer.load(region)
                yield RowBlock(region, last - first, bottom - top, rows, 0, rows.strides)
            else:
                offset = first * x.strides[0] + top * info.stride_height * x.strides[1]
                yield RowBlock(region, last - first, bottom - top, x, offset, x.strides)


class _Padded:
    """A buffer for the padded input rows of one block, loaded again for each."""

    def __init__(self, x: np.ndarray, info: ConvInfo, images: int, height: int, fill: float) -> None:
        self._x = x
        self._info = info
        self._fill = fill
        rows = (height - 1) * info.stride_height + info.effective_height
        columns = (info.out_width - 1) * info.stride_width + info.effective_width
        left = min(info.pad_left, columns)
        right = min(info.pad_left + info.in_width, columns)
        self._columns = slice(left, right)
        self._width = right - left
        self._buffer: np.ndarray = np.empty((images, rows, columns, info.in_channels), x.dtype)
        # Every block overwrites the columns between these and nothing else.
        self._buffer[:, :, :left] = fill
        self._buffer[:, :, right:] = fill

    def load(self, region: Region) -> np.ndarray:
        images, rows = region
        info, buffer = self._info, self._buffer
        first = rows.start * info.stride_height - info.pad_top
        last = (rows.stop - 1) * info.stride_height + info.effective_height - info.pad_top
        start = min(max(first, 0), last)
        stop = max(min(last, info.in_height), start)
        buffer[:, : start - first] = self._fill
        buffer[:, stop - first :] = self._fill
        inside = buffer[: images.stop - images.start, start - first : stop - first, self._columns]
        inside[...] = self._x[images, start:stop, : self._width]
        return buffer


class WindowSums:
    """The way back from windows to pixels: sums of what the windows' taps give to the pixels they saw."""

    def __init__(self, info: ConvInfo, images: int, dtype: np.dtype) -> None:
        self._info = info
        last_row = (info.out_height - 1) * info.stride_height + info.effective_height
        last_column = (info.out_width - 1) * info.stride_width + info.effective_width
        rows = max(info.pad_top + info.in_height, last_row)
        columns = max(info.pad_left + info.in_width, last_column)
        self._padded = np.zeros((images, rows, columns, info.in_channels), dtype)

    def add(self, tap: tuple[int, int], amounts: np.ndarray, first: int = 0) -> None:
        """Add what the tap of each window gives, `[images, rows, columns, channels]`, from row `first` on."""
        info = self._info
        row = first * info.stride_height + tap[0] * info.dilation_height
        column = tap[1] * info.dilation_width
        pixels = self._padded[:, row :: info.stride_height, column :: info.stride_width]
        pixels[:, : amounts.shape[1], : amounts.shape[2]] += amounts

    def pixels(self) -> np.ndarray:
        """The sums without the padding, a view: `[images, height, width, channels]`."""
        info = self._info
        rows = slice(info.pad_top, info.pad_top + info.in_height)
        return self._padded[:, rows, info.pad_left : info.pad_left + info.in_width]


def window_taps(info: ConvInfo) -> list[tuple[int, int]]:
    """Row and column of each tap in its window, row by row."""
    return [(i, j) for i in range(info.filter_height) for j in range(info.filter_width)]
