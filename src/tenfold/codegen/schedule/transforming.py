"""Fourier transforms of rows: the stages of Stockham's algorithm, as `codegen.fourier` gives them, as loops over real
and imaginary parts that lie apart.

With `stride` the product of the factors before, a stage of a factor takes its parts from places `length / factor`
apart, and leaves results `stride` apart. Lanes are neighbours within a stride, where it is that long; before, they are
the same place in neighbouring blocks. Stages of the same factor whose lanes are within strides are runs of one code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from math import cos, pi, sin
from typing import Final, NamedTuple

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.loops.program import I32, Program, Target, Value, vector
from tenfold.codegen.procedures import Transform, aligned
from tenfold.codegen.schedule.arrangement import overhangs
from tenfold.codegen.schedule.body import Body, merged
from tenfold.codegen.schedule.frame import Frame, written
from tenfold.codegen.schedule.lowering import Lowering
from tenfold.codegen.schedule.scalars import Pair
from tenfold.codegen.schedule.squares import transposed
from tenfold.codegen.schedule.storing import store_lanes

_BYTES: Final = 4


def transform(array: Array, procedure: Transform, sources: Sequence[Array], target: Target, name: str) -> Program:
    """The program of Fourier transforms."""
    return _Transforming(array, procedure, sources, target).program(name)


class _Stage(NamedTuple):
    """A stage.

    Attributes:
        factor: how many parts are combined.
        stride: the product of the factors before.
        blocks: how many blocks of strides make a part.
    """

    factor: int
    stride: int
    blocks: int


class _Transforming:
    def __init__(self, array: Array, procedure: Transform, sources: Sequence[Array], target: Target) -> None:
        self._frame = Frame(array, sources, target)
        self._b = self._frame.builder
        self._inverse = procedure.inverse
        *rows, self._along = procedure.axes
        self._length = self._along.length
        self._part = aligned(self._length) * _BYTES
        self._factors = procedure.factors
        self._body = Body(procedure.body, target.slack)
        self._body.merge_ranges()
        places = written([*rows, Index(0, array.shape[-1])], "float32")
        places.terms.pop(0, None)
        self._lowering = Lowering(self._frame.nest, self._body, self._frame.buffers)
        self._frame.open_blocks(self._body, [(axis, 1) for axis in merged(rows, self._body, [places])])
        self._base, _ = self._lowering.address(places)
        self._roots = self._b.address(self._frame.buffers[id(procedure.roots)])

    def program(self, name: str) -> Program:
        b = self._b
        here, there = self._base, b.move(self._base, 2 * self._part)
        if len(self._factors) % 2:
            here, there = there, here
        self._load(here)
        stride, stages = 1, []
        for factor in self._factors:
            stages.append(_Stage(factor, stride, self._length // (stride * factor)))
            stride *= factor
        for (is_within, _), group in groupby(stages, lambda stage: (stage.stride >= b.width, stage.factor)):
            same = list(group)
            if is_within:
                self._within_strides(same, here, there)
            else:
                for number, stage in enumerate(same):
                    self._across_strides(stage, *((there, here) if number % 2 else (here, there)))
            if len(same) % 2:
                here, there = there, here
        self._frame.close()
        return self._frame.program(name)

    def _load(self, into: Value) -> None:
        """The elements, their parts apart."""
        b, number, bit = self._b, self._along.number, self._body.bit(self._along.number)
        lanes = b.width if overhangs(self._along, self._body, b.width) else 1
        self._lowering.arrange(number if lanes > 1 else None, {number: [0]} if lanes > 1 else {})
        self._lowering.place = {number: 0}
        self._frame.nest.open_loop(number, bit, 0, self._length, lanes)
        expression = self._body.expression
        value = self._lowering.vector(expression) if lanes > 1 else self._lowering.value(expression)
        if isinstance(value, Value):
            raise TypeError("What is transformed is complex64.")
        at = b.move(into, self._frame.nest.variable(number, bit) * _BYTES)
        for part, values in enumerate(value):
            b.store(at, values, part * self._part)
        self._frame.nest.close()

    # --- stages ----------------------------------------------------------------------------------------------

    def _within_strides(self, stages: Sequence[_Stage], here: Value, there: Value) -> None:
        """Stages of one factor, whose lanes are neighbours within a stride."""
        b, (factor, stride, blocks) = self._b, stages[0]
        sources, targets = b.register(here), b.register(there)
        strides, counts = b.register(b.constant(stride, I32)), b.register(b.constant(blocks, I32))
        kind, distance = vector("f32", b.width), self._length // factor * _BYTES
        with b.loop(0, len(stages)):
            source, target, stride_now = sources.value, targets.value, strides.value
            starts = [None, *(b.move(target, stride_now * (t * _BYTES)) for t in range(1, factor))]
            with b.loop(0, counts.value) as block:
                first = block.value * stride_now
                turns = [self._turn(partial(b.load_splat, kind), first * t) for t in range(1, factor)]
                with b.loop(0, stride_now, b.width) as within:
                    place = within.value
                    if stride % b.width:
                        last = stride_now - b.width
                        place = b.select(place < last, place, last)
                    at = b.move(source, (first + place) * _BYTES)
                    parts = [
                        (b.load(kind, at, u * distance), b.load(kind, at, u * distance + self._part))
                        for u in range(factor)
                    ]
                    into = (first * factor + place) * _BYTES
                    for start, value in zip(starts, self._turned(parts, turns), strict=True):
                        to = b.move(target if start is None else start, into)
                        b.store(to, value[0])
                        b.store(to, value[1], self._part)
            sources.value, targets.value = target, source
            strides.value = stride_now * factor
            counts.value = counts.value / factor

    def _across_strides(self, stage: _Stage, source: Value, target: Value) -> None:
        """A stage whose lanes are at the same place of neighbouring blocks."""
        b, (factor, stride, blocks) = self._b, stage
        lanes = b.width if blocks >= b.width else 1
        distance = self._length // factor * _BYTES
        with b.loop(0, stride) as within, b.loop(0, blocks, lanes) as block:
            first = block.value
            if blocks % lanes:
                first = b.select(first < blocks - lanes, first, blocks - lanes)
            at = b.move(source, (first * stride + within.value) * _BYTES)

            load = partial(self._blocks, lanes)
            parts = [
                (load(stride, at, u * distance), load(stride, at, u * distance + self._part)) for u in range(factor)
            ]
            turns = [self._turn(partial(load, t * stride), first * (t * stride)) for t in range(1, factor)]
            into = b.move(target, (first * (factor * stride) + within.value) * _BYTES)
            values = self._turned(parts, turns)
            for part in (0, 1):
                self._store_blocks([value[part] for value in values], into, part * self._part, stride)

    def _blocks(self, lanes: int, step: int, at: Value, offset: int) -> Value:
        """Numbers that lie a step apart."""
        kind = vector("f32", lanes)
        if lanes == 1 or step == 1:
            return self._b.load(kind, at, offset)
        return self._b.gather(kind, [at], [offset + lane * step * _BYTES for lane in range(lanes)])

    def _store_blocks(self, values: Sequence[Value], at: Value, offset: int, stride: int) -> None:
        """Store results that lie a stride apart, for blocks as many as there are lanes."""
        b, lanes = self._b, values[0].type.lanes
        if stride == 1 and len(values) == lanes > 1:
            for lane, block in enumerate(transposed(b, values)):
                b.store(at, block, offset + lane * lanes * _BYTES)
            return
        for t, value in enumerate(values):
            place = offset + t * stride * _BYTES
            store_lanes(b, at, place, value, len(values) * stride * _BYTES, lanes, _BYTES)

    def _turn(self, load: Callable[[Value, int], Value], power: Value) -> Pair:
        """A power of the first root of unity."""
        at = self._b.move(self._roots, power * _BYTES)
        return load(at, 0), load(at, self._length * _BYTES)

    # --- arithmetic ------------------------------------------------------------------------------------------

    def _turned(self, parts: Sequence[Pair], turns: Sequence[Pair]) -> list[Pair]:
        """The transform of some parts, each turned; nothing turns the first."""
        first, *others = self._butterfly(parts)
        turned = [
            (x[0] * turn[0] - x[1] * turn[1], x[0] * turn[1] + x[1] * turn[0])
            for x, turn in zip(others, turns, strict=True)
        ]
        return [first, *turned]

    def _butterfly(self, parts: Sequence[Pair]) -> list[Pair]:
        if len(parts) == 2:
            return [_sum(*parts), _difference(*parts)]
        if len(parts) == 4:
            even, odd = _sum(parts[0], parts[2]), _sum(parts[1], parts[3])
            across = _difference(parts[0], parts[2])
            turned = self._quarter(_difference(parts[1], parts[3]))
            return [_sum(even, odd), _sum(across, turned), _difference(even, odd), _difference(across, turned)]
        return self._odd(parts)

    def _quarter(self, x: Pair) -> Pair:
        """A number turned by a quarter, in the direction of the transform."""
        return (-x[1], x[0]) if self._inverse else (x[1], -x[0])

    def _odd(self, parts: Sequence[Pair]) -> list[Pair]:
        """Results come in pairs, as parts do whose cosines are the same and whose sines are opposite."""
        b, count = self._b, len(parts)
        half = range(1, count // 2 + 1)
        sums = [_sum(parts[j], parts[count - j]) for j in half]
        differences = [_difference(parts[j], parts[count - j]) for j in half]
        total = parts[0]
        for one in sums:
            total = _sum(total, one)
        results: list[Pair] = [total] * count
        for t in half:
            along, across = list(parts[0]), []
            for side in (0, 1):
                for j, one in zip(half, sums, strict=True):
                    factor = b.like(one[side], cos(2 * pi * j * t / count))
                    along[side] = b.madd(one[side], factor, along[side])
                value = differences[0][side] * sin(2 * pi * t / count)
                for j, one in list(zip(half, differences, strict=True))[1:]:
                    value = b.madd(one[side], b.like(one[side], sin(2 * pi * j * t / count)), value)
                across.append(value)
            turned = self._quarter((across[0], across[1]))
            results[t] = _sum((along[0], along[1]), turned)
            results[count - t] = _difference((along[0], along[1]), turned)
        return results


def _sum(x: Pair, y: Pair) -> Pair:
    return x[0] + y[0], x[1] + y[1]


def _difference(x: Pair, y: Pair) -> Pair:
    return x[0] - y[0], x[1] - y[1]
