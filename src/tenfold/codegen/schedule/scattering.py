"""Elements that are combined where their keys say: results that are nothing at first, and a loop over the elements.

Lanes run along the axes that values have for themselves. Elements with the same key are combined in order. Threads
share the rows of results; where there are few, they share columns, and each goes through all keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.loops.program import ELEMENT_BYTES, SCALARS, Program, Target, Value, vector
from tenfold.codegen.procedures import Scatter
from tenfold.codegen.schedule.arrangement import overhangs, suits
from tenfold.codegen.schedule.body import Access, Body, merged
from tenfold.codegen.schedule.frame import Frame, written
from tenfold.codegen.schedule.lowering import Lowering
from tenfold.codegen.schedule.storing import store_lanes

VECTORS: Final = 16
"""Vectors of a value that are combined without a loop."""

FEW_ROWS: Final = 8
"""Fewer rows than that are not what threads share."""

_COMBINE: Final = {"sum": "add", "any": "or"}
_NOTHING: Final = {"sum": 0, "any": False, "last": -1}


def scatter(array: Array, procedure: Scatter, sources: Sequence[Array], target: Target, name: str) -> Program:
    """The program of a scatter."""
    return _Scattering(array, procedure, sources, target).program(name)


class _Scattering:
    def __init__(self, array: Array, procedure: Scatter, sources: Sequence[Array], target: Target) -> None:
        self._frame = Frame(array, sources, target)
        self._b = self._frame.builder
        self._scatter = procedure
        self._dtype = array.dtype
        self._is_complex = array.dtype == "complex64"
        self._size = ELEMENT_BYTES[array.dtype]
        self._body = body = Body(procedure.value, target.slack)
        body.mask(procedure.key)
        body.merge_ranges()
        self._width = prod(axis.length for axis in procedure.inner)
        axes = (*procedure.rows, Index(0, procedure.count), *procedure.inner)
        terms = written(axes, array.dtype).terms
        terms.pop(0, None)
        self._written = Access(None, array.dtype, terms, [(procedure.key, self._width)], 0)
        self._rows = merged(procedure.rows, body, [self._written])
        self._inner = merged(procedure.inner, body, [self._written])
        self._lowering = Lowering(self._frame.nest, body, self._frame.buffers)

    def program(self, name: str) -> Program:
        step = VECTORS * self._b.width
        rows = [(axis, 1) for axis in self._rows]
        if self._has_columns(step):
            column = self._inner[0]
            self._frame.open_blocks(self._body, [*rows, (column, step)])
            with self._b.loop(0, self._scatter.count) as number:
                self._fill([*self._rows, column], number.value * (self._width * self._size), step)
            self._open_elements()
            self._vectors(column, step)
        else:
            self._frame.open_blocks(self._body, rows)
            self._fill(self._rows, None, self._scatter.count * self._width)
            self._combine_elements()
        self._frame.close()
        return self._frame.program(name)

    def _has_columns(self, step: int) -> bool:
        """Whether threads share columns of so many elements."""
        if len(self._inner) != 1 or self._is_complex or prod(axis.length for axis in self._rows) >= FEW_ROWS:
            return False
        (column,) = self._inner
        return column.length > step and column.length % step == 0 and suits(column, self._body)

    def _fill(self, axes: Sequence[Index], further: Value | None, count: int) -> None:
        """Make results nothing, so many from where some axes lead and some bytes further."""
        b = self._b
        terms = {axis.number: self._written.step(axis.number) for axis in axes}
        start, offset = self._lowering.address(Access(None, self._dtype, terms, [], 0))
        start = start if further is None else b.move(start, further)
        scalar, size = ("f32", 4) if self._is_complex else (SCALARS[self._dtype], self._size)
        count *= 2 if self._is_complex else 1
        whole = count // b.width * b.width
        for first, stop, lanes in ((0, whole, b.width), (whole, count, 1)):
            if first < stop:
                nothing = b.constant(_NOTHING[self._scatter.kind], vector(scalar, lanes))
                with b.loop(first, stop, lanes) as place:
                    b.store(b.move(start, place.value * size), nothing, offset)

    def _open_elements(self) -> None:
        """A loop over the elements whose keys count."""
        body, nest, element = self._body, self._frame.nest, self._scatter.element
        nest.open_loop(element.number, body.bit(element.number), 0, element.length)
        key = self._lowering.real(self._scatter.key)
        nest.open_branch((key >= 0) & (key < self._scatter.count))

    def _combine_elements(self) -> None:
        body, nest = self._body, self._frame.nest
        self._open_elements()
        for axis in self._inner[:-1]:
            nest.open_loop(axis.number, body.bit(axis.number), 0, axis.length)
        if not self._inner:
            self._combine({}, 1)
            return
        last = self._inner[-1]
        if self._is_complex or not suits(last, body) or not overhangs(last, body, self._b.width):
            nest.open_loop(last.number, body.bit(last.number), 0, last.length)
            self._combine({}, 1)
            return
        step = VECTORS * self._b.width
        whole = last.length // step * step
        if whole:
            nest.open_loop(last.number, body.bit(last.number), 0, whole, step)
            self._vectors(last, step)
            nest.close()
        if whole < last.length:
            nest.open_fixed({last.number: whole}, body.bit(last.number))
            self._vectors(last, last.length - whole)

    def _vectors(self, axis: Index, length: int) -> None:
        """Combine so many elements along an axis."""
        width = self._b.width
        places = range(0, length, width)
        self._lowering.arrange(axis.number, {axis.number: places})
        for place in places:
            self._combine({axis.number: place}, min(width, length - place))

    def _combine(self, place: dict[int, int], lanes: int) -> None:
        b, lowering = self._b, self._lowering
        if not place:
            lowering.arrange(None, {})
        lowering.place = place
        expression = self._body.expression
        value = lowering.vector(expression) if place else lowering.value(expression)
        address, offset = lowering.address(self._written)
        parts = value if isinstance(value, tuple) else (value,)
        for number, part in enumerate(parts):
            at = offset + 4 * number
            if self._scatter.kind != "last":
                found = b.load(part.type, address, at)
                part = b.binary(_COMBINE[self._scatter.kind], found, part)
            store_lanes(b, address, at, part, self._size, lanes, self._size)
