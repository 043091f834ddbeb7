"""Each pass alone, on the smallest graphs that show it."""

from __future__ import annotations

from typing import Any

import pytest

from tenfold.graph.passes import drop_identities, merge_reshapes, share_common
from tenfold.graph.specialise import specialise
from tests.graph.builder import GraphBuilder, ops_of, spec

NOTHING = [
    ("Identity", {}),
    ("Reshape", {"shape": (2, 3)}),
    ("Cast", {"dtype": "float32"}),
    ("Transpose", {"perm": (0, 1)}),
    ("Tile", {"reps": (1, 1)}),
    ("PadV2", {"paddings": ((0, 0), (0, 0)), "constant_value": 1.0}),
    ("Slice", {"begin": (0, 0), "size": (2, 3)}),
    ("BroadcastTo", {"shape": (2, 3)}),
    ("Concat", {"axis": 0}),
    ("AddN", {}),
]

SOMETHING = [
    ("Reshape", {"shape": (3, 2)}),
    ("Cast", {"dtype": "int32"}),
    ("Transpose", {"perm": (1, 0)}),
    ("Tile", {"reps": (1, 2)}),
    ("PadV2", {"paddings": ((0, 0), (1, 0)), "constant_value": 0}),
    ("Slice", {"begin": (0, 0), "size": (2, 2)}),
]


@pytest.mark.parametrize(("op", "attributes"), NOTHING)
def test_what_does_nothing_is_dropped(op: str, attributes: dict[str, Any]) -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Neg", b.add(op, b.input("x"), **attributes)))
    assert ops_of(drop_identities(specialise(graph, {"x": spec(2, 3)})).graph) == ["Neg"]


@pytest.mark.parametrize(("op", "attributes"), SOMETHING)
def test_what_does_something_stays(op: str, attributes: dict[str, Any]) -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Neg", b.add(op, b.input("x"), **attributes)))
    assert ops_of(drop_identities(specialise(graph, {"x": spec(2, 3)})).graph) == [op, "Neg"]


def test_a_symmetric_transpose_is_not_nothing() -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Transpose", b.input("x"), perm=(1, 0)))
    assert ops_of(drop_identities(specialise(graph, {"x": spec(2, 2)})).graph) == ["Transpose"]


def test_outputs_may_become_inputs_and_constants() -> None:
    b = GraphBuilder()
    x, c = b.input("x"), b.constant(1.0, "c")
    graph = b.graph(b.add("Identity", b.add("Identity", x)), b.add("Identity", c))
    assert drop_identities(specialise(graph, {"x": spec(2)})).graph.outputs[0] == x


def test_identities_of_unknown_shape_are_dropped_too() -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Neg", b.add("Identity", b.input("x"))))
    assert ops_of(drop_identities(specialise(graph, {})).graph) == ["Neg"]


def test_reshapes_merge() -> None:
    b = GraphBuilder()
    first = b.add("Reshape", b.input("x"), shape=(3, 2))
    last = b.add("Reshape", b.add("Reshape", first, shape=(1, 6)), shape=(-1,))
    merged = merge_reshapes(specialise(b.graph(last), {"x": spec(2, 3)}))
    assert ops_of(merged.graph) == ["Reshape"]
    assert merged.graph.nodes[last.node].attributes == {"shape": (6,)}


def test_common_subexpressions_are_shared() -> None:
    b = GraphBuilder()
    x = b.input("x")
    one, two = (b.add("Neg", b.add("Cast", x, dtype="float32")) for _ in range(2))
    other = b.add("Neg", b.add("Cast", x, dtype="bool"))
    shared = share_common(specialise(b.graph(b.add("Add", one, two), other), {"x": spec(2, dtype="int32")}))
    assert ops_of(shared.graph) == ["Cast", "Neg", "Cast", "Neg", "Add"]


def test_what_is_not_pure_is_not_shared() -> None:
    b = GraphBuilder()
    made = [b.add("TensorArrayV3", size=1, dtype="float32", outputs=2) for _ in range(2)]
    assert len(ops_of(share_common(specialise(b.graph(*made), {})).graph)) == 2
