"""Convolutions of images as products of patches and filters.

The elements of a block's patches are spread over lanes before its tiles are computed, whatever the engine: that is
where padding, strides and dilations end, and the image is read where it lies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import product
from math import prod
from operator import and_
from typing import Final

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.program import I32, Buffer, Register, Target, Value
from tenfold.codegen.routines.outer_products import OuterProducts, part_of
from tenfold.codegen.routines.routine import Routine
from tenfold.core.windows import Axis

_AT_ONCE: Final = 8
"""Channels that are spread in one round of a loop."""

LONGEST_LINE: Final = 16
"""So many elements, at most, that a line of a window sees side by side are spread without a loop."""

SMALL_WINDOW: Final = 48
"""Windows of so many elements are spread by one piece of code where they lie inside the image."""

_Some = Callable[[int], None]
"""Does something for so many channels."""


def convolve(
    result: Array,
    rows: Axis,
    columns: Axis,
    channels: int,
    target: Target,
    *,
    finished: Array | None = None,
    name: str = "convolve",
) -> Routine:
    """The convolution of images and packed filters.

    Args:
        result: what is computed, `[batch, rows, columns, filters]`; or `[groups, batch, rows, columns, filters]`, where
            each of several groups has images and filters of its own.
        rows: the windows along the images' rows.
        columns: those along their columns.
        channels: of the images `[batch, rows, columns, channels]`. The filters are packed from
            `[window rows * window columns * channels, filters]`.
        target: what for.
        finished: the epilogue; see `Output`. By default the result is stored as it is.
        name: of the program.

    Raises:
        NotImplementedError: if the epilogue reads an array in which the pixels are not one axis.
    """
    return _Convolution(result, rows, columns, channels, target, finished or result).routine(name)


class _Convolution(OuterProducts):
    def __init__(
        self, result: Array, rows: Axis, columns: Axis, channels: int, target: Target, finished: Array
    ) -> None:
        across = columns.window * channels
        super().__init__(
            result,
            rows.window * across,
            target,
            finished,
            is_batch=result.rank == 5,
            weights_batch=result.rank == 5,
            is_spread=True,
            part=part_of(rows.window * across, across),
        )
        self._window_rows, self._window_columns = rows, columns
        self._channels = channels
        self._across = across
        *self._images, self._out_rows, self._out_columns, _ = result.shape
        self._image = rows.size * columns.size * channels
        self._x = Buffer("x", "float32", prod(self._images) * self._image)
        self._element_bytes = self.tile_rows * self.b.width * 4

    def input(self) -> Buffer:
        return self._x

    def address_of(self, row: Value, matrix: Value | int) -> Value:
        return self.b.address(self._x, matrix * (self._images[-1] * self._image * 4))

    def spread(self, row: Value, rows: Value, start: Value | int, length: int) -> None:
        b, down, along = self.b, self._window_rows, self._window_columns
        first = start / self._across if isinstance(start, Value) else start // self._across
        last = first + length // self._across
        with b.loop(0, self.tile_rows) as number:
            pixel = row + number.value
            line = pixel / self._out_columns
            image, y = line / self._out_rows, b.binary("rem", line, b.constant(self._out_rows, I32))
            x = b.binary("rem", pixel, b.constant(self._out_columns, I32))
            top = y * down.stride - down.before
            left = x * along.stride - along.before
            written = b.register(b.address(self.scratch, number.value * (b.width * 4)))
            corner = b.move(rows, ((image * down.size + top) * along.size + left) * (self._channels * 4))
            if length > SMALL_WINDOW or length < self.depth:
                self._spread_lines(corner, top, left, (first, last), written)
            else:
                self._spread_window(corner, top, left, written)

    def _spread_window(self, corner: Value, top: Value, left: Value, written: Register) -> None:
        """Spread all that a small window sees: at once where it lies inside the image."""
        down, along = self._window_rows, self._window_columns
        inside = [_is_inside(at, axis) for at, axis in ((top, down), (left, along)) if axis.before or axis.after]
        if not inside:
            self._copy_window(corner, written)
            return
        with self.b.branch(reduce(and_, inside)) as whole:
            self._copy_window(corner, written)
            whole.otherwise()
            self._spread_lines(corner, top, left, (0, down.window), written)

    def _copy_window(self, corner: Value, written: Register) -> None:
        """Spread all that a window sees that lies inside the image."""
        down, along = self._window_rows, self._window_columns
        # Elements lie side by side: those of a line, or of a pixel where pixels lie apart.
        runs, count = (along.window, self._channels) if along.dilation > 1 else (1, self._across)
        for number, (p, q) in enumerate(product(range(down.window), range(runs))):
            place = (p * down.dilation * along.size + q * along.dilation) * self._channels
            self._spread_elements(corner, place * 4, written.value, number * count * self._element_bytes, count)

    def _spread_lines(
        self, corner: Value, top: Value, left: Value, lines: tuple[Value | int, Value | int], written: Register
    ) -> None:
        """Spread some lines of what a window sees, whose first tap may lie outside the image."""
        b, down, along = self.b, self._window_rows, self._window_columns
        with b.loop(*lines) as tap:
            step = down.dilation * along.size * self._channels * 4
            line = b.move(corner, tap.value * step)
            if down.before or down.after:
                here = top + tap.value * down.dilation
                with b.branch((here >= 0) & (here < down.size)) as inside:
                    self._spread_line(line, left, written)
                    inside.otherwise()
                    self._clear(b.constant(along.window, I32), written)
            else:
                self._spread_line(line, left, written)

    def _spread_line(self, source: Value, left: Value, written: Register) -> None:
        """Spread what one line of a window sees, which begins at a column that may lie before the image."""
        b, along = self.b, self._window_columns
        if not along.before and not along.after:
            self._copy_all(source, written)
            return
        with b.branch(_is_inside(left, along)) as inside:
            self._copy_all(source, written)
            inside.otherwise()
            self._copy_some(source, left, written)

    def _copy_all(self, source: Value, written: Register) -> None:
        """Spread what a line of a window sees that lies inside the image."""
        along = self._window_columns
        line = along.window * self._channels
        if along.dilation > 1 or line > LONGEST_LINE:
            self._copy(source, self.b.constant(along.window, I32), written)
            return
        self._copy_elements(self.b.register(source), written, line)

    def _copy_some(self, source: Value, left: Value, written: Register) -> None:
        """Spread what a line of a window sees that lies inside the image only in part."""
        b, along = self.b, self._window_columns
        zero, taps = b.constant(0, I32), b.constant(along.window, I32)
        # The taps from `first` to `last` see the image.
        first = (along.dilation - 1 - left) / along.dilation
        first = b.binary("min", b.binary("max", first, zero), taps)
        last = (along.size - 1 - left + along.dilation) / along.dilation
        last = b.binary("max", b.binary("min", last, taps), first)
        self._clear(first, written)
        step = along.dilation * self._channels * 4
        self._copy(b.move(source, first * step), last - first, written)
        self._clear(taps - last, written)

    def _copy(self, source: Value, taps: Value, written: Register) -> None:
        """Spread the channels of pixels that lie `dilation` columns apart."""
        b = self.b
        read = b.register(source)
        with b.loop(0, taps):
            self._in_rounds(lambda count: self._copy_elements(read, written, count))
            skipped = (self._window_columns.dilation - 1) * self._channels * 4
            if skipped:
                read.value = b.move(read.value, skipped)

    def _copy_elements(self, read: Register, written: Register, count: int) -> None:
        """Spread elements that lie side by side."""
        b = self.b
        self._spread_elements(read.value, 0, written.value, 0, count)
        read.value = b.move(read.value, count * 4)
        written.value = b.move(written.value, count * self._element_bytes)

    def _spread_elements(self, source: Value, start: int, written: Value, place: int, count: int) -> None:
        """Spread elements that lie side by side, given addresses and offsets in bytes.

        Where the target is `ordered` it takes two instructions to spread an element of the memory, and one to spread an
        element of a vector.
        """
        b = self.b
        loaded = source
        for k in range(count):
            if b.target.ordered:
                lane = k % b.width
                if lane == 0:
                    loaded = b.load(self.kind, source, start + k * 4)
                element = b.shuffle(loaded, loaded, [lane] * b.width)
            else:
                element = b.load_splat(self.kind, source, start + k * 4)
            b.store(written, element, place + k * self._element_bytes)

    def _clear(self, taps: Value, written: Register) -> None:
        b, element = self.b, self._element_bytes

        def clear(count: int) -> None:
            for k in range(count):
                b.store(written.value, b.constant(0.0, self.kind), k * element)
            written.value = b.move(written.value, count * element)

        with b.loop(0, taps):
            self._in_rounds(clear)

    def _in_rounds(self, do: _Some) -> None:
        """Do something for all channels of a pixel, several in a round."""
        whole, left_over = divmod(self._channels, _AT_ONCE)
        if whole > 1:
            with self.b.loop(0, whole):
                do(_AT_ONCE)
        elif whole:
            do(_AT_ONCE)
        if left_over:
            do(left_over)


def _is_inside(start: Value, axis: Axis) -> Value:
    """Whether a window that begins there lies inside the image."""
    return (start >= 0) & (start < axis.size - (axis.window - 1) * axis.dilation)
