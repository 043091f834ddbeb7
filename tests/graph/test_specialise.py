"""Specialising: shapes, constants, dynamic attributes, branches and loops, once input specs are known."""

from __future__ import annotations

import numpy as np
import pytest

import tenfold as tf
from tenfold.graph import specialise as specialise_module
from tenfold.graph.graph import Ref
from tenfold.graph.specialise import prune, specialise
from tests.graph.builder import GraphBuilder, ops_of, spec, tensor


def test_specs_follow() -> None:
    b = GraphBuilder()
    y = b.add("Add", b.input("x"), b.constant([1.0, 2.0]))
    z = b.add("Reshape", y, shape=(-1,))
    given = specialise(b.graph(z), {"x": spec(3, 1)})
    assert given.specs[y] == spec(3, 2)
    assert given.specs[z] == spec(6)
    assert given.graph.nodes[z.node].attributes == {"shape": (6,)}


def test_what_is_not_known_stays() -> None:
    b = GraphBuilder()
    y = b.add("Neg", b.add("Add", b.input("x"), b.input("unknown")))
    given = specialise(b.graph(y), {"x": spec(3)})
    assert y not in given.specs
    assert ops_of(given.graph) == ["Add", "Neg"]


def test_prune_keeps_inputs_only_of_what_is_not_needed() -> None:
    b = GraphBuilder()
    x, unused = b.input("x"), b.input("unused")
    b.add("Neg", unused)
    y = b.add("Neg", x)
    pruned = prune(b.graph(y))
    assert set(pruned.nodes) == {"x", "unused", y.node}
    assert prune(pruned) is pruned


def test_constants_fold() -> None:
    b = GraphBuilder()
    c = b.add("Add", b.constant([1.0, 2.0]), b.constant(3.0), name="c")
    given = specialise(b.graph(b.add("Multiply", b.input("x"), c), c), {"x": spec(2)})
    assert ops_of(given.graph) == ["Multiply"]
    assert given.graph.constants["c"].array_sync() == [4, 5]
    assert set(given.graph.constants) == {"c"}


def test_what_is_big_does_not_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specialise_module, "FOLD_BYTES", 100)
    b = GraphBuilder()
    filled = b.add("Add", b.constant(np.ones((1, 16), np.float32)), b.constant(np.ones((16, 1), np.float32)))
    same = b.add("Neg", b.constant(np.ones(1000, np.float32)))
    given = specialise(b.graph(filled, same), {})
    assert ops_of(given.graph) == ["Add"]


def test_shapes_fold_into_attributes() -> None:
    """Reshape to [batch, -1], as models write it."""
    b = GraphBuilder()
    x = b.input("x")
    batch = b.add(
        "StridedSlice",
        b.add("Shape", x),
        begin=(0,),
        end=(1,),
        strides=(1,),
        begin_mask=0,
        end_mask=0,
        ellipsis_mask=0,
        new_axis_mask=0,
        shrink_axis_mask=1,
    )
    shape = b.add("Pack", batch, b.constant(-1), axis=0)
    y = b.add("Reshape", x, dynamic={"shape": shape})
    given = specialise(b.graph(y, b.add("Size", x), b.add("Rank", x)), {"x": spec(4, 3, 2)})
    assert ops_of(given.graph) == ["Reshape"]
    assert given.specs[y] == spec(4, 6)
    size, rank = (given.graph.constants[ref.node].array_sync() for ref in given.graph.outputs[1:])
    assert (size, rank) == (24, 3)


def test_several_folded_outputs() -> None:
    b = GraphBuilder()
    shapes = b.add("ShapeN", b.input("x"), b.input("y"), outputs=2)
    given = specialise(b.graph(Ref(shapes.node, 1), shapes), {"x": spec(1), "y": spec(2, 3)})
    assert [given.graph.constants[ref.node].array_sync() for ref in given.graph.outputs] == [[2, 3], [1]]


def test_host_ops_of_shapes_become_kernels() -> None:
    b = GraphBuilder()
    y = b.add("Squeeze", b.add("ExpandDims", b.input("x"), axis=-1), axis=())
    given = specialise(b.graph(y), {"x": spec(1, 3)})
    assert ops_of(given.graph) == ["Reshape", "Reshape"]
    assert given.specs[y] == spec(3)


def test_errors_name_the_node() -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Add", b.input("x"), b.input("y"), name="sum"))
    with pytest.raises(ValueError, match="shape") as caught:
        specialise(graph, {"x": spec(2), "y": spec(3)})
    assert any("'sum'" in note for note in caught.value.__notes__)


def test_a_branch_of_known_condition_is_put_in_place() -> None:
    b = GraphBuilder()
    inner = b.input("inner")
    then = b.graph(b.add("Multiply", inner, b.constant(2.0, "c"), name="y"))
    b = GraphBuilder()
    otherwise = b.graph(b.add("Neg", b.input("inner")))
    b = GraphBuilder()
    x = b.input("x")
    condition = b.add("Less", b.add("Rank", x), b.constant(3))
    chosen = b.add("If", condition, x, name="if", **{"then": then, "else": otherwise})
    given = specialise(b.graph(b.add("Neg", chosen)), {"x": spec(2)})
    assert ops_of(given.graph) == ["Multiply", "Neg"]
    assert given.specs[given.graph.outputs[0]] == spec(2)
    given = specialise(b.graph(b.add("Abs", chosen)), {"x": spec(1, 1, 1)})
    assert ops_of(given.graph) == ["Neg", "Abs"]


def test_constants_that_loops_capture_move_inside() -> None:
    b = GraphBuilder()
    i, limit = b.input("i"), b.input("limit")
    cond = b.graph(b.add("Less", i, limit))
    b = GraphBuilder()
    i, limit = b.input("i"), b.input("limit")
    body = b.graph(b.add("Add", i, b.constant(1)), b.add("Identity", limit))
    b = GraphBuilder()
    limit = b.constant(3, "limit")
    loop = b.add("While", b.input("i"), limit, outputs=2, cond=cond, body=body)
    given = specialise(b.graph(Ref(loop.node, 1), loop), {"i": spec(dtype="int32")})
    assert given.graph.outputs[0] == limit
    (bound,) = [node for node in given.graph.nodes.values() if node.op == "While"]
    assert (len(bound.inputs), bound.outputs) == (1, 1)
    assert bound.attributes["cond"].inputs == bound.attributes["body"].inputs == ("i",)
    assert len(bound.attributes["body"].outputs) == 1


def test_folding_leaves_no_tensors_behind() -> None:
    b = GraphBuilder()
    y = b.add("Multiply", b.input("x"), b.add("Neg", b.add("Neg", b.constant([1.0, 2.0]))))
    graph = b.graph(y)
    x = tensor([1.0, 1.0])
    before = tf.memory().num_tensors
    given = specialise(graph, {"x": spec(2)})
    assert tf.memory().num_tensors == before + 1
    del given
    assert tf.memory().num_tensors == before
    assert x.array_sync() == [1, 1]
