"""Stages of definitions as loop programs.

A program computes blocks of its output, which threads may share among them. What reads and writes everything at the
same position is `flat`: its program is the same for any number of elements, a block is a vector, and the output may
take the place of an input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Final, NamedTuple

from tenfold.codegen.compute import Array, Index, Procedure, read_by
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import CONDITIONS, I32, SCALARS, Buffer, Program, Target, Value
from tenfold.codegen.procedures import Instead, Ranking, Scan, Scatter, Transform
from tenfold.codegen.schedule import ranking, scanning, scattering, transforming
from tenfold.codegen.schedule.arrangement import Arrangement, arrange, is_flat, most_vectors
from tenfold.codegen.schedule.body import Access, Body, merged
from tenfold.codegen.schedule.lowering import Lowering
from tenfold.codegen.schedule.scopes import Nest
from tenfold.codegen.schedule.segments import Segment, segments
from tenfold.codegen.schedule.splitting import in_pairs, split
from tenfold.codegen.schedule.storing import store

ENOUGH_BLOCKS: Final = 64
"""Outer loops are put together into blocks until there are so many."""

FEW_ROWS: Final = 8
"""Fewer rows than that are not what threads share: they share what stands along the lanes."""


class Scheduled(NamedTuple):
    """A stage's program.

    Attributes:
        program: reads a buffer for each source, in order, and writes the last one.
        sources: the arrays that the stage loads from.
    """

    program: Program
    sources: tuple[Array, ...]


def schedule(array: Array, target: Target, name: str = "kernel") -> Scheduled:
    """The program of the stage that computes `array`, which is not empty.

    Raises:
        ValueError: if the array is an input, or empty.
        NotImplementedError: if the stage uses what programs have no rule for, as text.
    """
    if not array.is_computed:
        raise ValueError("Only the result of a stage can be scheduled, not an input.")
    if not array.size:
        raise ValueError(f"There is nothing to compute in an array of shape {list(array.shape)}.")
    sources = tuple(read_by(array, procedures=True))
    for one in (array, *sources):
        if one.dtype not in SCALARS and one.dtype != "complex64":
            raise NotImplementedError(f"Loop programs do not compute with {one.dtype}.")
    if isinstance(array.procedure, Instead):
        array = array.procedure.array
    if array.procedure is not None:
        make = _PROCEDURES[type(array.procedure)]
        return Scheduled(make(array, array.procedure, sources, target, name), sources)
    return Scheduled(_Scheduler(array, sources, target).program(name), sources)


_PROCEDURES: Final[dict[type[Procedure], Callable[..., Program]]] = {
    Ranking: ranking.rank,
    Scan: scanning.scan,
    Scatter: scattering.scatter,
    Transform: transforming.transform,
}
"""What makes the programs of procedures."""


class _Scheduler:
    """Builds one program."""

    def __init__(self, array: Array, sources: Sequence[Array], target: Target) -> None:
        self._array = array
        self._target = target
        self._builder = Builder(target)
        self._stored_lanes = target.width
        self._output = Buffer("output", array.dtype, array.size, written=True)
        inputs = [Buffer(f"source{i}", s.dtype, s.size) for i, s in enumerate(sources)]
        self._program_buffers = [*inputs, self._output]
        self._buffers = {id(source): buffer for source, buffer in zip(sources, inputs, strict=True)}
        self._buffers[id(None)] = self._output

    def program(self, name: str) -> Program:
        b = self._builder
        begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
        blocks, flat = 0, False
        boxes = segments(self._array)
        for segment in boxes:
            written = self._written(segment)
            axes, expression = split(segment.axes, segment.body, written)
            paired = in_pairs(axes, expression, written)
            if paired is not None:
                axes, expression, written = paired
            body = Body(expression, self._target.slack)
            body.merge_ranges()
            axes = merged(axes, body, [written])
            if len(boxes) == 1 and paired is None and is_flat(axes, body, written):
                blocks, flat = self._flat(axes[0], body, written, begin, end), True
            else:
                limits = (begin, end) if len(boxes) == 1 else None
                arrangement = arrange(axes, body, self._target)
                loops = _Loops(self._nest(), arrangement)
                first, stop = limits or _limits(b, begin, end, blocks, loops.blocks)
                self._tiles(loops, body, written, first, stop)
                blocks += loops.blocks
        return b.kernel(name, self._program_buffers, [begin, end], blocks, in_place=flat)

    def _nest(self) -> Nest:
        self._builder.block = self._builder.body
        return Nest(self._builder)

    def _written(self, segment: Segment) -> Access:
        terms: dict[int, int] = {}
        position, stride = 0, 1
        for axis, start, length in zip(
            reversed(segment.axes), reversed(segment.start), reversed(self._array.shape), strict=True
        ):
            if axis.length > 1:
                terms[axis.number] = stride
            position += start * stride
            stride *= length
        return Access(None, self._array.dtype, terms, [], position)

    # --- flat programs ---------------------------------------------------------------------------------------

    def _flat(self, axis: Index, body: Body, written: Access, begin: Value, end: Value) -> int:
        """Vectors from `begin` to `end`, several at a time while there are so many."""
        width = self._builder.width
        nest = self._nest()
        lowering = Lowering(nest, body, self._buffers)
        bit = body.bit(axis.number)
        first, stop = begin * width, end * width
        vectors = 4 * CONDITIONS if body.is_logical else most_vectors(body, self._target)
        if vectors > 1:
            whole = first + (((end - begin) & -vectors) * width)
            self._flat_loop(lowering, axis, bit, written, (first, whole), vectors)
            first = whole
        self._flat_loop(lowering, axis, bit, written, (first, stop), 1)
        return -(-self._array.size // width)

    def _flat_loop(
        self, lowering: Lowering, axis: Index, bit: int, written: Access, limits: tuple[Value, Value], vectors: int
    ) -> None:
        width = self._builder.width
        self._stored_lanes = width
        lowering.arrange(axis.number, {axis.number: range(0, vectors * width, width)})
        lowering.nest.open_loop(axis.number, bit, *limits, vectors * width)
        self._compute(lowering, written)
        lowering.nest.close()

    # --- tiles -----------------------------------------------------------------------------------------------

    def _tiles(self, loops: _Loops, body: Body, written: Access, begin: Value, end: Value) -> None:
        lowering = Lowering(loops.nest, body, self._buffers)
        arrangement, width = loops.arrangement, self._builder.width
        tile: dict[int, Sequence[int]] = {}
        if arrangement.rows is not None:
            tile[arrangement.rows.number] = range(arrangement.step[arrangement.rows.number])
        if arrangement.lanes is not None:
            number = arrangement.lanes.number
            tile[number] = range(0, arrangement.step[number], width)
            self._stored_lanes = min(width, arrangement.lanes.length)
        lowering.arrange(None if arrangement.lanes is None else arrangement.lanes.number, tile)
        if arrangement.turned and arrangement.rows is not None:
            lowering.turned = arrangement.rows.number
        loops.open(body, begin, end)
        self._compute(lowering, written)
        loops.close()

    def _compute(self, lowering: Lowering, written: Access) -> None:
        """Compute and store the body at each place of the tile."""
        expression = lowering.body.expression
        if expression.dtype == "bool" and lowering.joins and written.step(lowering.lanes or 0) == 1:
            self._compute_joined(lowering, written)
            return
        for at in product(*lowering.tile.values()):
            lowering.place = dict(zip(lowering.tile, at, strict=True))
            value = lowering.value(expression) if lowering.lanes is None else lowering.vector(expression)
            store(lowering, written, value, self._stored_lanes)

    def _compute_joined(self, lowering: Lowering, written: Access) -> None:
        """The same of conditions, as many at a time as a vector holds."""
        lanes = lowering.lanes
        joined = {n: places[::CONDITIONS] if n == lanes else places for n, places in lowering.tile.items()}
        for at in product(*joined.values()):
            lowering.place = dict(zip(joined, at, strict=True))
            store(lowering, written, lowering.joined(lowering.body.expression), CONDITIONS * self._builder.width)


def _limits(b: Builder, begin: Value, end: Value, before: int, count: int) -> tuple[Value, Value]:
    """The blocks of a segment among those of all, if `before` belong to others before it."""
    first, stop = begin - before, end - before
    first = b.select(first > 0, first, b.like(first, 0))
    return first, b.select(stop < count, stop, b.like(stop, count))


class _Loops:
    """The loops over the output of a segment: first the one over blocks, then those inside a block.

    Attributes:
        nest: where they are opened.
        arrangement: which they are.
        blocks: how many blocks there are.
    """

    def __init__(self, nest: Nest, arrangement: Arrangement) -> None:
        self.nest = nest
        self.arrangement = arrangement
        axes, tiled = arrangement.axes, arrangement.step
        lanes = arrangement.lanes
        rows = prod(axis.length for axis in axes if axis is not lanes)
        if lanes is not None and rows < FEW_ROWS and len(axes) > 1 and lanes.length > tiled[lanes.number]:
            axes = [lanes, *(axis for axis in axes if axis is not lanes)]
        count = 0
        blocks = 1
        while count < len(axes) and blocks < ENOUGH_BLOCKS and axes[count].number not in tiled:
            blocks *= axes[count].length
            count += 1
        if not count and axes:
            blocks, count = -(-axes[0].length // tiled.get(axes[0].number, 1)), 1
        self.blocks = blocks
        self._shared, self._inner = axes[:count], axes[count:]

    def open(self, body: Body, begin: Value, end: Value) -> None:
        """Open all loops."""
        b = self.nest.builder
        if len(self._shared) == 1:
            (axis,) = self._shared
            step = self.arrangement.step.get(axis.number, 1)
            stop = end * step
            if axis.length % step:
                stop = b.select(stop < axis.length, stop, b.like(stop, axis.length))
            self._open(axis, body, begin * step, stop)
        else:
            self._open_blocks(body, begin, end)
        for axis in self._inner:
            self._open(axis, body, 0, axis.length)

    def _open(self, axis: Index, body: Body, start: Value | int, stop: Value | int) -> None:
        step, bit = self.arrangement.step.get(axis.number, 1), body.bit(axis.number)
        if start == 0 and step == axis.length:
            self.nest.open_fixed({axis.number: 0}, bit)
        else:
            self.nest.open_loop(axis.number, bit, start, stop, step, last=axis.length - step)

    def _open_blocks(self, body: Body, begin: Value, end: Value) -> None:
        """A loop over blocks, whose number says where along each of several axes they lie."""
        b, nest = self.nest.builder, self.nest
        rest = nest.open_blocks(begin, end)
        known: dict[int, Value | int] = {}
        bits = 0
        for axis in reversed(self._shared):
            bits |= body.bit(axis.number)
            if axis is self._shared[0]:
                known[axis.number] = rest
            else:
                length = b.like(rest, axis.length)
                known[axis.number] = b.binary("rem", rest, length)
                rest = rest / length
        nest.open_fixed(known, bits)

    def close(self) -> None:
        """Close all loops."""
        while len(self.nest.scopes) > 1:
            self.nest.close()
