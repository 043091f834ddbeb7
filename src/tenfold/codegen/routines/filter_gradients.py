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
from collections.abc import Callable, Sequence
from math import prod
from typing import Final, NamedTuple

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import F32, I32, Buffer, Register, Target, Value, vector
from tenfold.codegen.routines.routine import Routine
from tenfold.core.windows import Axis

ROWS: Final = 4
"""Rows of the filter's matrix `[taps * channels, filters]` in a tile."""

VECTORS: Final = 2
"""Vectors of columns in a tile."""

ROUND: Final = 4
"""Windows that a tile takes in a round of its loop."""

SHORTEST_LINE: Final = 10
"""With fewer windows in a line, walking from line to line takes so long that what a chunk sees is packed."""

FAR_APART: Final = 128
"""With so many filters, gradients lie where they drive each other out of the cache, and are packed, too."""

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
    *_, across = axes
    is_short = across.out < SHORTEST_LINE and prod(axis.window for axis in axes) > 1
    kind = _Packed if is_short or filters >= FAR_APART else _Dense
    return kind(image, axes, filters, target, groups).routine(name)


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


class _Chunk(NamedTuple):
    """Some windows that lie side by side.

    Attributes:
        x: the address where the first of them begins.
        dy: that of its gradient.
        count: how many steps of the outermost way inside a chunk they are.
        windows: how many they are.
    """

    x: Value
    dy: Value
    steps: Value | int
    windows: Value | int


class _Sums(ABC):
    """Tiles of sums over windows.

    Attributes:
        b: what the program is built with.
        axes: the windows along each axis.
        steps: bytes from a pixel to the next along each axis.
        walks: the ways through all windows, from the outermost; the gradient of one lies behind that of the other.
        filters: channels of the gradient.
        level: which of the ways is the outermost inside a chunk.
        most: the most windows of a chunk.
    """

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
        pixel_bytes = 4 * filters + min(self.walks[-1].step, 4 * channels * prod(axis.stride for axis in axes))
        wanted = max(CHUNK_BYTES // pixel_bytes, FEWEST_WINDOWS)
        self.level = len(self.walks) - 1
        while self.level and self._windows(self.level) < wanted:
            self.level -= 1
        self._inside = self._windows(self.level + 1)
        count = self.walks[self.level].windows
        parts = -(-count // max(1, wanted // self._inside))
        self._step = -(-count // parts)
        self.most = self._step * self._inside

    def _windows(self, level: int) -> int:
        """How many windows the ways from a level on lead to."""
        return prod(walk.windows for walk in self.walks[level:])

    def allocate(self, tiles: int, rows: int, wide: int, filter: int, others: int = 0) -> None:
        """Say what there is.

        Args:
            tiles: how many tiles.
            rows: of a tile.
            wide: columns of a tile.
            filter: how many numbers the result has.
            others: numbers in the scratch memory before the sums.
        """
        self.tiles, self.rows, self.wide = tiles, rows, wide
        self._tile_bytes = rows * wide * 4
        self._sums_at = others * 4
        self.scratch = Buffer("scratch", "float32", others + tiles * rows * wide, written=True)
        self.output = Buffer("output", "float32", filter, written=True)

    @abstractmethod
    def prepare(self) -> None:
        """Do what all tiles need."""

    @abstractmethod
    def enter(self, chunk: _Chunk) -> None:
        """Do what all tiles need of a chunk."""

    @abstractmethod
    def add(self, tile: Value, chunk: _Chunk, sums: Sequence[Sequence[Register]]) -> None:
        """Add the products of a chunk to the sums of a tile, row by row."""

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
            for offset in range(0, self._tile_bytes, b.width * 4):
                b.store(address, zero, offset)
        self._chunks()
        with b.loop(self.first, self.end) as tile:
            self.finish(tile.value, self._waiting(tile.value))
        buffers = [self.x, self.dy, self.scratch, self.output]
        program = b.kernel(name, buffers, [self.first, self.end], self.tiles)
        return Routine(program, ("x", "dy"), (), self.scratch.bytes)

    def _waiting(self, tile: Value) -> Value:
        return self.b.address(self.scratch, tile * self._tile_bytes + self._sums_at)

    # --- walking over the windows ----------------------------------------------------------------------------

    def _chunks(self) -> None:
        """Let all tiles pass over each chunk of windows."""
        b, (*outer, walk) = self.b, self.walks[: self.level + 1]
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
        count: Value | int = self._step
        if self._step < walk.windows:
            loop = b.loop(0, walk.windows, self._step)
            loop.open()
            loops.append(loop)
            start = loop.variable.value
            window, place = window + start, place + start * walk.step
            if walk.windows % self._step:
                count = b.binary("min", walk.windows - start, b.constant(self._step, I32))
        dy = b.address(self.dy, window * (self._inside * self.filters * 4))
        chunk = _Chunk(b.address(self.x, place), dy, count, count * self._inside)
        self.enter(chunk)
        with b.loop(self.first, self.end) as tile:
            self._tile(tile.value, chunk)
        for loop in reversed(loops):
            loop.close()

    def _tile(self, tile: Value, chunk: _Chunk) -> None:
        """Add the products of a chunk to the sums of a tile, which wait in memory."""
        b, waiting, vectors = self.b, self._waiting(tile), self.wide // self.b.width
        sums = [
            [b.register(b.load(self.kind, waiting, (i * vectors + j) * b.width * 4)) for j in range(vectors)]
            for i in range(self.rows)
        ]
        self.add(tile, chunk, sums)
        for i, row in enumerate(sums):
            for j, total in enumerate(row):
                b.store(waiting, total.value, (i * vectors + j) * b.width * 4)

    def walk(
        self,
        read: Sequence[Register],
        along: Register,
        step: int,
        count: Value | int,
        do: Callable[[int], None],
        level: int | None = None,
    ) -> None:
        """Do something for each window of a chunk.

        Args:
            read: addresses in what a window sees.
            along: an address that moves by the same number of bytes from each window to the next.
            step: that number.
            count: see `_Chunk`.
            do: is given the number of a window, counted on from those addresses.
            level: of the way; by default the outermost inside a chunk.
        """
        b, level = self.b, self.level if level is None else level
        way = self.walks[level]
        if level == len(self.walks) - 1:
            rounds = 2 if isinstance(count, int) and count % 2 == 0 else 1
            with b.walk(along, b.move(along.value, count * step), rounds * step, nonempty=True):
                for number in range(rounds):
                    if number:
                        b.fence(along.value)
                    do(number)
                for register in read:
                    register.value = b.move(register.value, rounds * way.step)
            return
        inner = self.walks[level + 1]
        with b.loop(0, count):
            self.walk(read, along, step, inner.windows, do, level + 1)
            for register in read:
                register.value = b.move(register.value, way.step - inner.windows * inner.step)


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
        self.groups = groups
        self._inputs = self.channels // groups
        self._columns = filters // groups
        self._depth = prod(axis.window for axis in axes) * self._inputs
        wide = min(VECTORS, -(-self._columns // target.width)) * target.width
        self.panels = -(-self._columns // wide)
        self._row_tiles = -(-self._depth // ROWS)
        # Rows that stand side by side in the image.
        run = self._inputs * (axes[-1].window if axes[-1].dilation == groups == 1 else 1)
        self.is_run = run % ROWS == 0
        tiles = groups * self._row_tiles * self.panels
        self.table = self._row_tiles * ROWS
        self.allocate(tiles, ROWS, wide, self._depth * filters, self.table + self.room(wide))

    def room(self, wide: int) -> int:
        """How many numbers are packed of a chunk."""
        return 0

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

    def enter(self, chunk: _Chunk) -> None:
        """There is nothing."""

    def _place(self, tile: Value) -> tuple[Value | int, Value, Value]:
        """The group, the tile among its rows, and the panel of its columns."""
        rows = tile / self.panels
        panel = tile - rows * self.panels
        if self.groups == 1:
            return 0, rows, panel
        group = rows / self._row_tiles
        return group, rows - group * self._row_tiles, panel

    def seen(self, group: Value | int, rows: Value, chunk: _Chunk) -> list[Register]:
        """Where the first window of a chunk sees what a tile's rows are made of: the first of them, or each."""
        b = self.b
        table = b.address(self.scratch, rows * (ROWS * 4))
        offsets = [b.load(I32, table, i * 4) + group * (self._inputs * 4) for i in range(1 if self.is_run else ROWS)]
        return [b.register(b.move(chunk.x, offset)) for offset in offsets]

    def columns_of(self, group: Value | int, panel: Value, chunk: _Chunk) -> Register:
        """Where the gradient of the first window of a chunk lies for a panel."""
        b = self.b
        return b.register(b.move(chunk.dy, panel * (self.wide * 4) + group * (self._columns * 4)))

    def add(self, tile: Value, chunk: _Chunk, sums: Sequence[Sequence[Register]]) -> None:
        b, step, filter_bytes = self.b, self.walks[-1].step, self.filters * 4
        group, rows, panel = self._place(tile)
        read, dy = self.seen(group, rows, chunk), self.columns_of(group, panel, chunk)

        def products(number: int) -> None:
            places = range(0, self.wide * 4, b.width * 4)
            loaded = [b.load(self.kind, dy.value, number * filter_bytes + at) for at in places]
            for i, row in enumerate(sums):
                at = number * step
                address, at = (read[0].value, at + i * 4) if self.is_run else (read[i].value, at)
                element = b.load_splat(self.kind, address, at)
                for total, of_dy in zip(row, loaded, strict=True):
                    total.value = b.madd(element, of_dy, total.value)

        self.walk(read, dy, filter_bytes, chunk.steps, products)

    def finish(self, tile: Value, sums: Value) -> None:
        b = self.b
        group, rows, panel = self._place(tile)
        column = panel * self.wide
        first = rows * ROWS
        left = self._depth - first
        count = b.select(left < ROWS, left, b.constant(ROWS, I32)) if self._depth % ROWS else ROWS
        place = (first * self.filters + column + group * self._columns) * 4
        read, written = b.register(sums), b.register(b.address(self.output, place))
        last = self._columns - (self.panels - 1) * self.wide

        def copy(columns: int) -> None:
            for at in range(0, columns, b.width):
                _store(b, written.value, b.load(self.kind, read.value, at * 4), at * 4, min(b.width, columns - at))

        with b.loop(0, count):
            if last == self.wide or self.panels == 1:
                copy(last)
            else:
                with b.branch(panel < self.panels - 1) as whole:
                    copy(self.wide)
                    whole.otherwise()
                    copy(last)
            read.value = b.move(read.value, self.wide * 4)
            written.value = b.move(written.value, self.filters * 4)


class _Packed(_Dense):
    """The same, over what is packed for each chunk.

    What windows see is packed for a tile's rows, `[window][row]`, when the first of the tiles that share them comes;
    their gradients are packed for each panel of columns, `[panel][window][column]`.
    """

    def room(self, wide: int) -> int:
        # The last round may take windows that are none.
        windows = self.most + ROUND
        self._rows_at = self.table * 4
        self._panel_bytes = windows * wide * 4
        of_rows = windows * ROWS + self.b.width
        self._panels_at = self._rows_at + of_rows * 4
        return of_rows + self.groups * self.panels * windows * wide

    def enter(self, chunk: _Chunk) -> None:
        """Pack the gradients of all panels."""
        b, step = self.b, self.wide * 4
        with b.loop(0, self.groups) as group, b.loop(0, self.panels) as panel:
            read = self.columns_of(group.value, panel.value, chunk)
            written = b.register(self._panel(group.value, panel.value))
            with b.walk(written, b.move(written.value, chunk.windows * step), step, nonempty=True):
                for at in range(0, step, b.width * 4):
                    b.store(written.value, b.load(self.kind, read.value, at), at)
                read.value = b.move(read.value, self.filters * 4)
            self._end(written, chunk, self.wide)

    def _panel(self, group: Value | int, panel: Value) -> Value:
        return self.b.address(self.scratch, (group * self.panels + panel) * self._panel_bytes + self._panels_at)

    def _end(self, written: Register, chunk: _Chunk, numbers: int) -> None:
        """Pack zeros for windows of a last round that are none."""
        b = self.b
        if isinstance(chunk.windows, int) and chunk.windows % ROUND == 0:
            return
        for at in range(0, (ROUND - 1) * numbers, b.width):
            b.store(written.value, b.constant(0.0, self.kind), at * 4)

    def add(self, tile: Value, chunk: _Chunk, sums: Sequence[Sequence[Register]]) -> None:
        b, step = self.b, self.wide * 4
        group, rows, panel = self._place(tile)
        with b.branch(panel.equals(0) | tile.equals(self.first)):
            self._pack(self.seen(group, rows, chunk), chunk)
        elements = b.register(b.address(self.scratch, self._rows_at))
        columns = b.register(self._panel(group, panel))
        windows = chunk.windows + (ROUND - 1)
        rounds = windows // ROUND if isinstance(windows, int) else windows / ROUND
        with b.walk(columns, b.move(columns.value, rounds * (ROUND * step)), ROUND * step, nonempty=True):
            for number in range(ROUND):
                if number:
                    b.fence(columns.value)
                loaded = [b.load(self.kind, columns.value, number * step + at) for at in range(0, step, b.width * 4)]
                for i, row in enumerate(sums):
                    element = b.load_splat(self.kind, elements.value, (number * ROWS + i) * 4)
                    for total, of_dy in zip(row, loaded, strict=True):
                        total.value = b.madd(element, of_dy, total.value)
            elements.value = b.move(elements.value, ROUND * ROWS * 4)

    def _pack(self, read: Sequence[Register], chunk: _Chunk) -> None:
        """Pack what the windows of a chunk see for a tile's rows."""
        b, step = self.b, self.walks[-1].step
        written = b.register(b.address(self.scratch, self._rows_at))

        def copy(number: int) -> None:
            at = number * ROWS * 4
            if self.is_run:
                # What is wider than the rows is written again by the next window.
                b.store(written.value, b.load(self.kind, read[0].value, number * step), at)
                return
            for i, register in enumerate(read):
                b.store(written.value, b.load(F32, register.value, number * step), at + i * 4)

        self.walk(read, written, ROWS * 4, chunk.steps, copy)
        self._end(written, chunk, ROWS)


class _Depthwise(_Sums):
    """Rows are neighbouring taps, columns are channels of image and gradient alike."""

    def __init__(self, image: Sequence[int], axes: Sequence[Axis], filters: int, target: Target) -> None:
        super().__init__(image, axes, filters, target)
        self._vectors = -(-filters // target.width)
        window = axes[-1].window
        taps = -(-window // -(-window // MOST_TAPS))
        self._runs = -(-window // taps)
        lines = prod(axis.window for axis in axes[:-1])
        self.allocate(lines * self._runs * self._vectors, taps, target.width, lines * window * filters)

    def prepare(self) -> None:
        """There is nothing."""

    def enter(self, chunk: _Chunk) -> None:
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

    def add(self, tile: Value, chunk: _Chunk, sums: Sequence[Sequence[Register]]) -> None:
        b, dilation = self.b, self.axes[-1].dilation * self.steps[-1]
        line, first, place = self._place(tile)
        offset = place * (self.wide * 4) + first * dilation
        for axis, step in zip(reversed(self.axes[:-1]), reversed(self.steps[:-1]), strict=True):
            outer = line / axis.window
            offset = offset + (line - outer * axis.window) * (axis.dilation * step)
            line = outer
        read, dy = b.register(b.move(chunk.x, offset)), b.register(b.move(chunk.dy, place * (self.wide * 4)))
        step = self.walks[-1].step

        def products(number: int) -> None:
            gradient = b.load(self.kind, dy.value, number * self.filters * 4)
            for tap, (total,) in enumerate(sums):
                seen = b.load(self.kind, read.value, number * step + tap * dilation)
                total.value = b.madd(seen, gradient, total.value)

        self.walk([read], dy, self.filters * 4, chunk.steps, products)

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
