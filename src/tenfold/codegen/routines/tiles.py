"""Tiles of products: blocks of rows against panels of packed weights.

What is common to all of them: which blocks there are, how threads share them, in which order rows meet panels, and
where a tile is stored. How the sums of a tile are made, subclasses know; there are two ways, `outer_products` and
`inner_products`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Register, Target, Value, vector
from tenfold.codegen.routines.output import Output
from tenfold.codegen.routines.packing import Layout
from tenfold.codegen.routines.routine import Routine, Walk
from tenfold.codegen.schedule.scopes import Nest

FEW_ROWS: Final = 100
"""With fewer rows, threads share columns."""


Limits = tuple[Value, Value] | None
"""The first of some panels and the one after the last; None for all."""


class Tiles(ABC):
    """Products of rows and packed weights; what the rows are, subclasses know.

    Attributes:
        b: what the program is built with.
        depth: the length of the sums.
        rows: how many rows there are, of each matrix.
        tile_rows: how many of them a tile has.
        layout: how weights are packed.
        panels: how many panels of them there are.
        fewest_panels: at least so many are met at once.
        panels_at_once: so many panels are met by all rows before the next are turned to.
        scratch: memory of each thread's own; none, unless a subclass says so.
        kind: the type of a vector.
    """

    def __init__(
        self,
        result: Array,
        depth: int,
        target: Target,
        finished: Array,
        *,
        layout: Layout,
        tile_rows: int,
        cached_weights: int,
        fewest_panels: int,
        is_batch: bool,
        weights_batch: bool,
    ) -> None:
        """Prepare.

        Args:
            result: what is computed: rows of columns, or `[batch, rows, columns]`.
            depth: the length of the sums.
            target: what for.
            finished: the epilogue.
            layout: how weights are packed.
            tile_rows: rows of a tile, if there are as many.
            cached_weights: bytes of the panels that all rows meet before the next are turned to.
            fewest_panels: at least so many panels are met at once, as something is done anew for each lot.
            is_batch: whether the first axis counts matrices.
            weights_batch: whether each of them has weights of its own.
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
        self.tile_rows = min(tile_rows, self.rows)
        self.row_blocks = -(-self.rows // self.tile_rows)
        self.layout = layout
        self.wide = layout.wide
        self.panels = layout.panels(self.columns)
        self.panel_bytes = layout.panel_size(depth) * 4
        self.fewest_panels = fewest_panels
        self.panels_at_once = max(fewest_panels, cached_weights // self.panel_bytes)
        self.shares_columns = self.rows < FEW_ROWS and self.matrices == 1 and self.panels > 1
        self.weights_step = layout.size(depth, self.columns) if weights_batch else 0
        of_weights = self.matrices if weights_batch else 1
        self.weights = Buffer("weights", "float32", of_weights * layout.size(depth, self.columns))
        self.scratch = Buffer("scratch", "float32", 0, written=True)
        self.kind = vector("f32", b.width)

    @abstractmethod
    def input(self) -> Buffer:
        """What rows are made of."""

    @abstractmethod
    def address_of(self, row: Value, matrix: Value | int) -> Value:
        """Where the first row of a block begins, as far as rows lie in memory."""

    @abstractmethod
    def meet(self, nest: Nest, row: Value, rows: Value, weights: Value, limits: Limits) -> None:
        """Compute and store the tiles of a block of rows and some panels.

        Args:
            nest: the loops around.
            row: number of the first row.
            rows: its address.
            weights: the address of the first of all panels.
            limits: which panels.
        """

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
        limits = self._panels_at_once(nest, begin, end)
        block = nest.open_blocks(*((0, self.row_blocks) if self.shares_columns else (begin, end)))
        self._row_block(nest, block, limits)
        while len(nest.scopes) > 1:
            nest.close()
        scratch = [self.scratch] if self.scratch.size else []
        inputs = [self.input(), self.weights]
        buffers = [*inputs, *self.output.buffers, *scratch, self.output.buffer]
        blocks = self.panels if self.shares_columns else self.matrices * self.row_blocks
        program = b.kernel(name, buffers, [begin, end], blocks, least=self.fewest_panels if self.shares_columns else 1)
        return Routine(
            program,
            tuple(buffer.name for buffer in inputs),
            tuple(self.output.sources),
            self.scratch.bytes,
            self._walk(),
        )

    def _panels_at_once(self, nest: Nest, begin: Value, end: Value) -> Limits:
        """The panels that rows meet, in a loop where these are some after the others."""
        b = self.b
        first, stop = (begin, end) if self.shares_columns else (b.constant(0, I32), b.constant(self.panels, I32))
        if self.panels_at_once >= self.panels:
            return (begin, end) if self.shares_columns else None
        first = nest.open(b.loop(first, stop, self.panels_at_once))
        last = first + self.panels_at_once
        return first, b.select(last < stop, last, stop)

    def _walk(self) -> Walk | None:
        """How blocks of rows go through the input, if rows are what blocks are."""
        if self.shares_columns or self.matrices > 1:
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
        weights = b.address(self.weights, matrix * (self.weights_step * 4))
        self.meet(nest, row, self.address_of(row, matrix), weights, limits)

    def over_panels(self, nest: Nest, limits: Limits, do: Callable[[int], None]) -> None:
        """Do something for each panel, given its columns."""
        b = self.b
        whole, left_over = self.columns // self.wide, self.columns % self.wide
        first: Value | int = 0
        stop: Value | int = whole * self.wide
        if limits is not None:
            begin, end = limits
            first = begin * self.wide
            stop = b.select(end < whole, end, b.constant(whole, I32)) * self.wide
        bits = self.output.bit(self.column)
        if whole and self.column is not None:
            nest.open_loop(self.column.number, bits, first, stop, self.wide)
            do(self.wide)
            nest.close()
        if left_over:
            if limits is not None:
                nest.open_branch(limits[1] > whole)
            nest.open_fixed({} if self.column is None else {self.column.number: whole * self.wide}, bits)
            do(left_over)
            nest.close()
            if limits is not None:
                nest.close()

    def in_rounds(
        self,
        panel: Register,
        elements: Register,
        length: int,
        rounds: int,
        steps: tuple[int, int],
        add: Callable[[int], None],
    ) -> None:
        """Go through a panel and the elements it meets, several steps in a round of a loop, with fences between them.

        Args:
            panel: the address in the panel, which is moved to its end.
            elements: the address of the elements.
            length: how many steps.
            rounds: so many in a round.
            steps: bytes of a step, in the panel and along the elements.
            add: adds the products of a step, given its number in the round.
        """
        b, (panel_bytes, element_bytes) = self.b, steps
        whole = length // rounds * rounds

        def add_some(count: int) -> None:
            for k in range(count):
                if k:
                    b.fence(panel.value)
                add(k)

        def loop(length: int, rounds: int) -> None:
            with b.walk(panel, b.move(panel.value, length * panel_bytes), rounds * panel_bytes, nonempty=True):
                add_some(rounds)
                elements.value = b.move(elements.value, rounds * element_bytes)

        if whole:
            loop(whole, rounds)
        if length - whole > 1:
            loop(length - whole, 1)
        elif length > whole:
            add_some(1)
            panel.value = b.move(panel.value, panel_bytes)

    def place(self, i: int, j: int) -> dict[int, int]:
        """Where the vector `j` of row `i` of a tile belongs."""
        place = {} if self.row is None else {self.row.number: i}
        if self.column is not None:
            place[self.column.number] = j * self.b.width
        return place
