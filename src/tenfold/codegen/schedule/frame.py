"""What the programs of procedures have in common: buffers, and a loop over blocks of the output."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import I32, Buffer, Program, Target, Value
from tenfold.codegen.schedule.body import Access, Body
from tenfold.codegen.schedule.scopes import Nest


class Frame:
    """A program that is being built.

    Attributes:
        builder: what it is built with.
        nest: its loops.
        output: where the result goes.
        buffers: what bodies read and write, by the ids of the arrays; for the output by that of None.
    """

    def __init__(self, array: Array, sources: Sequence[Array], target: Target) -> None:
        self.builder = b = Builder(target)
        self.nest = Nest(b)
        self.output = Buffer("output", array.dtype, array.size, written=True)
        self._inputs = [Buffer(f"source{i}", s.dtype, s.size) for i, s in enumerate(sources)]
        self.buffers = {id(source): buffer for source, buffer in zip(sources, self._inputs, strict=True)}
        self.buffers[id(None)] = self.output
        self._begin, self._end = b.parameter(I32, 0), b.parameter(I32, 1)
        self._blocks = 1

    def open_blocks(self, body: Body, axes: Sequence[tuple[Index, int]]) -> None:
        """A loop over blocks, which lie along axes in steps; the last step along an axis ends where the axis does.

        Args:
            body: what knows the axes.
            axes: from the outermost, each with the step.
        """
        self._blocks = prod(-(-axis.length // step) for axis, step in axes)
        self.open_places(body, axes, self._begin, self._end)

    def open_parts(self, count: int, parts: int) -> tuple[Value, Value, Value]:
        """A loop over parts of so many places, which are blocks.

        Args:
            count: how many places there are.
            parts: how many parts, at most one for each place.

        Returns:
            The number of the part, its first place, and the one after its last.
        """
        b = self.builder
        self._blocks = parts
        part = self.nest.open_blocks(self._begin, self._end)
        each, more = divmod(count, parts)
        # The first parts have one more, if they cannot all have as many.
        first = part * each + b.select(part < more, part, more)
        return part, first, first + b.select(part < more, b.like(part, each + 1), each)

    def open_places(self, body: Body, axes: Sequence[tuple[Index, int]], begin: Value, end: Value) -> None:
        """A loop over places along axes, as `open_blocks` numbers them."""
        b, nest = self.builder, self.nest
        counts = [-(-axis.length // step) for axis, step in axes]
        rest = nest.open_blocks(begin, end)
        known: dict[int, Value | int] = {}
        bits = 0
        for place, ((axis, step), count) in reversed(list(enumerate(zip(axes, counts, strict=True)))):
            bits |= body.bit(axis.number)
            number = b.binary("rem", rest, count) if place else rest
            rest = rest / count if place else rest
            start = number * step
            if axis.length % step:
                last = axis.length - step
                start = b.select(start < last, start, last)
            known[axis.number] = start
        nest.open_fixed(known, bits)

    def close(self) -> None:
        """Close all loops."""
        while len(self.nest.scopes) > 1:
            self.nest.close()

    def program(self, name: str) -> Program:
        """What was built."""
        return self.builder.kernel(name, [*self._inputs, self.output], [self._begin, self._end], self._blocks)


def written(axes: Sequence[Index], dtype: str) -> Access:
    """The access that writes an array whose axes have these variables."""
    terms: dict[int, int] = {}
    stride = 1
    for axis in reversed(axes):
        if axis.length > 1:
            terms[axis.number] = stride
        stride *= axis.length
    return Access(None, dtype, terms, [], 0)
