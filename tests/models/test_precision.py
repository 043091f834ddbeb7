"""Which values leave the range of 16-bit floats, held against NumPy's float16.

NumPy rounds to the nearest: up to 65520 down to 65504, and from half of the smallest number up to this one. A driver
need not, so these two gaps count as outside, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tenfold as tf
from tenfold.backends.cpu.backend import CpuBackend
from tenfold.graph.graph import Node
from tenfold.models.graph_model import GraphModel
from tenfold.models.precision import LARGEST, SMALLEST, PrecisionReport, ValueRange, check_precision
from tests.gl_drivers import SYSTEM, find_driver
from tests.models.graph_defs import Builder, b, f, function, node
from tests.shared import model_path, shared_path

FIVE = ["blazeface", "facemesh", "posenet_257", "bodypix_050_257", "nsfw_mobilenet_v2_mid"]


@pytest.fixture(autouse=True)
def _on_cpu() -> Iterator[None]:
    with tf.backend_scope("cpu"):
        yield


def unary(op: str, kind: str = "DT_FLOAT") -> GraphModel:
    """A model of one op: `x` in, `y` out."""
    graph = Builder()
    graph.add("y", op, graph.input("x", kind))
    return graph.model()


def named(report: PrecisionReport, name: str, kind: str) -> ValueRange:
    """The only entry of a name and kind."""
    (found,) = (value for value in report.values if (value.name, value.kind) == (name, kind))
    return found


def becomes(values: np.ndarray) -> tuple[int, int]:
    """How many values become infinite, and how many zero, in NumPy's float16."""
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    return (
        int(np.count_nonzero(np.isinf(halves) & np.isfinite(values))),
        int(np.count_nonzero((halves == 0) & (values != 0))),
    )


# --- what leaves the range ---------------------------------------------------------------------------------


def test_a_weight_and_an_activation_are_found_by_name() -> None:
    graph = Builder()
    graph.add("grown", "Mul", graph.input("x"), graph.const("million", np.array([1.0, 1e6])))
    graph.add("shrunk", "Mul", "x", graph.const("small", np.array([1e-5, 1e-5])))
    graph.add("tiny", "Mul", "shrunk", graph.const("smaller", np.array([1e-4, 1e-4])))
    report = check_precision(graph.model(), np.array([0.5, 0.01], np.float32))
    assert not report.fits
    weight, activation = named(report, "million", "weight"), named(report, "tiny", "activation")
    assert (weight.too_large, weight.too_small, weight.largest, weight.smallest) == (1, 0, 1e6, 1.0)
    assert (activation.too_small, activation.vanishes, activation.kernel) == (2, True, "Multiply")
    assert activation.largest == pytest.approx(5e-10)
    assert {value.name for value in report.outside} == {"million", "tiny"}
    assert report.values[0].name == "million"
    assert [problem.partition(" ")[0] for problem in report.problems] == ["million", "tiny", "The"]


@pytest.mark.parametrize(
    ("value", "too_large", "too_small"),
    [
        (0.0, 0, 0),
        (-0.0, 0, 0),
        (LARGEST, 0, 0),
        (-LARGEST, 0, 0),
        (np.nextafter(np.float32(LARGEST), np.float32(np.inf)), 1, 0),
        (-65520.0, 1, 0),
        (np.finfo(np.float32).max, 1, 0),
        (SMALLEST, 0, 0),
        (-SMALLEST, 0, 0),
        (np.nextafter(np.float32(SMALLEST), np.float32(0)), 0, 1),
        (np.finfo(np.float32).smallest_subnormal, 0, 1),
        (np.inf, 0, 0),
        (np.nan, 0, 0),
    ],
)
def test_the_ends_of_the_range(value: float, too_large: int, too_small: int) -> None:
    found = named(check_precision(unary("Neg"), np.array([value], np.float32)), "y", "activation")
    assert (found.too_large, found.too_small) == (too_large, too_small)
    assert (found.infinite, found.nan) == (int(np.isinf(value)), int(np.isnan(value)))
    assert found.fits == (not too_large and not too_small)


@given(arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32)))
def test_counts_agree_with_numpy(values: np.ndarray) -> None:
    with tf.backend_scope("cpu"):
        found = named(check_precision(unary("Neg"), values, rounding=False), "y", "activation")
    infinite, zero = becomes(values)
    magnitudes = np.abs(values[np.isfinite(values)])
    assert found.too_large == infinite + np.count_nonzero((magnitudes > LARGEST) & (magnitudes < 65520))
    assert found.too_small == zero + np.count_nonzero((magnitudes > SMALLEST / 2) & (magnitudes < SMALLEST))
    assert (found.count, found.nonzero) == (values.size, np.count_nonzero(magnitudes))
    if found.nonzero:
        assert (found.smallest, found.largest) == (magnitudes[magnitudes > 0].min(), magnitudes.max())
    else:
        assert (found.smallest, found.largest, found.lost) == (None, None, 0.0)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 2, 1, 3, 1, 2)])
def test_shapes(shape: tuple[int, ...]) -> None:
    report = check_precision(unary("Neg"), np.full(shape, 1e5, np.float32))
    assert sum(value.too_large for value in report.values) == 2 * np.prod(shape, dtype=int)
    assert report.fits == (0 in shape)


def test_complex_numbers_are_two() -> None:
    report = check_precision(unary("Neg", "DT_COMPLEX64"), np.array([1e5 + 1j, 2 + 1e-9j], np.complex64))
    found = named(report, "y", "activation")
    assert (found.count, found.too_large, found.too_small) == (4, 1, 1)
    assert report.outputs[0].error == float("inf")


@pytest.mark.parametrize("kind", ["DT_INT32", "DT_BOOL", "DT_STRING"])
def test_what_is_not_stored_as_floats(kind: str) -> None:
    values = {"DT_INT32": np.array([10**6]), "DT_BOOL": np.array([True]), "DT_STRING": np.array(["text"])}
    report = check_precision(unary("Identity", kind), values[kind])
    assert (report.values, report.outputs[0].error, report.fits) == ((), None, True)


def test_few_small_values_beside_large_ones_do_no_harm() -> None:
    report = check_precision(unary("Neg"), np.array([1.0, 1e-9, 1e-12], np.float32))
    found = named(report, "y", "activation")
    assert (found.too_small, found.lost, found.vanishes) == (2, pytest.approx(2 / 3), False)
    assert report.fits
    assert not found.fits


def test_what_is_nan_already_comes_first_and_is_no_problem_of_16_bits() -> None:
    graph = Builder()
    graph.add("root", "Sqrt", graph.input("x"))
    graph.add("large", "Mul", "x", graph.const("w", np.array([1e3, 1e3])))
    report = check_precision(graph.model(), np.array([-1.0, 4.0], np.float32))
    assert (report.values[0].name, report.values[0].nan) == ("root", 1)
    assert report.fits


def test_runs_and_iterations_add_up() -> None:
    graph = Builder()
    graph.input("x")
    for constant, value in (("end", 1e9), ("factor", 100.0)):
        graph.const(constant, value)
    inner = {name: node(name, "Const", dtype={"type": "DT_FLOAT"}) for name in graph.weights}
    graph.function("more", ["n"], ["less:z:0"], [node("less", "Less", "n", "end"), inner["end"]])
    graph.function("step", ["n"], ["grow:z:0"], [node("grow", "Mul", "n", "factor"), inner["factor"]])
    graph.add("loop", "StatelessWhile", "x", cond=function("more"), body=function("step"))
    report = check_precision(graph.model(), np.float32(1), np.float32(1e8), rounding=False)
    grown = named(report, "grow", "activation")
    assert report.runs == 2
    assert (grown.count, grown.too_large, grown.smallest, grown.largest) == (6, 4, 100, 1e10)
    assert named(report, "x", "input").count == 2


def test_weights_that_a_plan_folds() -> None:
    """Each weight is in range, the filter times the scale of the batch norm is not."""
    graph = Builder()
    ones = np.ones(2, np.float32)
    graph.add("conv", "Conv2D", graph.input("x"), graph.const("w", np.full((1, 1, 1, 2), 500.0)),
              strides={"list": {"i": ["1", "1", "1", "1"]}}, padding={"s": "VkFMSUQ="})  # fmt: skip
    for name, value in (("scale", 500 * ones), ("offset", 0 * ones), ("mean", 0 * ones), ("variance", ones)):
        graph.const(name, value)
    graph.add("norm", "FusedBatchNormV3", "conv", "scale", "offset", "mean", "variance",
              epsilon=f(0.0), is_training=b(False))  # fmt: skip
    report = check_precision(graph.model(["norm"]), np.full((1, 1, 1, 1), 1e-4, np.float32))
    assert [(value.kind, value.too_large) for value in report.outside] == [("weight", 2)]
    assert report.outside[0].name.startswith("conv")


# --- what rounding does ------------------------------------------------------------------------------------


def test_the_error_of_an_output() -> None:
    """4097 is no 16-bit float; 4096 is."""
    graph = Builder()
    graph.add("sum", "AddV2", graph.input("x"), graph.const("w", np.float32(4096)))
    graph.add("y", "Sub", "sum", "w")
    report = check_precision(graph.model(), np.array([1.0, 4.0], np.float32))
    assert [(output.name, output.error) for output in report.outputs] == [("y", 0.25)]
    assert not report.fits
    assert "The output y is off by 0.25" in report.problems[0]
    assert check_precision(graph.model(), np.array([1.0, 4.0], np.float32), rounding=False).fits
    assert check_precision(graph.model(), np.array([1.0, 4.0], np.float32), most_error=0.25).fits


def test_small_losses_that_a_logarithm_makes_large() -> None:
    graph = Builder()
    graph.add("scores", "Softmax", graph.input("x"))
    graph.add("logs", "Log", "scores")
    report = check_precision(graph.model(["scores", "logs"]), np.array([[0.0, 30.0]], np.float32))
    errors = {output.name: output.error for output in report.outputs}
    assert errors["scores"] is not None
    assert errors["scores"] < 1e-3
    assert errors["logs"] == float("inf")
    assert not report.fits


def test_the_worst_run_counts() -> None:
    graph = Builder()
    graph.add("sum", "AddV2", graph.input("x"), graph.const("w", np.float32(4096)))
    graph.add("y", "Sub", "sum", "w")
    bad, good = np.array([1.0, 4.0], np.float32), np.array([4.0, 4.0], np.float32)
    for inputs in ((bad, good), (good, bad)):
        assert check_precision(graph.model(), *inputs).outputs[0].error == 0.25


# --- real models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIVE)
def test_the_models_fit_as_numpy_says(name: str) -> None:
    """The same names are outside as where NumPy's float16 loses values, or only just keeps them."""
    entry = next(e for e in json.loads(shared_path("models", "models.json").read_text()) if e["name"] == name)
    folder = shared_path("models", "golden", name)
    golden = json.loads((folder / "meta.json").read_text())["inputs"][0]
    x = np.fromfile(folder / golden["file"], np.float32).reshape(golden["shape"])
    model = tf.load_graph_model_sync(model_path(entry["url"]))
    lost: set[str] = set()
    gaps: set[str] = set()

    def look(name: str, values: np.ndarray) -> None:
        magnitudes = np.abs(values)
        if any(becomes(values)):
            lost.add(name)
        if (
            (magnitudes > LARGEST) & (magnitudes < 65520) | (magnitudes > SMALLEST / 2) & (magnitudes < SMALLEST)
        ).any():
            gaps.add(name)

    def observe(node: Node, values: Any) -> None:
        if node.op not in ("Identity", "Reshape", "Squeeze", "ExpandDims") and values[0].dtype == "float32":
            look(node.name, values[0].numpy())

    with tf.tidy():
        model.observe(x, observe)
    for weight, tensor in model.weights.items():
        if tensor.dtype == "float32":
            look(weight, tensor.numpy())
    report = check_precision(model, x)
    found = {value.name for value in report.outside if value.name in model.nodes or value.name in model.weights}
    assert lost <= found <= lost | gaps
    assert report.fits, report.problems
    assert all(output.error is not None and output.error > 0 for output in report.outputs)
    model.dispose()


# --- what a device does ------------------------------------------------------------------------------------


@pytest.fixture
def halves() -> Iterator[None]:
    """The webgl backend, everything drawn and stored in 16 bits."""
    find_driver(SYSTEM)
    given = {name: value for name, value in tf.env().features.items() if tf.env().is_given(name)}
    tf.env().set("WEBGL_CPU_FORWARD", False)
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", True)
    try:
        with tf.backend_scope("webgl"):
            yield
    finally:
        tf.env().set_flags(given)


def test_webgl_is_off_as_far_as_was_said(halves: None) -> None:
    """Within a factor of three: its plan rounds fewer values."""
    path = model_path("human/blazeface-front.json")
    x = np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    with tf.backend_scope("cpu"):
        model = tf.load_graph_model_sync(path)
        said = [output.error for output in check_precision(model, x).outputs]
        exact = [tensor.numpy() for tensor in model.execute(x)]
        model.dispose()
    model = tf.load_graph_model_sync(path)
    for error, tensor, want in zip(said, model.execute(x), exact, strict=True):
        found = np.abs(tensor.numpy() - want).max() / np.abs(want).max()
        assert error is not None
        assert error / 3 <= found <= 3 * error
    model.dispose()


@pytest.mark.parametrize("value", [65504.0, 65520.0, 1e6, 2.0**-24, 2.0**-26, 1e-9])
def test_what_webgl_loses_is_found(halves: None, value: float) -> None:
    graph = Builder()
    graph.add("y", "Mul", graph.input("x"), graph.const("w", np.full(300, value)))
    x = np.ones(300, np.float32)
    with tf.backend_scope("cpu"):
        found = named(check_precision(graph.model(), x), "y", "activation")
    model = graph.model()
    (got,) = set(model.execute(x).numpy().tolist())
    assert found.fits == (got == value)
    model.dispose()


# --- around it ---------------------------------------------------------------------------------------------


def test_nothing_is_left_behind() -> None:
    graph = Builder()
    graph.add("y", "Mul", graph.input("x"), graph.const("w", np.array([2.0, 3.0])))
    model = graph.model()
    before = tf.memory()
    for _ in range(2):
        check_precision(model, np.array([1.0, 2.0], np.float32))
        assert tf.memory() == before


def test_progress() -> None:
    seen: list[float] = []
    check_precision(unary("Neg"), np.float32(1), np.float32(2), on_progress=seen.append)
    assert seen == [0.5, 1.0]


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match=r"check_precision: give inputs for the model"):
        check_precision(unary("Neg"))
    graph = Builder()
    graph.add("y", "Neg", graph.input("x", lengths=[2]))
    with pytest.raises(ValueError, match=r"the input 'x' must have the shape \[2\]"):
        check_precision(graph.model(), np.zeros(3, np.float32))


def test_a_backend_of_16_bits_is_refused() -> None:
    class HalfBackend(CpuBackend):
        def float_precision(self) -> int:
            return 16

    tf.register_backend("half", HalfBackend, priority=0)
    try:
        with (
            tf.backend_scope("half"),
            pytest.raises(tf.BackendError, match=r"the active backend 'half' computes in 16 bits.*backend_scope"),
        ):
            check_precision(unary("Neg"), np.float32(1))
    finally:
        tf.remove_backend("half")
