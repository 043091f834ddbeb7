"""Graph models as users have them: loading, running, asking, saving, disposing."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.errors import DisposedError, ModelFormatError, UnsupportedOpError
from tenfold.core.tensor import Tensor
from tenfold.models.custom_ops import GraphNode, deregister_op, get_registered_op, register_op
from tenfold.models.graph_model import GraphModel, load_graph_model, load_graph_model_sync
from tests.models.graph_defs import Builder, JsonObject, b, dtype, i, node, placeholder


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    for op in ("Twice", "Both", "Neg"):
        deregister_op(op)
    tf.env().set("KEEP_INTERMEDIATE_TENSORS", False)


def two_inputs() -> Builder:
    """(2 x + y, -y)."""
    graph = Builder()
    graph.input("x", lengths=(-1, 2))
    graph.input("y", lengths=(-1, 2))
    graph.add("double", "Mul", "x", graph.const("two", 2.0))
    graph.add("sum", "AddV2", "double", "y")
    graph.add("negative", "Neg", "y")
    return graph


SIGNATURE = {
    "inputs": {"left": {"name": "x:0", "dtype": "DT_FLOAT"}, "right": {"name": "y:0", "dtype": "DT_FLOAT"}},
    "outputs": {"total": {"name": "sum:0", "dtype": "DT_FLOAT"}, "opposite": {"name": "negative:0"}},
}
X, Y = tf.keep(tf.tensor([[1.0, 2.0]])), tf.keep(tf.tensor([[10.0, 20.0]]))
TOTAL, OPPOSITE = [[12.0, 24.0]], [[-10.0, -20.0]]


def signed(**fields: Any) -> GraphModel:
    """The model with its signature."""
    return load_graph_model_sync(two_inputs().artifacts(signature=SIGNATURE, **fields))


def arrays(result: Any) -> Any:
    """Tensors as lists."""
    return [tensor.array_sync() for tensor in result]


# --- running -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inputs",
    [
        [X, Y],
        (X, Y),
        {"x": X, "y": Y},
        {"x:0": X, "y:0": Y},
        {"left": X, "right": Y},
        {"x": X.numpy(), "y": [[10, 20]]},
    ],
)
def test_inputs_in_every_form(inputs: Any) -> None:
    assert arrays(signed().predict(inputs)) == [TOTAL, OPPOSITE]


def test_one_input_may_be_a_tensor_an_array_or_numbers() -> None:
    graph = Builder()
    graph.input("x", lengths=(-1,))
    graph.add("y", "Neg", "x")
    model = graph.model()
    for value in (tf.tensor([1.0, 2.0]), np.array([1.0, 2.0]), [1, 2], [np.array([1.0, 2.0])]):
        assert model.predict(value).array_sync() == [-1.0, -2.0]


def test_what_was_made_of_numbers_for_a_run_is_disposed() -> None:
    model = signed()
    model.predict([X, Y])
    before = tf.memory().num_tensors
    results = model.predict({"x": [[1, 2]], "y": [[1, 2]]})
    assert tf.memory().num_tensors == before + 2
    tf.dispose(results)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ([X], ValueError, "1 inputs were given, but the model has 2: x, y"),
        ([X, Y, Y], ValueError, "3 inputs were given"),
        (X, ValueError, "1 inputs were given"),
        ({"x": X}, ValueError, "y"),
        ({"x": X, "z": Y}, ValueError, "no input or node 'z'; its inputs are x, y"),
        ({"x": X, "y": tf.tensor([1.0, 2.0])}, ValueError, r"'y' must have the shape \[-1, 2\].*given \[2\]"),
        ({"x": X, "y": tf.tensor([[1.0]])}, ValueError, r"'y' must have the shape \[-1, 2\].*given \[1, 1\]"),
        ({"x": X, "y": tf.tensor([[1, 2]], dtype="int32")}, TypeError, "'y'.*float32.*int32"),
        ({"x": X, "y": None}, TypeError, "'y'"),
        (None, ValueError, "1 inputs were given"),
    ],
)
def test_inputs_that_do_not_fit(inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        signed().predict(inputs)


def test_execute_gives_any_node() -> None:
    model = signed()
    assert model.execute([X, Y], "double").array_sync() == [[2.0, 4.0]]
    assert arrays(model.execute([X, Y], ["opposite", "double", "sum:0"])) == [OPPOSITE, [[2.0, 4.0]], TOTAL]
    assert model.execute([X, Y], ["two"]).array_sync() == 2.0
    assert model.execute([X, Y], ["x"]).array_sync() == [[1.0, 2.0]]


def test_execute_gives_further_outputs_of_a_node() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("parts", "Split", graph.const("axis", 0), "x", num_split=i(2))
    model = graph.model(["parts:1"])
    assert model.output_nodes == ("parts:1",)
    assert model.predict(tf.tensor([1.0, 2.0])).array_sync() == [2.0]
    assert arrays(model.execute(tf.tensor([1.0, 2.0]), ["parts:1", "parts"])) == [[2.0], [1.0]]


def test_values_may_be_given_to_any_node() -> None:
    model = signed()
    assert model.execute({"double": X, "y": Y}, "sum").array_sync() == [[11.0, 22.0]]


@pytest.mark.parametrize("name", ["nowhere", "sum:1", "sum:x", ""])
def test_outputs_that_are_not_there(name: str) -> None:
    with pytest.raises(ValueError, match="output"):
        signed().execute([X, Y], [name])


def test_results_are_not_overwritten_by_later_runs() -> None:
    model = signed()
    first = model.predict([X, Y])
    model.predict([Y, Y])
    assert arrays(first) == [TOTAL, OPPOSITE]


def test_runs_leave_nothing_behind() -> None:
    model = signed()
    with tf.tidy():
        model.predict([X, Y])
    before = tf.memory()
    for _ in range(3):
        tf.dispose(model.predict([X, Y]))
    assert tf.memory() == before


def test_predict_async_does_not_block_the_loop_and_keeps_the_context() -> None:
    started, go_on = threading.Event(), threading.Event()
    variable = contextvars.ContextVar("variable", default="outside")
    seen = []

    def wait(custom: GraphNode) -> Tensor:
        seen.append((variable.get(), threading.current_thread() is threading.main_thread()))
        started.set()
        assert go_on.wait(10)
        return custom.inputs[0]

    register_op("Twice", wait)
    graph = Builder()
    graph.input("x")
    graph.add("y", "Twice", "x")
    model = graph.model()

    async def main() -> Tensor:
        variable.set("inside")
        task = asyncio.create_task(model.predict_async(X))
        while not started.is_set():
            await asyncio.sleep(0.001)
        go_on.set()
        result: Tensor = await task
        return result

    assert asyncio.run(main()).array_sync() == [[1.0, 2.0]]
    assert seen == [("inside", False)]


def test_structured_outputs() -> None:
    model = signed(userDefinedMetadata={"structuredOutputKeys": ["s", "n"]})
    result = model.predict([X, Y])
    assert {key: tensor.array_sync() for key, tensor in result.items()} == {"s": TOTAL, "n": OPPOSITE}
    assert model.model_structured_output_keys == ("s", "n")
    assert arrays(model.execute([X, Y])) == [TOTAL, OPPOSITE]


def test_structured_outputs_must_name_every_output() -> None:
    model = signed(userDefinedMetadata={"structuredOutputKeys": ["s"]})
    with pytest.raises(ModelFormatError, match="structuredOutputKeys"):
        model.predict([X, Y])


def test_intermediate_tensors_are_kept_on_request() -> None:
    model = signed()
    tf.dispose(model.predict([X, Y]))
    assert model.get_intermediate_tensors() == {}
    before = tf.memory().num_tensors
    tf.env().set("KEEP_INTERMEDIATE_TENSORS", True)
    for _ in range(2):
        with tf.tidy():
            model.predict([X, Y])
    kept = model.get_intermediate_tensors()
    assert kept["double"][0].array_sync() == [[2.0, 4.0]]
    assert kept["negative"][0].array_sync() == OPPOSITE
    model.dispose_intermediate_tensors()
    assert model.get_intermediate_tensors() == {}
    assert tf.memory().num_tensors == before


def test_kernels_are_seen_and_differentiated() -> None:
    model = signed()
    gradient = tf.grad(lambda x: model.execute([x, Y], "sum"))(X)
    assert gradient.array_sync() == [[2.0, 2.0]]


# --- warming up ----------------------------------------------------------------------------------------------


def test_warmup_reports_progress_and_leaves_only_the_plan() -> None:
    model = signed()
    before = tf.memory().num_tensors
    seen: list[float] = []
    model.warmup({"x": (3, 2), "right": (3, 2)}, seen.append).result()
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    model.warmup().result()
    assert tf.memory().num_tensors == before


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 2), "2 inputs by name"), ({"x": (1, 3)}, r"'x' must have the shape \[-1, 2\]"), ({"z": (1, 2)}, "'z'")],
)
def test_warmup_with_shapes_that_do_not_fit(shape: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        signed().warmup(shape).result()


def test_warmup_needs_a_shape_where_the_model_states_none() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("y", "Neg", "x")
    with pytest.raises(ValueError, match="nothing about the shape of 'x'"):
        graph.model().warmup()
    graph.model().warmup((2, 2)).result()


# --- asking --------------------------------------------------------------------------------------------------


def test_a_model_says_what_it_is() -> None:
    model = signed(userDefinedMetadata={"author": "me"})
    assert model.input_nodes == ("x", "y")
    assert model.inputs[0] == ("x", (-1, 2), "float32", "left", None)
    assert model.output_nodes == ("sum", "negative")
    assert model.metadata == {"author": "me"}
    assert model.model_signature == SIGNATURE
    assert model.model_version == "1.0"
    assert model.model_structured_output_keys is None
    assert {name: weight.array_sync() for name, weight in model.weights.items()} == {"two": 2.0}
    assert model.nodes["sum"].op == "Add"
    assert repr(model) == "<GraphModel x, y -> sum, negative>"


def test_the_signature_may_stand_among_the_metadata() -> None:
    model = load_graph_model_sync(two_inputs().artifacts(userDefinedMetadata={"signature": SIGNATURE}))
    assert model.inputs[1].key == "right"


def test_a_model_that_is_not_loaded_says_so() -> None:
    model = GraphModel(two_inputs().artifacts())
    assert repr(model) == "<GraphModel, not loaded>"
    assert model.model_version == "n/a"
    for use in (lambda: model.inputs, lambda: model.artifacts, lambda: model.predict(X)):
        with pytest.raises(RuntimeError, match="not loaded; call load"):
            use()
    assert model.load().result()
    assert arrays(model.predict([X, Y])) == [TOTAL, OPPOSITE]


# --- loading, saving, disposing ------------------------------------------------------------------------------


def test_load_and_save_give_equal_files(tmp_path: Path) -> None:
    graph = two_inputs()
    first, second = tmp_path / "first", tmp_path / "second"
    model = load_graph_model_sync(graph.artifacts(signature=SIGNATURE, generatedBy="a test", convertedBy=None))
    model.save(first).result()
    load_graph_model_sync(first).save(second / "model.json").result()
    files = sorted(path.name for path in first.iterdir())
    assert files == sorted(path.name for path in second.iterdir())
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert json.loads((first / "model.json").read_text())["signature"] == SIGNATURE


def test_loading_with_and_without_an_event_loop(tmp_path: Path) -> None:
    signed().save(tmp_path).result()
    seen: list[float] = []
    model = load_graph_model(tmp_path, on_progress=seen.append).result()
    assert arrays(model.predict([X, Y])) == [TOTAL, OPPOSITE]
    assert seen[-1] == 1.0

    async def main() -> tuple[GraphModel, bool]:
        loaded = await load_graph_model(str(tmp_path))
        again = GraphModel(tmp_path)
        saved = await loaded.save(tmp_path / "again")
        assert saved.model_artifacts_info is not None
        return loaded, await again.load()

    model, loaded = asyncio.run(main())
    assert loaded
    assert arrays(model.predict([X, Y])) == [TOTAL, OPPOSITE]


def test_weights_outlive_the_scope_they_were_loaded_in() -> None:
    with tf.tidy():
        model = signed()
    assert arrays(model.predict([X, Y])) == [TOTAL, OPPOSITE]


def test_dispose_frees_everything() -> None:
    before = tf.memory()
    model = signed()
    tf.dispose(model.predict([X, Y]))
    model.dispose()
    model.dispose()
    assert tf.memory() == before
    with pytest.raises(DisposedError, match=r"GraphModel\.execute: the model has been disposed"):
        model.predict([X, Y])
    assert repr(model) == "<GraphModel x, y -> sum, negative, disposed>"


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"modelTopology": None}, ModelFormatError, "no modelTopology"),
        ({"modelTopology": {"class_name": "Model"}}, ModelFormatError, "load_layers_model"),
        ({"format": "layers-model"}, ModelFormatError, "no graph model"),
        ({"modelTopology": {"node": [node("a", "Foo"), node("b", "Bar", "a")]}}, UnsupportedOpError, "Bar, Foo"),
        ({"signature": {"outputs": {"y": {"name": "nowhere"}}}}, ModelFormatError, "nowhere"),
        ({"modelInitializer": {"node": [node("a", "Neg", "b")]}}, ModelFormatError, "'b' is not a node"),
        (
            {
                "modelInitializer": {"node": [node("a", "LookupTableImport", "b", "b", "b"), node("b", "Foo")]},
                "initializerSignature": {},
            },
            UnsupportedOpError,
            "Foo",
        ),
    ],
)
def test_what_fails_to_load_leaves_nothing_behind(fields: JsonObject, error: type[Exception], message: str) -> None:
    before = tf.memory()
    with pytest.raises(error, match=message):
        load_graph_model_sync({**two_inputs().artifacts(), **fields})
    assert tf.memory() == before


# --- custom ops ----------------------------------------------------------------------------------------------


def test_custom_ops_get_inputs_and_attributes() -> None:
    seen: list[GraphNode] = []

    def twice(custom: GraphNode) -> Tensor:
        seen.append(custom)
        result: Tensor = tf.mul(custom.inputs[0], custom.attrs["factor"])
        return result

    register_op("Twice", twice)
    assert get_registered_op("Twice") is twice
    graph = Builder()
    graph.input("x")
    graph.add("y", "Twice", "x", factor=i(2), flag=b(True), kind=dtype("DT_INT64"))
    assert graph.model().predict(X).array_sync() == [[2.0, 4.0]]
    assert seen[0].op == "Twice"
    assert seen[0].attrs == {"factor": 2, "flag": True, "kind": "int32"}


def test_custom_ops_come_before_ours() -> None:
    register_op("Neg", lambda custom: tf.mul(custom.inputs[0], 3))
    graph = Builder()
    graph.input("x")
    graph.add("y", "Neg", "x")
    assert graph.model().predict(X).array_sync() == [[3.0, 6.0]]


def test_custom_ops_with_several_outputs() -> None:
    register_op("Both", lambda custom: [custom.inputs[0], tf.add(custom.inputs[0], 1), X])
    graph = Builder()
    graph.input("x")
    graph.add("both", "Both", "x")
    graph.add("y", "AddV2", "both:1", "both")
    assert graph.model().predict(X).array_sync() == [[3.0, 5.0]]
    register_op("Both", lambda custom: custom.inputs[0])
    with pytest.raises(ModelFormatError, match=r"'both'.*returned 1 values, but the model reads 2"):
        graph.model().predict(X)


def test_unknown_ops_are_an_error_when_loading_or_on_request_when_running() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("y", "Twice", "x")
    graph.add("z", "Identity", "y")
    with pytest.raises(UnsupportedOpError, match="Twice"):
        graph.model()
    model = graph.model(allow_unknown_ops=True)
    assert model.execute({"y": X}, "z").array_sync() == [[1.0, 2.0]]
    with pytest.raises(UnsupportedOpError, match=r"'y'.*'Twice'"):
        model.predict(X)
    register_op("Twice", lambda custom: tf.mul(custom.inputs[0], 2))
    assert model.predict(X).array_sync() == [[2.0, 4.0]]


@pytest.mark.parametrize(("name", "function"), [("", len), (3, len), ("Twice", None)])
def test_what_cannot_be_registered(name: Any, function: Any) -> None:
    with pytest.raises(TypeError, match="register_op"):
        register_op(name, function)


# --- hash tables ---------------------------------------------------------------------------------------------


def test_an_initializer_fills_the_tables_of_the_model() -> None:
    graph = Builder()
    graph.const("keys", ["a", "b"])
    graph.const("numbers", [5, 6])
    weights = graph.artifacts()
    types = {"key_dtype": dtype("DT_STRING"), "value_dtype": dtype("DT_INT64")}
    initializer = {
        "node": [
            *graph.nodes,
            node("table", "HashTableV2", **types),
            node("import", "LookupTableImportV2", "table", "keys", "numbers"),
        ]
    }
    main = Builder()
    main.nodes += [placeholder("words", "DT_STRING", (-1,)), placeholder("resource", "DT_RESOURCE", ())]
    main.add("index", "LookupTableFindV2", "resource", "words", main.const("missing", -1))
    model = load_graph_model_sync(
        {
            **main.artifacts(),
            "weightSpecs": [*weights["weightSpecs"], {"name": "missing", "shape": [], "dtype": "int32"}],
            "weightData": weights["weightData"] + np.int32(-1).tobytes(),
            "signature": {
                "inputs": {
                    "words": {"name": "words:0", "dtype": "DT_STRING"},
                    "table": {"name": "resource:0", "dtype": "DT_RESOURCE", "resourceId": 66},
                },
                "outputs": {"index": {"name": "index:0"}},
            },
            "modelInitializer": initializer,
            "initializerSignature": {"outputs": {"t": {"name": "table:0", "dtype": "DT_RESOURCE", "resourceId": "66"}}},
        }
    )
    for _ in range(2):
        assert model.predict(tf.tensor(["b", "c", "a"])).array_sync() == [6, -1, 5]
    assert model.predict({"words": tf.tensor(["a"])}).array_sync() == [5]
