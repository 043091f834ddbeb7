"""Every row of the mapping of TensorFlow's ops, loaded and run, op by op and through the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.errors import ModelFormatError
from tenfold.core.kernel import find_kernel_definition
from tenfold.graph.host_ops import find_host_op
from tenfold.graph.interpreter import interpret
from tenfold.models.tf_ops import CATEGORIES, ROWS
from tests.models.graph_defs import TYPES, Builder, b, dtype, f, i, ints, node, s, shape, strings
from tests.models.op_samples import (
    BIAS3,
    CONV,
    KERNEL,
    MEAN,
    NORMAL,
    OFFSET,
    PICTURE,
    SAMPLES,
    SCALE,
    VARIANCE,
    WINDOW,
    Const,
    Sample,
    floats,
    integers,
)

LINE = {"stride": i(1), "padding": s("VALID")}
F, I32 = dtype("DT_FLOAT"), dtype("DT_INT32")


def compute(graph: Builder, feeds: dict[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
    """The outputs, which must be the same op by op and through the plan."""
    model = graph.model(outputs)
    tensors = {name: tf.tensor(value) for name, value in feeds.items()}
    expected = [value.numpy() for value in interpret(graph.load(outputs).graph, tensors)]
    for _ in range(2):
        planned = model.execute(tensors)
        for got, want in zip(planned if isinstance(planned, list) else [planned], expected, strict=True):
            if want.dtype == object:
                assert got.numpy().tolist() == want.tolist()
            else:
                np.testing.assert_allclose(got.numpy(), want, 1e-5, 1e-5)
    model.dispose()
    return expected


def check(op: str, sample: Sample) -> None:
    """Run one node."""
    graph = Builder()
    feeds = {}
    names = []
    for number, given in enumerate(sample.inputs):
        name = f"in{number}"
        if isinstance(given, Const):
            names.append(graph.const(name, given.value))
        else:
            names.append(graph.input(name, TYPES[given.dtype.kind]))
            feeds[name] = given
    graph.add("node", op, *names, **sample.attributes)
    outputs = [f"node:{number}" if number else "node" for number in range(len(sample.want))]
    for got, want in zip(compute(graph, feeds, outputs), sample.want, strict=True):
        assert got.shape == np.shape(want)
        if np.asarray(want).dtype.kind == "U":
            assert got.tolist() == np.asarray(want).tolist()
            continue
        assert got.dtype == np.asarray(want).dtype
        scale = max(np.max(np.abs(want), initial=0), 1e-3)
        assert np.max(np.abs(got - want) if got.dtype != bool else got != want, initial=0) <= sample.tolerance * scale


def array_chain(graph: Builder) -> dict[str, Any]:
    """A tensor array that is filled, read and joined."""
    graph.add("array", "TensorArrayV3", graph.const("three", 3), dtype=F, element_shape=shape(None))
    graph.add("scattered", "TensorArrayScatterV3", "array", graph.const("i012", [0, 1, 2]), "x", "array:1", T=F)
    graph.add("row", "TensorArrayReadV3", "array", graph.const("one", 1), "scattered", dtype=F)
    graph.add("size", "TensorArraySizeV3", "array", "scattered")
    graph.add("again", "TensorArrayV3", "three", dtype=F, clear_after_read=b(False))
    graph.add("written", "TensorArrayWriteV3", "again", graph.const("zero", 0), "row", "again:1", T=F)
    graph.add("rows", "TensorArrayGatherV3", "again", graph.const("i00", [0, 0]), "written", dtype=F)
    graph.add("split", "TensorArrayV3", graph.const("two", 2), dtype=F)
    graph.add("parts", "TensorArraySplitV3", "split", "x", graph.const("lengths", [1, 2]), "split:1", T=F)
    graph.add("joined", "TensorArrayConcatV3", "split", "parts", dtype=F)
    graph.add("closed", "TensorArrayCloseV3", "array")
    x = SAMPLES["Abs"].inputs[0].T
    return {"row": x[1], "size": np.int32(3), "rows": x[[1, 1]], "joined": x, "joined:1": integers(1, 2)}


def list_chain(graph: Builder) -> dict[str, Any]:
    """Tensor lists that are made in every way, changed and joined."""
    graph.const("any", -1)
    graph.const("pair", [2])
    for name, value in (("zero", 0), ("one", 1), ("four", 4), ("i02", [0, 2]), ("lengths", [1, 2])):
        graph.const(name, value)
    graph.add("rows", "TensorListFromTensor", "x", "pair", element_dtype=F)
    graph.add("first", "TensorListGetItem", "rows", "zero", "any", element_dtype=F)
    graph.add("changed", "TensorListSetItem", "rows", "one", "first", element_dtype=F)
    graph.add("stacked", "TensorListStack", "changed", "pair", element_dtype=F, num_elements=i(3))
    graph.add("gathered", "TensorListGather", "changed", "i02", "any", element_dtype=F)
    graph.add("reserved", "TensorListReserve", "pair", "four", element_dtype=F)
    graph.add("length", "TensorListLength", "reserved")
    graph.add("resized", "TensorListResize", "rows", "one")
    graph.add("one_row", "TensorListStack", "resized", "any", element_dtype=F)
    graph.add("empty", "EmptyTensorList", "any", "four", element_dtype=F)
    graph.add("pushed", "TensorListPushBack", "empty", "first", element_dtype=F)
    graph.add("popped", "TensorListPopBack", "pushed", "any", element_dtype=F)
    graph.add("split", "TensorListSplit", "x", "any", "lengths", element_dtype=F)
    graph.add("concat", "TensorListConcat", "split", element_dtype=F)
    graph.add(
        "concat2", "TensorListConcatV2", "split", "any", graph.const("none", np.zeros(0, np.int32)), element_dtype=F
    )
    graph.add("scattered", "TensorListScatter", "first", "i02", "any", element_dtype=F)
    graph.add("scattered_length", "TensorListLength", "scattered")
    graph.add("scattered2", "TensorListScatterV2", "first", "i02", "any", "four", element_dtype=F)
    graph.add("scattered2_length", "TensorListLength", "scattered2")
    x = SAMPLES["Abs"].inputs[0].T
    return {
        "first": x[0], "stacked": x[[0, 0, 2]], "gathered": x[[0, 2]], "length": np.int32(4), "one_row": x[:1],
        "popped:1": x[0], "concat": x, "concat:1": integers(1, 2), "concat2": x,
        "scattered_length": np.int32(3), "scattered2_length": np.int32(4),
    }  # fmt: skip


def table_chain(version: str, importing: str) -> Callable[[Builder], dict[str, Any]]:
    """A hash table that is filled and asked."""

    def build(graph: Builder) -> dict[str, Any]:
        types = {"key_dtype": dtype("DT_STRING"), "value_dtype": dtype("DT_INT64")}
        graph.add("table", f"HashTable{version}", shared_name=s("table"), **types)
        graph.add("filled", importing, "table", graph.const("keys", ["a", "b"]), graph.const("values", [7, 9]))
        graph.add(
            "found", f"LookupTableFind{version}", "filled", graph.const("asked", ["b", "c"]), graph.const("d", -1)
        )
        graph.add("size", f"LookupTableSize{version}", "filled")
        return {"found": integers(9, -1), "size": np.int32(2)}

    return build


CHAINS: dict[str, Callable[[Builder], dict[str, Any]]] = {
    "TensorArray": array_chain,
    "TensorList": list_chain,
    "HashTable import": table_chain("", "LookupTableImport"),
    "HashTable initialise": table_chain("", "InitializeTable"),
    "HashTableV2 import": table_chain("V2", "LookupTableImportV2"),
    "HashTableV2 initialise": table_chain("V2", "InitializeTableV2"),
}


TESTED_APART = {"Multinomial", "NoOp", "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal"}


def test_every_row_has_a_target_and_is_tested() -> None:
    ops = [row.op for rows in CATEGORIES.values() for row in rows]
    assert len(ops) == len(set(ops)), "an op has two rows"
    missing = {
        row.target for row in ROWS.values() if not find_kernel_definition(row.target) and not find_host_op(row.target)
    }
    assert not missing
    chained = set()
    for build in CHAINS.values():
        graph = Builder()
        build(graph)
        chained |= {entry["op"] for entry in graph.nodes}
    assert set(ROWS) - set(SAMPLES) - chained - TESTED_APART == set()


def test_an_op_without_results_may_stand_in_the_way() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("done", "NoOp", "^x")
    graph.nodes.append(node("y", "Square", "x", "^done"))
    assert graph.model().execute(tf.tensor([3.0])).array_sync() == [9.0]


@pytest.mark.parametrize("op", sorted(SAMPLES))
def test_row(op: str) -> None:
    check(op, SAMPLES[op])


@pytest.mark.parametrize("op", sorted(SAMPLES))
def test_row_with_values_that_are_known_only_when_it_runs(op: str) -> None:
    sample = SAMPLES[op]
    inputs = [np.asarray(given.value if isinstance(given, Const) else given) for given in sample.inputs]
    fed = [array.astype({"f": np.float32, "i": np.int32}.get(array.dtype.kind, array.dtype)) for array in inputs]
    check(op, Sample(fed, sample.want, sample.attributes))


@pytest.mark.parametrize("name", CHAINS)
def test_rows_of_host_values(name: str) -> None:
    graph = Builder()
    graph.input("x")
    wanted = CHAINS[name](graph)
    feeds = {"x": SAMPLES["Abs"].inputs[0].T}
    for got, want in zip(compute(graph, feeds, list(wanted)), wanted.values(), strict=True):
        np.testing.assert_array_equal(got, want)


# --- attributes ---------------------------------------------------------------------------------------------


def test_explicit_padding_of_a_convolution() -> None:
    padded = np.pad(PICTURE, ((0, 0), (1, 0), (0, 1), (0, 0)))
    attributes = {**WINDOW, "padding": s("EXPLICIT"), "explicit_paddings": ints(0, 0, 1, 0, 0, 1, 0, 0)}
    graph = Builder()
    graph.input("a")
    graph.input("b")
    graph.const("kernel", KERNEL)
    graph.add("explicit", "Conv2D", "a", "kernel", **attributes)
    graph.add("valid", "Conv2D", "b", "kernel", **WINDOW)
    explicit, valid = compute(graph, {"a": PICTURE, "b": padded}, ["explicit", "valid"])
    np.testing.assert_allclose(explicit, valid, 1e-5)


def test_channels_first() -> None:
    """Convolution with a bias, normalisation and pooling, with the channels before height and width."""
    graph = Builder()
    graph.input("x")
    first = {"data_format": s("NCHW")}
    graph.const("kernel", KERNEL)
    graph.const("bias", BIAS3)
    graph.add("conv", "_FusedConv2D", "x", "kernel", "bias", **WINDOW, **first, fused_ops=strings("BiasAdd", "Relu"))
    graph.add("plain", "Conv2D", "x", "kernel", **WINDOW, **first)
    graph.add("biased", "BiasAdd", "plain", "bias", **first)
    graph.add("pool", "MaxPool", "x", **WINDOW, **first, ksize=ints(1, 1, 2, 2))
    statistics = [graph.const(f"statistic{n}", value.value) for n, value in enumerate((SCALE, OFFSET, MEAN, VARIANCE))]
    graph.add("norm", "FusedBatchNormV3", "plain", *statistics, **first, epsilon=f(0.001), is_training=b(False))
    graph.add(
        "fused", "_FusedConv2D", "x", "kernel", *statistics, **WINDOW, **first,
        fused_ops=strings("FusedBatchNorm", "Relu"), epsilon=f(0.001),
    )  # fmt: skip
    conv, biased, pool, norm, fused = compute(
        graph, {"x": PICTURE.transpose(0, 3, 1, 2)}, ["conv", "biased", "pool", "norm", "fused"]
    )
    np.testing.assert_allclose(norm.transpose(0, 2, 3, 1), NORMAL, 1e-5, 1e-5)
    np.testing.assert_allclose(fused.transpose(0, 2, 3, 1), np.maximum(NORMAL, 0), 1e-5, 1e-5)
    np.testing.assert_allclose(conv.transpose(0, 2, 3, 1), np.maximum(CONV + BIAS3, 0), 1e-5, 1e-5)
    np.testing.assert_allclose(biased.transpose(0, 2, 3, 1), CONV + BIAS3, 1e-5, 1e-5)
    np.testing.assert_array_equal(pool.transpose(0, 2, 3, 1), SAMPLES["MaxPool"].want[0])


def test_a_residual_that_is_fused_into_a_convolution() -> None:
    graph = Builder()
    graph.input("x")
    graph.input("side")
    graph.const("kernel", KERNEL)
    graph.const("bias", BIAS3)
    graph.add("y", "_FusedConv2D", "x", "kernel", "bias", "side", **WINDOW, fused_ops=strings("BiasAdd", "Add", "Relu"))
    side = np.ones_like(CONV)
    (got,) = compute(graph, {"x": PICTURE, "side": side.astype(np.float32)}, ["y"])
    np.testing.assert_allclose(got, np.maximum(CONV + BIAS3 + side, 0), 1e-5, 1e-5)


def test_a_transposed_convolution_with_dilations() -> None:
    """It is the gradient of the convolution: the sum of products with anything is the same on both sides."""
    graph = Builder()
    graph.input("x")
    graph.input("dy")
    graph.const("kernel", KERNEL)
    graph.const("shape", integers(1, 5, 6, 2))
    window = {"strides": ints(1, 1, 1, 1), "dilations": ints(1, 2, 3, 1), "padding": s("SAME")}
    graph.add("y", "Conv2D", "x", "kernel", **window)
    graph.add("dx", "Conv2DBackpropInput", "shape", "kernel", "dy", **window)
    x, dy = (np.cos(np.arange(30 * n)).reshape(1, 5, 6, n).astype(np.float32) for n in (2, 3))
    y, dx = compute(graph, {"x": x, "dy": dy}, ["y", "dx"])
    np.testing.assert_allclose(np.sum(y * dy), np.sum(dx * x), 1e-4)


def test_ensure_shape_refuses_another_shape() -> None:
    graph = Builder()
    graph.input("x")
    graph.add("y", "EnsureShape", "x", shape=shape([-1, 2]))
    with pytest.raises(ValueError, match=r"EnsureShape: the shape \[2, 3\] does not fit \[-1, 2\]"):
        graph.model(["y"]).execute(tf.ones((2, 3)))


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    graph = Builder()
    graph.input("x")
    graph.add("y", "Print", "x", "x", message=s("x: "), summarize=i(2))
    graph.model(["y"]).execute(tf.tensor([1.0, 2.0, 3.0]))
    assert capsys.readouterr().out == "x: [1.0, 2.0]\n"


@pytest.mark.parametrize(("op", "kind", "low", "high"), [
    ("RandomStandardNormal", "DT_FLOAT", -9, 9), ("TruncatedNormal", "DT_FLOAT", -2, 2),
    ("RandomUniform", "DT_FLOAT", 0, 1), ("RandomUniformInt", "DT_INT32", 0, 3),
])  # fmt: skip
@pytest.mark.parametrize("seed", [0, 7])
def test_random_numbers(op: str, kind: str, low: float, high: float, seed: int) -> None:
    """A model with a seed gives the same numbers in each run, one without others."""
    graph = Builder()
    inputs = [graph.const("shape", integers(50, 2))]
    if op == "RandomUniformInt":
        inputs += [graph.const("low", 0), graph.const("high", 3)]
    graph.add("x", op, *inputs, dtype=dtype(kind), seed=i(seed), seed2=i(0))
    model = graph.model(["x"])
    first, again = (model.execute({}).numpy() for _ in range(2))
    assert first.shape == (50, 2)
    assert first.dtype == {"DT_FLOAT": np.float32, "DT_INT32": np.int32}[kind]
    assert low <= first.min() < first.max() <= high
    assert np.array_equal(first, again) == bool(seed)


@pytest.mark.parametrize("seed", [0, 7])
def test_outcomes_are_drawn(seed: int) -> None:
    graph = Builder()
    graph.input("logits")
    graph.add("x", "Multinomial", "logits", graph.const("count", 100), seed=i(seed), seed2=i(0))
    model = graph.model(["x"])
    logits = tf.tensor([[0.0, 0.0, -100.0], [-100.0, 0.0, -100.0]])
    first, again = (model.execute(logits).numpy() for _ in range(2))
    assert set(first[0].tolist()) == {0, 1}
    assert set(first[1].tolist()) == {1}
    assert np.array_equal(first, again) == bool(seed)


def test_bounds_of_random_integers_may_be_attributes() -> None:
    """As TensorFlow.js reads them; TensorFlow has inputs for them."""
    graph = Builder()
    graph.add("x", "RandomUniformInt", graph.const("shape", integers(9)), minval=i(4), maxval=i(6))
    assert set(graph.model(["x"]).execute({}).numpy().tolist()) <= {4, 5}


def test_types_are_names_or_numbers() -> None:
    for kind, wanted in (
        ("DT_INT32", np.int32),
        (3, np.int32),
        ("3", np.int32),
        ("DT_BOOL", np.bool_),
        (2, np.float32),
    ):
        graph = Builder()
        graph.input("x")
        graph.add("y", "Cast", "x", DstT={"type": kind})
        assert compute(graph, {"x": floats(1, 0)}, ["y"])[0].dtype == wanted


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (node("n", "Conv2D", "x", "x"), r"'n' \(Conv2D\): attribute 'strides' is missing"),
        (node("n", "Conv2D", "x", **WINDOW), r"'n' \(Conv2D\): input 1 is missing"),
        (node("n", "Conv2D", "x", "x", **(WINDOW | {"strides": i(1)})), "'strides': must be .*'list'"),
        (node("n", "Conv2D", "x", "x", **(WINDOW | {"strides": ints(1, 1)})), "'strides': must have 4 entries"),
        (node("n", "Conv2D", "x", "x", **(WINDOW | {"strides": ints(2, 1, 1, 1)})), "'strides': must be positive"),
        (node("n", "Conv2D", "x", "x", **(WINDOW | {"strides": ints(1, 0, 0, 1)})), "'strides': must be positive"),
        (node("n", "Conv2D", "x", "x", **(WINDOW | {"padding": s("CIRCULAR")})), "'padding': must be SAME"),
        (node("n", "Conv2D", "x", "x", **(WINDOW | {"padding": {"s": "%%%%"}})), "'padding': is not a text in base64"),
        (node("n", "Conv2D", "x", "x", **(WINDOW | {"data_format": s("HWCN")})), "'data_format': must be NHWC"),
        (node("n", "_FusedConv2D", "x", "x", **WINDOW, fused_ops=strings("BiasAdd", "Dance")), "dance"),
        (node("n", "_FusedConv2D", "x", "x", **WINDOW, fused_ops=strings("BiasAdd")), "input 2 is missing"),
        (node("n", "Cast", "x", DstT=dtype("DT_QUATERNION")), "'DstT': is an unknown type"),
        (node("n", "Cast", "x", DstT=i(1)), "'DstT': must be a type"),
        (node("n", "Pack", "x", axis=b(True)), "'axis': must be an integer"),
        (node("n", "Pack", "x", axis={"i": True}), "'axis': must be an integer"),
        (node("n", "Pack", "x", axis={"i": "9" * 30}), "too many digits"),
        (node("n", "LeakyRelu", "x", alpha={"f": [1]}), "'alpha': must be a number"),
        (node("n", "Unpack", "x", num=i(-1)), "'num': -1 outputs are not possible"),
        (node("n", "Unpack", "x", num=i(10**9)), "'num': .*not possible"),
        (node("n", "Transpose", "x", "floats"), r"input 1 \(perm\): must be a vector of int32"),
        (node("n", "Pad", "x", "floats"), r"input 1 \(paddings\): must be pairs"),
        (node("n", "ExpandDims", "x", "floats"), r"input 1 \(axis\): must have one element"),
        (node("n", "Conv1D", "x", "x", **LINE, data_format=s("NCW")), "'data_format': must be NWC"),
        (node("n", "Conv1D", "x", "x", **(LINE | {"padding": s("EXPLICIT")})), "explicit_paddings"),
        (node("n", "Reverse", "x", "floats"), r"input 1 \(flags\): must be a vector of bool"),
    ],
)
def test_what_is_wrong_with_a_node_is_said(bad: dict[str, Any], message: str) -> None:
    graph = Builder()
    graph.input("x")
    graph.const("floats", [0.5, 1.5])
    graph.nodes.append(bad)
    with pytest.raises(ModelFormatError, match=message):
        graph.load(["n"])
