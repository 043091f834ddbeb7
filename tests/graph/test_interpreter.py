"""The interpreter: op by op, in order, nothing kept longer than needed, control flow included."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import tenfold as tf
from tenfold.graph.graph import Graph, Node, Ref
from tenfold.graph.interpreter import interpret
from tenfold.graph.tensor_lists import Value
from tests.graph.builder import GraphBuilder, tensor


def scaled_and_shifted() -> tuple[Graph, Ref]:
    b = GraphBuilder()
    product = b.add("Multiply", b.input("x"), b.constant(2.0), name="product")
    return b.graph(b.add("Add", product, b.constant(1.0), name="sum")), product


def test_runs_in_order() -> None:
    graph, _ = scaled_and_shifted()
    (y,) = interpret(graph, {"x": tensor([1.0, 2.0])})
    assert y.array_sync() == [3, 5]


def test_any_value_can_be_asked_for_and_given() -> None:
    graph, product = scaled_and_shifted()
    assert [t.array_sync() for t in interpret(graph, {"x": tensor(3.0)}, [product, Ref("x")])] == [6, 3]
    assert interpret(graph, {"product": tensor(10.0)})[0].array_sync() == 11


def test_missing_inputs_and_unknown_names_are_named() -> None:
    graph, _ = scaled_and_shifted()
    with pytest.raises(ValueError, match="input x must be given"):
        interpret(graph, {})
    with pytest.raises(ValueError, match="no node 'nothing'"):
        interpret(graph, {"x": tensor(1.0)}, [Ref("nothing")])
    with pytest.raises(ValueError, match="no node 'y'"):
        interpret(graph, {"x": tensor(1.0), "y": tensor(1.0)})
    with pytest.raises(ValueError, match="no output 1"):
        interpret(graph, {"x": tensor(1.0)}, [Ref("sum", 1)])


def test_results_are_handles_of_their_own() -> None:
    graph, product = scaled_and_shifted()
    x = tensor(3.0)
    constant = next(iter(graph.constants))
    results = interpret(graph, {"x": x}, [Ref("x"), Ref(constant), product, product])
    assert len({id(t) for t in (x, *graph.constants.values(), *results)}) == 1 + len(graph.constants) + 4
    for result in results:
        result.dispose()
    assert interpret(graph, {"x": x})[0].array_sync() == 7


def test_errors_say_which_node() -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Reshape", b.input("x"), name="bad", shape=(5,)))
    with pytest.raises(ValueError, match="reshape") as caught:
        interpret(graph, {"x": tensor([1.0])})
    assert any("'bad'" in note for note in caught.value.__notes__)


def test_unknown_ops_are_errors() -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Nonsense", b.input("x")))
    with pytest.raises(ValueError, match="'Nonsense'"):
        interpret(graph, {"x": tensor([1.0])})


def test_dynamic_attributes_are_read() -> None:
    b = GraphBuilder()
    x = b.input("x")
    graph = b.graph(b.add("Reshape", x, dynamic={"shape": b.input("shape")}))
    (y,) = interpret(graph, {"x": tensor([1.0, 2.0, 3.0, 4.0]), "shape": tensor([2, -1])})
    assert y.shape == (2, 2)


def test_intermediates_are_gone_after_their_last_use() -> None:
    """In a chain of n sums on vectors of 4000 bytes, no more than two are alive at once."""
    b = GraphBuilder()
    y = b.input("x")
    one = b.constant(1.0)
    for _ in range(20):
        y = b.add("Add", y, one)
    graph = b.graph(y)
    x = tensor([0.0] * 1000)
    before = tf.memory()
    most = 0

    def observe(node: Node, values: Sequence[Value]) -> None:
        nonlocal most
        most = max(most, tf.memory().num_bytes)

    (result,) = interpret(graph, {"x": x}, observe=observe)
    assert most - before.num_bytes <= 2 * 4000
    assert tf.memory().num_tensors == before.num_tensors + 1
    result.dispose()
    assert tf.memory()[:3] == before[:3]


def test_length_costs_no_depth() -> None:
    b = GraphBuilder()
    y = b.input("x")
    for _ in range(3000):
        y = b.add("Neg", y)
    assert interpret(b.graph(y), {"x": tensor(1.0)})[0].array_sync() == 1


def test_gradients_flow_through() -> None:
    graph, _ = scaled_and_shifted()
    gradient = tf.grad(lambda x: interpret(graph, {"x": x})[0])(tensor([1.0, 2.0]))
    assert gradient.array_sync() == [2, 2]
