"""Loop expressions evaluated with NumPy, as plainly as possible: the reading that renderers are held against.

Every index variable is an axis of its own, and expressions are arrays that broadcast along them; a reduction takes its
axes away. Stages are computed one after the other, each in blocks of its result, so that what is held in memory stays
bounded where the ranges of its reductions are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import prod
from typing import Final

import numpy as np

from tenfold.codegen.compute import Array, Index, Stage, stages_of
from tenfold.codegen.expr import Expr
from tenfold.codegen.numpy_renderer import apply
from tenfold.core.dtypes import numpy_dtype

_REDUCE: Final = {
    "sum": np.add,
    "prod": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "any": np.logical_or,
    "all": np.logical_and,
}

BLOCK: Final = 1 << 20
"""So many combinations of index values are computed at once at most, if one element has not more."""


def evaluate(result: Array, inputs: Sequence[np.ndarray | None]) -> np.ndarray:
    """The values of what a definition computes.

    Args:
        result: what the definition returned.
        inputs: the arrays of the kernel's inputs, in order.
    """
    return evaluate_all([result], inputs)[0]


def evaluate_all(results: Sequence[Array], inputs: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """The values of several arrays that a definition computes, each stage computed once."""
    evaluator = _Evaluator(inputs)
    with np.errstate(all="ignore"):
        for array in stages_of(*results):
            evaluator.compute(array)
        return [evaluator.array(result) for result in results]


def steps(array: Array) -> int:
    """How many values the reductions of a stage combine; one for each element where there are none."""
    return prod(array.shape) * max(1, _combined(array.stage.body, {})) if array.stage else 0


def _combined(expr: Expr, done: dict[int, int]) -> int:
    """How many values the reductions in an expression combine, those inside others as often as they are computed."""
    if id(expr) in done:
        return 0
    done[id(expr)] = 0
    inside = sum(_combined(argument, done) for argument in expr.arguments)
    if expr.function != "reduce":
        return inside
    return prod(index.length for index in expr.value.ranges) * max(1, inside)


def _widest(expr: Expr, done: dict[int, int]) -> int:
    """How many combinations of values the variables have at most that a node knows besides those of the result."""
    if id(expr) not in done:
        inside = max((_widest(argument, done) for argument in expr.arguments), default=1)
        own = prod(index.length for index in expr.value.ranges) if expr.function == "reduce" else 1
        done[id(expr)] = inside * own
    return done[id(expr)]


def _inner_indices(body: Expr) -> list[Index]:
    """The variables of all reductions in an expression."""
    found: dict[int, Index] = {}
    seen, waiting = {id(body)}, [body]
    while waiting:
        node = waiting.pop()
        if node.function == "reduce":
            found.update({index.number: index for index in node.value.ranges})
        for argument in reversed(node.arguments):
            if id(argument) not in seen:
                seen.add(id(argument))
                waiting.append(argument)
    return list(found.values())


class _Evaluator:
    """The arrays that are known so far."""

    def __init__(self, inputs: Sequence[np.ndarray | None]) -> None:
        self._inputs = inputs
        self._values: dict[int, np.ndarray] = {}

    def array(self, array: Array) -> np.ndarray:
        if array.number is None:
            return self._values[id(array)]
        given = self._inputs[array.number]
        if given is None:
            raise ValueError(f"The definition reads input {array.number}, which is absent.")
        return given

    def compute(self, array: Array) -> None:
        """Compute a stage whose sources are known."""
        stage = array.stage
        if stage is None:
            raise ValueError("Only the result of a stage is computed, an input is given.")
        values = np.zeros(array.shape, numpy_dtype(array.dtype))
        inner = _inner_indices(stage.body)
        if values.size:
            for block in _blocks(array.shape, _widest(stage.body, {})):
                values[block] = _Body(self, stage, inner, block).value()
        self._values[id(array)] = values


def _blocks(shape: Sequence[int], inside: int) -> Iterator[tuple[slice, ...]]:
    """Parts of an array, as large as a block may be if each element has so many combinations inside."""
    lengths = list(shape)
    for axis, length in enumerate(shape):
        others = max(inside, 1) * prod(lengths[:axis]) * prod(lengths[axis + 1 :])
        lengths[axis] = max(1, min(length, BLOCK // others))
    starts = [range(0, total, length) for total, length in zip(shape, lengths, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(
            slice(start, min(start + length, total))
            for start, length, total in zip(corner, lengths, shape, strict=True)
        )


class _Body:
    """The evaluation of an expression in a block: an axis for each index variable, those of the result first."""

    def __init__(self, evaluator: _Evaluator, stage: Stage, inner: Sequence[Index], block: tuple[slice, ...]) -> None:
        self._evaluator = evaluator
        self._body = stage.body
        self._ranges = [range(part.start, part.stop) for part in block] + [range(index.length) for index in inner]
        self._axis = {index.number: axis for axis, index in enumerate([*stage.axes, *inner])}
        self._shape = [part.stop - part.start for part in block]
        self._done: dict[int, np.ndarray] = {}
        self._uses: dict[int, int] = {}
        self._count(stage.body)

    def value(self) -> np.ndarray:
        """The elements of the block."""
        value = self._visit(self._body)
        inner = len(self._ranges) - len(self._shape)
        return np.broadcast_to(value, (*self._shape, *(1,) * inner)).reshape(self._shape)

    def _count(self, expr: Expr) -> None:
        """Count how many nodes want a value, so that it goes when the last one had it."""
        for argument in expr.arguments:
            self._uses[id(argument)] = self._uses.get(id(argument), 0) + 1
            if self._uses[id(argument)] == 1:
                self._count(argument)

    def _visit(self, expr: Expr) -> np.ndarray:
        if id(expr) not in self._done:
            value = self._compute(expr)
            for argument in expr.arguments:
                self._uses[id(argument)] -= 1
                if not self._uses[id(argument)]:
                    self._done.pop(id(argument), None)
            self._done[id(expr)] = value
        return self._done[id(expr)]

    def _compute(self, expr: Expr) -> np.ndarray:
        if expr.function == "constant":
            return np.full((1,) * len(self._ranges), expr.value, numpy_dtype(expr.dtype))
        if expr.function == "index":
            axis = self._axis[expr.value.number]
            shape = [1] * len(self._ranges)
            shape[axis] = len(self._ranges[axis])
            return np.array(self._ranges[axis], np.int32).reshape(shape)
        if expr.function == "element":
            source = self._evaluator.array(expr.value)
            if not source.size:
                return np.zeros((1,) * len(self._ranges), source.dtype)
            at = [np.clip(self._visit(i), 0, n - 1) for i, n in zip(expr.arguments, source.shape, strict=True)]
            return source[tuple(at)] if at else source.reshape((1,) * len(self._ranges))
        if expr.function == "reduce":
            return self._reduce(expr)
        return apply(expr, [self._visit(argument) for argument in expr.arguments])

    def _reduce(self, expr: Expr) -> np.ndarray:
        kind, ranges = expr.value
        axes = tuple(self._axis[index.number] for index in ranges)
        body = self._visit(expr.arguments[0])
        extents = list(body.shape)
        for axis in axes:
            extents[axis] = len(self._ranges[axis])
        body = np.broadcast_to(body, extents)
        if kind in ("arg_min", "arg_max"):
            if not extents[axes[0]]:
                return np.zeros([1 if axis in axes else n for axis, n in enumerate(extents)], np.int32)
            passing_over_nan = np.fmin if kind == "arg_min" else np.fmax
            best = body == passing_over_nan.reduce(body, axis=axes[0], keepdims=True)
            return best.argmax(axis=axes[0], keepdims=True).astype(np.int32)
        initial = _initial(kind, body.dtype)
        reduced = _REDUCE[kind].reduce(body, axis=axes, keepdims=True, initial=initial)
        return np.asarray(reduced, numpy_dtype(expr.dtype))


def _initial(kind: str, dtype: np.dtype) -> object:
    if kind in ("sum", "prod", "any", "all"):
        return {"sum": 0, "prod": 1, "any": False, "all": True}[kind]
    if dtype.kind == "f":
        return np.inf if kind == "min" else -np.inf
    limits = np.iinfo(np.int32)
    return limits.max if kind == "min" else limits.min
