"""Where the largest numbers of windows stand: their positions, and the gradient, which goes there.

Both look for the first pixel of a window that holds its largest number, which is known. Lanes are channels. Threads
share images and runs of channels, never the pixels of one, so that a gradient is the same however many there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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

_Taps = tuple[Value, Value] | None
"""The first tap of a line and the one after the last; None for all."""


def maximum_gradient(
    image: Sequence[int], rows: Axis, columns: Axis, target: Target, *, name: str = "maximum_gradient"
) -> Routine:
    """What windows give back to pixels.

    The inputs are the gradient `dy`, the image `x`, and `y`, the largest numbers of its windows. A window whose largest
    is no number or minus infinity gives nothing. Windows are taken in order, and each adds to its pixel, so that nobody
    has to ask which windows see a pixel.

    Args:
        image: the shape of the images, `[batch, rows, columns, channels]`.
        rows: the windows along the images' rows.
        columns: those along their columns.
        target: what for.
        name: of the program.
    """
    return _Gradient(image, rows, columns, target).routine(name)


def maximum_positions(
    image: Sequence[int],
    rows: Axis,
    columns: Axis,
    target: Target,
    *,
    in_batch: bool,
    name: str = "maximum_positions",
) -> Routine:
    """Where the largest numbers stand, in int32; -1 where one is no number or minus infinity.

    The inputs are the image `x` and `y`, the largest numbers of its windows.

    Args:
        image: the shape of the images, `[batch, rows, columns, channels]`.
        rows: the windows along the images' rows.
        columns: those along their columns.
        target: what for.
        in_batch: whether positions count through the whole batch instead of each image.
        name: of the program.
    """
    return _Positions(image, rows, columns, target, in_batch).routine(name)


class _Goal(ABC):
    """What is to be done with a vector of channels of a window.

    Attributes:
        line: begins at the first line of what the window sees, and moves with it.
        step: how far that is.
    """

    line: Register
    step: int

    @abstractmethod
    def visit(self, wins: Value, tap: Value | int) -> None:
        """Do it for a tap of a line, which is the first to see the largest number or is not."""

    @abstractmethod
    def leave(self) -> None:
        """Do what is left."""


class _Place(NamedTuple):
    """A vector of channels of a window.

    Attributes:
        image: the number of the image.
        window: how many bytes of windows lie before it.
        seen: how many bytes of images lie before the first line of what it sees.
        lanes: how many lanes count.
    """

    image: Value
    window: Value
    seen: Value
    lanes: int


class _Maxima(ABC):
    """Looks for pixels.

    Attributes:
        b: what the program is built with.
        vector: the type of vectors of numbers.
        rows: the windows along the images' rows.
        columns: those along their columns.
        pixel_bytes: bytes of a pixel.
        image_bytes: bytes of an image.
        image_size: how many numbers the images hold.
        windows_size: how many numbers their windows have.
        inputs: what is read.
        output: what is written.
    """

    inputs: Sequence[Buffer]
    output: Buffer

    def __init__(self, image: Sequence[int], rows: Axis, columns: Axis, target: Target) -> None:
        self.b = b = Builder(target)
        self.rows, self.columns = rows, columns
        self._batch, _, _, channels = image
        self.pixel_bytes = channels * 4
        self._row_bytes = columns.size * self.pixel_bytes
        self.image_bytes = rows.size * self._row_bytes
        self.vector = vector("f32", b.width)
        self._whole, self._left_over = divmod(channels, b.width)
        self._parts = -(-channels // (PART * b.width))
        self.image_size = prod(image)
        self.windows_size = self._batch * rows.out * columns.out * channels
        self.x, self.y = Buffer("x", "float32", self.image_size), Buffer("y", "float32", self.windows_size)

    @abstractmethod
    def enter(self, image: Value) -> None:
        """Do what an image needs first."""

    @abstractmethod
    def goal(self, place: _Place) -> _Goal:
        """What is to be done with a vector of channels of a window."""

    def routine(self, name: str) -> Routine:
        """The program."""
        b = self.b
        begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
        with b.loop(begin, end) as block:
            image = block.value / self._parts
            self._part = block.value - image * self._parts
            self.enter(image)
            with b.loop(0, self.rows.out) as row:
                self._row(image, row.value)
        program = b.kernel(name, [*self.inputs, self.output], [begin, end], self._batch * self._parts)
        return Routine(program, tuple(buffer.name for buffer in self.inputs), (), 0)

    def vectors(self, do: _Do) -> None:
        """Do something for each vector of channels of the part."""
        b, step = self.b, self.b.width * 4
        first = self._part * (PART * step)
        if self._whole:
            last = b.constant(self._whole * step, I32)
            if self._parts > 1:
                last = b.binary("min", first + PART * step, last)
            with b.loop(first, last, step) as offset:
                do(offset.value, b.width)
        if self._left_over:
            with b.branch(self._part.equals(self._parts - 1)):
                do(b.constant(self._whole * step, I32), self._left_over)

    def store(self, address: Value, value: Value, lanes: int, offset: int = 0) -> None:
        """Store the lanes that count; the others are other pixels' channels."""
        b = self.b
        if lanes == b.width:
            b.store(address, value, offset)
            return
        for lane in range(lanes):
            b.store(address, b.lane(value, lane), offset + lane * 4)

    def _row(self, image: Value, row: Value) -> None:
        """A row of windows of an image."""
        b, rows, columns = self.b, self.rows, self.columns
        top = row * rows.stride - rows.before
        self._lines = self._inside(rows, top)
        begun = (image * rows.size + top) * self._row_bytes
        windows = (image * rows.out + row) * (columns.out * self.pixel_bytes)
        with b.loop(0, columns.out) as column:
            left = column.value * columns.stride - columns.before
            seen = begun + left * self.pixel_bytes
            window = windows + column.value * self.pixel_bytes
            taps = self._inside(columns, left)
            if columns.window > MOST_UNROLLED:
                self._search(image, window, seen, taps)
            elif columns.before <= 0 and columns.after <= 0:
                self._search(image, window, seen, None)
            else:
                with b.branch((taps[1] - taps[0]).equals(columns.window)) as whole:
                    self._search(image, window, seen, None)
                    whole.otherwise()
                    self._search(image, window, seen, taps)

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

    def _search(self, image: Value, window: Value, seen: Value, taps: _Taps) -> None:
        """Look at what a window sees, line by line."""
        b = self.b
        first, last = self._lines
        line_bytes = self.rows.dilation * self._row_bytes

        def search(offset: Value, lanes: int) -> None:
            place = _Place(image, window + offset, seen + first * line_bytes + offset, lanes)
            largest = b.load(self.vector, b.address(self.y, place.window))
            waits = b.register(largest > float("-inf"))
            read = b.register(b.address(self.x, place.seen))
            goal = self.goal(place)

            def look(pixel: Value, tap: Value | int) -> None:
                goal.visit(waits.value & pixel.equals(largest), tap)
                waits.value = waits.value & pixel.differs(largest)

            with b.loop(first, last):
                self._line(read.value, taps, look)
                read.value = b.move(read.value, line_bytes)
                line = goal.line
                line.value = line.value + goal.step if line.type is I32 else b.move(line.value, goal.step)
            goal.leave()

        self.vectors(search)

    def _line(self, read: Value, taps: _Taps, look: Callable[[Value, Value | int], None]) -> None:
        """Look at a line of what a window sees."""
        b, step = self.b, self.columns.dilation * self.pixel_bytes
        if taps is None:
            for number in range(self.columns.window):
                look(b.load(self.vector, read, number * step), number)
            return
        with b.loop(*taps) as tap:
            look(b.load(self.vector, b.move(read, tap.value * step)), tap.value)


class _Gradient(_Maxima):
    def __init__(self, image: Sequence[int], rows: Axis, columns: Axis, target: Target) -> None:
        super().__init__(image, rows, columns, target)
        # Where windows do not meet, what one gives is all that a pixel gets.
        self.adds = any((axis.window - 1) * axis.dilation >= axis.stride for axis in (rows, columns))
        self._clears = self.adds or not all(map(_is_covered, (rows, columns)))
        self.dy = Buffer("dy", "float32", self.windows_size)
        self.inputs = [self.dy, self.x, self.y]
        self.output = Buffer("output", "float32", self.image_size, written=True)

    def enter(self, image: Value) -> None:
        if not self._clears:
            return
        b = self.b
        written = b.register(b.address(self.output, image * self.image_bytes))
        zero = b.constant(0.0, self.vector)
        with b.loop(0, self.rows.size * self.columns.size):
            self.vectors(lambda offset, lanes: self.store(b.move(written.value, offset), zero, lanes))
            written.value = b.move(written.value, self.pixel_bytes)

    def goal(self, place: _Place) -> _Goal:
        return _Giving(self, place)


class _Giving(_Goal):
    """Gives the gradient to the pixel that wins."""

    def __init__(self, routine: _Gradient, place: _Place) -> None:
        b = routine.b
        self._routine, self._lanes = routine, place.lanes
        self._dy = b.load(routine.vector, b.address(routine.dy, place.window))
        self.line = b.register(b.address(routine.output, place.seen))
        self.step = routine.rows.dilation * routine.columns.size * routine.pixel_bytes

    def visit(self, wins: Value, tap: Value | int) -> None:
        routine, b = self._routine, self._routine.b
        offset = tap * (routine.columns.dilation * routine.pixel_bytes)
        written, at = (self.line.value, offset) if isinstance(offset, int) else (b.move(self.line.value, offset), 0)
        before = b.load(routine.vector, written, at) if routine.adds else b.constant(0.0, routine.vector)
        after = b.select(wins, self._dy + before if routine.adds else self._dy, before)
        routine.store(written, after, self._lanes, at)

    def leave(self) -> None:
        """All is given."""


class _Positions(_Maxima):
    def __init__(self, image: Sequence[int], rows: Axis, columns: Axis, target: Target, in_batch: bool) -> None:
        super().__init__(image, rows, columns, target)
        self.in_batch = in_batch
        self.inputs = [self.x, self.y]
        self.output = Buffer("output", "int32", self.windows_size, written=True)

    def enter(self, image: Value) -> None:
        """There is nothing."""

    def goal(self, place: _Place) -> _Goal:
        return _Counting(self, place)


class _Counting(_Goal):
    """Stores the position of the pixel that wins."""

    def __init__(self, routine: _Positions, place: _Place) -> None:
        b = routine.b
        self._routine, self._place = routine, place
        before = place.seen if routine.in_batch else place.seen - place.image * routine.image_bytes
        self.line = b.register(before / 4)
        self.step = routine.rows.dilation * routine.columns.size * (routine.pixel_bytes // 4)
        self._found = b.register(b.constant(-1, vector("i32", b.width)))

    def visit(self, wins: Value, tap: Value | int) -> None:
        routine, b, found = self._routine, self._routine.b, self._found
        first = self.line.value + tap * (routine.columns.dilation * (routine.pixel_bytes // 4))
        found.value = b.select(wins, b.spread(first, b.width) + b.iota(), found.value)

    def leave(self) -> None:
        routine, b = self._routine, self._routine.b
        routine.store(b.address(routine.output, self._place.window), self._found.value, self._place.lanes)


def _is_covered(axis: Axis) -> bool:
    """Whether windows side by side see all pixels of an axis."""
    return axis.window == axis.stride and axis.dilation == 1 and axis.out * axis.stride - axis.before >= axis.size
