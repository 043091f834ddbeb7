"""Where the best of a long range stands first, with lanes along the range.

Several vectors are put together by single instructions, and only if something in them is better than all before are
they asked where it stands: that is seldom, as each is likelier than the next to have the best so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING, Final

from tenfold.codegen.compute import Index
from tenfold.codegen.expr import Expr
from tenfold.codegen.loops.program import I32, Value, vector
from tenfold.codegen.schedule import scalars

if TYPE_CHECKING:
    from tenfold.codegen.schedule.lowering import Lowering

VECTORS: Final = 8
"""Vectors that are put together."""

_NONE: Final = 2**31 - 1


def first_best(lowering: Lowering, expr: Expr, last: Index) -> Value:
    """The first position of the best value, 0 if all are NaN; in the innermost open scope.

    Args:
        lowering: arranged for scalars; it is that again.
        expr: the reduction, which reads what is contiguous along its range.
        last: the range, which is a vector long at least.
    """
    return _Search(lowering, expr, last).result()


class _Search:
    def __init__(self, lowering: Lowering, expr: Expr, last: Index) -> None:
        self._lowering = lowering
        self._b = b = lowering.builder
        self._element = expr.arguments[0]
        self._kind = expr.value.kind[4:]
        self._last = last
        self._is_float = self._element.dtype == "float32"
        kind = vector("f32" if self._is_float else "i32", b.width)
        self._least = b.constant(scalars.neutral(self._kind, "float32" if self._is_float else "int32"), kind)
        # Nothing is worse than the least integer, which needs no position then; NaN is worse than any number.
        self._best = b.register(b.constant(nan, kind) if self._is_float else self._least)
        self._position = b.register(b.constant(_NONE, I32))

    def result(self) -> Value:
        lowering, width, length = self._lowering, self._b.width, self._last.length
        before = lowering.arrange(self._last.number, lowering.tile)
        place = lowering.place
        start = 0
        for vectors in (VECTORS, 1):
            stop = start + (length - start) // (vectors * width) * vectors * width
            if start < stop:
                self._look(start, stop, vectors)
            start = stop
        if start < length:
            # What the last vector has in common with the one before is not better than that.
            self._look(length - width, length, 1)
        lowering.arrange(*before)
        lowering.place = place
        found = self._position.value
        return self._b.select(found < _NONE, found, 0)

    def _look(self, start: int, stop: int, vectors: int) -> None:
        """See whether there is something better in a part of the range."""
        lowering, b, nest, number = self._lowering, self._b, self._lowering.nest, self._last.number
        places = range(0, vectors * b.width, b.width)
        lowering.arrange(number, {**lowering.tile, number: places})
        bit = lowering.body.bit(number)
        if stop - start == vectors * b.width:
            nest.open_fixed({number: start}, bit)
        else:
            nest.open_loop(number, bit, start, stop, vectors * b.width)
        values, positions = [], []
        for at in places:
            lowering.place = {**lowering.place, number: at}
            values.append(self._value())
            positions.append(lowering.position(self._last))
        best = self._least
        for value in values:
            best = self._better(best, value)
        not_worse = best <= self._best.value if self._kind == "max" else best >= self._best.value
        with b.branch(b.any(~not_worse)):
            self._note(values, positions, best)
        nest.close()

    def _value(self) -> Value:
        value = self._lowering.vector(self._element)
        if isinstance(value, tuple):
            raise TypeError("Complex numbers have no order.")
        return self._b.convert(value, "i32") if self._element.dtype == "bool" else value

    def _better(self, best: Value, value: Value) -> Value:
        """The better of two; NaN is never better."""
        return self._b.binary(f"p{self._kind}" if self._is_float else self._kind, best, value)

    def _note(self, values: Sequence[Value], positions: Sequence[Value], best: Value) -> None:
        """Note the best of these vectors, and where it stands first."""
        b = self._b
        first = b.constant(_NONE, vector("i32", b.width))
        half = b.width // 2
        while half:
            best = self._better(best, b.shuffle(best, best, self._turned(half)))
            half //= 2
        for value, position in reversed(list(zip(values, positions, strict=True))):
            first = b.select(value.equals(best), position, first)
        half = b.width // 2
        while half:
            first = b.binary("min", first, b.shuffle(first, first, self._turned(half)))
            half //= 2
        found = b.lane(first, 0)
        with b.branch(found < _NONE):
            self._best.value = best
            self._position.value = found

    def _turned(self, by: int) -> list[int]:
        return [(lane + by) % self._b.width for lane in range(self._b.width)]
