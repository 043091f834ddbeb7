"""Plans: which nodes become one step, and when values are given back."""

from __future__ import annotations

import pytest

from tenfold.graph.graph import Graph, Ref
from tenfold.graph.planning import group_nodes, make_plan
from tenfold.graph.specialise import specialise
from tests.graph.builder import GraphBuilder, spec

FUSES = frozenset(("BatchMatMul", "Multiply"))


def grouped(graph: Graph, x: tuple[int, ...] = (2, 3), fuses: frozenset[str] = FUSES) -> list[list[str]]:
    groups = group_nodes(specialise(graph, {"x": spec(*x), "y": spec(*x)}), fuses)
    return [[group.head.op, *(node.op for node in group.stages)] for group in groups]


def product(b: GraphBuilder, x: Ref) -> Ref:
    return b.add("BatchMatMul", x, b.constant([[1.0] * 3] * 3), transpose_a=False, transpose_b=False)


def test_bias_and_activation_fuse() -> None:
    b = GraphBuilder()
    y = b.add("Relu", b.add("Add", b.constant([1.0, 2.0, 3.0]), product(b, b.input("x"))))
    graph = b.graph(y)
    assert grouped(graph) == [["BatchMatMul", "Add", "Relu"]]
    assert grouped(graph, fuses=frozenset()) == [["BatchMatMul"], ["Add"], ["Relu"]]
    (step,) = make_plan(specialise(graph, {"x": spec(2, 3)}), FUSES).steps
    add, relu = step.epilogue
    assert add.operands[1] is None
    assert add.operands[0] is not None
    assert relu.operands == (None,)


def test_values_that_others_read_do_not_fuse() -> None:
    b = GraphBuilder()
    y = product(b, b.input("x"))
    assert grouped(b.graph(b.add("Relu", y), b.add("Neg", y))) == [["BatchMatMul"], ["Relu"], ["Neg"]]
    assert grouped(b.graph(b.add("Relu", y), y)) == [["BatchMatMul"], ["Relu"]]


def test_a_value_read_twice_by_one_node_fuses() -> None:
    b = GraphBuilder()
    y = product(b, b.input("x"))
    assert grouped(b.graph(b.add("Multiply", y, y))) == [["BatchMatMul", "Multiply"]]


def test_a_residual_sum_fuses_into_the_later_product() -> None:
    b = GraphBuilder()
    x = b.input("x")
    first, second = product(b, x), product(b, x)
    graph = b.graph(b.add("Add", first, second))
    assert grouped(graph) == [["BatchMatMul"], ["BatchMatMul", "Add"]]


def test_a_step_waits_for_what_its_epilogue_reads() -> None:
    """The sum comes after the square, although the product comes before it."""
    b = GraphBuilder()
    x = b.input("x")
    y = product(b, x)
    squared = b.add("Square", x)
    graph = b.graph(b.add("Add", y, squared))
    assert grouped(graph) == [["Square"], ["BatchMatMul", "Add"]]


def test_what_changes_shape_or_dtype_does_not_fuse() -> None:
    b = GraphBuilder()
    y = product(b, b.input("x"))
    assert grouped(b.graph(b.add("Less", y, b.constant(1.0)))) == [["BatchMatMul"], ["Less"]]
    assert grouped(b.graph(b.add("Add", y, b.input("y"))), (1, 3)) == [["BatchMatMul", "Add"]]
    b = GraphBuilder()
    wider = b.add("Add", product(b, b.input("x")), b.constant([[1.0], [2.0]]))
    assert grouped(b.graph(wider), (1, 3)) == [["BatchMatMul"], ["Add"]]


def test_elementwise_chains_fuse() -> None:
    b = GraphBuilder()
    y = b.add("Relu", b.add("Neg", b.add("Multiply", b.input("x"), b.input("y"))))
    assert grouped(b.graph(y)) == [["Multiply", "Neg", "Relu"]]


def test_releases_are_the_last_uses() -> None:
    b = GraphBuilder()
    x = b.input("x")
    first = b.add("Neg", x)
    second = b.add("Square", first)
    third = b.add("Add", first, second)
    plan = make_plan(specialise(b.graph(third, second), {"x": spec(2)}))
    numbers = {step.kernel: step.outputs[0] for step in plan.steps}
    releases = {step.kernel: step.releases for step in plan.steps}
    assert releases == {"Neg": plan.inputs, "Square": (), "Add": (numbers["Neg"],)}
    assert plan.outputs == (numbers["Add"], numbers["Square"])


def test_outputs_that_nobody_reads_are_released_at_once() -> None:
    b = GraphBuilder()
    rows = b.add("Unpack", b.input("x"), outputs=2, axis=0)
    plan = make_plan(specialise(b.graph(b.add("Neg", rows)), {"x": spec(2, 3)}))
    assert plan.steps[0].outputs[1] in plan.steps[0].releases


def test_constants_are_never_released() -> None:
    b = GraphBuilder()
    plan = make_plan(specialise(b.graph(b.add("Add", b.input("x"), b.constant(1.0))), {"x": spec(2)}))
    assert plan.steps[0].releases == plan.inputs
    assert len(plan.constants) == 1


def test_only_kernels_of_known_shape_can_be_planned() -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("TensorArrayV3", size=1, dtype="float32", outputs=2))
    with pytest.raises(ValueError, match="no kernel"):
        make_plan(specialise(graph, {}))
    b = GraphBuilder()
    with pytest.raises(ValueError, match="shape of 'x'"):
        make_plan(specialise(b.graph(b.add("Neg", b.input("x"))), {}))
