"""Weights in the layout that tiles of products read: panels of two vectors of columns.

`[columns / 8][1 + depth][8]` for vectors of four: the first row of a panel holds what the sums begin with. Columns that
are missing in the last panel are zero. Weights that stay the same are packed once, on the host; others by a program.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Program, Target, Value, vector

VECTORS: Final = 2
"""Vectors of columns of a panel."""


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
    # NumPy moves the part of a row that belongs to a panel as one, if it does not know what it is.
    parts = np.ascontiguousarray(padded.view(f"V{wide * padded.itemsize}").T)
    return parts.view(np.float32).reshape(panels, depth + 1, wide)


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
