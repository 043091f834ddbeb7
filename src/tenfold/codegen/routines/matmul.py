"""Products of matrices: tiles of four rows and two vectors of columns, over weights that are packed.

The right operand is packed into panels of two vectors of columns, `[columns / 8][1 + K][8]`, the first row of each
holding what the sums begin with. A tile keeps its sums in eight registers and takes the panel row by row.

Engines differ in what keeps them from the limit of the machine. V8 does well with single elements of the left operand,
spread over lanes as they are loaded. Cranelift moves arithmetic below all later loads of a loop and spills; targets
that are `ordered` read elements that were spread once for all panels, take two rows of a panel per round, and have a
fence between them (25 against 42 GFLOP/s).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Program, Register, Target, Value, vector
from tenfold.codegen.routines.output import Output
from tenfold.codegen.schedule.scopes import Nest

ROWS: Final = 4
"""Rows of a tile."""

VECTORS: Final = 2
"""Vectors of columns of a tile, and of a panel."""

LONGEST_PANEL: Final = 640
"""So many elements of a row are spread at once: a tile's rows then stay in the first-level cache."""

AT_ONCE: Final = 4
"""So many elements of each row are spread in one round of a loop."""

CACHED_WEIGHTS: Final = 1 << 20
"""Bytes of packed weights that all rows meet before the next are turned to; reading on is fast, so it may be much."""

FEWEST_PANELS: Final = 8
"""At least so many panels are met at once, as the rows are spread anew for each lot."""

FEW_ROWS: Final = 100
"""With fewer rows, threads share columns."""


Limits = tuple[Value, Value] | None
"""The first of some panels and the one after the last; None for all."""


class Operand(NamedTuple):
    """A matrix, or a batch of them, in memory.

    Attributes:
        row: elements from a row to the next.
        column: elements from a column to the next.
        batch: elements from a matrix to the next; 0 where all are the same.
    """

    row: int
    column: int
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Routine:
    """A program and what it is given.

    Attributes:
        program: its buffers are `inputs`, those of the epilogue's `sources`, `scratch`, and last the output.
        inputs: names of what the routine itself reads.
        sources: arrays that the epilogue reads.
        scratch: bytes of memory of its own that each call needs while it runs; 0 for none.
    """

    program: Program
    inputs: tuple[str, ...]
    sources: tuple[Array, ...]
    scratch: int


def panel_columns(target: Target) -> int:
    """Columns of a panel of packed weights."""
    return VECTORS * target.width


def packed_size(depth: int, columns: int, target: Target) -> int:
    """Elements of packed weights."""
    wide = panel_columns(target)
    return -(-columns // wide) * wide * (depth + 1)


def pack(weights: np.ndarray, target: Target, bias: np.ndarray | None = None) -> np.ndarray:
    """Weights `[K, columns]` in the layout of the routine, for those that stay the same."""
    depth, columns = weights.shape
    wide = panel_columns(target)
    panels = -(-columns // wide)
    padded = np.zeros((depth + 1, panels * wide), np.float32)
    padded[1:, :columns] = weights
    if bias is not None:
        padded[0, :columns] = bias
    return np.ascontiguousarray(padded.reshape(depth + 1, panels, wide).transpose(1, 0, 2))


def packing(depth: int, columns: int, source: Operand, target: Target, *, batch: int = 1) -> Program:
    """The program that packs a right operand; a block is a panel.

    Its buffers are the operand and the packed weights.
    """
    b = Builder(target)
    wide, width = panel_columns(target), b.width
    panels = -(-columns // wide)
    size = batch * source.batch if source.batch else depth * columns
    operand = Buffer("weights", "float32", size)
    packed = Buffer("packed", "float32", batch * packed_size(depth, columns, target), written=True)
    begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
    kind = vector("f32", width)
    with b.loop(begin, end) as block:
        matrix, panel = block.value / panels, b.binary("rem", block.value, b.constant(panels, I32))
        first = b.address(operand, (matrix * source.batch + panel * (wide * source.column)) * 4)
        start = b.address(packed, block.value * ((depth + 1) * wide * 4))
        for j in range(VECTORS):
            b.store(start, b.constant(0.0, kind), j * width * 4)

        def copy(count: int) -> None:
            """Copy the first columns of each row; the others are zero."""
            read, written = b.register(first), b.register(b.move(start, wide * 4))
            with b.loop(0, depth):
                for j in range(VECTORS):
                    lanes = max(0, min(width, count - j * width))
                    b.store(written.value, _columns(b, read.value, j * width, lanes, source.column), j * width * 4)
                read.value = b.move(read.value, source.row * 4)
                written.value = b.move(written.value, wide * 4)

        if columns % wide:
            with b.branch(panel < panels - 1) as whole:
                copy(wide)
                whole.otherwise()
                copy(columns % wide)
        else:
            copy(wide)
    return b.kernel("pack", [operand, packed], [begin, end], batch * panels)


def _columns(b: Builder, address: Value, first: int, lanes: int, step: int) -> Value:
    """Elements of neighbouring columns, zero in lanes after the first few."""
    kind = vector("f32", b.width)
    if not lanes:
        return b.constant(0.0, kind)
    if step == 1:
        loaded = b.load(kind, address, first * 4)
    else:
        last = first + lanes - 1
        loaded = b.gather(kind, [address], [min(first + lane, last) * step * 4 for lane in range(b.width)])
    if lanes == b.width:
        return loaded
    valid = b.constant([lane < lanes for lane in range(b.width)], vector("b1", b.width))
    return b.select(valid, loaded, 0.0)


def matmul(
    result: Array,
    depth: int,
    left: Operand,
    target: Target,
    *,
    finished: Array | None = None,
    weights_batch: bool = False,
    name: str = "matmul",
) -> Routine:
    """The product of a left operand and packed weights.

    Args:
        result: what is computed, `[..., rows, columns]`, or `[batch, rows, columns]` where operands are batches. At
            least two rows.
        depth: the length of the sums.
        left: where the left operand's elements lie.
        target: what for.
        finished: the epilogue; see `Output`. By default the result is stored as it is.
        weights_batch: whether there are weights for each matrix of the batch.
        name: of the program.

    Raises:
        NotImplementedError: if the epilogue reads an array in which the rows are not one axis.
    """
    return _Matmul(result, depth, left, target, finished or result, weights_batch).routine(name)


class _Matmul:
    def __init__(
        self, result: Array, depth: int, left: Operand, target: Target, finished: Array, weights_batch: bool
    ) -> None:
        self.b = b = Builder(target)
        self.depth = depth
        self.left = left
        self.is_batch = bool(left.batch or weights_batch)
        rank = result.rank
        rows = range(1 if self.is_batch else 0, rank - 1)
        groups = [[0], rows, [rank - 1]] if self.is_batch else [rows, [rank - 1]]
        self.output = Output(b, result, finished, groups)
        *outer, row, self.column = self.output.axes
        self.matrix = outer[0] if outer else None
        self.matrices = 1 if self.matrix is None else self.matrix.length
        if row is None:
            raise ValueError("A product of one row has no tiles; compute it by its definition.")
        self.row = row
        self.rows = self.row.length
        self.columns = result.shape[-1]
        self.tile_rows = min(ROWS, self.rows)
        self.row_blocks = -(-self.rows // self.tile_rows)
        self.wide = panel_columns(target)
        self.panels = -(-self.columns // self.wide)
        self.shares_columns = self.rows < FEW_ROWS and self.matrices == 1 and self.panels > 1
        self.panels_at_once = max(FEWEST_PANELS, CACHED_WEIGHTS // ((depth + 1) * self.wide * 4))
        of_weights = self.matrices if weights_batch else 1
        self.weights_step = packed_size(depth, self.columns, target) if weights_batch else 0
        lowest = left.batch * self.matrices if left.batch else self.rows * depth
        self.a = Buffer("a", "float32", lowest)
        self.weights = Buffer("weights", "float32", of_weights * packed_size(depth, self.columns, target))
        self.is_spread = target.ordered
        # Sums that go on later wait in the output.
        can_wait = self.is_spread and self.output.dtype == "float32"
        self.longest = LONGEST_PANEL if can_wait else max(depth, 1)
        room = -(-min(depth, self.longest) // AT_ONCE) * AT_ONCE
        self.scratch = Buffer("scratch", "float32", room * self.tile_rows * b.width, written=True)
        self.kind = vector("f32", b.width)

    def routine(self, name: str) -> Routine:
        b = self.b
        begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
        nest = Nest(b)
        lanes = self.column
        tile: dict[int, Sequence[int]] = {self.row.number: range(self.tile_rows)}
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
        scratch = [self.scratch] if self.is_spread else []
        buffers = [self.a, self.weights, *self.output.buffers, *scratch, self.output.buffer]
        blocks = self.panels if self.shares_columns else self.matrices * self.row_blocks
        program = b.kernel(name, buffers, [begin, end], blocks)
        return Routine(program, ("a", "weights"), tuple(self.output.sources), self.scratch.bytes if scratch else 0)

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
        variables[self.row.number] = row
        nest.open_fixed(variables, bits | self.output.bit(self.row))
        offset = row * self.left.row
        if self.matrix is not None and self.left.batch:
            offset = offset + matrix * self.left.batch
        rows = b.address(self.a, offset * 4)
        weights = b.address(self.weights, matrix * (self.weights_step * 4))
        for start in range(0, self.depth, self.longest):
            length = min(self.longest, self.depth - start)
            if self.is_spread:
                self._spread(rows, start, length)
            self._panels(nest, rows, weights, (start, length), limits)

    def _spread(self, rows: Value, start: int, length: int) -> None:
        """Spread elements of the rows over lanes, once for all panels: `[k][row][lanes]`."""
        b, left = self.b, self.left
        read = b.register(b.move(rows, start * left.column * 4))
        written = b.register(b.address(self.scratch))
        step = self.tile_rows * b.width * 4
        count = -(-length // AT_ONCE)
        with b.walk(written, b.address(self.scratch, count * AT_ONCE * step), AT_ONCE * step, nonempty=True):
            for k in range(AT_ONCE):
                for i in range(self.tile_rows):
                    element = b.load_splat(self.kind, read.value, (i * left.row + k * left.column) * 4)
                    b.store(written.value, element, k * step + i * b.width * 4)
            read.value = b.move(read.value, AT_ONCE * left.column * 4)

    def _panels(
        self,
        nest: Nest,
        rows: Value,
        weights: Value,
        part: tuple[int, int],
        limits: Limits,
    ) -> None:
        """Tiles of a block of rows, panel by panel, for a part of the sums."""
        b, (start, length) = self.b, part
        panel_bytes = (self.depth + 1) * self.wide * 4
        skipped = (start + 1) * self.wide * 4 if start else 0
        whole, left_over = self.columns // self.wide, self.columns % self.wide
        first: Value | int = 0
        stop: Value | int = whole * self.wide
        at = b.move(weights, skipped)
        if limits is not None:
            begin, end = limits
            first = begin * self.wide
            stop = b.select(end < whole, end, b.constant(whole, I32)) * self.wide
            at = b.move(at, begin * panel_bytes)
        panel = b.register(at)
        taken = (length + (0 if start else 1)) * self.wide * 4
        if whole and self.column is not None:
            nest.open_loop(self.column.number, self.output.bit(self.column), first, stop, self.wide)
            self._tile(rows, panel, part, self.wide)
            panel.value = b.move(panel.value, panel_bytes - taken) if taken != panel_bytes else panel.value
            nest.close()
        if left_over:
            if limits is not None:
                nest.open_branch(limits[1] > whole)
            bits = self.output.bit(self.column)
            nest.open_fixed({} if self.column is None else {self.column.number: whole * self.wide}, bits)
            self._tile(rows, panel, part, left_over)
            nest.close()
            if limits is not None:
                nest.close()

    def _tile(self, rows: Value, panel: Register, part: tuple[int, int], columns: int) -> None:
        """One tile of sums, of which the first columns are stored."""
        b, (start, length) = self.b, part
        vectors = -(-columns // b.width)
        places = [(i, j) for i in range(self.tile_rows) for j in range(vectors)]
        sums: dict[tuple[int, int], Register] = {}
        for i, j in places:
            if start:
                begun = self.output.loaded(self.kind, self._place(i, j))
            else:
                begun = b.load(self.kind, panel.value, j * b.width * 4) if i == 0 else sums[0, j].value
            sums[i, j] = b.register(begun)
        if not start:
            panel.value = b.move(panel.value, self.wide * 4)
        if self.is_spread:
            elements = b.register(b.address(self.scratch))
            step = self.tile_rows * b.width * 4
        else:
            elements = b.register(rows)
            step = self.left.column * 4
        self._sum(sums, panel, elements, step, length, vectors)
        is_last = start + length == self.depth
        for (i, j), total in sums.items():
            put = self.output.store if is_last else self.output.keep
            put(total.value, self._place(i, j), min(b.width, columns - j * b.width))

    def _place(self, i: int, j: int) -> dict[int, int]:
        place = {self.row.number: i}
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
        rounds = 2 if self.b.target.ordered else 1
        whole = length // rounds * rounds
        row_bytes = self.wide * 4

        def add(k: int) -> None:
            loaded = [b.load(self.kind, panel.value, k * row_bytes + j * b.width * 4) for j in range(vectors)]
            for i in range(self.tile_rows):
                if self.is_spread:
                    element = b.load(self.kind, elements.value, k * step + i * b.width * 4)
                else:
                    element = b.load_splat(self.kind, elements.value, k * step + i * self.left.row * 4)
                for j in range(vectors):
                    sums[i, j].value = b.madd(element, loaded[j], sums[i, j].value)

        if whole:
            with b.walk(panel, b.move(panel.value, whole * row_bytes), rounds * row_bytes, nonempty=True):
                for k in range(rounds):
                    if k:
                        b.fence(panel.value)
                    add(k)
                elements.value = b.move(elements.value, rounds * step)
        if length > whole:
            add(0)
            panel.value = b.move(panel.value, row_bytes)
