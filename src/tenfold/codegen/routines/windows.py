"""Sliding windows over channels: depthwise convolution, and sums and extremes as pooling needs them.

Lanes are channels. A tile is several neighbouring windows of a row, which share most of what they see: each column of
the image is loaded once a row. The rows of a window stand one after the other, each in a branch that is taken where the
row lies inside the image; those of large windows are a loop. For columns at the sides of the image there are tiles of
their own, which leave out the taps that see padding. So nothing is padded, and no tap is asked where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import CONDITION, I32, Buffer, Register, Target, Value, vector
from tenfold.codegen.routines.output import Output
from tenfold.codegen.routines.routine import Routine, Walk
from tenfold.codegen.schedule.scopes import Nest
from tenfold.core.windows import Axis

WINDOWS: Final = {"depthwise": 7, "sum": 7, "largest": 7, "max": 4, "min": 4}
"""Windows of a tile, by how they are combined. Some sums have to be independent of each other, as each addition waits
four cycles for the one before; two registers a window are too many of them."""

KINDS: Final = tuple(WINDOWS)

WRITTEN_OUT: Final = 9
"""Windows of so many taps have no loop over their rows. Written out, those of 25 took two to four times as long to
compile, and gained nothing."""

SPARE: Final = 3
"""Registers that a tile leaves to the epilogue's constants and to a product."""

State = Sequence[Register]
"""What a window has combined so far."""

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
        self._limits: tuple[Value, Value] | None = None
        self.vector = vector("f32", b.width)
        self.tile = WINDOWS[kind]
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
        top = row * rows.stride - rows.before
        self._top = b.address(self.x, image * (rows.size * self.row_bytes) + top * self.row_bytes)
        self._weights = b.address(self.weights) if self.kind == "depthwise" else None
        if rows.window * self.columns.window > WRITTEN_OUT:
            self._limits = self._seen_rows(top)
        else:
            self._inside = [self._is_inside(top, tap) for tap in range(rows.window)]
        self._all_columns(nest)

    def _seen_rows(self, top: Value) -> tuple[Value, Value]:
        """The taps along the rows that see the image: the first, and the one after the last."""
        b, rows = self.b, self.rows
        zero, taps = b.constant(0, I32), b.constant(rows.window, I32)
        first, last = zero, taps
        if rows.before:
            above = (rows.dilation - 1 - top) / rows.dilation
            first = b.binary("min", b.binary("max", above, zero), taps)
        if rows.after:
            below = (rows.size - 1 - top + rows.dilation) / rows.dilation
            last = b.binary("min", b.binary("max", below, zero), taps)
        return first, b.binary("max", last, first)

    def _is_inside(self, top: Value, tap: int) -> Value:
        """Whether a tap along the rows sees the image."""
        b, rows = self.b, self.rows
        below = tap * rows.dilation
        position = top + below
        inside = []
        if below < rows.before:
            inside.append(position >= 0)
        if (self.height - 1) * rows.stride - rows.before + below >= rows.size:
            inside.append(position < rows.size)
        if not inside:
            return b.constant(True, CONDITION)
        return inside[0] if len(inside) == 1 else inside[0] & inside[1]

    def _all_columns(self, nest: Nest) -> None:
        """All windows of the row: tiles at the left, a loop over those that see no padding, tiles at the right."""
        first, end = self._middle()
        self._at_side(nest, 0, first)
        if end > first and self.column is not None:
            bit = self.output.bit(self.column)
            nest.open_loop(self.column.number, bit, first, end, self.tile)
            self._tile(nest, nest.variable(self.column.number, bit), None, self.tile)
            nest.close()
        self._at_side(nest, end, self.width)

    def _middle(self) -> tuple[int, int]:
        """The windows that are left to a loop: whole tiles, so many that those at the sides are nearly whole, too."""
        columns, width, tile = self.columns, self.width, self.tile
        left = min(-(-columns.before // columns.stride), width)
        room = columns.size + columns.before - (columns.window - 1) * columns.dilation - 1
        right = width - max(left, min(room // columns.stride + 1, width))
        at_sides = max(1, -(-left // tile)) + max(1, -(-right // tile))
        tiles = max(0, min(-(-width // tile) - at_sides, (width - left - right) // tile))
        others = width - tiles * tile
        first = max(left, min(-(-others // 2), others - right)) if tiles else width
        return first, first + tiles * tile

    def _at_side(self, nest: Nest, start: int, end: int) -> None:
        """Tiles of some windows, as equal as can be."""
        tiles = -(-(end - start) // self.tile)
        for number in range(tiles):
            at, stop = (start + (end - start) * n // tiles for n in (number, number + 1))
            nest.open_fixed({} if self.column is None else {self.column.number: at}, self.output.bit(self.column))
            self._tile(nest, at, at, stop - at)
            nest.close()

    def _tile(self, nest: Nest, at: Value | int, known: int | None, count: int) -> None:
        """Windows from a column on, for all channels; `known` is the column where it is a constant."""
        b, columns, width = self.b, self.columns, self.b.width
        first = at * columns.stride - columns.before
        seen = self._seen(known, count)
        left = b.move(self._top, first * self.column_bytes)
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
        b = self.b
        states = [self._begun() for _ in range(count)]
        step, of_weights = self.rows.dilation * self.row_bytes, self.columns.window * self.column_bytes
        if self._limits is None:
            for tap, inside in enumerate(self._inside):
                with b.branch(inside):
                    at = b.move(pixel.value, tap * step)
                    self._combine_row(states, at, None if weight is None else weight.value, tap * of_weights, seen)
        else:
            first, end = self._limits
            row = b.register(b.move(pixel.value, first * step))
            weights = None if weight is None else b.register(b.move(weight.value, first * of_weights))
            with b.loop(first, end):
                self._combine_row(states, row.value, None if weights is None else weights.value, 0, seen)
                row.value = b.move(row.value, step)
                if weights is not None:
                    weights.value = b.move(weights.value, of_weights)
        return [self._ended(state) for state in states]

    def _combine_row(
        self,
        states: Sequence[State],
        pixel: Value,
        weights: Value | None,
        start: int,
        seen: Sequence[Seen],
    ) -> None:
        """Combine what windows see of one row, some columns at once: as many as there are registers left.

        Args:
            states: what windows have combined so far.
            pixel: where the first tap of the first window is, be that inside the image or not.
            weights: where weights are, if there are any.
            start: those of the row begin so many bytes later.
            seen: what they see.
        """
        b = self.b
        loaded: dict[int, Value] = {}
        if weights is not None:
            for tap in sorted({tap for _, uses in seen for _, tap in uses}):
                loaded[tap] = b.load(self.vector, weights, start + tap * self.column_bytes)
        at_once = max(2, b.target.registers - SPARE - len(loaded) - sum(map(len, states)))
        lowest = min((offset for offset, _ in seen), default=0)
        here = b.move(pixel, lowest * self.column_bytes) if lowest else pixel
        for number, (offset, uses) in enumerate(seen):
            if number and number % at_once == 0:
                b.fence(here)
            value = b.load(self.vector, here, (offset - lowest) * self.column_bytes)
            for window, tap in uses:
                self._combine(states[window], value, loaded.get(tap))

    # --- how taps are combined -------------------------------------------------------------------------------

    def _begun(self) -> State:
        b = self.b
        start = {"max": float("-inf"), "largest": float("-inf"), "min": float("inf")}.get(self.kind, 0.0)
        state = [b.register(b.constant(start, self.vector))]
        if self.kind in ("max", "min"):
            state.append(b.register(b.constant(False, vector("b1", b.width))))
        return state

    def _combine(self, state: State, value: Value, weight: Value | None) -> None:
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

    def _ended(self, state: State) -> Value:
        if len(state) == 1:
            return state[0].value
        return self.b.select(state[1].value, float("nan"), state[0].value)
