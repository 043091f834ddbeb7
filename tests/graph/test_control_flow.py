"""Loops and branches, interpreted and as programs, on the same graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.tensor import Tensor
from tenfold.graph.graph import Graph, Ref
from tenfold.graph.interpreter import interpret
from tenfold.graph.program import Program
from tests.graph.builder import GraphBuilder, tensor

Run = Callable[[Graph, Mapping[str, Tensor]], list[Any]]


def by_program(graph: Graph, feeds: Mapping[str, Tensor]) -> list[Any]:
    """Three runs of one program: patient parts are interpreted first and compiled then."""
    program = Program(graph)
    runs = [[y.array_sync() for y in program.run(feeds)] for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    return runs[0]


def by_interpreter(graph: Graph, feeds: Mapping[str, Tensor]) -> list[Any]:
    return [y.array_sync() for y in interpret(graph, feeds)]


@pytest.fixture(params=[by_interpreter, by_program])
def run(request: pytest.FixtureRequest) -> Run:
    function: Run = request.param
    return function


def less_than(limit: str = "n") -> Graph:
    """cond(i, y, n): i < n"""
    b = GraphBuilder()
    i, _, n = b.input("i"), b.input("y"), b.input("n")
    return b.graph(b.add("Less", i, n))


def doubling() -> Graph:
    """body(i, y, n): (i + 1, y * 2, n)"""
    b = GraphBuilder()
    i, y, n = b.input("i"), b.input("y"), b.input("n")
    return b.graph(b.add("Add", i, b.constant(1)), b.add("Multiply", y, b.constant(2.0)), n)


def power_loop(limit: int | None) -> Graph:
    """2 ** n * x, by a loop; the limit is an input, or a constant."""
    b = GraphBuilder()
    n = b.input("n") if limit is None else b.constant(limit)
    loop = b.add("While", b.constant(0), b.input("x"), n, outputs=3, name="loop", cond=less_than(), body=doubling())
    return b.graph(b.add("Neg", Ref(loop.node, 1)), Ref(loop.node, 0), Ref(loop.node, 2))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_loop(run: Run, count: int) -> None:
    result = run(power_loop(None), {"x": tensor([1.0, 3.0]), "n": tensor(count)})
    assert result == [[-(2.0**count), -3 * 2.0**count], count, count]


@pytest.mark.parametrize("count", [0, 3])
def test_loop_with_a_constant_limit(run: Run, count: int) -> None:
    assert run(power_loop(count), {"x": tensor(1.0)}) == [-(2.0**count), count, count]


def test_nested_loops(run: Run) -> None:
    """The sum over i < 3 of the sum over j < i of 1.5 is 4.5."""
    inner_cond = less_than()
    b = GraphBuilder()
    j, s, i = b.input("j"), b.input("s"), b.input("i")
    inner_body = b.graph(b.add("Add", j, b.constant(1)), b.add("Add", s, b.constant(1.5)), i)
    b = GraphBuilder()
    i, s, n = b.input("i"), b.input("s"), b.input("n")
    inner = b.add("While", b.constant(0), s, i, outputs=3, cond=inner_cond, body=inner_body)
    body = b.graph(b.add("Add", i, b.constant(1)), Ref(inner.node, 1), n)
    b = GraphBuilder()
    x, n = b.input("x"), b.input("n")
    loop = b.add("While", b.constant(0), x, n, outputs=3, cond=less_than(), body=body)
    assert run(b.graph(Ref(loop.node, 1)), {"x": tensor(0.0), "n": tensor(3)}) == [4.5]


def branches() -> tuple[Graph, Graph]:
    b = GraphBuilder()
    x, y = b.input("x"), b.input("y")
    then = b.graph(b.add("Add", x, y))
    b = GraphBuilder()
    x, y = b.input("x"), b.input("y")
    otherwise = b.graph(b.add("Sub", x, y))
    return then, otherwise


@pytest.mark.parametrize(("predicate", "expected"), [(True, 5.0), (False, 1.0), (2, 5.0), (0.0, 1.0)])
def test_branch(run: Run, predicate: float, expected: float) -> None:
    b = GraphBuilder()
    then, otherwise = branches()
    inputs = (b.input("p"), b.input("x"), b.constant(2.0))
    graph = b.graph(b.add("If", *inputs, **{"then": then, "else": otherwise}))
    assert run(graph, {"p": tensor(predicate), "x": tensor(3.0)}) == [expected]


@pytest.mark.parametrize(("predicate", "expected"), [(True, -5.0), (False, -1.0)])
def test_branch_of_a_constant_condition(run: Run, predicate: bool, expected: float) -> None:
    b = GraphBuilder()
    then, otherwise = branches()
    inputs = (b.constant(predicate), b.input("x"), b.constant(2.0))
    chosen = b.add("If", *inputs, **{"then": then, "else": otherwise})
    assert run(b.graph(b.add("Neg", chosen)), {"x": tensor(3.0)}) == [expected]


def test_only_the_taken_branch_runs(run: Run) -> None:
    b = GraphBuilder()
    fails = b.graph(b.add("Nonsense", b.input("x")))
    b = GraphBuilder()
    works = b.graph(b.add("Neg", b.input("x")))
    b = GraphBuilder()
    graph = b.graph(b.add("If", b.input("p"), b.input("x"), **{"then": works, "else": fails}))
    assert run(graph, {"p": tensor(True), "x": tensor(1.0)}) == [-1]
    with pytest.raises(ValueError, match="Nonsense"):
        run(graph, {"p": tensor(False), "x": tensor(1.0)})


def test_a_condition_is_one_value(run: Run) -> None:
    b = GraphBuilder()
    then, otherwise = branches()
    inputs = (b.input("p"), b.input("x"), b.input("x2"))
    graph = b.graph(b.add("If", *inputs, **{"then": then, "else": otherwise}))
    feeds = {"p": tensor([True, False]), "x": tensor(1.0), "x2": tensor(1.0)}
    with pytest.raises(ValueError, match="one element"):
        run(graph, feeds)


def test_a_body_returns_what_it_takes(run: Run) -> None:
    b = GraphBuilder()
    body = b.graph(b.add("Neg", b.input("x")), Ref("x"))
    b = GraphBuilder()
    cond = b.graph(b.add("Less", b.input("x"), b.constant(1.0)))
    b = GraphBuilder()
    graph = b.graph(b.add("While", b.input("x"), cond=cond, body=body))
    with pytest.raises(ValueError, match="returned 2 values for 1"):
        run(graph, {"x": tensor(0.0)})


def test_lists_in_a_loop(run: Run) -> None:
    """The squares of the rows of x, collected one by one."""
    b = GraphBuilder()
    i, _, n, _ = b.input("i"), b.input("out"), b.input("n"), b.input("rows")
    cond = b.graph(b.add("Less", i, n))
    b = GraphBuilder()
    i, out, n, given = b.input("i"), b.input("out"), b.input("n"), b.input("rows")
    row = b.add("TensorListGetItem", given, dynamic={"index": i}, element_dtype="float32")
    written = b.add("TensorListSetItem", out, b.add("Square", row), dynamic={"index": i}, element_dtype="float32")
    body = b.graph(b.add("Add", i, b.constant(1)), written, n, given)
    b = GraphBuilder()
    given = b.add("TensorListFromTensor", b.input("x"), element_shape=(2,), element_dtype="float32")
    count = b.add("TensorListLength", given)
    out = b.add("TensorListReserve", dynamic={"num_elements": count}, element_shape=(2,), element_dtype="float32")
    loop = b.add("While", b.constant(0), out, count, given, outputs=4, cond=cond, body=body)
    graph = b.graph(b.add("Neg", b.add("TensorListStack", Ref(loop.node, 1), element_shape=(2,))))
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert run(graph, {"x": tensor(x)}) == [(-(x**2)).tolist()]


def test_arrays_in_a_loop(run: Run) -> None:
    """A tensor array is captured as a handle and threaded as a flow; the flow orders writes and reads."""
    b = GraphBuilder()
    i, _, n, _ = b.input("i"), b.input("flow"), b.input("n"), b.input("handle")
    cond = b.graph(b.add("Less", i, n))
    b = GraphBuilder()
    i, flow, n, handle = b.input("i"), b.input("flow"), b.input("n"), b.input("handle")
    written = b.add("TensorArrayWriteV3", handle, b.add("Neg", i), flow, dynamic={"index": i})
    body = b.graph(b.add("Add", i, b.constant(1)), written, n, handle)
    b = GraphBuilder()
    n = b.input("n")
    made = b.add("TensorArrayV3", dynamic={"size": n}, outputs=2, dtype="int32", name="array")
    loop = b.add("While", b.constant(0), Ref(made.node, 1), n, made, outputs=4, cond=cond, body=body)
    graph = b.graph(b.add("TensorArrayGatherV3", made, Ref(loop.node, 1), indices=(2, 0), dtype="int32"))
    assert run(graph, {"n": tensor(3)}) == [[-2, 0]]


def test_memory_stays_as_it_was() -> None:
    program = Program(power_loop(None))
    feeds = {"x": tensor([1.0]), "n": tensor(4)}
    for _ in range(2):
        tf.dispose(program.run(feeds))
    before = tf.memory()
    for _ in range(3):
        tf.dispose(program.run(feeds))
    assert tf.memory() == before
