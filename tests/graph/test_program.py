"""Programs: forms by specs, cuts, memory, backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.kernel import TensorSpec
from tenfold.graph import program as program_module
from tenfold.graph.graph import Graph, Ref
from tenfold.graph.program import CAPACITY, Program, fed_graph, partition
from tenfold.graph.specialise import specialise
from tests.graph.builder import GraphBuilder, spec, tensor


def affine() -> Graph:
    b = GraphBuilder()
    product = b.add("Multiply", b.input("x"), b.constant(2.0), name="product")
    return b.graph(b.add("Add", product, b.constant(1.0), name="sum"))


@pytest.fixture
def made_forms(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was planned, in order."""
    made: list[Any] = []
    original = program_module.make_form

    def counted(graph: Graph, feeds: Any, backend: Any) -> Any:
        made.append(tuple(value.shape for value in feeds.values()))
        return original(graph, feeds, backend)

    monkeypatch.setattr(program_module, "make_form", counted)
    return made


def test_one_form_for_each_spec(made_forms: list[Any]) -> None:
    program = Program(affine())
    for length in (1, 2, 1, 2, 2):
        (y,) = program.run({"x": tensor(np.ones(length, np.float32))})
        assert y.array_sync() == [3] * length
    assert made_forms == [((1,),), ((2,),)]


def test_the_least_recently_used_form_goes(made_forms: list[Any]) -> None:
    program = Program(affine())
    for length in [*range(1, CAPACITY + 1), 1, CAPACITY + 1, 1, 2]:
        program.run({"x": tensor(np.ones(length, np.float32))})
    assert [shape for ((shape,),) in made_forms] == [*range(1, CAPACITY + 1), CAPACITY + 1, 2]


def test_outputs_are_part_of_the_form() -> None:
    program = Program(affine())
    feeds = {"x": tensor(3.0)}
    assert [y.array_sync() for y in program.run(feeds, [Ref("product"), Ref("sum")])] == [6, 7]
    assert program.run(feeds, [Ref("product")])[0].array_sync() == 6
    assert program.run({"product": tensor(1.0)})[0].array_sync() == 2


def test_a_second_run_leaves_the_first_results() -> None:
    program = Program(affine())
    first = program.run({"x": tensor([1.0])})[0]
    second = program.run({"x": tensor([2.0])})[0]
    assert (first.array_sync(), second.array_sync()) == ([3], [5])


def test_inputs_and_constants_as_outputs_are_handles_of_their_own() -> None:
    b = GraphBuilder()
    x, c = b.input("x"), b.constant([1.0, 2.0], name="c")
    seen = b.add("Reshape", x, shape=(2, 1))
    program = Program(b.graph(x, c, seen, b.add("Identity", seen), b.add("Neg", c)))
    given = tensor([5.0, 6.0])
    results = program.run({"x": given})
    assert [r.array_sync() for r in results] == [[5, 6], [1, 2], [[5], [6]], [[5], [6]], [-1, -2]]
    for result in results:
        result.dispose()
    again = program.run({"x": given})
    assert [r.array_sync() for r in again] == [[5, 6], [1, 2], [[5], [6]], [[5], [6]], [-1, -2]]


def test_memory_stays_as_it_was() -> None:
    program = Program(affine())
    x = tensor(np.ones(100, np.float32))
    tf.dispose(program.run({"x": x}))
    before = tf.memory()
    for _ in range(5):
        tf.dispose(program.run({"x": x}))
    assert tf.memory() == before
    results = program.run({"x": x})
    assert tf.memory().num_tensors == before.num_tensors + 1
    assert tf.memory().num_bytes == before.num_bytes + 400
    del results
    assert tf.memory() == before


def test_a_program_made_in_a_scope_outlives_it() -> None:
    b = GraphBuilder()
    folded = b.add("Add", b.constant([1.0]), b.constant([2.0]))
    program = Program(b.graph(b.add("Multiply", b.input("x"), folded)))
    x = tensor([2.0])
    assert tf.tidy(lambda: program.run({"x": x}))[0].array_sync() == [6]
    assert program.run({"x": x})[0].array_sync() == [6]
    program.dispose()
    assert program.run({"x": x})[0].array_sync() == [6]


def test_disposing_gives_folded_constants_back() -> None:
    b = GraphBuilder()
    folded = b.add("Add", b.constant([1.0]), b.constant([2.0]))
    program = Program(b.graph(b.add("Multiply", b.input("x"), folded)))
    x = tensor([2.0])
    before = tf.memory()
    tf.dispose(program.run({"x": x}))
    assert tf.memory().num_tensors == before.num_tensors + 1
    program.dispose()
    assert tf.memory() == before


def test_kernels_are_seen_while_somebody_watches() -> None:
    program = Program(affine())
    x = tensor([1.0])
    assert tf.grad(lambda x: program.run({"x": x})[0])(x).array_sync() == [2]
    profile = tf.profile(lambda: program.run({"x": x})[0])
    assert [kernel.name for kernel in profile.kernels] == ["Multiply", "Add"]


def test_warmup_plans_ahead(made_forms: list[Any]) -> None:
    program = Program(affine())
    seen: list[float] = []
    program.warmup({"x": spec(3)}, seen.append)
    assert seen == [0, 1]
    program.run({"x": tensor([1.0, 2.0, 3.0])})
    assert made_forms == [((3,),)]


def test_a_change_of_backend_plans_anew() -> None:
    tf.register_backend("second", tf.find_backend_factory("cpu"), 0)
    tf.copy_registered_kernels("cpu", "second")
    try:
        program = Program(affine())
        x = tensor([1.0])
        assert program.run({"x": x})[0].backend_name == "cpu"
        with tf.backend_scope("second"):
            (y,) = program.run({"x": x})
            assert (y.backend_name, y.array_sync()) == ("second", [3])
            assert all(c.backend_name == "second" for c in program.graph.constants.values())
        assert program.run({"x": x})[0].backend_name == "cpu"
        assert all(c.backend_name == "cpu" for c in program.graph.constants.values())
    finally:
        program.dispose()
        tf.remove_backend("second")


def after_where() -> Graph:
    """The rows of x where a condition holds, doubled, and how many: the shape follows from values."""
    b = GraphBuilder()
    x, condition = b.input("x"), b.input("condition")
    doubled = b.add("Multiply", x, b.constant(2.0), name="doubled")
    places = b.add("Where", condition, name="places")
    rows = b.add("GatherNd", doubled, places, name="rows")
    count = b.add("StridedSlice", b.add("Shape", rows), begin=(0,), end=(1,), strides=(1,), **MASKS)
    shape = b.add("Pack", Ref(count.node), b.constant(1), axis=0)
    return b.graph(rows, b.add("Reshape", rows, dynamic={"shape": shape}), b.add("Neg", x))


MASKS = {"begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 1}


def test_shapes_that_follow_from_values() -> None:
    program = Program(after_where())
    x = tensor([1.0, 2.0, 3.0])
    for wanted in ([True, False, True], [True, True, True], [True, False, True], [False] * 3, [True, False, True]):
        rows, column, negated = program.run({"x": x, "condition": tensor(wanted)})
        expected = [2 * v for v, w in zip([1.0, 2.0, 3.0], wanted, strict=True) if w]
        assert rows.array_sync() == expected
        assert column.array_sync() == [[v] for v in expected]
        assert column.shape == (len(expected), 1)
        assert negated.array_sync() == [-1, -2, -3]


def test_what_depends_on_values_waits_for_them() -> None:
    graph = after_where()
    given = specialise(graph, {"x": spec(3), "condition": TensorSpec((3,), "bool")})
    parts = partition(given)
    assert "doubled" in parts.planned
    assert [node.op for node in parts.cuts] == ["Where"]
    assert "rows" in parts.later
    assert len(parts.planned) + len(parts.later) + 1 == sum(
        node.op not in ("Const", "Placeholder") for node in given.graph.nodes.values()
    )


def test_later_parts_compile_when_seen_again(made_forms: list[Any]) -> None:
    program = Program(after_where())
    feeds = {"x": tensor([1.0, 2.0]), "condition": tensor([True, False])}
    program.run(feeds)
    assert len(made_forms) == 1
    program.run(feeds)
    assert len(made_forms) == 2
    program.run(feeds)
    assert len(made_forms) == 2


def test_warmup_compiles_later_parts(made_forms: list[Any]) -> None:
    program = Program(after_where())
    seen: list[float] = []
    program.warmup({"x": spec(2), "condition": TensorSpec((2,), "bool")}, seen.append)
    assert seen == [0, 0.5, 0.75, 1]
    assert len(made_forms) == 2


def test_inputs_that_do_not_fit_name_the_node() -> None:
    b = GraphBuilder()
    program = Program(b.graph(b.add("Add", b.input("x"), b.constant([1.0, 2.0]), name="sum")))
    with pytest.raises(ValueError, match=r"broadcast|shape") as caught:
        program.run({"x": tensor([1.0, 2.0, 3.0])})
    assert any("'sum'" in note for note in caught.value.__notes__)
    with pytest.raises(ValueError, match="must be given"):
        program.run({})


def test_feeding_a_node_leaves_its_other_outputs_undefined() -> None:
    b = GraphBuilder()
    parts = b.add("Unpack", b.input("x"), name="parts", outputs=2, axis=0)
    graph = b.graph(b.add("Neg", Ref(parts.node, 1)))
    with pytest.raises(ValueError, match="not for its output 1"):
        fed_graph(graph, ["parts"], graph.outputs)
    assert Program(graph).run({"x": tensor([1.0, 2.0])})[0].array_sync() == -2
