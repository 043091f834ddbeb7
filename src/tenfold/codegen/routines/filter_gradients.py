"""Gradients of convolutions for their filters: products of what each tap sees and of the output's gradient, summed over
all windows of all images.

A tile keeps its sums in registers while it walks over the windows. As these are many, they are taken chunk by chunk, so
that what they see stays in a cache while all tiles pass over it; between chunks sums wait in memory. Threads share
tiles, never windows: sums are the same however many there are.

Windows lie inside the image, which is padded before. Then where a tap looks is the sum of where its window begins and
of a number of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from typing import Final, NamedTuple

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Register, Target, Value, vector
from tenfold.codegen.routines.routine import Routine
from tenfold.core.windows import Axis

ROWS: Final = 4
"""Rows of the filter's matrix `[taps * channels, filters]` in a tile."""

VECTORS: Final = 2
"""Vectors of columns in a tile."""

MOST_TAPS: Final = 7
"""Taps of a depthwise tile; their sums leave some registers for what is loaded."""

CHUNK_BYTES: Final = 1 << 17
"""Bytes that the windows of a chunk see, and of their gradients."""

FEWEST_WINDOWS: Final = 128
"""Windows of a chunk, where there are so many: sums are loaded and stored once a chunk."""


def filter_gradient(
    image: Sequence[int],
    axes: Sequence[Axis],
    filters: int,
    target: Target,
    *,
    groups: int = 1,
    name: str = "filter_gradient",
) -> Routine:
    """Sums of outer products, `[*window, channels / groups, filters]`.

    Args:
        image: the shape of the images `[batch, ..., channels]`, which all windows lie inside.
        axes: the windows along each axis between batch and channels, without padding.
        filters: the channels of the output's gradient `[batch, ..., filters]`.
        target: what for.
        groups: how many runs of channels meet filters of their own.
        name: of the program.
    """
    return _Dense(image, axes, filters, target, groups).routine(name)


def depthwise_filter_gradient(
    image: Sequence[int], axes: Sequence[Axis], target: Target, *, name: str = "depthwise_filter_gradient"
) -> Routine:
    """Sums of products channel by channel, `[*window, channels]`; arguments as those of `filter_gradient`."""
    return _Depthwise(image, axes, image[-1], target).routine(name)


class _Walk(NamedTuple):
    """A way from a window to the next.

    Attributes:
        windows: how many there are.
        step: bytes from what one sees to what the next sees.
    """

    windows: int
    step: int


class _Sums(ABC):
    """Tiles of sums over windows.

    Attributes:
        b: what the program is built with.
        axes: the windows along each axis.
        steps: bytes from a pixel to the next along each axis.
        walks: the ways through all windows, from the outermost; the gradient of one lies behind that of the other.
        filters: channels of the gradient.
        rows: of a tile.
        wide: columns of a tile.
        tiles: how many there are.
    """

    rows: int
    tiles: int
    wide: int

    def __init__(self, image: Sequence[int], axes: Sequence[Axis], filters: int, target: Target) -> None:
        self.b = Builder(target)
        self.kind = vector("f32", target.width)
        self.axes = axes
        self.filters = filters
        batch, *sizes, channels = image
        self.channels = channels
        self.steps = [prod(sizes[number + 1 :]) * channels * 4 for number in range(len(sizes))]
        walks = [_Walk(batch, prod(sizes) * channels * 4)]
        walks += [_Walk(axis.out, axis.stride * step) for axis, step in zip(axes, self.steps, strict=True)]
        self.walks = _together(walks)
        self.x = Buffer("x", "float32", prod(image))
        self.dy = Buffer("dy", "float32", prod(walk.windows for walk in walks) * filters)

    @abstractmethod
    def prepare(self) -> None:
        """Do what all tiles need."""

    @abstractmethod
    def begin(self, tile: Value) -> tuple[Sequence[Value], Value]:
        """How far from a window's begin a tile reads, in bytes, and how far from that of its gradient."""

    @abstractmethod
    def products(self, sums: Sequence[Sequence[Register]], read: Sequence[Register], dy: Register, at: int) -> None:
        """Add the products of a window, the one of that number after where registers point."""

    @abstractmethod
    def finish(self, tile: Value, sums: Value) -> None:
        """Store the sums of a tile, which wait at an address."""

    def routine(self, name: str) -> Routine:
        """The program."""
        b = self.b
        self.first, self.end = b.parameter(I32, 0), b.parameter(I32, 1)
        self.prepare()
        zero = b.constant(0.0, self.kind)
        with b.loop(self.first, self.end) as tile:
            address = self._waiting(tile.value)
            for offset in range(0, self.tile_bytes, b.width * 4):
                b.store(address, zero, offset)
        self._chunks()
        with b.loop(self.first, self.end) as tile:
            self.finish(tile.value, self._waiting(tile.value))
        buffers = [self.x, self.dy, self.scratch, self.output]
        program = b.kernel(name, buffers, [self.first, self.end], self.tiles)
        return Routine(program, ("x", "dy"), (), self.scratch.bytes)

    @property
    def tile_bytes(self) -> int:
        """Bytes of the sums of a tile."""
        return self.rows * self.wide * 4

    def allocate(self, rows: int, filter: int, table: int = 0) -> None:
        """Say how large a tile and the result are, and how many numbers there are beside the sums."""
        self.rows = rows
        self.table_bytes = -(-table // self.b.width) * self.b.width * 4
        self.scratch = Buffer(
            "scratch", "float32", (self.table_bytes + self.tiles * self.tile_bytes) // 4, written=True
        )
        self.output = Buffer("output", "float32", filter, written=True)

    def _waiting(self, tile: Value) -> Value:
        return self.b.address(self.scratch, tile * self.tile_bytes + self.table_bytes)

    # --- walking over the windows ----------------------------------------------------------------------------

    def _chunk(self) -> tuple[int, int]:
        """Which of the ways is the outermost inside a chunk, and how many of its steps a chunk has."""
        walks = self.walks
        pixel_bytes = 4 * self.filters + min(walks[-1].step, 4 * self.channels * prod(a.stride for a in self.axes))
        wanted = max(CHUNK_BYTES // pixel_bytes, FEWEST_WINDOWS)
        level = len(walks) - 1
        while level and prod(walk.windows for walk in walks[level:]) < wanted:
            level -= 1
        inside = prod(walk.windows for walk in walks[level + 1 :])
        parts = -(-walks[level].windows // max(1, wanted // inside))
        return level, -(-walks[level].windows // parts)

    def _chunks(self) -> None:
        """Let all tiles pass over each chunk of windows."""
        b, (level, step) = self.b, self._chunk()
        *outer, walk = self.walks[: level + 1]
        window: Value | int = 0
        place: Value | int = 0
        loops = []
        for way in outer:
            loop = b.loop(0, way.windows)
            loop.open()
            loops.append(loop)
            window = window * way.windows + loop.variable.value
            place = place + loop.variable.value * way.step
        window = window * walk.windows
        count: Value | int = step
        if step < walk.windows:
            loop = b.loop(0, walk.windows, step)
            loop.open()
            loops.append(loop)
            start = loop.variable.value
            window, place = window + start, place + start * walk.step
            if walk.windows % step:
                count = b.binary("min", walk.windows - start, b.constant(step, I32))
        inside = prod(way.windows for way in self.walks[level + 1 :])
        x, dy = b.address(self.x, place), b.address(self.dy, window * (inside * self.filters * 4))
        with b.loop(self.first, self.end) as tile:
            self._tile(tile.value, x, dy, level, count)
        for loop in reversed(loops):
            loop.close()

    def _tile(self, tile: Value, x: Value, dy: Value, level: int, count: Value | int) -> None:
        """Add the products of a chunk to the sums of a tile."""
        b = self.b
        waiting = self._waiting(tile)
        vectors = self.wide // b.width
        sums = [
            [b.register(b.load(self.kind, waiting, (i * vectors + j) * b.width * 4)) for j in range(vectors)]
            for i in range(self.rows)
        ]
        offsets, of_dy = self.begin(tile)
        read = [b.register(b.move(x, offset)) for offset in offsets]
        gradient = b.register(b.move(dy, of_dy))
        self._walk(sums, read, gradient, level, count)
        for i, row in enumerate(sums):
            for j, total in enumerate(row):
                b.store(waiting, total.value, (i * vectors + j) * b.width * 4)

    def _walk(
        self, sums: Sequence[Sequence[Register]], read: Sequence[Register], dy: Register, level: int, count: Value | int
    ) -> None:
        """Walk over windows, from the level of a loop inwards."""
        b, walk, filter_bytes = self.b, self.walks[level], self.filters * 4
        if level == len(self.walks) - 1:
            stop = b.move(dy.value, count * filter_bytes)
            rounds = 2 if isinstance(count, int) and count % 2 == 0 else 1
            with b.walk(dy, stop, rounds * filter_bytes, nonempty=True):
                for number in range(rounds):
                    if number:
                        b.fence(dy.value)
                    self.products(sums, read, dy, number)
                for register in read:
                    register.value = b.move(register.value, rounds * walk.step)
            return
        inner = self.walks[level + 1]
        with b.loop(0, count):
            self._walk(sums, read, dy, level + 1, inner.windows)
            for register in read:
                register.value = b.move(register.value, walk.step - inner.windows * inner.step)


def _together(walks: Sequence[_Walk]) -> list[_Walk]:
    """The same ways, those put together that one step leads through."""
    made: list[_Walk] = []
    for walk in walks:
        if walk.windows == 1:
            continue
        if made and made[-1].step == walk.windows * walk.step:
            made[-1] = _Walk(made[-1].windows * walk.windows, walk.step)
        else:
            made.append(walk)
    return made or [_Walk(1, 0)]


class _Dense(_Sums):
    """Rows are taps and channels, columns are filters."""

    def __init__(self, image: Sequence[int], axes: Sequence[Axis], filters: int, target: Target, groups: int) -> None:
        super().__init__(image, axes, filters, target)
        self._groups = groups
        self._inputs = self.channels // groups
        self._columns = filters // groups
        self._depth = prod(axis.window for axis in axes) * self._inputs
        self.wide = min(VECTORS, -(-self._columns // target.width)) * target.width
        self._panels = -(-self._columns // self.wide)
        self._row_tiles = -(-self._depth // ROWS)
        self.tiles = groups * self._row_tiles * self._panels
        # Rows that stand side by side in the image.
        run = self._inputs * (axes[-1].window if axes[-1].dilation == groups == 1 else 1)
        self._is_run = run % ROWS == 0
        self.allocate(ROWS, self._depth * filters, self._row_tiles * ROWS)

    def prepare(self) -> None:
        """Write down where rows read."""
        b = self.b
        written = b.register(b.address(self.scratch))
        place: Value = b.constant(0, I32)
        loops = []
        for axis, step in zip(self.axes, self.steps, strict=True):
            loop = b.loop(0, axis.window)
            loop.open()
            loops.append(loop)
            place = place + loop.variable.value * (axis.dilation * step)
        with b.loop(0, self._inputs) as channel:
            b.store(written.value, place + channel.value * 4)
            written.value = b.move(written.value, 4)
        for loop in reversed(loops):
            loop.close()
        for number in range(self._row_tiles * ROWS - self._depth):
            b.store(written.value, b.constant(0, I32), number * 4)

    def _place(self, tile: Value) -> tuple[Value | int, Value, Value]:
        """The group, the tile among its rows, and the panel of its columns."""
        rows = tile / self._panels
        panel = tile - rows * self._panels
        if self._groups == 1:
            return 0, rows, panel
        group = rows / self._row_tiles
        return group, rows - group * self._row_tiles, panel

    def begin(self, tile: Value) -> tuple[Sequence[Value], Value]:
        b = self.b
        group, rows, panel = self._place(tile)
        table = b.address(self.scratch, rows * (ROWS * 4))
        of_group = group * (self._inputs * 4)
        count = 1 if self._is_run else ROWS
        offsets = [b.load(I32, table, i * 4) + of_group for i in range(count)]
        return offsets, panel * (self.wide * 4) + group * (self._columns * 4)

    def products(self, sums: Sequence[Sequence[Register]], read: Sequence[Register], dy: Register, at: int) -> None:
        b, step = self.b, self.walks[-1].step
        loaded = [
            b.load(self.kind, dy.value, at * self.filters * 4 + j * b.width * 4) for j in range(self.wide // b.width)
        ]
        for i, row in enumerate(sums):
            if self._is_run:
                element = b.load_splat(self.kind, read[0].value, at * step + i * 4)
            else:
                element = b.load_splat(self.kind, read[i].value, at * step)
            for total, of_dy in zip(row, loaded, strict=True):
                total.value = b.madd(element, of_dy, total.value)

    def finish(self, tile: Value, sums: Value) -> None:
        b = self.b
        group, rows, panel = self._place(tile)
        column = panel * self.wide
        first = rows * ROWS
        left = self._depth - first
        count = b.select(left < ROWS, left, b.constant(ROWS, I32)) if self._depth % ROWS else ROWS
        place = (first * self.filters + column + group * self._columns) * 4
        read, written = b.register(sums), b.register(b.address(self.output, place))
        last = self._columns - (self._panels - 1) * self.wide

        def copy(columns: int) -> None:
            for at in range(0, columns, b.width):
                _store(b, written.value, b.load(self.kind, read.value, at * 4), at * 4, min(b.width, columns - at))

        with b.loop(0, count):
            if last == self.wide or self._panels == 1:
                copy(last)
            else:
                with b.branch(panel < self._panels - 1) as whole:
                    copy(self.wide)
                    whole.otherwise()
                    copy(last)
            read.value = b.move(read.value, self.wide * 4)
            written.value = b.move(written.value, self.filters * 4)


class _Depthwise(_Sums):
    """Rows are neighbouring taps, columns are channels of image and gradient alike."""

    def __init__(self, image: Sequence[int], axes: Sequence[Axis], filters: int, target: Target) -> None:
        super().__init__(image, axes, filters, target)
        self.wide = target.width
        self._vectors = -(-filters // target.width)
        window = axes[-1].window
        taps = -(-window // -(-window // MOST_TAPS))
        self._runs = -(-window // taps)
        self._lines = prod(axis.window for axis in axes[:-1])
        self.tiles = self._lines * self._runs * self._vectors
        self.allocate(taps, self._lines * window * filters)

    def prepare(self) -> None:
        """There is nothing."""

    def _place(self, tile: Value) -> tuple[Value, Value | int, Value]:
        """The line of taps, the first tap of it, and the vector of channels."""
        runs = tile / self._vectors
        place = tile - runs * self._vectors
        if self._runs == 1:
            return runs, 0, place
        line = runs / self._runs
        # The last run may begin among the taps of the one before it, whose sums are the same.
        b, last = self.b, self.axes[-1].window - self.rows
        first = (runs - line * self._runs) * self.rows
        return line, b.select(first < last, first, b.constant(last, I32)), place

    def begin(self, tile: Value) -> tuple[Sequence[Value], Value]:
        line, tap, place = self._place(tile)
        offset = place * (self.wide * 4) + tap * (self.axes[-1].dilation * self.steps[-1])
        for axis, step in zip(reversed(self.axes[:-1]), reversed(self.steps[:-1]), strict=True):
            outer = line / axis.window
            offset = offset + (line - outer * axis.window) * (axis.dilation * step)
            line = outer
        return [offset], place * (self.wide * 4)

    def products(self, sums: Sequence[Sequence[Register]], read: Sequence[Register], dy: Register, at: int) -> None:
        b, step, dilation = self.b, self.walks[-1].step, self.axes[-1].dilation * self.steps[-1]
        gradient = b.load(self.kind, dy.value, at * self.filters * 4)
        for tap, (total,) in enumerate(sums):
            seen = b.load(self.kind, read[0].value, at * step + tap * dilation)
            total.value = b.madd(seen, gradient, total.value)

    def finish(self, tile: Value, sums: Value) -> None:
        b = self.b
        line, tap, place = self._place(tile)
        first = ((line * self.axes[-1].window + tap) * self.filters + place * self.wide) * 4
        written = b.address(self.output, first)
        left_over = self.filters % self.wide

        def copy(lanes: int) -> None:
            for number in range(self.rows):
                value = b.load(self.kind, sums, number * self.wide * 4)
                _store(b, written, value, number * self.filters * 4, lanes)

        if not left_over:
            copy(self.wide)
            return
        with b.branch(place < self._vectors - 1) as whole:
            copy(self.wide)
            whole.otherwise()
            copy(left_over)


def _store(b: Builder, address: Value, value: Value, offset: int, lanes: int) -> None:
    """Store the first lanes of a vector."""
    if lanes == b.width:
        b.store(address, value, offset)
        return
    for lane in range(lanes):
        b.store(address, b.lane(value, lane), offset + lane * 4)
