"""Sorting of rows of any length, in stages, against NumPy's stable sort."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from tenfold.codegen.compute import Array, compute, in_range, stages_of
from tenfold.codegen.evaluate import evaluate, steps
from tenfold.codegen.expr import Expr
from tenfold.codegen.sorting import SHORTEST_RUN as RUN
from tenfold.codegen.sorting import first_in_order, how_many

RNG = np.random.default_rng(19)
LENGTHS = [1, 2, 3, RUN - 1, RUN, RUN + 1, 2 * RUN, 2 * RUN + 1, 5 * RUN - 1, 255, 256, 257, 1031]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("rows", [(), (3,), (2, 0), (2, 1)])
def test_first_in_order(length: int, rows: tuple[int, ...]) -> None:
    values = RNG.integers(0, max(length // 3, 2), (*rows, length)).astype(np.int32)
    x = Array(values.shape, "int32", 0)

    want = np.argsort(values, axis=-1, kind="stable")
    for count in sorted({0, 1, min(5, length), length // 2, max(length - 1, 0), length}):
        array = first_in_order(values.shape, count, lambda *i: x[i], lambda a, b: a < b)
        assert array.dtype == "int32"
        assert np.array_equal(evaluate(array, [values]), want[..., :count])


@pytest.mark.parametrize("length", LENGTHS)
def test_short_runs(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenfold.codegen.sorting.COUNTED", 0)
    test_first_in_order(length, ())
    test_first_in_order(length, (3,))


@pytest.mark.parametrize(
    ("length", "count", "stages", "times"),
    [(100, 100, 2, 200), (1000, 5, 4, 530), (1000, 1000, 7, 1060), (1 << 17, 1 << 17, 80, 400), (1 << 17, 10, 45, 40)],
)
def test_few_stages_and_little_work(length: int, count: int, stages: int, times: int) -> None:
    x = Array([1, length], "float32", 0)
    found = stages_of(first_in_order(x.shape, count, lambda *i: x[i], lambda a, b: a < b))
    assert len(found) <= stages
    # The steps of a network that a stage takes are written out: they are counted by their comparisons.
    assert sum(max(steps(array), prod(array.shape) * comparisons(array)) for array in found) <= times * x.size


def comparisons(array: Array) -> int:
    assert array.stage is not None
    seen: dict[int, Expr] = {}

    def visit(node: Expr) -> None:
        if id(node) not in seen:
            seen[id(node)] = node
            for argument in node.arguments:
                visit(argument)

    visit(array.stage.body)
    return sum(node.function == "less" and node.arguments[0].dtype == "float32" for node in seen.values()) // 2


@pytest.mark.parametrize("most", [0, 1, 2, 3, 7, 8, 100])
def test_how_many(most: int) -> None:
    array = compute([most + 1], lambda i: how_many(most, lambda k: k <= i))
    assert evaluate(array, []).tolist() == list(range(most + 1))
    nothing = compute([3], lambda i: how_many(most, lambda k: in_range(k - 1, 0)))
    assert evaluate(nothing, []).tolist() == [0, 0, 0]
