"""Products by tiles of four rows and two vectors of columns, over packed weights.

A tile keeps its sums in eight registers and takes a panel of weights row by row.

Engines differ in what keeps them from the limit of the machine. V8 does well with single elements of the rows, spread
over lanes as they are loaded. Cranelift moves arithmetic below all later loads of a loop and spills; targets that are
`ordered` read elements that were spread once for all panels, take a few rows of a panel per round, and have fences
between them (25 against 42 GFLOP/s). Larger tiles do not fit into sixteen registers then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Register, Target, Value, vector
from tenfold.codegen.routines.output import Output
from tenfold.codegen.routines.packing import packed_size, panel_columns
from tenfold.codegen.routines.routine import Routine, Walk
from tenfold.codegen.schedule.scopes import Nest

ROWS: Final = 4
"""Rows of a tile."""

LONGEST_PANEL: Final = 640
"""So many elements of a row, at most, are spread at once: they then stay in the first-level cache, or nearly."""

AT_ONCE: Final = 4
"""So many elements of each row are spread in one round of a loop."""

CACHED_WEIGHTS: Final = 1 << 20
"""Bytes of packed weights that all rows meet before the next are turned to; reading on is fast, so it may be much."""

FEWEST_PANELS: Final = 8
"""At least so many panels are met at once, as the rows are spread anew for each lot."""

FUSED_ROUNDS: Final = 3
PLAIN_ROUNDS: Final = 2
"""So many rows of a panel are taken in one round of a loop, where fences keep them apart.

With three, Cranelift's sums come back to the registers where they began; with another number of multiply-adds, or more
rows of products and sums, it runs out of registers for some epilogues and keeps a sum in memory: 42, not 22 GFLOP/s.
"""

LIGHT: Final = 4
"""Operations of an epilogue that do not make a tile run out of registers."""

FEW_ROWS: Final = 100
"""With fewer rows, threads share columns."""


Limits = tuple[Value, Value] | None
"""The first of some panels and the one after the last; None for all."""


def part_of(depth: int, unit: int = AT_ONCE) -> int:
    """How many elements of a row are spread at once: of equal parts that are short enough, in whole units."""
    units = max(1, -(-depth // unit))
    most = max(1, LONGEST_PANEL // unit)
    return -(-units // -(-units // most)) * unit


def _is_light(output: Output, row: Index | None) -> bool:
    """Whether an epilogue takes so few registers that sums need not be stored and loaded again before it."""
    if any(output.body.access_mask(access) & output.bit(row) for access in output.operands()):
        return False
    return output.body.dear <= LIGHT


class Part(NamedTuple):
    """A part of the sums that is added to all tiles of a block of rows before the next.

    Attributes:
        start: number of the first element of a row.
        length: how many elements.
        is_first: whether sums begin here.
        is_last: whether they end here.
    """

    start: Value | int
    length: int
    is_first: bool
    is_last: bool


class Tiles(ABC):
    """Products of rows and packed weights; what the rows are, subclasses know.

    Attributes:
        b: what the program is built with.
        depth: the length of the sums.
        rows: how many rows there are, of each matrix.
        tile_rows: how many of them a tile has.
        scratch: elements of a block of rows, spread over lanes: `[k][row][lanes]`; then sums that wait to be added to
            or to be finished: `[panel][row][columns]`.
        kind: the type of a vector.
    """

    def __init__(
        self,
        result: Array,
        depth: int,
        target: Target,
        finished: Array,
        *,
        is_batch: bool,
        weights_batch: bool,
        is_spread: bool,
        part: int,
    ) -> None:
        """Prepare.

        Args:
            result: what is computed: rows of columns, or `[batch, rows, columns]`.
            depth: the length of the sums.
            target: what for.
            finished: the epilogue.
            is_batch: whether the first axis counts matrices.
            weights_batch: whether each of them has weights of its own.
            is_spread: whether elements of rows are spread beforehand; else they are read where they are.
            part: how many elements of a row are spread at once.
        """
        if depth < 1:
            raise ValueError("Sums of nothing have no tiles.")
        self.b = b = Builder(target)
        self.depth = depth
        rank = result.rank
        rows = range(1 if is_batch else 0, rank - 1)
        groups = [[0], rows, [rank - 1]] if is_batch else [rows, [rank - 1]]
        self.output = Output(b, result, finished, groups)
        *outer, row, self.column = self.output.axes
        self.matrix = outer[0] if outer else None
        self.matrices = 1 if self.matrix is None else self.matrix.length
        self.row = row
        self.rows = 1 if row is None else row.length
        self.columns = result.shape[-1]
        self.tile_rows = min(ROWS, self.rows)
        self.row_blocks = -(-self.rows // self.tile_rows)
        self.wide = panel_columns(target)
        self.panels = -(-self.columns // self.wide)
        self.shares_columns = self.rows < FEW_ROWS and self.matrices == 1 and self.panels > 1
        self.panels_at_once = max(FEWEST_PANELS, CACHED_WEIGHTS // ((depth + 1) * self.wide * 4))
        of_weights = self.matrices if weights_batch else 1
        self.weights_step = packed_size(depth, self.columns, target) if weights_batch else 0
        self.weights = Buffer("weights", "float32", of_weights * packed_size(depth, self.columns, target))
        self.is_spread = is_spread
        self.part = part if is_spread else depth
        self.finishes_later = target.ordered and not _is_light(self.output, self.row)
        # Sums wait in memory of this call's own, as blocks of rows may overlap that others work at.
        self.waits = self.finishes_later or self.part < depth
        self.spread_bytes = -(-min(depth, self.part) // AT_ONCE) * AT_ONCE * self.tile_rows * b.width * 4
        self.tile_bytes = self.tile_rows * self.wide * 4
        room = self.spread_bytes if is_spread else 0
        self.waiting_at = room
        room += self.panels * self.tile_bytes if self.waits else 0
        self.scratch = Buffer("scratch", "float32", room // 4, written=True)
        self.kind = vector("f32", b.width)

    @abstractmethod
    def input(self) -> Buffer:
        """What rows are made of."""

    @abstractmethod
    def address_of(self, row: Value, matrix: Value | int) -> Value:
        """Where the first row of a block begins, as far as rows lie in memory."""

    @abstractmethod
    def spread(self, row: Value, rows: Value, start: Value | int, length: int) -> None:
        """Spread a part of the elements of a block of rows over lanes, into the scratch memory.

        Args:
            row: number of the first row.
            rows: its address.
            start: number of the first element.
            length: how many.
        """

    def step(self) -> tuple[int, int]:
        """Bytes from an element of a row to the next and from a row to the next, where rows lie in memory."""
        raise NotImplementedError("These rows are spread.")

    def routine(self, name: str) -> Routine:
        """The program."""
        b = self.b
        begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
        nest = Nest(b)
        lanes = self.column
        tile: dict[int, Sequence[int]] = {} if self.row is None else {self.row.number: range(self.tile_rows)}
        if lanes is not None:
            tile[lanes.number] = range(0, self.wide, b.width)
        self.output.begin(nest, lanes, tile)
        if self.shares_columns:
            self._row_block(nest, nest.open_blocks(0, self.row_blocks), (begin, end))
        elif self.panels_at_once < self.panels:
            panels = b.constant(self.panels, I32)
            loop = b.loop(0, panels, self.panels_at_once)
            first = nest.open(loop)
            last = first + self.panels_at_once
            limits = first, b.select(last < panels, last, panels)
            self._row_block(nest, nest.open_blocks(begin, end), limits)
        else:
            self._row_block(nest, nest.open_blocks(begin, end), None)
        while len(nest.scopes) > 1:
            nest.close()
        scratch = [self.scratch] if self.scratch.size else []
        inputs = [self.input(), self.weights]
        buffers = [*inputs, *self.output.buffers, *scratch, self.output.buffer]
        blocks = self.panels if self.shares_columns else self.matrices * self.row_blocks
        program = b.kernel(name, buffers, [begin, end], blocks, least=FEWEST_PANELS if self.shares_columns else 1)
        return Routine(
            program,
            tuple(buffer.name for buffer in inputs),
            tuple(self.output.sources),
            self.scratch.bytes if scratch else 0,
            self._walk(),
        )

    def _walk(self) -> Walk | None:
        """How blocks of rows go through the input; none where they meet the panels in lots, or are no blocks."""
        if self.shares_columns or self.panels_at_once < self.panels or self.matrices > 1:
            return None
        step, before, reach = self.reads()
        return Walk(self.tile_rows * self.columns, step, before, reach)

    def reads(self) -> tuple[int, int, int]:
        """How blocks read: the attributes of `Walk`. Unless a subclass knows better, each reads all."""
        return 0, 0, self.input().size

    def _row_block(self, nest: Nest, block: Value, limits: Limits) -> None:
        """A block of rows against some panels, or all of them."""
        b, variables, bits = self.b, {}, 0
        matrix: Value | int = 0
        if self.matrix is not None:
            matrix = block / self.row_blocks
            variables[self.matrix.number] = matrix
            bits |= self.output.bit(self.matrix)
            block = b.binary("rem", block, b.constant(self.row_blocks, I32))
        row = block * self.tile_rows
        if self.rows % self.tile_rows:
            last = b.constant(self.rows - self.tile_rows, I32)
            row = b.select(row < last, row, last)
        if self.row is not None:
            variables[self.row.number] = row
        nest.open_fixed(variables, bits | self.output.bit(self.row))
        rows = self.address_of(row, matrix)
        weights = b.address(self.weights, matrix * (self.weights_step * 4))
        for part in self._parts(nest):
            if self.is_spread:
                self.spread(row, rows, part.start, part.length)
            self._panels(nest, rows, weights, part, limits)
        if self.finishes_later:
            self._over_panels(nest, limits, self._finish)

    def _parts(self, nest: Nest) -> Iterator[Part]:
        """The parts of the sums, one after the other; those between the first and the last are a loop."""
        last = (self.depth - 1) // self.part * self.part
        if last == 0:
            yield Part(0, self.depth, True, True)
            return
        yield Part(0, self.part, True, False)
        if last > self.part:
            start = nest.open(self.b.loop(self.part, last, self.part))
            yield Part(start, self.part, False, False)
            nest.close()
        yield Part(last, self.depth - last, False, True)

    def _panels(self, nest: Nest, rows: Value, weights: Value, part: Part, limits: Limits) -> None:
        """Tiles of a block of rows, panel by panel, for a part of the sums."""
        b = self.b
        row_bytes = self.wide * 4
        panel_bytes = (self.depth + 1) * row_bytes
        at = weights if part.is_first else b.move(weights, (part.start + 1) * row_bytes)
        panel = b.register(at if limits is None else b.move(at, limits[0] * panel_bytes))
        skipped = panel_bytes - (part.length + part.is_first) * row_bytes

        def tile(columns: int, waiting: Register) -> None:
            self._tile(rows, panel, part, columns, waiting)
            if skipped:
                panel.value = b.move(panel.value, skipped)

        self._over_panels(nest, limits, tile)

    def _over_panels(self, nest: Nest, limits: Limits, do: Callable[[int, Register], None]) -> None:
        """Do something for each panel, given its columns and where sums of its tile wait."""
        b = self.b
        whole, left_over = self.columns // self.wide, self.columns % self.wide
        first: Value | int = 0
        stop: Value | int = whole * self.wide
        place: Value | int = self.waiting_at
        if limits is not None:
            begin, end = limits
            first = begin * self.wide
            stop = b.select(end < whole, end, b.constant(whole, I32)) * self.wide
            place = begin * self.tile_bytes + self.waiting_at
        waiting = b.register(b.address(self.scratch, place) if self.waits else b.address(self.output.buffer))
        bits = self.output.bit(self.column)
        if whole and self.column is not None:
            nest.open_loop(self.column.number, bits, first, stop, self.wide)
            do(self.wide, waiting)
            if self.waits:
                waiting.value = b.move(waiting.value, self.tile_bytes)
            nest.close()
        if left_over:
            if limits is not None:
                nest.open_branch(limits[1] > whole)
            nest.open_fixed({} if self.column is None else {self.column.number: whole * self.wide}, bits)
            do(left_over, waiting)
            nest.close()
            if limits is not None:
                nest.close()

    def _tile(self, rows: Value, panel: Register, part: Part, columns: int, waiting: Register) -> None:
        """One tile of sums, of which the first columns are stored."""
        b = self.b
        vectors = -(-columns // b.width)
        sums: dict[tuple[int, int], Register] = {}
        for i in range(self.tile_rows):
            for j in range(vectors):
                if not part.is_first:
                    begun = b.load(self.kind, waiting.value, self._offset(i, j))
                elif i == 0:
                    begun = b.load(self.kind, panel.value, j * b.width * 4)
                else:
                    begun = sums[0, j].value
                sums[i, j] = b.register(begun)
        if part.is_first:
            panel.value = b.move(panel.value, self.wide * 4)
        if self.is_spread:
            elements = b.register(b.address(self.scratch))
            step = self.tile_rows * b.width * 4
        else:
            elements = b.register(rows)
            step = self.step()[0]
        self._sum(sums, panel, elements, step, part.length, vectors)
        for (i, j), total in sums.items():
            if part.is_last and not self.finishes_later:
                self.output.store(total.value, self._place(i, j), min(b.width, columns - j * b.width))
            else:
                b.store(waiting.value, total.value, self._offset(i, j))

    def _finish(self, columns: int, waiting: Register) -> None:
        """Store a tile of sums that waited."""
        b = self.b
        for i in range(self.tile_rows):
            for j in range(-(-columns // b.width)):
                total = b.load(self.kind, waiting.value, self._offset(i, j))
                self.output.store(total, self._place(i, j), min(b.width, columns - j * b.width))

    def _offset(self, i: int, j: int) -> int:
        return (i * self.wide + j * self.b.width) * 4

    def _place(self, i: int, j: int) -> dict[int, int]:
        place = {} if self.row is None else {self.row.number: i}
        if self.column is not None:
            place[self.column.number] = j * self.b.width
        return place

    def _sum(
        self,
        sums: dict[tuple[int, int], Register],
        panel: Register,
        elements: Register,
        step: int,
        length: int,
        vectors: int,
    ) -> None:
        """Add products to all sums, row by row of the panel."""
        b = self.b
        rounds = (FUSED_ROUNDS if b.target.fused else PLAIN_ROUNDS) if b.target.ordered else 1
        whole = length // rounds * rounds
        row_bytes = self.wide * 4

        def add(k: int) -> None:
            loaded = [b.load(self.kind, panel.value, k * row_bytes + j * b.width * 4) for j in range(vectors)]
            for i in range(self.tile_rows):
                if self.is_spread:
                    element = b.load(self.kind, elements.value, k * step + i * b.width * 4)
                else:
                    element = b.load_splat(self.kind, elements.value, k * step + i * self.step()[1])
                for j in range(vectors):
                    sums[i, j].value = b.madd(element, loaded[j], sums[i, j].value)

        def add_some(count: int) -> None:
            for k in range(count):
                if k:
                    b.fence(panel.value)
                add(k)

        def loop(length: int, rounds: int) -> None:
            with b.walk(panel, b.move(panel.value, length * row_bytes), rounds * row_bytes, nonempty=True):
                add_some(rounds)
                elements.value = b.move(elements.value, rounds * step)

        if whole:
            loop(whole, rounds)
        if length - whole > 1:
            loop(length - whole, 1)
        elif length > whole:
            add_some(1)
            panel.value = b.move(panel.value, row_bytes)
