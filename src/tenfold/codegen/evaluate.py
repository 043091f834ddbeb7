"""Loop expressions evaluated with NumPy, as plainly as possible: the reading that renderers are held against.

Every index variable is an axis of its own, and expressions are arrays that broadcast along them; a reduction takes its
axes away. That needs memory for whole iteration spaces, so it is for tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.expr import Expr
from tenfold.codegen.numpy_renderer import apply
from tenfold.core.dtypes import numpy_dtype

_REDUCE = {
    "sum": np.add,
    "prod": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "any": np.logical_or,
    "all": np.logical_and,
}


def evaluate(result: Array, inputs: Sequence[np.ndarray | None]) -> np.ndarray:
    """The values of what a definition computes.

    Args:
        result: what the definition returned.
        inputs: the arrays of the kernel's inputs, in order.
    """
    with np.errstate(all="ignore"):
        return _Evaluator(inputs).array(result)


class _Evaluator:
    def __init__(self, inputs: Sequence[np.ndarray | None]) -> None:
        self._inputs = inputs
        self._stages: dict[int, np.ndarray] = {}

    def array(self, array: Array) -> np.ndarray:
        if array.number is not None:
            given = self._inputs[array.number]
            if given is None:
                raise ValueError(f"The definition reads input {array.number}, which is absent.")
            return given
        stage = array.stage
        if stage is None:
            raise ValueError("An array is an input or the result of a stage.")
        if id(array) not in self._stages:
            if array.size == 0:
                values = np.zeros(array.shape, numpy_dtype(array.dtype))
            else:
                body = _Body(self, stage.axes, stage.body)
                values = np.broadcast_to(body.value, body.extents(len(stage.axes))).reshape(array.shape)
            self._stages[id(array)] = np.ascontiguousarray(values).reshape(array.shape)
        return self._stages[id(array)]


class _Body:
    """The evaluation of one expression: an axis for each index variable, output axes first."""

    def __init__(self, evaluator: _Evaluator, axes: tuple[Index, ...], body: Expr) -> None:
        self._evaluator = evaluator
        self._variables: dict[int, int] = {}
        self._lengths: list[int] = []
        self._done: dict[int, np.ndarray] = {}
        for axis in axes:
            self._declare(axis)
        self._declare_inside(body, set())
        self.value = self._visit(body)

    def extents(self, outputs: int) -> tuple[int, ...]:
        """The shape of the result, with axes of length 1 for the variables of reductions."""
        return tuple(self._lengths[:outputs]) + (1,) * (len(self._lengths) - outputs)

    def _declare(self, index: Index) -> None:
        self._variables[index.number] = len(self._lengths)
        self._lengths.append(index.length)

    def _declare_inside(self, expr: Expr, seen: set[int]) -> None:
        if id(expr) in seen:
            return
        seen.add(id(expr))
        if expr.function == "reduce":
            for index in expr.value.ranges:
                if index.number not in self._variables:
                    self._declare(index)
        for argument in expr.arguments:
            self._declare_inside(argument, seen)

    def _visit(self, expr: Expr) -> np.ndarray:
        if id(expr) not in self._done:
            self._done[id(expr)] = self._compute(expr)
        return self._done[id(expr)]

    def _compute(self, expr: Expr) -> np.ndarray:
        if expr.function == "constant":
            return np.full((1,) * len(self._lengths), expr.value, numpy_dtype(expr.dtype))
        if expr.function == "index":
            shape = [1] * len(self._lengths)
            shape[self._variables[expr.value.number]] = expr.value.length
            return np.arange(expr.value.length, dtype=np.int32).reshape(shape)
        if expr.function == "element":
            source = self._evaluator.array(expr.value)
            if not source.size:
                return np.zeros((1,) * len(self._lengths), source.dtype)
            at = [np.clip(self._visit(i), 0, n - 1) for i, n in zip(expr.arguments, source.shape, strict=True)]
            return source[tuple(at)] if at else source.reshape((1,) * len(self._lengths))
        if expr.function == "reduce":
            return self._reduce(expr)
        return apply(expr, [self._visit(argument) for argument in expr.arguments])

    def _reduce(self, expr: Expr) -> np.ndarray:
        kind, ranges = expr.value
        axes = tuple(self._variables[index.number] for index in ranges)
        body = self._visit(expr.arguments[0])
        extents = list(body.shape)
        for axis in axes:
            extents[axis] = self._lengths[axis]
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
