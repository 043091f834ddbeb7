"""Sliding windows over channels: depthwise convolution, and sums and extremes as pooling needs them.

Lanes are channels. A tile is several neighbouring windows of a row, which share most of what they see: each column of
the image is loaded once a row. Rows of a window are a loop, from the first that lies inside the image to the last; for
columns at the sides of the image there are tiles of their own, which leave out the taps that see padding. So nothing is
padded, and no tap is asked where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Register, Target, Value, vector
from tenfold.codegen.routines.output import Output
from tenfold.codegen.routines.routine import Routine, Walk
from tenfold.codegen.schedule.scopes import Nest
from tenfold.core.windows import Axis

KINDS: Final = ("depthwise", "sum", "max", "min", "largest")

WINDOWS: Final = 4
"""Windows of a tile."""

WHOLE_ROW: Final = 8
"""Rows up to this length are one tile, if their windows are neighbours (7 x 7 pixels of 960 channels: 39 GFLOP/s, not
31)."""

Seen = tuple[int, list[tuple[int, int]]]
"""A column of the image, and the windows that see it, each with the number of its tap."""


def slide(
    kind: str,
    result: Array,
    rows: Axis,
    columns: Axis,
    target: Target,
    *,
    finished: Array | None = None,
    name: str = "windows",
) -> Routine:
    """Windows combined tap by tap.

    Args:
        kind: `depthwise` multiplies taps by weights `[height, width, channels]` and adds; `sum`, `max` and `min` are of
            the taps inside the image, and NaN where one of them is; `largest` is their maximum, too, but passes over
            NaN, and is minus infinity where there is no number.
        result: what is computed, `[batch, rows, columns, channels]`; the image has as many channels.
        rows: the windows along the image's rows.
        columns: those along its columns.
        target: what for.
        finished: the epilogue; see `Output`. By default the result is stored as it is.
        name: of the program.

    Raises:
        ValueError: if there is no such kind, or fewer than two channels.
    """
    if kind not in KINDS:
        raise ValueError(f"Windows are not combined by {kind!r}; use one of {', '.join(KINDS)}.")
    if result.rank != 4 or result.shape[3] < 2:
        raise ValueError("Windows slide over images [batch, rows, columns, channels] of two channels or more.")
    return _Windows(kind, result, rows, columns, target, finished or result).routine(name)


class _Windows:
    def __init__(self, kind: str, result: Array, rows: Axis, columns: Axis, target: Target, finished: Array) -> None:
        self.kind = kind
        self.b = b = Builder(target)
        self.rows, self.columns = rows, columns
        self.batch, self.height, self.width, self.channels = result.shape
        self.output = Output(b, result, finished, [[0], [1], [2], [3]])
        self.image, self.row, self.column, channel = self.output.axes
        if channel is None:
            raise ValueError("Windows slide over two channels or more.")
        self.channel = channel
        self.x = Buffer("x", "float32", self.batch * rows.size * columns.size * self.channels)
        self.weights = Buffer("weights", "float32", rows.window * columns.window * self.channels)
        self.vector = vector("f32", b.width)
        self.tile = self.width if columns.stride == 1 and self.width <= WHOLE_ROW else WINDOWS
        self.column_bytes = self.channels * 4
        self.row_bytes = columns.size * self.column_bytes

    def routine(self, name: str) -> Routine:
        b = self.b
        begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
        nest = Nest(b)
        tile: dict[int, Sequence[int]] = {} if self.column is None else {self.column.number: range(self.tile)}
        self.output.begin(nest, self.channel, tile)
        block = nest.open_blocks(begin, end)
        self._row(nest, block)
        while len(nest.scopes) > 1:
            nest.close()
        inputs = [self.x, self.weights] if self.kind == "depthwise" else [self.x]
        buffers = [*inputs, *self.output.buffers, self.output.buffer]
        program = b.kernel(name, buffers, [begin, end], self.batch * self.height)
        return Routine(program, tuple(buffer.name for buffer in inputs), tuple(self.output.sources), 0, self._walk())

    def _walk(self) -> Walk | None:
        """How rows go through an image."""
        if self.batch > 1:
            return None
        rows, line = self.rows, self.columns.size * self.channels
        reach = (rows.window - 1) * rows.dilation + 1 - rows.before
        return Walk(self.width * self.channels, rows.stride * line, rows.before * line, max(reach, 1) * line)

    def _row(self, nest: Nest, block: Value) -> None:
        """A row of windows of an image."""
        b, rows = self.b, self.rows
        image, row = block / self.height, b.binary("rem", block, b.constant(self.height, I32))
        variables: dict[int, Value | int] = {}
        bits = 0
        for axis, value in ((self.image, image), (self.row, row)):
            if axis is not None:
                variables[axis.number] = value
                bits |= self.output.bit(axis)
        nest.open_fixed(variables, bits)
        # The taps that see the image: those from `first` to `last`.
        top = row * rows.stride - rows.before
        zero, taps = b.constant(0, I32), b.constant(rows.window, I32)
        first, last = zero, taps
        if rows.before:
            above = (rows.dilation - 1 - top) / rows.dilation
            first = b.binary("min", b.binary("max", above, zero), taps)
        if rows.after:
            below = (rows.size - 1 - top + rows.dilation) / rows.dilation
            last = b.binary("min", b.binary("max", below, zero), taps)
        start = image * (rows.size * self.row_bytes) + (top + first * rows.dilation) * self.row_bytes
        self._left = b.address(self.x, start)
        self._weights = None
        if self.kind == "depthwise":
            self._weights = b.address(self.weights, first * (self.columns.window * self.column_bytes))
        self._count = b.binary("max", last - first, zero)
        self._all_columns(nest)

    def _all_columns(self, nest: Nest) -> None:
        """All windows of the row: tiles at the left, a loop over those that see no padding, tiles at the right."""
        columns, width = self.columns, self.width
        inner_first = -(-columns.before // columns.stride)
        reach = columns.size + columns.before - (columns.window - 1) * columns.dilation - 1
        inner_end = max(min(reach // columns.stride + 1, width), 0) if reach >= 0 else 0
        at = 0
        while at < width:
            free = inner_end - at
            if at >= inner_first and free >= 2 * self.tile and self.column is not None:
                end = at + free // self.tile * self.tile
                nest.open_loop(self.column.number, self.output.bit(self.column), at, end, self.tile)
                place = nest.variable(self.column.number, self.output.bit(self.column))
                self._tile(nest, place, None, self.tile)
                at = end
            else:
                count = min(self.tile, width - at)
                if at < inner_first <= at + self.tile < inner_end:
                    # Only windows that see padding, as those in a loop are cheaper.
                    count = max(1, inner_first - at)
                variables = {} if self.column is None else {self.column.number: at}
                nest.open_fixed(variables, self.output.bit(self.column))
                self._tile(nest, at, at, count)
                at += count
            nest.close()

    def _tile(self, nest: Nest, at: Value | int, known: int | None, count: int) -> None:
        """Windows from a column on, for all channels; `known` is the column where it is a constant."""
        b, columns, width = self.b, self.columns, self.b.width
        first = at * columns.stride - columns.before
        seen = self._seen(known, count)
        left = b.move(self._left, first * self.column_bytes)
        channel_bytes = width * 4
        pixel = b.register(left)
        weight = None if self._weights is None else b.register(self._weights)
        whole, left_over = self.channels // width, self.channels % width
        bit = self.output.bit(self.channel)

        def compute(lanes: int) -> None:
            sums = self._combined(pixel, weight, seen, count)
            for window, value in enumerate(sums):
                place = {} if self.column is None else {self.column.number: window}
                self.output.store(value, place, lanes)
            pixel.value = b.move(pixel.value, channel_bytes)
            if weight is not None:
                weight.value = b.move(weight.value, channel_bytes)

        if whole:
            nest.open_loop(self.channel.number, bit, 0, whole * width, width)
            compute(width)
            nest.close()
        if left_over:
            nest.open_fixed({self.channel.number: whole * width}, bit)
            compute(left_over)
            nest.close()

    def _seen(self, known: int | None, count: int) -> list[Seen]:
        """The columns that windows see, counted from the first tap of the first, and which taps of which see them."""
        columns = self.columns
        seen: dict[int, list[tuple[int, int]]] = {}
        for window in range(count):
            for tap in range(columns.window):
                offset = window * columns.stride + tap * columns.dilation
                position = None if known is None else known * columns.stride - columns.before + offset
                if position is None or 0 <= position < columns.size:
                    seen.setdefault(offset, []).append((window, tap))
        return sorted(seen.items())

    def _combined(self, pixel: Register, weight: Register | None, seen: Sequence[Seen], count: int) -> list[Value]:
        """What windows combine of one vector of channels, row by row."""
        b, columns = self.b, self.columns
        states = [self._begun() for _ in range(count)]
        at = b.register(pixel.value)
        weights = None if weight is None else b.register(weight.value)
        taps = sorted({tap for _, uses in seen for _, tap in uses})
        with b.loop(0, self._count):
            loaded: dict[int, Value] = {}
            if weights is not None:
                for tap in taps:
                    loaded[tap] = b.load(self.vector, weights.value, tap * self.column_bytes)
            lowest = min((offset for offset, _ in seen), default=0)
            here = b.move(at.value, lowest * self.column_bytes) if lowest else at.value
            for offset, uses in seen:
                value = b.load(self.vector, here, (offset - lowest) * self.column_bytes)
                for window, tap in uses:
                    self._combine(states[window], value, loaded.get(tap))
            at.value = b.move(at.value, self.rows.dilation * self.row_bytes)
            if weights is not None:
                weights.value = b.move(weights.value, columns.window * self.column_bytes)
        return [self._ended(state) for state in states]

    # --- how taps are combined -------------------------------------------------------------------------------

    def _begun(self) -> list[Register]:
        b = self.b
        start = {"max": float("-inf"), "largest": float("-inf"), "min": float("inf")}.get(self.kind, 0.0)
        state = [b.register(b.constant(start, self.vector))]
        if self.kind in ("max", "min"):
            state.append(b.register(b.constant(False, vector("b1", b.width))))
        return state

    def _combine(self, state: Sequence[Register], value: Value, weight: Value | None) -> None:
        b = self.b
        if weight is not None:
            state[0].value = b.madd(value, weight, state[0].value)
        elif self.kind == "sum":
            state[0].value = state[0].value + value
        elif self.kind == "largest":
            state[0].value = b.binary("pmax", state[0].value, value)
        else:
            state[0].value = b.binary(f"p{self.kind}", state[0].value, value)
            state[1].value = state[1].value | value.differs(value)

    def _ended(self, state: Sequence[Register]) -> Value:
        if len(state) == 1:
            return state[0].value
        return self.b.select(state[1].value, float("nan"), state[0].value)
