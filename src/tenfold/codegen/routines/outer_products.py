"""Tiles as sums of outer products, of four rows and two vectors of columns.

A tile keeps its sums in eight registers and takes a panel of weights row by row. Lanes are columns, so elements of the
rows are spread over lanes.

Engines differ in what keeps them from the limit of the machine. V8 does well with single elements of the rows, spread
over lanes as they are loaded. Cranelift moves arithmetic below all later loads of a loop and spills; targets that are
`ordered` read elements that were spread once for all panels, take a few rows of a panel per round, and have fences
between them (25 against 42 GFLOP/s). Larger tiles do not fit into sixteen registers then.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Final, NamedTuple

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.loops.program import Buffer, Register, Target, Value
from tenfold.codegen.routines.output import Output
from tenfold.codegen.routines.packing import outer_layout
from tenfold.codegen.routines.tiles import Limits, Tiles
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


class OuterProducts(Tiles):
    """Tiles that are sums of outer products.

    Attributes:
        scratch: elements of a block of rows, spread over lanes: `[k][row][lanes]`; then sums that wait to be added to
            or to be finished: `[panel][row][columns]`.
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
        """Prepare; for the other arguments, see `Tiles`.

        Args:
            result: what is computed.
            depth: the length of the sums.
            target: what for.
            finished: the epilogue.
            is_batch: whether the first axis counts matrices.
            weights_batch: whether each of them has weights of its own.
            is_spread: whether elements of rows are spread beforehand; else they are read where they are.
            part: how many elements of a row are spread at once.
        """
        super().__init__(
            result,
            depth,
            target,
            finished,
            layout=outer_layout(target),
            tile_rows=ROWS,
            cached_weights=CACHED_WEIGHTS,
            fewest_panels=FEWEST_PANELS,
            is_batch=is_batch,
            weights_batch=weights_batch,
        )
        self.is_spread = is_spread
        self.part = part if is_spread else depth
        self.finishes_later = target.ordered and not _is_light(self.output, self.row)
        # Sums wait in memory of this call's own, as blocks of rows may overlap that others work at.
        self.waits = self.finishes_later or self.part < depth
        self.spread_bytes = -(-min(depth, self.part) // AT_ONCE) * AT_ONCE * self.tile_rows * self.b.width * 4
        self.tile_bytes = self.tile_rows * self.wide * 4
        room = self.spread_bytes if is_spread else 0
        self.waiting_at = room
        room += self.panels * self.tile_bytes if self.waits else 0
        self.scratch = Buffer("scratch", "float32", room // 4, written=True)

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

    def meet(self, nest: Nest, row: Value, rows: Value, weights: Value, limits: Limits) -> None:
        for part in self._parts(nest):
            if self.is_spread:
                self.spread(row, rows, part.start, part.length)
            self._panels(nest, rows, weights, part, limits)
        if self.finishes_later:
            self._finish(nest, limits)

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
        at = weights if part.is_first else b.move(weights, (part.start + 1) * row_bytes)
        panel = b.register(at if limits is None else b.move(at, limits[0] * self.panel_bytes))
        skipped = self.panel_bytes - (part.length + part.is_first) * row_bytes
        waiting = self._waiting(limits)

        def tile(columns: int) -> None:
            self._tile(rows, panel, part, columns, waiting)
            if skipped:
                panel.value = b.move(panel.value, skipped)
            if self.waits:
                waiting.value = b.move(waiting.value, self.tile_bytes)

        self.over_panels(nest, limits, tile)

    def _waiting(self, limits: Limits) -> Register:
        """Where the sums of the first tile wait, if any do."""
        if not self.waits:
            return self.b.register(self.b.address(self.output.buffer))
        place = self.waiting_at if limits is None else limits[0] * self.tile_bytes + self.waiting_at
        return self.b.register(self.b.address(self.scratch, place))

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
                self.output.store(total.value, self.place(i, j), min(b.width, columns - j * b.width))
            else:
                b.store(waiting.value, total.value, self._offset(i, j))

    def _finish(self, nest: Nest, limits: Limits) -> None:
        """Store the tiles whose sums waited."""
        b, waiting = self.b, self._waiting(limits)

        def tile(columns: int) -> None:
            for i in range(self.tile_rows):
                for j in range(-(-columns // b.width)):
                    total = b.load(self.kind, waiting.value, self._offset(i, j))
                    self.output.store(total, self.place(i, j), min(b.width, columns - j * b.width))
            waiting.value = b.move(waiting.value, self.tile_bytes)

        self.over_panels(nest, limits, tile)

    def _offset(self, i: int, j: int) -> int:
        return (i * self.wide + j * self.b.width) * 4

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

        self.in_rounds(panel, elements, length, rounds, (row_bytes, step), add)
