"""Control flow of TensorFlow 1: what loops and conditions become, and that they compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.errors import ModelFormatError
from tenfold.graph.interpreter import interpret
from tests.models.graph_defs import Builder, s


def run(graph: Builder, feeds: Mapping[str, Any], outputs: Sequence[str]) -> list[np.ndarray]:
    """What the graph computes, which must be the same op by op and through plans, twice."""
    model = graph.model(outputs)
    loaded = graph.load(outputs)
    tensors = {name: tf.tensor(value) for name, value in feeds.items()}
    expected = [value.numpy() for value in interpret(loaded.graph, tensors)]
    for _ in range(3):
        result = model.execute(tensors)
        for got, want in zip(result if isinstance(result, list) else [result], expected, strict=True):
            np.testing.assert_array_equal(got.numpy(), want)
    model.dispose()
    return expected


def loop(
    graph: Builder,
    frame: str,
    entries: Sequence[str],
    condition: Callable[[Sequence[str]], str],
    body: Callable[[Sequence[str]], Sequence[str]],
) -> list[str]:
    """Add a loop and return the names of its results."""
    heads = []
    for number, entry in enumerate(entries):
        graph.add(f"{frame}/enter{number}", "Enter", entry, frame_name=s(frame))
        heads.append(graph.add(f"{frame}/merge{number}", "Merge", f"{frame}/enter{number}", f"{frame}/next{number}"))
    graph.add(f"{frame}/cond", "LoopCond", condition(heads))
    switches = [
        graph.add(f"{frame}/switch{number}", "Switch", head, f"{frame}/cond") for number, head in enumerate(heads)
    ]
    inside = [
        graph.add(f"{frame}/identity{number}", "Identity", f"{switch}:1") for number, switch in enumerate(switches)
    ]
    for number, value in enumerate(body(inside)):
        graph.add(f"{frame}/next{number}", "NextIteration", value)
    return [graph.add(f"{frame}/exit{number}", "Exit", switch) for number, switch in enumerate(switches)]


def invariant(graph: Builder, frame: str, name: str) -> str:
    """Bring a value from outside into a loop."""
    return graph.add(f"{frame}/{name}/enter", "Enter", name, frame_name=s(frame), is_constant={"b": True})


def counting_loop(graph: Builder) -> list[str]:
    """Add x to a sum n times."""
    graph.input("n", "DT_INT32", ())
    graph.input("x")
    graph.const("zero", 0)
    graph.const("sum0", 0.0)
    graph.const("one", 1)
    return loop(
        graph,
        "count",
        ["zero", "sum0"],
        lambda heads: graph.add("less", "Less", heads[0], invariant(graph, "count", "n")),
        lambda values: [
            graph.add("up", "AddV2", values[0], "one"),
            graph.add("sum", "AddV2", values[1], invariant(graph, "count", "x")),
        ],
    )


@pytest.mark.parametrize("times", [0, 1, 5])
def test_a_loop_with_an_invariant(times: int) -> None:
    graph = Builder()
    results = counting_loop(graph)
    count, total = run(graph, {"n": np.int32(times), "x": np.float32(1.5)}, results)
    assert count == times
    assert total == 1.5 * times


def test_a_loop_becomes_one_node_with_graphs_inside() -> None:
    graph = Builder()
    results = counting_loop(graph)
    nodes = graph.load(results).graph.nodes
    loops = [node for node in nodes.values() if node.op == "While"]
    assert len(loops) == 1
    assert loops[0].outputs == len(loops[0].inputs) == 4
    assert {ref.node for ref in loops[0].inputs if ref} == {"zero", "sum0", "n", "x"}
    assert not {"Enter", "Exit", "Switch", "Merge"} & {node.op for node in nodes.values()}
    assert "one" in loops[0].attributes["body"].nodes  # constants stand in each graph, so that they fold
    assert "less" in loops[0].attributes["cond"].nodes
    assert "sum" not in loops[0].attributes["cond"].nodes


def test_a_loop_in_a_loop() -> None:
    graph = Builder()
    graph.input("x")
    for name, value in (("i0", 0), ("one", 1), ("three", 3), ("two", 2), ("j0", 0)):
        graph.const(name, value)

    def outer_body(values: Sequence[str]) -> list[str]:
        inner = loop(
            graph,
            "inner",
            ["j0", values[1]],
            lambda heads: graph.add("inner/less", "Less", heads[0], "two"),
            lambda inside: [
                graph.add("inner/up", "AddV2", inside[0], "one"),
                graph.add(
                    "inner/sum",
                    "AddV2",
                    inside[1],
                    graph.add("inner/x", "Enter", invariant(graph, "outer", "x"), frame_name=s("inner")),
                ),
            ],
        )
        return [graph.add("outer/up", "AddV2", values[0], "one"), inner[1]]

    graph.const("sum0", 0.0)
    results = loop(
        graph,
        "outer",
        ["i0", "sum0"],
        lambda heads: graph.add("outer/less", "Less", heads[0], "three"),
        outer_body,
    )
    (total,) = run(graph, {"x": np.float32(0.5)}, results[1:])
    assert total == 3 * 2 * 0.5


def condition(graph: Builder) -> None:
    """Square or double x, depending on p; both branches read y as well."""
    graph.input("p", "DT_BOOL", ())
    graph.input("x")
    graph.input("y")
    graph.add("pred_id", "Identity", "p")
    for name in ("x", "y"):
        graph.add(f"switch_{name}", "Switch", name, "pred_id")
    graph.add("then/square", "Square", "switch_x:1")
    graph.add("then/plus", "AddV2", "then/square", "switch_y:1")
    graph.add("else/double", "AddV2", "switch_x", "switch_x")
    graph.add("merged", "Merge", "else/double", "then/plus")
    graph.add("merged_too", "Merge", "switch_y:0", "then/square")
    graph.add("result", "Neg", "merged")


@pytest.mark.parametrize(("p", "wanted", "second"), [(True, -19.0, 9.0), (False, -6.0, 10.0)])
def test_a_condition(p: bool, wanted: float, second: float) -> None:
    graph = Builder()
    condition(graph)
    feeds = {"p": np.bool_(p), "x": np.float32(3), "y": np.float32(10)}
    assert run(graph, feeds, ["result", "merged_too"]) == [wanted, second]


def test_merges_on_one_predicate_become_one_node() -> None:
    graph = Builder()
    condition(graph)
    nodes = graph.load(["result", "merged_too"]).graph.nodes
    conditions = [node for node in nodes.values() if node.op == "If"]
    assert len(conditions) == 1
    assert conditions[0].outputs == 2
    assert "then/square" in conditions[0].attributes["then"].nodes
    assert "then/square" not in conditions[0].attributes["else"].nodes
    assert "then/square" not in nodes


@pytest.mark.parametrize("p", [True, False])
def test_branches_that_are_constants_are_told_apart_by_control_inputs(p: bool) -> None:
    graph = Builder()
    graph.const("yes", 1.0, "^pivot_t")
    graph.const("no", 2.0, "^pivot_f")
    graph.input("p", "DT_BOOL", ())
    graph.add("switch", "Switch", "p", "p")
    graph.add("pivot_t", "Identity", "switch:1")
    graph.add("pivot_f", "Identity", "switch")
    graph.add("merged", "Merge", "no", "yes")
    assert run(graph, {"p": np.bool_(p)}, ["merged"]) == [1.0 if p else 2.0]


@pytest.mark.parametrize("p", [True, False])
@pytest.mark.parametrize("q", [True, False])
def test_a_condition_in_a_condition(p: bool, q: bool) -> None:
    graph = Builder()
    graph.input("p", "DT_BOOL", ())
    graph.input("q", "DT_BOOL", ())
    graph.input("x")
    graph.add("x/p", "Switch", "x", "p")
    graph.add("q/p", "Switch", "q", "p")
    graph.add("x/pq", "Switch", "x/p:1", "q/p:1")
    graph.add("both", "Square", "x/pq:1")
    graph.add("only_p", "Neg", "x/pq:0")
    graph.add("inner", "Merge", "only_p", "both")
    graph.add("neither", "Sqrt", "x/p:0")
    graph.add("outer", "Merge", "inner", "neither")
    wanted = 16.0 if p and q else -4.0 if p else 2.0
    assert run(graph, {"p": np.bool_(p), "q": np.bool_(q), "x": np.float32(4)}, ["outer"]) == [wanted]


@pytest.mark.parametrize("p", [True, False])
def test_two_conditions_on_one_predicate_in_a_row(p: bool) -> None:
    graph = Builder()
    graph.input("p", "DT_BOOL", ())
    graph.input("x")
    value = "x"
    for name in ("first", "second"):
        graph.add(f"{name}/switch", "Switch", value, "p")
        graph.add(f"{name}/then", "Square", f"{name}/switch:1")
        graph.add(f"{name}/else", "Neg", f"{name}/switch")
        value = graph.add(name, "Merge", f"{name}/else", f"{name}/then")
    assert run(graph, {"p": np.bool_(p), "x": np.float32(3)}, ["second"]) == [81.0 if p else 3.0]


def test_a_condition_in_a_loop() -> None:
    """Collatz steps: halve what is even, 3n + 1 what is odd, until 1 is reached."""
    graph = Builder()
    graph.input("n", "DT_INT32", ())
    for name, value in (("zero", 0), ("one", 1), ("two", 2), ("three", 3)):
        graph.const(name, value)

    def body(values: Sequence[str]) -> list[str]:
        steps, n = values
        graph.add("odd", "Equal", graph.add("rest", "FloorMod", n, "two"), "one")
        graph.add("switch", "Switch", n, "odd")
        graph.add("tripled", "AddV2", graph.add("times3", "Mul", "switch:1", "three"), "one")
        graph.add("halved", "FloorDiv", "switch:0", "two")
        return [graph.add("steps", "AddV2", steps, "one"), graph.add("new", "Merge", "halved", "tripled")]

    results = loop(
        graph,
        "collatz",
        ["zero", "n"],
        lambda heads: graph.add("more", "Greater", heads[1], "one"),
        body,
    )
    assert run(graph, {"n": np.int32(27)}, results) == [111, 1]


@pytest.mark.parametrize("p", [True, False])
def test_a_loop_in_a_condition_runs_only_when_taken(p: bool) -> None:
    graph = Builder()
    graph.input("p", "DT_BOOL", ())
    graph.input("n", "DT_INT32", ())
    for name, value in (("zero", 0), ("one", 1)):
        graph.const(name, value)
    graph.add("switch", "Switch", "n", "p")
    results = loop(
        graph,
        "count",
        ["switch:1"],
        lambda heads: graph.add("more", "Greater", heads[0], "zero"),
        lambda values: [graph.add("down", "Sub", values[0], "one")],
    )
    graph.add("other", "Neg", "switch:0")
    graph.add("merged", "Merge", "other", results[0])
    assert run(graph, {"p": np.bool_(p), "n": np.int32(4)}, ["merged"]) == [0 if p else -4]


def test_a_merge_of_unrelated_values_is_an_error_if_it_is_needed() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("a", "Square", "x")
    graph.add("b", "Neg", "x")
    graph.add("merged", "Merge", "a", "b")
    assert "merged" not in graph.load(["a"]).graph.nodes
    with pytest.raises(ModelFormatError, match=r"'merged' \(Merge\).*not made of loops and conditions"):
        graph.load(["merged"])


def test_a_switch_without_a_merge_is_an_error_if_it_is_needed() -> None:
    graph = Builder()
    graph.input("x")
    graph.input("p", "DT_BOOL", ())
    graph.add("switch", "Switch", "x", "p")
    graph.add("a", "Square", "switch:1")
    with pytest.raises(ModelFormatError, match=r"'switch' \(Switch\)"):
        graph.load(["a"])


def test_enter_without_a_loop_hands_its_input_on() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("enter", "Enter", "x", frame_name=s("frame"))
    assert run(graph, {"x": np.float32(2)}, ["enter"]) == [2.0]


def test_a_loop_that_is_left_at_no_variable_is_an_error() -> None:
    graph = Builder()
    counting_loop(graph)
    graph.add("exit", "Exit", "sum")
    with pytest.raises(ModelFormatError, match="'exit'"):
        graph.load(["exit"])


@pytest.mark.parametrize("p", [True, False])
def test_a_merge_says_which_input_it_took(p: bool) -> None:
    graph = Builder()
    graph.input("p", "DT_BOOL", ())
    graph.input("x")
    graph.add("switch", "Switch", "x", "p")
    graph.add("then", "Square", "switch:1")
    graph.add("else", "Neg", "switch")
    graph.add("one", "Merge", "else", "then")
    graph.add("other", "Merge", "then", "else")
    graph.add("which", "Identity", "one:1")
    graph.add("sum", "AddV2", "one:1", "other:1")
    feeds = {"p": np.bool_(p), "x": np.float32(3)}
    assert run(graph, feeds, ["which", "sum", "one"]) == [int(p), 1, 9.0 if p else -3.0]


def test_too_much_control_flow_is_refused_before_it_takes_long() -> None:
    graph = Builder()
    graph.input("x")
    graph.input("p", "DT_BOOL", ())
    value = "x"
    for number in range(1100):
        graph.add(f"switch{number}", "Switch", value, "p")
        value = graph.add(f"merge{number}", "Merge", f"switch{number}", f"switch{number}:1")
    with pytest.raises(ModelFormatError, match="more than 1000"):
        graph.load([value])
    graph.nodes = graph.nodes[: 2 + 2 * 900]
    graph.load(["merge899"])
