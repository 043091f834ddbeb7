"""Tiles as inner products, of two rows and one vector of columns, for engines that need elements spread otherwise.

Lanes lie along the depth: each sum of a tile is a register whose lanes are added up at the end, so rows are read as
they are, and nothing is spread. Weights lie as `packing.inner_layout` says. All rows meet a few panels, which stay in
the first-level cache, before the next are turned to; how long rows are does not matter.

Against sums of outer products on an `ordered` target: as many loads and multiply-adds, nothing per block of rows, but
some shuffles per tile. `benchmarks.wasm_steps` shows what each product of a model reaches.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.program import Register, Target, Value
from tenfold.codegen.routines.packing import inner_layout
from tenfold.codegen.routines.tiles import Limits, Tiles
from tenfold.codegen.schedule.scopes import Nest

ROWS: Final = 2
"""Rows of a tile: with a vector of columns, eight sums."""

CACHED_WEIGHTS: Final = 1 << 14
"""Bytes of packed weights that all rows meet before the next are turned to: half of a first-level cache."""

FUSED_ROUNDS: Final = 3
PLAIN_ROUNDS: Final = 2
"""So many vectors along the depth are taken in one round of a loop, with fences between them.

With three, and the weights as first factors, Cranelift's sums come back to the registers where they began, whatever the
epilogue; with two it keeps some in memory for some epilogues. Where products and sums are apart, two are faster.
"""


class InnerProducts(Tiles):
    """Tiles that are inner products; their depth is whole vectors, and the elements of a row lie side by side."""

    def __init__(
        self, result: Array, depth: int, target: Target, finished: Array, *, is_batch: bool, weights_batch: bool
    ) -> None:
        """Prepare; for the arguments, see `Tiles`.

        Raises:
            ValueError: if sums are not whole vectors long.
        """
        if depth % target.width:
            raise ValueError(f"Sums of {depth} products are not of whole vectors of {target.width}.")
        super().__init__(
            result,
            depth,
            target,
            finished,
            layout=inner_layout(target),
            tile_rows=ROWS,
            cached_weights=CACHED_WEIGHTS,
            fewest_panels=1,
            is_batch=is_batch,
            weights_batch=weights_batch,
        )

    @abstractmethod
    def row_step(self) -> int:
        """Bytes from a row to the next."""

    def meet(self, nest: Nest, row: Value, rows: Value, weights: Value, limits: Limits) -> None:
        b = self.b
        panel = b.register(weights if limits is None else b.move(weights, limits[0] * self.panel_bytes))
        self.over_panels(nest, limits, lambda columns: self._tile(rows, panel, columns))

    def _tile(self, rows: Value, panel: Register, columns: int) -> None:
        """One tile of sums, of which the first columns are stored."""
        b = self.b
        width = b.width
        sums: list[list[Register]] = []
        for j in range(width):
            begun = b.load(self.kind, panel.value, j * width * 4)
            sums.append([b.register(begun) for _ in range(self.tile_rows)])
        panel.value = b.move(panel.value, width * width * 4)
        self._sum(sums, panel, b.register(rows))
        # Cranelift computes what is needed after the loop in this order: both sums that a vector of weights is for.
        totals = [[one.value for one in column] for column in sums]
        for i, row in enumerate(zip(*totals, strict=True)):
            self.output.store(self._added_up(row), self.place(i, 0), min(width, columns))

    def _sum(self, sums: Sequence[Sequence[Register]], panel: Register, elements: Register) -> None:
        """Add products to all sums, vector by vector along the depth."""
        b = self.b
        vector_bytes = b.width * 4
        square_bytes = b.width * vector_bytes
        vectors = self.depth // b.width
        rounds = FUSED_ROUNDS if b.target.fused else PLAIN_ROUNDS

        def add(k: int) -> None:
            seen = [
                b.load(self.kind, elements.value, k * vector_bytes + i * self.row_step()) for i in range(self.tile_rows)
            ]
            for j in range(b.width):
                weights = b.load(self.kind, panel.value, k * square_bytes + j * vector_bytes)
                for total, element in zip(sums[j], seen, strict=True):
                    total.value = b.madd(weights, element, total.value)

        self.in_rounds(panel, elements, vectors, rounds, (square_bytes, vector_bytes), add)

    def _added_up(self, sums: Sequence[Value]) -> Value:
        """The sums of the lanes of some vectors, side by side."""
        lanes = range(2 * self.b.width)
        while len(sums) > 1:
            sums = [
                self.b.shuffle(one, other, lanes[::2]) + self.b.shuffle(one, other, lanes[1::2])
                for one, other in zip(sums[::2], sums[1::2], strict=True)
            ]
        return sums[0]
