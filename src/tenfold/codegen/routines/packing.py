"""Weights in the layouts that tiles of products read: panels of some columns.

`[columns / 8][1 + depth][8]`, for vectors of four, where tiles are sums of outer products, and
`[columns / 4][1 + depth / 4][4][4]`, with four elements of a column side by side, where they are inner products. The
first row of a panel holds what the sums begin with. Columns that are missing in the last panel are zero. Weights that
stay the same are packed once, on the host; others by a program.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Program, Target, Value, vector
from tenfold.codegen.schedule.squares import transposed

VECTORS: Final = 2
"""Vectors of columns of a panel, where tiles are sums of outer products."""


class Layout(NamedTuple):
    """How packed weights lie: `[columns / wide][1 + depth / along][wide][along]`.

    Attributes:
        wide: columns of a panel.
        along: elements of a column that lie side by side.
    """

    wide: int
    along: int

    def panel_size(self, depth: int) -> int:
        """Elements of a panel."""
        return (depth + self.along) * self.wide

    def panels(self, columns: int) -> int:
        """How many panels there are."""
        return -(-columns // self.wide)

    def shape(self, depth: int, columns: int) -> tuple[int, int, int, int]:
        """The shape of packed weights."""
        return self.panels(columns), 1 + depth // self.along, self.wide, self.along

    def size(self, depth: int, columns: int) -> int:
        """Elements of packed weights."""
        return self.panels(columns) * self.panel_size(depth)


def outer_layout(target: Target) -> Layout:
    """What sums of outer products read."""
    return Layout(VECTORS * target.width, 1)


def inner_layout(target: Target) -> Layout:
    """What inner products read."""
    return Layout(target.width, target.width)


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


def pack(
    weights: np.ndarray, layout: Layout, bias: np.ndarray | None = None, packed: np.ndarray | None = None
) -> np.ndarray:
    """Weights in a layout, for those that stay the same.

    Args:
        weights: `[depth, columns]`.
        layout: how they are to lie.
        bias: what the sums begin with, `[columns]`; zeros if None.
        packed: where to, of the layout's shape; a new array if None.
    """
    depth, columns = weights.shape
    wide, along = layout
    if packed is None:
        packed = np.empty(layout.shape(depth, columns), np.float32)
    packed[:, 0] = 0
    if bias is not None:
        begin = np.zeros(layout.panels(columns) * wide, np.float32)
        begin[:columns] = bias
        packed[:, 0, :, 0] = begin.reshape(-1, wide)
    # [depth / along, columns, along]
    rows = np.ascontiguousarray(weights, np.float32)
    rows = rows[..., None] if along == 1 else np.stack([rows[first::along] for first in range(along)], -1)
    # NumPy moves the part of a row that belongs to a panel as one, if it does not know what it is.
    part = np.dtype(f"V{wide * along * rows.itemsize}")
    whole, rest = divmod(columns, wide)
    parts = np.ndarray((len(rows), whole), part, rows, strides=(rows.strides[0], part.itemsize))
    packed.reshape(*packed.shape[:2], -1).view(part)[:whole, 1:, 0] = parts.T
    if rest:
        packed[whole, 1:, :rest] = rows[:, whole * wide :]
        packed[whole, 1:, rest:] = 0
    return packed


def packing(
    depth: int, columns: int, source: Operand, target: Target, *, layout: Layout | None = None, batch: int = 1
) -> Program:
    """The program that packs a right operand; a block is a panel.

    Its buffers are the operand and the packed weights.

    Args:
        depth: rows of the operand.
        columns: its columns.
        source: where its elements are.
        target: what for.
        layout: how they are packed, by default for sums of outer products; the depth must be as many elements as lie
            side by side in it, or a multiple.
        batch: how many matrices there are.
    """
    b = Builder(target)
    layout = layout or outer_layout(target)
    wide, panels = layout.wide, layout.panels(columns)
    size = batch * source.batch if source.batch else depth * columns
    operand = Buffer("weights", "float32", size)
    packed = Buffer("packed", "float32", batch * layout.size(depth, columns), written=True)
    begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
    row_bytes = wide * layout.along * 4
    with b.loop(begin, end) as block:
        matrix, panel = block.value / panels, b.binary("rem", block.value, b.constant(panels, I32))
        first = b.address(operand, (matrix * source.batch + panel * (wide * source.column)) * 4)
        start = b.address(packed, block.value * (layout.panel_size(depth) * 4))
        for offset in range(0, row_bytes, b.width * 4):
            b.store(start, b.constant(0.0, vector("f32", b.width)), offset)

        def copy(count: int) -> None:
            """Copy the first columns of each row; the others are zero."""
            read, written = b.register(first), b.register(b.move(start, row_bytes))
            with b.loop(0, depth // layout.along):
                row = (
                    _row(b, read.value, count, wide, source)
                    if layout.along == 1
                    else _square(b, read.value, count, source)
                )
                for number, part in enumerate(row):
                    b.store(written.value, part, number * b.width * 4)
                read.value = b.move(read.value, layout.along * source.row * 4)
                written.value = b.move(written.value, row_bytes)

        if columns % wide:
            with b.branch(panel < panels - 1) as whole:
                copy(wide)
                whole.otherwise()
                copy(columns % wide)
        else:
            copy(wide)
    return b.kernel("pack", [operand, packed], [begin, end], batch * panels)


def _row(b: Builder, address: Value, count: int, wide: int, source: Operand) -> list[Value]:
    """A row of a panel, of which the first columns are there."""
    firsts = range(0, wide, b.width)
    return [_columns(b, address, first, max(0, min(b.width, count - first)), source.column) for first in firsts]


def _square(b: Builder, address: Value, count: int, source: Operand) -> list[Value]:
    """As many rows of a panel as a vector has lanes: of each column the elements, side by side."""
    if source.row == 1:
        kind = vector("f32", b.width)
        columns = [b.load(kind, address, column * source.column * 4) for column in range(count)]
        return columns + [b.constant(0.0, kind)] * (b.width - count)
    rows = [b.move(address, row * source.row * 4) for row in range(b.width)]
    return transposed(b, [_columns(b, row, 0, count, source.column) for row in rows])


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
