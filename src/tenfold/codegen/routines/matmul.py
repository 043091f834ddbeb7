"""Products of matrices, alone or in batches, of operands that may be transposed."""

from __future__ import annotations

from typing import Final

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.program import Buffer, Target, Value
from tenfold.codegen.routines.inner_products import InnerProducts
from tenfold.codegen.routines.outer_products import AT_ONCE, CACHED_WEIGHTS, OuterProducts, part_of
from tenfold.codegen.routines.packing import Layout, Operand, inner_layout, outer_layout
from tenfold.codegen.routines.routine import Routine
from tenfold.codegen.routines.tiles import Tiles

ADDED_UP: Final = 12
"""Adding up the lanes of an inner product takes as long as so much of its depth."""

SPREAD: Final = 8
"""Spreading the elements of rows for outer products takes as long as so many columns."""

KEPT: Final = 4
"""It may cost as much as so many columns less where weights are packed anew: for outer products that is faster. Where
operations are not fused there are twice as many to hide it behind."""

WAITS: Final = 0.05
"""What outer products lose with weights that they do not find in the caches, unless that is hidden likewise."""


def matmul(
    result: Array,
    depth: int,
    left: Operand,
    target: Target,
    *,
    finished: Array | None = None,
    weights_batch: bool = False,
    layout: Layout | None = None,
    name: str = "matmul",
) -> Routine:
    """The product of a left operand and packed weights.

    Args:
        result: what is computed, `[..., rows, columns]`, or `[batch, rows, columns]` where operands are batches.
        depth: the length of the sums.
        left: where the left operand's elements lie.
        target: what for.
        finished: the epilogue; see `Output`. By default the result is stored as it is.
        weights_batch: whether there are weights for each matrix of the batch.
        layout: how weights are packed, by default as `packing` does it.
        name: of the program.

    Raises:
        NotImplementedError: if the epilogue reads an array in which the rows are not one axis.
        ValueError: if a product of this depth does not read such a layout.
    """
    prepare = _Inner if layout == inner_layout(target) else _Outer
    return prepare(result, depth, left, target, finished or result, weights_batch).routine(name)


def best_layout(depth: int, columns: int, target: Target, *, kept: bool = True) -> Layout:
    """The layout of weights that a product is fastest with, if the elements of a row lie side by side.

    Args:
        depth: the length of the sums.
        columns: of the weights.
        target: what for.
        kept: whether they are packed once, for many products.
    """
    if not target.ordered or depth % target.width:
        return outer_layout(target)
    spread, waits = SPREAD, 0.0
    if target.fused:
        spread += KEPT if kept else 0
        waits = WAITS if depth * columns * 4 > CACHED_WEIGHTS else 0.0
    return inner_layout(target) if ADDED_UP / depth <= spread / columns + waits else outer_layout(target)


class _Matmul(Tiles):
    """What both kinds of tiles have in common: rows in memory."""

    def _read(self, left: Operand) -> None:
        self._left = left
        self._a = Buffer("a", "float32", left.batch * self.matrices if left.batch else self.rows * self.depth)

    def input(self) -> Buffer:
        return self._a

    def address_of(self, row: Value, matrix: Value | int) -> Value:
        offset = row * self._left.row + matrix * self._left.batch
        return self.b.address(self._a, offset * 4)

    def reads(self) -> tuple[int, int, int]:
        rows = self.tile_rows * self.depth
        if self._left != Operand(self.depth, 1):
            return super().reads()
        # The last block begins earlier where rows are left over.
        return rows, rows if self.rows % self.tile_rows else 0, rows


class _Inner(_Matmul, InnerProducts):
    def __init__(
        self, result: Array, depth: int, left: Operand, target: Target, finished: Array, weights_batch: bool
    ) -> None:
        if left.column != 1:
            raise ValueError("Inner products are of rows whose elements lie side by side.")
        is_batch = bool(left.batch or weights_batch)
        super().__init__(result, depth, target, finished, is_batch=is_batch, weights_batch=weights_batch)
        self._read(left)

    def row_step(self) -> int:
        return self._left.row * 4


class _Outer(_Matmul, OuterProducts):
    def __init__(
        self, result: Array, depth: int, left: Operand, target: Target, finished: Array, weights_batch: bool
    ) -> None:
        super().__init__(
            result,
            depth,
            target,
            finished,
            is_batch=bool(left.batch or weights_batch),
            weights_batch=weights_batch,
            # A single row meets each element of the weights once, and waits for them whatever it does.
            is_spread=target.ordered and result.size > result.shape[-1],
            part=part_of(depth),
        )
        self._read(left)

    def step(self) -> tuple[int, int]:
        return self._left.column * 4, self._left.row * 4

    def spread(self, row: Value, rows: Value, start: Value | int, length: int) -> None:
        b, left = self.b, self._left
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
