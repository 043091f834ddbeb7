"""The greatest elements of rows, by keys: integers that rise from what goes first to what goes last.

Where few are wanted, those so far stand in a sorted list. Vectors of keys are compared with the last of it, and a key
that goes before that is put where it belongs: each entry of the list stays, becomes the new one, or the one before it.

Else all keys are sorted by digits, from the lowest to the highest: those with the same digit are counted, so that each
can be put where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.loops.program import I32, Program, Target, Value, vector
from tenfold.codegen.procedures import ALIGNMENT, DIGIT_BITS, DIGITS, Ranking, aligned
from tenfold.codegen.schedule.arrangement import overhangs
from tenfold.codegen.schedule.body import Body, merged
from tenfold.codegen.schedule.frame import Frame, written
from tenfold.codegen.schedule.lowering import Lowering

_GREATEST: Final = 2**31 - 1
_LEAST: Final = -(2**31)
_OF_NAN: Final = _GREATEST - 1
"""The key of NaN: behind those of all floats."""

_BYTES: Final = 4


def rank(array: Array, procedure: Ranking, sources: Sequence[Array], target: Target, name: str) -> Program:
    """The program of a ranking."""
    return _Ranking(array, procedure, sources, target).program(name)


class _Ranking:
    def __init__(self, array: Array, procedure: Ranking, sources: Sequence[Array], target: Target) -> None:
        self._frame = Frame(array, sources, target)
        self._b = b = self._frame.builder
        self._ranking = procedure
        self._body = Body(procedure.body, target.slack)
        *rows, self._along = procedure.axes
        self._dtype = procedure.body.dtype
        if self._dtype not in ("float32", "int32"):
            raise NotImplementedError(f"Programs do not rank {self._dtype}.")
        self._body.merge_ranges()
        self._positions = written([*rows, Index(0, procedure.count)], "int32")
        self._positions.terms.pop(0, None)
        self._lowering = Lowering(self._frame.nest, self._body, self._frame.buffers)
        self._lanes = b.width if overhangs(self._along, self._body, b.width) else 1
        part, first, stop = self._frame.open_parts(procedure.rows, procedure.parts)
        self._base = b.address(self._frame.output, part * (procedure.room * _BYTES) + procedure.positions * _BYTES)
        axes = merged(rows, self._body, [self._positions])
        self._frame.open_places(self._body, [(axis, 1) for axis in axes], first, stop)

    def program(self, name: str) -> Program:
        if self._ranking.is_short:
            self._list()
        else:
            self._sort()
        self._copy()
        self._frame.close()
        return self._frame.program(name)

    def _copy(self) -> None:
        """Copy the positions that are wanted to their place."""
        b, count = self._b, self._ranking.count
        self._lowering.arrange(None, {})
        self._lowering.place = {}
        there, offset = self._lowering.address(self._positions)
        whole = count // b.width * b.width
        for first, stop, lanes in ((0, whole, b.width), (whole, count, 1)):
            if first < stop:
                with b.loop(first, stop, lanes) as place:
                    found = b.load(vector("i32", lanes), self._at(place.value))
                    b.store(b.move(there, place.value * _BYTES), found, offset)

    # --- keys ------------------------------------------------------------------------------------------------

    def _each_key(self, take: Callable[[Value, Value], None]) -> None:
        """Do something with the keys of a row, a vector at a time, and the position of the first of them."""
        number, bit = self._along.number, self._body.bit(self._along.number)
        lanes = self._lanes
        self._lowering.arrange(number if lanes > 1 else None, {number: [0]} if lanes > 1 else {})
        self._lowering.place = {number: 0}
        self._frame.nest.open_loop(number, bit, 0, self._along.length, lanes)
        expression = self._body.expression
        value = self._lowering.vector(expression) if lanes > 1 else self._lowering.real(expression)
        if isinstance(value, tuple):
            raise TypeError("Complex numbers have no order.")
        take(self._key(value), self._frame.nest.variable(number, bit))
        self._frame.nest.close()

    def _key(self, value: Value) -> Value:
        if self._dtype == "int32":
            return ~value
        # Both zeros are the same.
        bits = self._b.bits(value + 0.0)
        rising = bits ^ ((bits >> 31) & _GREATEST)
        return self._b.select(value.differs(value), _OF_NAN, ~rising)

    def _at(self, index: Value) -> Value:
        """The address of an element of the room; what else stands there lies at fixed distances from it."""
        return self._b.move(self._base, index * _BYTES)

    # --- a list ----------------------------------------------------------------------------------------------

    def _list(self) -> None:
        b, count = self._b, self._ranking.count
        self._keys = (aligned(count) + ALIGNMENT) * _BYTES
        self._waiting = (2 * aligned(count) + ALIGNMENT) * _BYTES
        self._vectors = -(-count // b.width)
        wide = vector("i32", b.width)
        with b.loop(0, self._vectors * b.width, b.width) as place:
            b.store(self._at(place.value), b.constant(_GREATEST, wide), self._keys)
        # What stands before the first entry goes before all.
        b.store(self._base, b.constant(_LEAST, wide), self._keys - b.width * _BYTES)
        self._bound = b.register(b.constant(_GREATEST, I32))
        self._each_key(self._sift)

    def _sift(self, keys: Value, start: Value) -> None:
        """Put those of some keys into the list that belong there."""
        b, count = self._b, self._ranking.count
        with b.branch(b.any(keys < self._bound.value) | (start < count)):
            b.store(self._base, keys, self._waiting)
            stop = start + self._lanes
            if self._along.length % self._lanes:
                stop = b.select(stop < self._along.length, stop, self._along.length)
            with b.loop(start, stop) as position:
                key = b.load(I32, self._at(position.value - start), self._waiting)
                with b.branch((key < self._bound.value) | (position.value < count)):
                    self._insert(key, position.value)
                    self._bound.value = b.load(I32, self._base, self._keys + (count - 1) * _BYTES)

    def _insert(self, key: Value, position: Value) -> None:
        b, wide = self._b, vector("i32", self._b.width)
        key, position = b.spread(key, b.width), b.spread(position, b.width)
        last = (self._vectors - 1) * b.width
        with b.loop(0, self._vectors) as number:
            first = last - number.value * b.width
            # Entries and those before them; so the address is that of the entry before the first.
            here = b.move(self._base, first * _BYTES - _BYTES)
            entry_before, entry = b.load(wide, here, self._keys), b.load(wide, here, self._keys + _BYTES)
            place_before, place = b.load(wide, here), b.load(wide, here, _BYTES)
            # Up to there the list is filled.
            stays = (entry <= key) & (b.spread(first, b.width) + b.iota() < position)
            enters = entry_before <= key
            entry = b.select(stays, entry, b.select(enters, key, entry_before))
            place = b.select(stays, place, b.select(enters, position, place_before))
            b.store(here, entry, self._keys + _BYTES)
            b.store(here, place, _BYTES)

    # --- sorting by digits -----------------------------------------------------------------------------------

    def _sort(self) -> None:
        b, length = self._b, self._along.length
        part = aligned(length) * _BYTES
        self._counts = 4 * part
        with b.loop(0, DIGITS << DIGIT_BITS, b.width) as place:
            b.store(self._at(place.value), b.constant(0, vector("i32", b.width)), self._counts)
        # The sign comes last in unsigned order.
        self._each_key(lambda keys, start: b.store(self._at(start), keys ^ _LEAST, part))
        with b.loop(0, length) as place:
            key = b.load(I32, self._at(place.value), part)
            for digit in range(DIGITS):
                slot = self._slot(key, digit)
                b.store(slot, b.load(I32, slot, self._counts) + 1, self._counts)
        self._sum_counts()
        for digit in range(DIGITS):
            source, into = (0, 2 * part) if digit % 2 == 0 else (2 * part, 0)
            with b.loop(0, length) as place:
                here = self._at(place.value)
                key = b.load(I32, here, source + part)
                position = b.load(I32, here, source) if digit else place.value
                slot = self._slot(key, digit)
                target = b.load(I32, slot, self._counts)
                b.store(slot, target + 1, self._counts)
                there = self._at(target)
                b.store(there, position, into)
                if digit < DIGITS - 1:
                    b.store(there, key, into + part)

    def _slot(self, key: Value, digit: int) -> Value:
        """The address of the count of keys with the same digit, less that of all counts."""
        b, most = self._b, (1 << DIGIT_BITS) - 1
        value = (b.shift("shru", key, DIGIT_BITS * digit) if digit else key) & most
        return self._at(value + (digit << DIGIT_BITS) if digit else value)

    def _sum_counts(self) -> None:
        """Let each count become that of all keys with smaller digits."""
        b = self._b
        totals = [b.register(b.constant(0, I32)) for _ in range(DIGITS)]
        with b.loop(0, 1 << DIGIT_BITS) as value:
            here = self._at(value.value)
            for digit, total in enumerate(totals):
                offset = self._counts + (digit << DIGIT_BITS) * _BYTES
                found = b.load(I32, here, offset)
                b.store(here, total.value, offset)
                total.value = total.value + found
