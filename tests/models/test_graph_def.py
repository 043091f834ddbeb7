"""Reading GraphDefs: names, functions, constants, signatures, and everything that can be wrong with them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tenfold as tf
from tenfold.core.errors import ModelFormatError, TenfoldError, UnsupportedOpError
from tenfold.graph.graph import Ref
from tenfold.graph.interpreter import interpret
from tenfold.models.graph_def import load_graph
from tests.models.graph_defs import (
    Builder,
    JsonObject,
    b,
    dtype,
    f,
    function,
    i,
    node,
    placeholder,
    s,
    shape,
    signature_of,
    strings,
)


def values(graph: Builder, feeds: dict[str, Any], outputs: list[str]) -> list[Any]:
    """What the graph computes."""
    loaded = graph.load(outputs)
    result = interpret(loaded.graph, {name: tf.tensor(value) for name, value in feeds.items()})
    return [value.array_sync() for value in result]


# --- names ---------------------------------------------------------------------------------------------------


def test_inputs_name_nodes_outputs_and_what_must_run_before() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("parts", "Split", graph.const("axis", 0), "x", num_split=i(2))
    graph.add("sum", "AddV2", "parts:0", "parts:1", "^x")
    assert values(graph, {"x": [3.0, 4.0]}, ["sum", "parts:1"]) == [[7.0], [4.0]]


def test_without_a_signature_the_outputs_are_what_nobody_reads() -> None:
    graph = Builder()
    graph.input("unused")
    graph.input("x")
    graph.const("left_over", 1)
    graph.add("a", "Neg", "x")
    graph.add("b", "Square", "x")
    graph.add("checked", "NoOp", "^a")
    loaded = graph.load()
    assert [output.name for output in loaded.outputs] == ["b"]
    assert [tensor.name for tensor in loaded.inputs] == ["unused", "x"]


def test_the_signature_orders_and_names_inputs_and_outputs() -> None:
    graph = Builder()
    graph.input("second", "DT_INT32", (-1, 3))
    graph.input("first", lengths=None)
    graph.add("sum", "AddV2", "first", "first")
    signature = {
        "inputs": {
            "b": {"name": "first:0", "dtype": 1, "tensorShape": {"dim": [{"size": "-1"}]}},
            "a": {"name": "second:0", "dtype": "DT_INT32"},
        },
        "outputs": {"y": {"name": "sum:0", "dtype": "DT_FLOAT", "tensorShape": {}}},
    }
    loaded = load_graph(graph.topology, {}, {}, signature)
    assert loaded.inputs == (("first", (-1,), "float32", "b", None), ("second", (-1, 3), "int32", "a", None))
    assert loaded.outputs == (("sum", (), "float32", "y", None),)
    assert loaded.graph.inputs == ("first", "second")


def test_nodes_may_stand_in_any_order() -> None:
    graph = Builder()
    graph.add("c", "Neg", "b")
    graph.add("b", "Square", "a")
    graph.input("a")
    assert list(graph.load().graph.nodes) == ["a", "b", "c"]


def test_constants_are_the_tensors_of_the_weights() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("y", "AddV2", "x", graph.const("w", [1.0, 2.0]))
    weight = tf.tensor([1.0, 2.0])
    loaded = load_graph(graph.topology, graph.weights, {"w": weight})
    assert loaded.graph.constants["w"] is weight


def test_attributes_that_are_constant_inputs_are_read_when_loading() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("copy", "Identity", graph.const("shape", [2, -1]))
    graph.add("y", "Reshape", "x", "copy")
    node_of_graph = graph.load().graph.nodes["y"]
    assert node_of_graph.attributes == {"shape": (2, -1)}
    assert node_of_graph.inputs == (Ref("x"),)
    assert not node_of_graph.dynamic


def test_attributes_that_others_compute_stay_references() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("shape", "Shape", "x")
    graph.add("y", "Reshape", "x", "shape")
    assert graph.load().graph.nodes["y"].dynamic == {"shape": Ref("shape")}


def test_fused_ops_become_the_kernels_they_consist_of() -> None:
    graph = Builder()
    graph.input("x")
    graph.const("w", np.ones((1, 1, 2, 2), np.float32))
    graph.const("bias", [1.0, 2.0])
    window = {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "padding": s("SAME")}
    graph.add("y", "_FusedConv2D", "x", "w", "bias", **window, fused_ops=strings("BiasAdd", "Relu6"))
    nodes = graph.load().graph.nodes
    assert [(n.name, n.op) for n in nodes.values()] == [
        ("x", "Placeholder"), ("w", "Const"), ("bias", "Const"),
        ("y/Conv2D", "Conv2D"), ("y/Add", "Add"), ("y", "Relu6"),
    ]  # fmt: skip
    assert nodes["y/Conv2D"].attributes["strides"] == (2, 2)
    assert nodes["y"].source == "_FusedConv2D"


# --- functions -----------------------------------------------------------------------------------------------


def test_calls_are_replaced_by_what_the_functions_do() -> None:
    graph = Builder()
    graph.function("inner", ["a"], ["root:y:0"], [node("root", "Sqrt", "a")])
    graph.function(
        "outer",
        ["a", "b"],
        ["parts:output:1", "call:output:0"],
        [
            node("axis_of", "Rank", "a"),
            node("none", "Sub", "axis_of:output:0", "axis_of:output:0"),
            node("parts", "Split", "none:z:0", "a", num_split=i(2)),
            node("call", "PartitionedCall", "b", f=function("inner")),
        ],
    )
    graph.input("x")
    for name in ("first", "again"):
        graph.add(name, "StatefulPartitionedCall", "x", "x", f=function("outer"))
    graph.add("y", "AddV2", "first", "again:1")
    assert values(graph, {"x": [4.0, 9.0]}, ["first:1", "y"]) == [[2.0, 3.0], [11.0, 12.0]]


def test_while_and_if_with_functions() -> None:
    graph = Builder()
    graph.function("more", ["n", "x"], ["positive:z:0"], [node("positive", "Greater", "n", "x")])
    graph.function("double", ["n", "x"], ["n", "sum:z:0"], [node("sum", "AddV2", "x", "x")])
    graph.function("same", ["v"], ["v"], [])
    graph.function("square", ["v"], ["y:y:0"], [node("y", "Square", "v")])
    graph.input("n")
    graph.input("x")
    graph.add("loop", "StatelessWhile", "n", "x", cond=function("more"), body=function("double"))
    graph.input("p", "DT_BOOL")
    branches = {"then_branch": function("square"), "else_branch": function("same")}
    graph.add("branch", "StatelessIf", "p", "loop:1", **branches)
    graph.add("branch2", "If", "p", "x", **branches)
    feeds = {"n": 20.0, "x": 3.0}
    assert values(graph, {**feeds, "p": True}, ["loop:1", "branch", "branch2"]) == [24.0, 576.0, 9.0]
    assert values(graph, {**feeds, "p": False}, ["loop:1", "branch", "branch2"]) == [24.0, 24.0, 3.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.add("y", "PartitionedCall", "x", f=function("nowhere")), "no function 'nowhere'"),
        (lambda g: g.add("y", "PartitionedCall", "x", f=s("f")), "'f': must be func"),
        (lambda g: g.add("y", "PartitionedCall", "x"), "'f' is missing"),
        (lambda g: g.add("y", "PartitionedCall", "x", "x", f=function("itself")), "takes 1 values, not 2"),
        (lambda g: g.add("y", "PartitionedCall", "x", f=function("itself")), "never end"),
        (lambda g: g.add("y", "While", "x", cond=function("loop"), body=function("loop")), "calls itself"),
        (lambda g: g.add("y", "While", "x", "x", cond=function("one"), body=function("one")), "it must take 2"),
        (lambda g: g.add("y", "If", "x", then_branch=function("one"), else_branch=function("one")), "branches must"),
        (lambda g: g.add("y", "PartitionedCall", "x", f=function("one")) and g.add("z", "Neg", "y:3"), "output 3"),
    ],
)
def test_what_is_wrong_with_functions(change: Any, message: str) -> None:
    graph = Builder()
    graph.input("x")
    graph.function("one", ["a"], ["a"], [])
    graph.function("itself", ["a"], ["y:output:0"], [node("y", "PartitionedCall", "a", f=function("itself"))])
    loop = node("y", "While", "a", cond=function("one"), body=function("loop"))
    graph.function("loop", ["a"], ["y:output:0"], [loop])
    change(graph)
    with pytest.raises(ModelFormatError, match=message):
        graph.load()


def test_functions_that_double_at_each_level_are_refused_in_time() -> None:
    graph = Builder()
    graph.input("x")
    graph.function("f0", ["a"], ["y:y:0"], [node("y", "Neg", "a")])
    for level in range(1, 40):
        calls = [node(name, "PartitionedCall", "a", f=function(f"f{level - 1}")) for name in ("p", "q")]
        graph.function(f"f{level}", ["a"], ["p:output:0"], calls)
    graph.add("y", "PartitionedCall", "x", f=function("f39"))
    with pytest.raises(ModelFormatError, match="never end"):
        graph.load()


# --- what can be wrong ---------------------------------------------------------------------------------------

GOOD = placeholder("x", lengths=(-1, 2))


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        (None, "modelTopology: must be an object, got nothing"),
        ([], "modelTopology: must be an object"),
        ({}, "modelTopology.node: must be a list, got nothing"),
        ({"node": {}}, "modelTopology.node: must be a list"),
        ({"node": [None]}, r"modelTopology.node\[0\]: must be an object"),
        ({"node": [{"op": "Neg"}]}, r"node\[0\].name: must be a text"),
        ({"node": [{"name": 3, "op": "Neg"}]}, r"node\[0\].name: must be a text"),
        ({"node": [{"name": "a"}]}, r"node\[0\] \('a'\).op: must be a text"),
        ({"node": [GOOD, GOOD]}, r"node\[1\]: there are two nodes named 'x'"),
        ({"node": [{"name": "a", "op": "Neg", "input": "x"}]}, r"'a' \(Neg\), input: must be a list"),
        ({"node": [{"name": "a", "op": "Neg", "input": [1]}]}, r"'a' \(Neg\), input: must be texts"),
        ({"node": [node("a", "Neg", "b")]}, r"'a' \(Neg\), input: 'b' is not a node"),
        ({"node": [GOOD, node("a", "Neg", "x", "^b")]}, r"'a' \(Neg\), input: 'b' is not a node"),
        ({"node": [GOOD, node("a", "Neg", "x:1")]}, r"'x' \(Placeholder\): its output 1 is read"),
        ({"node": [GOOD, node("a", "Neg", "x:-1")]}, "'x:-1' does not name an output"),
        ({"node": [GOOD, node("a", "Neg", "x:0:0:0")]}, "does not name an output"),
        ({"node": [GOOD, node("a", "Neg", ":0")]}, "does not name an output"),
        ({"node": [{"name": "a", "op": "Neg", "attr": []}, GOOD]}, None),
        ({"node": [{"name": "a", "op": "Neg", "attr": 3}]}, r"'a' \(Neg\), attr: must be an object"),
        ({"node": [node("a", "Neg", "b"), node("b", "Neg", "a")]}, r"'a' \(Neg\): it reads, through others, its own"),
        ({"node": [node("a", "Neg", "a")]}, "its own result"),
        ({"node": [placeholder("x", "DT_WEIRD")]}, r"'x' \(Placeholder\): attribute 'dtype': is an unknown type"),
        ({"node": [node("x", "Placeholder", shape={"shape": {"dim": [{"size": -5}]}})]}, "impossible lengths"),
        ({"node": [node("x", "Placeholder", shape={"shape": {"dim": 3}})]}, "'shape': must be a shape"),
        ({"node": [node("x", "Placeholder", shape={"shape": {"dim": [{"size": "1.5"}]}})]}, "'shape': invalid literal"),
        ({"node": [GOOD], "library": 3}, "modelTopology.library: must be an object"),
        ({"node": [GOOD], "library": {"function": 3}}, "library.function: must be a list"),
        ({"node": [GOOD], "library": {"function": [{}]}}, r"function\[0\].signature: must be an object"),
    ],
)
def test_malformed_topologies(topology: Any, message: str | None) -> None:
    with pytest.raises(ModelFormatError, match=message):
        load_graph(topology, {}, {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": dtype("DT_INT32")}, r"'w' \(Const\), attribute 'dtype': says int32, but the weight is float32"),
        ({"value": {"tensor": {"tensorShape": shape([3])["shape"]}}}, r"says the shape \[3\].*\[2\]"),
        ({"value": i(3)}, r"'w' \(Const\): attribute 'value': must be a tensor"),
    ],
)
def test_constants_that_disagree_with_their_weights(change: JsonObject, message: str) -> None:
    graph = Builder()
    graph.add("y", "Neg", graph.const("w", [1.0, 2.0]))
    graph.nodes[0]["attr"].update(change)
    with pytest.raises(ModelFormatError, match=message):
        graph.load()


def test_a_double_constant_may_be_a_float32_weight() -> None:
    graph = Builder()
    graph.add("y", "Neg", graph.const("w", [1.0, 2.0]))
    graph.nodes[0]["attr"]["dtype"] = dtype("DT_DOUBLE")
    assert values(graph, {}, ["y"]) == [[-1.0, -2.0]]


def test_a_missing_weight() -> None:
    graph = Builder()
    graph.add("y", "Neg", graph.const("w", 1.0))
    del graph.weights["w"]
    with pytest.raises(ModelFormatError, match=r"'w' \(Const\): the model's files hold no weight 'w'"):
        graph.load()


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ({"outputs": {"y": {"name": "nowhere:0"}}}, r"signature.outputs\['y'\]: the graph has no node 'nowhere'"),
        ({"outputs": {"y": {"name": "x:7"}}}, "output 7"),
        ({"outputs": []}, "signature.outputs: must be an object"),
        ({"outputs": {"y": 3}}, r"signature.outputs\['y'\]: must be an object with a name"),
        ({"inputs": {"x": {"name": "x:0", "dtype": 99}}}, r"signature.inputs\['x'\]: is an unknown type"),
        ({"inputs": {"x": {"name": "x:0", "tensorShape": 3}}}, r"signature.inputs\['x'\]: must be a shape"),
        ({"inputs": {"x": {"name": "x:0", "resourceId": True}}}, "resourceId"),
        ("none", "signature.inputs: must be an object"),
    ],
)
def test_malformed_signatures(signature: Any, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        load_graph({"node": [GOOD]}, {}, {}, signature)


def test_all_unknown_ops_are_named_at_once() -> None:
    graph = Builder()
    graph.input("x")
    graph.function("f", ["a"], ["y:y:0"], [node("y", "Zap", "a")])
    graph.add("a", "Foo", "x")
    graph.add("b", "Bar", "a:1")
    graph.add("c", "PartitionedCall", "b", f=function("f"))
    graph.add("asserted", "Assert", "x")
    with pytest.raises(UnsupportedOpError, match=r"Bar, Foo, Zap.*register_op") as caught:
        graph.load(["c"])
    assert caught.value.ops == ("Bar", "Foo", "Zap")


def test_unknown_ops_that_no_output_needs_are_left_out() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("y", "Neg", "x")
    graph.add("a", "Foo", "x")
    graph.add("b", "Square", "a")
    assert list(graph.load(["y"]).graph.nodes) == ["x", "y"]


# --- anything ------------------------------------------------------------------------------------------------

_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["x", "w", "y:1", "^x", "loop", "DT_FLOAT", "-1", "NaN"]),
    st.lists(st.integers(-2, 2), max_size=3),
    st.dictionaries(st.sampled_from(["i", "f", "s", "b", "type", "shape", "list", "func", "tensor"]), st.none()),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found += _places(child, (*path, key))
    return found


def _model() -> Builder:
    graph = Builder()
    graph.input("x", lengths=(-1, 2))
    graph.const("w", [1.0, 2.0])
    graph.const("axis", 0)
    graph.function("more", ["a"], ["y:z:0"], [node("y", "IsNan", "a")])
    graph.function("step", ["a"], ["y:y:0"], [node("y", "Neg", "a")])
    graph.add("loop", "StatelessWhile", "x", cond=function("more"), body=function("step"))
    graph.add("enter", "Enter", "axis", frame_name=s("frame"))
    graph.add("merge", "Merge", "enter", "next")
    graph.add("cond", "LoopCond", graph.add("less", "Less", "merge", graph.const("two", 2)))
    graph.add("switch", "Switch", "merge", "cond")
    graph.add("next", "NextIteration", graph.add("up", "AddV2", "switch:1", graph.const("one", 1)))
    graph.add("exit", "Exit", "switch")
    graph.add("parts", "Split", "axis", "x", num_split=i(2))
    graph.add("y", "LeakyRelu", "parts:1", alpha=f(0.5), T=dtype("DT_FLOAT"), keep=b(True))
    return graph


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_graph_loads_or_is_refused(data: st.DataObject) -> None:
    graph = _model()
    model = {"topology": copy.deepcopy(graph.topology), "signature": signature_of(["y", "exit", "loop"])}
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(_places(model)))
        parent: Any = model
        for key in path:
            parent = parent[key]
        if data.draw(st.booleans()) and isinstance(parent, dict):
            del parent[last]
        else:
            parent[last] = data.draw(_JUNK)
        if not _places(model):
            return
    tensors = {name: tf.tensor(value) for name, value in graph.weights.items()}
    try:
        load_graph(model.get("topology"), graph.weights, tensors, model.get("signature"))
    except TenfoldError:
        return
