"""Reductions along axes of any length, in stages, against NumPy."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.codegen.compute import Array, compute, define
from tenfold.codegen.evaluate import evaluate
from tenfold.codegen.expr import Expr, constant, select
from tenfold.codegen.reductions import LONGEST, first_best, reduce_axes, run_length
from tenfold.core.kernel import find_kernel_definition

RNG = np.random.default_rng(5)
KINDS = {"sum": np.sum, "prod": np.prod, "min": np.min, "max": np.max, "any": np.any, "all": np.all}
SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((3,), (0,)),
    ((2, 1, 3), (1,)),
    ((1, 1), (0, 1)),
    ((0, 2000), (1,)),
    ((2, 0), (1,)),
    ((1031,), (0,)),
    ((1025, 3), (0,)),
    ((2, 2048, 1), (1, 2)),
    ((40, 2, 30), (0, 2)),
    ((3, 20, 11, 7), (0, 1, 2, 3)),
    ((1500, 2), (0, 1)),
    ((70000,), (0,)),
]


def stages_of(array: Array) -> list[Array]:
    """A stage and those that it reads."""
    found: list[Array] = []

    def visit(node: Any) -> None:
        if node.function == "element" and node.value.stage is not None and node.value not in found:
            found.append(node.value)
            visit(node.value.stage.body)
        for argument in node.arguments:
            visit(argument)

    assert array.stage is not None
    visit(array.stage.body)
    return [array, *found]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize("keep_dims", [False, True])
def test_reduce_axes(kind: str, shape: tuple[int, ...], axes: tuple[int, ...], keep_dims: bool) -> None:
    dtype = "bool" if kind in ("any", "all") else "int32"
    values = RNG.integers(0, 2, shape).astype(bool) if dtype == "bool" else RNG.integers(1, 100, shape).astype(np.int32)
    x = Array(shape, dtype, 0)
    result = reduce_axes(kind, shape, axes, lambda *i: x[i], keep_dims=keep_dims)
    got = evaluate(result, [values])
    if kind in ("min", "max") and not prod(shape):
        assert got.shape == np.sum(values, axis=axes, keepdims=keep_dims).shape
        return
    options = {"dtype": np.int32} if kind in ("sum", "prod") else {}
    want = KINDS[kind](values, axis=axes, keepdims=keep_dims, **options)
    assert got.shape == want.shape
    assert np.array_equal(got, want)


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_no_stage_combines_many_elements(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x = Array(shape, "float32", 0)
    stages = stages_of(reduce_axes("sum", shape, axes, lambda *i: x[i]))
    assert len(stages) <= 3
    for stage in stages:
        assert stage.stage is not None
        body = stage.stage.body
        assert body.function != "reduce" or prod(index.length for index in body.value.ranges) <= LONGEST


def ranges_of(expr: Expr) -> list[int]:
    """How many elements the reductions of an expression combine, each for itself."""
    own = [prod(index.length for index in expr.value.ranges)] if expr.function == "reduce" else []
    return own + [length for argument in expr.arguments for length in ranges_of(argument)]


@pytest.mark.parametrize(
    ("shape", "axes", "stages"),
    [
        ((1 << 14, 1500), (1,), 1),
        ((130, 1999, 130), (1,), 1),
        ((130, 40, 130, 50), (1, 3), 1),
        ((100, 40, 50, 60), (1, 2, 3), 3),
        ((300, 2, 2, 3000), (1, 2, 3), 2),
    ],
)
def test_many_results_have_no_parts_in_memory(shape: tuple[int, ...], axes: tuple[int, ...], stages: int) -> None:
    x = Array(shape, "float32", 0)
    for kind in ("sum", "max"):
        result = reduce_axes(kind, shape, axes, lambda *i: x[i])
        found = stages_of(result)
        assert len(found) == stages
        assert all(array.size < 1 << 20 for array in found)
        if kind == "sum":
            bodies = [array.stage.body for array in found if array.stage is not None]
            assert max(length for body in bodies for length in ranges_of(body)) <= LONGEST


@pytest.mark.parametrize("kind", ["sum", "min", "prod"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((4, 2100), (1,)), ((5, 1031), (1,)), ((3, 40, 2, 30), (1, 3)), ((2, 3, 40, 30), (1, 2, 3))],
)
def test_sums_of_sums(
    kind: str, shape: tuple[int, ...], axes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenfold.codegen.reductions.MANY", 4)
    values = RNG.integers(0, 9, shape).astype(np.int32)
    x = Array(shape, "int32", 0)
    got = evaluate(reduce_axes(kind, shape, axes, lambda *i: x[i]), [values])
    options = {} if kind == "min" else {"dtype": np.int32}
    assert np.array_equal(got, KINDS[kind](values, axis=axes, **options))


def test_the_last_stage_finishes() -> None:
    values = np.arange(2048, dtype=np.float32)
    x = Array(values.shape, "float32", 0)
    result = reduce_axes("sum", x.shape, [0], lambda *i: x[i] * 2, finish=lambda total: total / 2048)
    assert evaluate(result, [values]) == 2047


@pytest.mark.parametrize("length", [1, 2, 7, 1024, 1025, 2048, 3001])
def test_first_best(length: int) -> None:
    values = RNG.integers(0, 50, (3, length, 2)).astype(np.int32)
    x = Array(values.shape, "int32", 0)
    for kind, find in {"arg_min": np.argmin, "arg_max": np.argmax}.items():
        got = evaluate(first_best(kind, x.shape, 1, lambda *i: x[i]), [values])
        assert np.array_equal(got, find(values, axis=1))


@pytest.mark.parametrize("length", [6, 1500])
def test_nan_is_passed_over(length: int) -> None:
    x = Array([length], "float32", 0)
    for kind, worst in (("arg_max", -np.inf), ("arg_min", np.inf)):
        result = first_best(kind, [length], 0, lambda *i: x[i])
        values = np.full(length, np.nan, np.float32)
        assert evaluate(result, [values]) == 0
        values[length - 2 :] = worst
        assert evaluate(result, [values]) == length - 2


def test_runs_divide_a_length_where_they_can() -> None:
    assert run_length(1_000_000) == 1000
    assert run_length(2048) == 64
    assert run_length(1031) == 33


@pytest.mark.parametrize(("name", "find"), [("Max", np.max), ("Min", np.min)])
def test_extremes_of_bools(name: str, find: Any) -> None:
    values = np.array([[True, False], [False, False], [True, True]])
    kernel = find_kernel_definition(name)
    assert kernel is not None
    (result,) = define(kernel.definition, [(values.shape, "bool")], {"axis": (1,)}, elementwise=False)
    assert result.dtype == "bool"
    assert np.array_equal(evaluate(result, [values]), find(values, axis=1))
    assert tf.engine().run_kernel(name, [tf.tensor(values)], {"axis": (1,)}).dtype == "bool"


def test_a_constant_condition_selects_at_once() -> None:
    x = Array([3], "float32", 0)
    yes, no = constant(True, "bool"), constant(False, "bool")
    seen: list[Any] = []
    compute([3], lambda i: seen.extend([select(yes, x[i], 0), select(no, x[i], 7)]) or x[i])
    assert seen[0].function == "element"
    assert (seen[1].function, seen[1].value, seen[1].dtype) == ("constant", 7, "float32")
