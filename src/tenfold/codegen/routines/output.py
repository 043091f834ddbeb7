"""What a routine stores: its values after an epilogue, a scalar expression that other arrays may take part in.

The epilogue is a stage that loads the routine's result at its own indices, as `codegen.fusing.with_stages` makes it.
The result itself is in no memory: where the stage loads it, the routine gives the value that it has in a register.
"""

from __future__ import annotations

from collections.abc import Sequence

from tenfold.codegen.compute import Array, Index, compute, loaded_arrays
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import Buffer, Value
from tenfold.codegen.schedule.body import GIVEN, Access, Body, merged
from tenfold.codegen.schedule.lowering import Lowering
from tenfold.codegen.schedule.scopes import Nest


class Output:
    """The output of a routine.

    Attributes:
        axes: a variable for each group of the result's axes; None where a group is one element long.
        buffer: where values are stored.
        sources: other arrays that the epilogue reads.
        buffers: theirs, in order.
        body: what is known of the epilogue.
    """

    def __init__(self, builder: Builder, result: Array, finished: Array, groups: Sequence[Sequence[int]]) -> None:
        """Prepare to store.

        Args:
            builder: what the program is built with.
            result: what the routine computes; it stands for values in registers.
            finished: the result itself, or a stage that loads it at its own indices.
            groups: numbers of the result's axes that the routine walks through as one, from the outermost.

        Raises:
            NotImplementedError: if the epilogue reads an array in which such axes are not one.
        """
        if finished is result:
            finished = compute(result.shape, lambda *i: result[i])
        if finished.stage is None or finished.shape != result.shape:
            raise ValueError("An epilogue is a stage of the shape of the routine's result.")
        self._result = result
        self.body = Body(finished.stage.body, builder.target.slack, result)
        self.buffer = Buffer("output", finished.dtype, finished.size, written=True)
        self.sources = [array for array in loaded_arrays(finished.stage.body) if array is not result]
        self.buffers = [Buffer(f"operand{i}", a.dtype, a.size) for i, a in enumerate(self.sources)]
        self._written = self._access(finished.stage.axes, finished.shape)
        self.axes = [self._axis([finished.stage.axes[axis] for axis in group]) for group in groups]

    def _access(self, axes: Sequence[Index], shape: Sequence[int]) -> Access:
        terms: dict[int, int] = {}
        stride = 1
        for axis, length in zip(reversed(axes), reversed(shape), strict=True):
            if length > 1:
                terms[axis.number] = stride
            stride *= length
        return Access(None, self.buffer.dtype, terms, [], 0)

    def _axis(self, axes: Sequence[Index]) -> Index | None:
        together = merged(axes, self.body, [self._written])
        if len(together) > 1:
            raise NotImplementedError("The epilogue reads an array in which the rows of the routine are not one axis.")
        return together[0] if together else None

    def bit(self, axis: Index | None) -> int:
        """The set of an axis's variable."""
        return 0 if axis is None else self.body.bit(axis.number)

    def operands(self) -> list[Access]:
        """The epilogue's loads from other arrays."""
        return [access for access in self.body.accesses.values() if access.array is not self._result]

    def begin(self, nest: Nest, lanes: Index | None, tile: dict[int, Sequence[int]]) -> None:
        """Say where loops are opened, which axis lies along the lanes, and what is stored at once."""
        buffers = {id(source): buffer for source, buffer in zip(self.sources, self.buffers, strict=True)}
        buffers[id(None)] = self.buffer
        self._nest = nest
        self._lowering = Lowering(nest, self.body, buffers)
        self._lowering.arrange(None if lanes is None else lanes.number, tile)
        self._lowering.given[id(self._result)] = lambda: self._value

    def store(self, value: Value, place: dict[int, int], lanes: int | None = None) -> None:
        """Store a value of the result.

        Args:
            value: a vector, or a scalar.
            place: where it belongs in the tile.
            lanes: how many lanes of it count; all by default.
        """
        b = self._lowering.builder
        self._lowering.place = place
        self._value = value
        # What is made of the value belongs to this store alone, even where the result has no axes.
        self._nest.open_fixed({}, self.body.bit(GIVEN))
        finished = self._lowering.vector(self.body.expression)
        self._nest.close()
        if isinstance(finished, tuple):
            raise NotImplementedError("Routines do not store complex numbers.")
        address, offset = self._lowering.address(self._written)
        if lanes is None or lanes == finished.type.lanes:
            b.store(address, finished, offset)
            return
        for lane in range(lanes):
            b.store(address, b.lane(finished, lane), offset + lane * self._written.size)
