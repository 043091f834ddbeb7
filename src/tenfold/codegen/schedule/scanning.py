"""Sums and products of what stands before each element, as loops along the axis.

* Where there are enough elements beside each other, lanes are those: several vectors of sums run along the axis.
* Else, where the axis itself lies in memory, lanes run along it. The sums within a vector take few steps, and only the
  last of them is waited for by the next vector.
* Else everything is scalar.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.loops.program import SCALARS, Program, Target, Value, vector
from tenfold.codegen.procedures import Scan
from tenfold.codegen.schedule import scalars
from tenfold.codegen.schedule.arrangement import suits, vectors_of_tile
from tenfold.codegen.schedule.body import Body, merged
from tenfold.codegen.schedule.frame import Frame, written
from tenfold.codegen.schedule.lowering import Lowering
from tenfold.codegen.schedule.storing import store

VECTORS: Final = 8
"""Vectors of sums that run along the axis: two lines of a cache, whose rows are far apart."""

AT_ONCE: Final = 2
"""Vectors along the axis whose sums are put together before those before them join."""

_COMBINE: Final = {"sum": "add", "prod": "multiply"}

Parts = tuple[Value, ...]
"""A value; the two of a complex number."""


def scan(array: Array, procedure: Scan, sources: Sequence[Array], target: Target, name: str) -> Program:
    """The program of a scan."""
    return _Scanning(array, procedure, sources, target).program(name)


class _Scanning:
    def __init__(self, array: Array, procedure: Scan, sources: Sequence[Array], target: Target) -> None:
        self._frame = Frame(array, sources, target)
        self._b = self._frame.builder
        self._scan = procedure
        self._dtype = array.dtype
        self._body = Body(procedure.body, target.slack)
        self._written = written(procedure.axes, array.dtype)
        self._along = along = procedure.axes[procedure.axis]
        if procedure.reverse and along.length > 1:
            step = self._written.terms[along.number]
            self._written.terms[along.number] = -step
            self._written.constant = step * (along.length - 1)
        self._body.merge_ranges()
        self._outer = merged(procedure.axes[: procedure.axis], self._body, [self._written])
        self._inner = merged(procedure.axes[procedure.axis + 1 :], self._body, [self._written])
        self._lowering = Lowering(self._frame.nest, self._body, self._frame.buffers)

    def program(self, name: str) -> Program:
        width, inner, along = self._b.width, self._inner, self._along
        if inner and inner[-1].length >= width and suits(inner[-1], self._body):
            most = VECTORS // 2 if self._dtype == "complex64" else VECTORS
            self._side_by_side(inner[-1], vectors_of_tile(inner[-1].length, width, most))
        elif not inner and along.length >= 2 * width and self._dtype != "complex64" and suits(along, self._body):
            self._in_vectors()
        else:
            self._side_by_side(None, 1)
        self._frame.close()
        return self._frame.program(name)

    # --- sums that run along the axis ------------------------------------------------------------------------

    def _side_by_side(self, lanes: Index | None, vectors: int) -> None:
        b, lowering, along = self._b, self._lowering, self._along
        tile: dict[int, Sequence[int]] = {}
        if lanes is not None:
            tile[lanes.number] = range(0, vectors * b.width, b.width)
        lowering.arrange(None if lanes is None else lanes.number, tile)
        axes = [(axis, vectors * b.width if axis is lanes else 1) for axis in (*self._outer, *self._inner)]
        self._frame.open_blocks(self._body, axes)
        nothing = self._nothing(1 if lanes is None else b.width)
        totals = [[b.register(part) for part in nothing] for _ in range(vectors)]
        self._frame.nest.open_loop(along.number, self._body.bit(along.number), 0, along.length)
        for place, total in zip(product(*tile.values()), totals, strict=True):
            lowering.place = dict(zip(tile, place, strict=True))
            before = tuple(register.value for register in total)
            after = self._combined(before, self._element())
            self._store(before if self._scan.exclusive else after, b.width)
            for register, part in zip(total, after, strict=True):
                register.value = part

    # --- sums in vectors along the axis ----------------------------------------------------------------------

    def _in_vectors(self) -> None:
        b, length, nest = self._b, self._along.length, self._frame.nest
        number, bit = self._along.number, self._body.bit(self._along.number)
        self._frame.open_blocks(self._body, [(axis, 1) for axis in self._outer])
        (nothing,) = self._nothing(b.width)
        # The sums so far, of which the last lane has all.
        total = b.register(nothing)
        start = 0
        for vectors in (AT_ONCE, 1):
            step = vectors * b.width
            self._lowering.arrange(number, {number: range(0, step, b.width)})
            stop = length // step * step
            if start < stop:
                nest.open_loop(number, bit, start, stop, step)
                total.value = self._vectors_after(total.value, vectors, b.width)
                nest.close()
            start = stop
        if start < length:
            nest.open_fixed({number: start}, bit)
            self._vectors_after(total.value, 1, length - start)
            nest.close()

    def _vectors_after(self, before: Value, vectors: int, lanes: int) -> Value:
        """Compute and store the sums of some vectors, given those before; the last of them."""
        b, width, number = self._b, self._b.width, self._along.number
        own: list[Value] = []
        for at in range(0, vectors * width, width):
            self._lowering.place = {number: at}
            (sums,) = self._element()
            shift = 1
            while shift < width:
                moved = b.shuffle(self._nothing(width)[0], sums, [*range(shift), *range(width, 2 * width - shift)])
                sums = self._added(moved, sums)
                shift *= 2
            own.append(self._added(self._last(own[-1]), sums) if own else sums)
        carried = self._last(before)
        for place, sums in enumerate(own):
            self._lowering.place = {number: place * width}
            after = self._added(carried, sums)
            stored = b.shuffle(before, after, range(width - 1, 2 * width - 1)) if self._scan.exclusive else after
            self._store((stored,), lanes)
            before = after
        return before

    def _last(self, sums: Value) -> Value:
        """The last lane in every lane."""
        return self._b.shuffle(sums, sums, [self._b.width - 1] * self._b.width)

    def _added(self, first: Value, second: Value) -> Value:
        return self._combined((first,), (second,))[0]

    # --- elements --------------------------------------------------------------------------------------------

    def _element(self) -> Parts:
        lowering, expression = self._lowering, self._body.expression
        value = lowering.value(expression) if lowering.lanes is None else lowering.vector(expression)
        return value if isinstance(value, tuple) else (value,)

    def _store(self, parts: Parts, lanes: int) -> None:
        store(self._lowering, self._written, (parts[0], parts[1]) if len(parts) == 2 else parts[0], lanes)

    def _combined(self, first: Parts, second: Parts) -> Parts:
        b, name = self._b, _COMBINE[self._scan.kind]
        if self._dtype != "complex64":
            return (scalars.apply(b, name, self._dtype, (first[0], second[0])),)
        found = scalars.apply_complex(b, name, ((first[0], first[1]), (second[0], second[1])))
        return found if isinstance(found, tuple) else (found,)

    def _nothing(self, lanes: int) -> Parts:
        """What the sums begin with."""
        number = scalars.neutral(self._scan.kind, self._dtype)
        if self._dtype == "complex64":
            return self._b.constant(number, vector("f32", lanes)), self._b.constant(0, vector("f32", lanes))
        return (self._b.constant(number, vector(SCALARS[self._dtype], lanes)),)
