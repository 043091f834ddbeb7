"""Gradients of the largest numbers of windows: each goes to the first pixel of its window that holds the largest.

Lanes are channels. Windows are taken in order, and each adds to its pixel, so that nobody has to ask which windows see
a pixel. Threads share images and runs of channels, never the pixels of one: sums are the same however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Final, NamedTuple

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Register, Target, Value, vector
from tenfold.codegen.routines.routine import Routine
from tenfold.core.windows import Axis

PART: Final = 8
"""Vectors of channels that a thread takes at once: two lines of a cache."""

MOST_UNROLLED: Final = 9
"""So many taps of a line are written out."""

_Do = Callable[[Value, int], None]
"""Does something for a vector of channels so many bytes after the first, of which so many lanes count."""


def maximum_gradient(
    image: Sequence[int], rows: Axis, columns: Axis, target: Target, *, name: str = "maximum_gradient"
) -> Routine:
    """What windows give back to pixels.

    The inputs are the gradient `dy`, the image `x`, and `y`, the largest numbers of its windows. A window whose largest
    is no number or minus infinity gives nothing.

    Args:
        image: the shape of the images, `[batch, rows, columns, channels]`.
        rows: the windows along the images' rows.
        columns: those along their columns.
        target: what for.
        name: of the program.
    """
    return _Gradient(image, rows, columns, target).routine(name)


class _Window(NamedTuple):
    """A vector of channels of a window.

    Attributes:
        dy: the gradient.
        largest: the largest numbers.
        waits: whether the gradient has not been given to a tap.
        lanes: how many lanes count.
    """

    dy: Value
    largest: Value
    waits: Register
    lanes: int


class _Gradient:
    def __init__(self, image: Sequence[int], rows: Axis, columns: Axis, target: Target) -> None:
        self.b = b = Builder(target)
        self.rows, self.columns = rows, columns
        self.batch, _, _, self.channels = image
        self.pixel_bytes = self.channels * 4
        self.row_bytes = columns.size * self.pixel_bytes
        self.vector = vector("f32", b.width)
        self.whole, self.left_over = divmod(self.channels, b.width)
        self.parts = -(-self.channels // (PART * b.width))
        # Where windows do not meet, what one gives is all that a pixel gets.
        self.adds = any((axis.window - 1) * axis.dilation >= axis.stride for axis in (rows, columns))
        self.clears = self.adds or not all(map(_is_covered, (rows, columns)))
        windows = self.batch * rows.out * columns.out * self.channels
        self.dy, self.y = Buffer("dy", "float32", windows), Buffer("y", "float32", windows)
        self.x, self.output = (
            Buffer("x", "float32", prod(image)),
            Buffer("output", "float32", prod(image), written=True),
        )

    def routine(self, name: str) -> Routine:
        b = self.b
        begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
        with b.loop(begin, end) as block:
            image = block.value / self.parts
            self.part = block.value - image * self.parts
            if self.clears:
                self._clear(image)
            with b.loop(0, self.rows.out) as row:
                self._row(image, row.value)
        buffers = [self.dy, self.x, self.y, self.output]
        program = b.kernel(name, buffers, [begin, end], self.batch * self.parts)
        return Routine(program, ("dy", "x", "y"), (), 0)

    def _vectors(self, do: _Do) -> None:
        """Do something for each vector of channels of the part."""
        b, step = self.b, self.b.width * 4
        first = self.part * (PART * step)
        if self.whole:
            last = b.constant(self.whole * step, I32)
            if self.parts > 1:
                last = b.binary("min", first + PART * step, last)
            with b.loop(first, last, step) as offset:
                do(offset.value, b.width)
        if self.left_over:
            with b.branch(self.part.equals(self.parts - 1)):
                do(b.constant(self.whole * step, I32), self.left_over)

    def _store(self, address: Value, value: Value, lanes: int, offset: int = 0) -> None:
        b = self.b
        if lanes == b.width:
            b.store(address, value, offset)
            return
        # Lanes that do not count are other pixels' channels.
        for lane in range(lanes):
            b.store(address, b.lane(value, lane), offset + lane * 4)

    def _clear(self, image: Value) -> None:
        b = self.b
        written = b.register(b.address(self.output, image * (self.rows.size * self.row_bytes)))
        zero = b.constant(0.0, self.vector)
        with b.loop(0, self.rows.size * self.columns.size):
            self._vectors(lambda offset, lanes: self._store(b.move(written.value, offset), zero, lanes))
            written.value = b.move(written.value, self.pixel_bytes)

    def _row(self, image: Value, row: Value) -> None:
        """A row of windows of an image."""
        b, rows, columns = self.b, self.rows, self.columns
        top = row * rows.stride - rows.before
        self.lines = self._inside(rows, top)
        begun = (image * rows.size + top) * self.row_bytes
        windows = (image * rows.out + row) * (columns.out * self.pixel_bytes)
        with b.loop(0, columns.out) as column:
            left = column.value * columns.stride - columns.before
            self.seen = begun + left * self.pixel_bytes
            self.window = windows + column.value * self.pixel_bytes
            taps = self._inside(columns, left)
            if columns.window > MOST_UNROLLED:
                self._give(taps)
            elif columns.before <= 0 and columns.after <= 0:
                self._give(None)
            else:
                with b.branch((taps[1] - taps[0]).equals(columns.window)) as whole:
                    self._give(None)
                    whole.otherwise()
                    self._give(taps)

    def _inside(self, axis: Axis, position: Value) -> tuple[Value, Value]:
        """The first tap inside the image of the window at a position, and the one after the last."""
        b = self.b
        first, taps = b.constant(0, I32), b.constant(axis.window, I32)
        last = taps
        if axis.before > 0:
            above = (axis.dilation - 1 - position) / axis.dilation
            first = b.binary("min", b.binary("max", above, first), taps)
        if axis.after > 0:
            below = (axis.size - 1 - position + axis.dilation) / axis.dilation
            last = b.binary("max", b.binary("min", below, taps), first)
        return first, last

    def _give(self, taps: tuple[Value, Value] | None) -> None:
        """What a window gives to its taps: to all of a line, or from one to another."""
        b = self.b
        first, last = self.lines
        line_bytes = self.rows.dilation * self.row_bytes

        def give(offset: Value, lanes: int) -> None:
            largest = b.load(self.vector, b.address(self.y, self.window + offset))
            waits = b.register(largest > float("-inf"))
            window = _Window(b.load(self.vector, b.address(self.dy, self.window + offset)), largest, waits, lanes)
            seen = self.seen + first * line_bytes + offset
            read, written = b.register(b.address(self.x, seen)), b.register(b.address(self.output, seen))
            with b.loop(first, last):
                self._line(read.value, written.value, taps, window)
                for place in (read, written):
                    place.value = b.move(place.value, line_bytes)

        self._vectors(give)

    def _line(self, read: Value, written: Value, taps: tuple[Value, Value] | None, window: _Window) -> None:
        """What a window gives to a line of its taps."""
        b, step = self.b, self.columns.dilation * self.pixel_bytes
        if taps is None:
            for number in range(self.columns.window):
                self._tap(read, written, number * step, window)
            return
        with b.loop(*taps) as tap:
            offset = tap.value * step
            self._tap(b.move(read, offset), b.move(written, offset), 0, window)

    def _tap(self, read: Value, written: Value, offset: int, window: _Window) -> None:
        b, waits = self.b, window.waits
        pixel = b.load(self.vector, read, offset)
        before = b.load(self.vector, written, offset) if self.adds else b.constant(0.0, self.vector)
        wins = waits.value & pixel.equals(window.largest)
        after = b.select(wins, window.dy + before if self.adds else window.dy, before)
        waits.value = waits.value & pixel.differs(window.largest)
        self._store(written, after, window.lanes, offset)


def _is_covered(axis: Axis) -> bool:
    """Whether windows side by side see all pixels of an axis."""
    return axis.window == axis.stride and axis.dilation == 1 and axis.out * axis.stride - axis.before >= axis.size
