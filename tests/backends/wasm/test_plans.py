"""Plans on wasm: values, where they lie, what they hold, threads, batches, and what falls back."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tenfold as tf
from tenfold.backends.wasm import plans as plans_module
from tenfold.backends.wasm.arena import Lifetime, offsets
from tenfold.backends.wasm.assembly import Assembly, Place, PlannedCall
from tenfold.backends.wasm.layout import Kind
from tenfold.backends.wasm.plan_modules import barriers_before
from tenfold.backends.wasm.plans import WasmPlan
from tenfold.codegen.loops.program import Block
from tenfold.codegen.loops.program import Program as LoopProgram
from tenfold.core.tensor import Tensor
from tenfold.graph.graph import Graph, Ref
from tenfold.graph.interpreter import interpret
from tenfold.graph.program import Program
from tests.graph.builder import GraphBuilder, tensor
from tests.graph.test_agreement import CONV, random_graphs

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.devices.wasm.interface import Label

RNG = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def plan_of(program: Program) -> WasmPlan:
    """The plan of a program's last form."""
    form = list(program._forms.values())[-1]
    assert form is not None
    assert isinstance(form.plan, WasmPlan)
    return form.plan


def assert_close(got: np.ndarray, want: np.ndarray, bound: float = 1e-5) -> None:
    assert got.shape == want.shape
    scale = max(float(np.abs(want).max(initial=0)), 1e-3)
    assert np.abs(got.astype(np.float64) - want).max(initial=0) <= bound * scale


def on_cpu(graph: Graph, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What the NumPy kernels make of a graph, op by op."""
    with tf.backend_scope("cpu"), tf.tidy():
        results = interpret(graph, {name: tensor(values) for name, values in feeds.items()})
        return [result.numpy().copy() for result in results if isinstance(result, Tensor)]


@pytest.fixture(params=[1, 2, 3])
def threads(wasm: WasmBackend, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """How many threads share even the smallest plans."""
    before = wasm.device.threads_count
    monkeypatch.setattr(plans_module, "WORTH_SHARING", 0)
    wasm.device.set_threads_count(request.param)
    yield request.param
    wasm.device.set_threads_count(before)


def small_network(batch: int | None = None) -> tuple[Graph, dict[str, np.ndarray]]:
    """A network with all that real ones have: kernels by routine and by definition, residuals, branches, views."""
    b = GraphBuilder()
    x = b.input("x")
    image = b.add("Conv2D", x, b.constant(floats(3, 3, 3, 10)), strides=(2, 2), pad="same", **CONV)
    image = b.add("Relu6", b.add("Add", image, b.constant(floats(10))))
    deep = b.add("DepthwiseConv2dNative", image, b.constant(floats(3, 3, 10, 1)), strides=(1, 1), pad="same", **CONV)
    deep = b.add("Add", deep, b.constant(floats(1, 1, 1, 10)))
    point = b.add("Conv2D", deep, b.constant(floats(1, 1, 10, 14)), strides=(1, 1), pad="valid", **CONV)
    point = b.add("Add", point, b.constant(floats(14)))
    skip = b.add("PadV2", image, paddings=((0, 0), (0, 0), (0, 0), (0, 4)), constant_value=0.5)
    joined = b.add("Prelu", b.add("Add", point, skip), b.constant(floats(14)))
    wide = b.add("Conv2D", joined, b.constant(floats(2, 3, 14, 9)), strides=(1, 2), pad="same",
                 data_format="NHWC", dilations=(1, 1), dim_rounding_mode=None)  # fmt: skip
    pooled = b.add("Mean", wide, axis=(1, 2), keep_dims=False)
    dense = b.add("BatchMatMul", pooled, b.constant(floats(9, 5)), transpose_a=False, transpose_b=False)
    chosen = b.add("Softmax", b.add("Add", dense, b.constant(floats(5))))
    rows = b.add("Reshape", joined, shape=(batch or 1, -1, 14))
    return b.graph(chosen, rows, b.add("Neg", wide)), {"x": floats(batch or 1, 12, 9, 3)}


# -- values -------------------------------------------------------------------------------------------------


def test_a_network(threads: int) -> None:
    graph, feeds = small_network()
    wanted = on_cpu(graph, feeds)
    program = Program(graph)
    for _ in range(3):
        for got, want in zip(program.run({"x": tensor(feeds["x"])}), wanted, strict=True):
            assert_close(got.numpy(), want)
    assert plan_of(program).samples == 1


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random_graphs())
def test_random_graphs(wasm: WasmBackend, drawn: tuple[Graph, Any]) -> None:
    graph, values = drawn
    wanted = on_cpu(graph, {"x": values})
    program, x = Program(graph), tensor(values)
    for _ in range(2):
        for got, want in zip(program.run({"x": x}), wanted, strict=True):
            assert_close(got.numpy(), want, 1e-4)
    before = tf.memory().num_tensors, wasm.device.allocator.bytes.used
    tf.dispose(program.run({"x": x}))
    assert (tf.memory().num_tensors, wasm.device.allocator.bytes.used) == before


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 3)])
@pytest.mark.parametrize("pad", ["same", "valid"])
@pytest.mark.parametrize("channels", [(1, 1), (3, 8), (7, 13)])
def test_convolutions(wasm: WasmBackend, size: int, strides: tuple[int, int], pad: str, channels: Any) -> None:
    b = GraphBuilder()
    x, (fewer, more) = b.input("x"), channels
    y = b.add("Conv2D", x, b.constant(floats(size, size, fewer, more)), strides=strides, pad=pad, **CONV)
    z = b.add("DepthwiseConv2dNative", y, b.constant(floats(2, 2, more, 1)), strides=(1, 1), pad="same", **CONV)
    graph, feeds = b.graph(b.add("Relu", y), b.add("Add", z, y)), {"x": floats(2, 7, 6, fewer)}
    program = Program(graph)
    for got, want in zip(program.run({"x": tensor(feeds["x"])}), on_cpu(graph, feeds), strict=True):
        assert_close(got.numpy(), want)
    plan_of(program)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("left", [(1, 9), (5, 9), (4, 3, 9)])
def test_products(wasm: WasmBackend, left: tuple[int, ...], transposed: bool) -> None:
    b = GraphBuilder()
    right = b.constant(floats(11, 9) if transposed else floats(9, 11))
    y = b.add("BatchMatMul", b.input("x"), right, transpose_a=False, transpose_b=transposed)
    graph, feeds = b.graph(b.add("Sigmoid", b.add("Add", b.constant(floats(11)), y))), {"x": floats(*left)}
    program = Program(graph)
    (got,) = program.run({"x": tensor(feeds["x"])})
    assert_close(got.numpy(), on_cpu(graph, feeds)[0])
    # A single row, too, reads its weights as they lie side by side.
    assert [call.program.name for call in plan_of(program).assembly.calls] == ["step0_product"]


def test_products_that_are_one_number(wasm: WasmBackend) -> None:
    """What follows depends on no place, and still waits for the sum."""
    b = GraphBuilder()
    y = b.add("BatchMatMul", b.input("x"), b.constant(floats(16, 1)), transpose_a=False, transpose_b=False)
    graph, feeds = b.graph(b.add("Sigmoid", b.add("Add", y, b.constant(floats(1))))), {"x": floats(1, 16)}
    (got,) = Program(graph).run({"x": tensor(feeds["x"])})
    assert_close(got.numpy(), on_cpu(graph, feeds)[0])


def test_numbers_that_are_none_and_dtypes(wasm: WasmBackend) -> None:
    b = GraphBuilder()
    x, n = b.input("x"), b.input("n")
    graph = b.graph(
        b.add("Add", x, b.constant(float("nan"))),
        b.add("Maximum", x, b.constant(float("-inf"))),
        b.add("Greater", x, b.constant(0.0)),
        b.add("Add", n, b.constant(7)),
        b.add("Cast", n, dtype="bool"),
    )
    feeds = {
        "x": np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40], np.float32),
        "n": np.array([[-7], [0]], np.int32),
    }
    results = Program(graph).run({name: tensor(values) for name, values in feeds.items()})
    for got, want in zip(results, on_cpu(graph, feeds), strict=True):
        np.testing.assert_array_equal(got.numpy(), want)
        assert got.numpy().dtype == want.dtype


# -- where values lie ---------------------------------------------------------------------------------------


def test_outputs_are_fresh_and_views_are_free(wasm: WasmBackend) -> None:
    b = GraphBuilder()
    x, c = b.input("x"), b.constant(floats(2, 3), name="c")
    y = b.add("Add", x, c)
    program = Program(b.graph(y, b.add("Reshape", y, shape=(3, 2)), b.add("Reshape", x, shape=(6,)), c))
    given = tensor(floats(2, 3))
    first = program.run({"x": given})
    assert first[0].storage is first[1].storage
    assert first[2].storage is given.storage
    kept = [result.numpy().copy() for result in first]
    second = program.run({"x": tensor(floats(2, 3))})
    assert second[0].storage is not first[0].storage
    for result, values in zip(first, kept, strict=True):
        np.testing.assert_array_equal(result.numpy(), values)
    assert plan_of(program).calls == 1


def test_constants_leave_the_linear_memory_for_their_packed_copies(wasm: WasmBackend) -> None:
    b = GraphBuilder()
    weights = floats(64, 512)
    y = b.add("BatchMatMul", b.input("x"), b.constant(weights), transpose_a=False, transpose_b=False)
    x = tensor(floats(8, 64))
    tf.memory()
    before = wasm.device.allocator.bytes.used
    program = Program(b.graph(y))
    tf.dispose(program.run({"x": x}))
    plan = plan_of(program)
    tf.memory()
    grown = wasm.device.allocator.bytes.used - before
    room = plan.assembly.constants + plan.assembly.arena + plan.assembly.scratch * wasm.device.threads_count
    assert grown <= room + 256 - weights.nbytes
    (constant,) = program.graph.constants.values()
    np.testing.assert_array_equal(constant.numpy(), weights)


def test_what_plans_have_goes_with_them(wasm: WasmBackend) -> None:
    gc.collect()
    tf.memory()
    before = wasm.device.allocator.bytes
    with tf.tidy():
        graph, feeds = small_network()
        x = tensor(feeds["x"])
        for _ in range(3):
            program = Program(graph)
            tf.dispose(program.run({"x": x}))
    del program, graph
    gc.collect()
    tf.memory()
    for constant in (*before._fields,):
        if constant in ("used", "blocks"):
            assert getattr(wasm.device.allocator.bytes, constant) <= getattr(before, constant)


def test_a_thousand_inferences(wasm: WasmBackend) -> None:
    graph, feeds = small_network()
    program, x = Program(graph), tensor(feeds["x"])
    for _ in range(3):
        tf.dispose(program.run({"x": x}))
    before, size = tf.memory(), wasm.device.memory.size
    for _ in range(1000):
        tf.dispose(program.run({"x": x}))
    assert tf.memory() == before
    assert wasm.device.memory.size == size


def test_a_failed_run_gives_back_what_it_took(wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, feeds = small_network()
    program, x = Program(graph), tensor(feeds["x"])
    tf.dispose(program.run({"x": x}))
    tf.memory()
    before = wasm.device.allocator.bytes

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WasmPlan, "run", fail)
    with pytest.raises(KeyboardInterrupt):
        program.run({"x": x})
    assert wasm.device.allocator.bytes == before


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 20), st.integers(0, 20)), max_size=30))
def test_values_that_are_needed_at_once_do_not_overlap(drawn: list[tuple[int, int, int]]) -> None:
    lives = [Lifetime(nbytes, min(a, b), max(a, b)) for nbytes, a, b in drawn]
    found, size = offsets(lives)
    for at in range(21):
        alive = sorted((start, start + life.nbytes) for start, life in zip(found, lives, strict=True)
                       if life.first <= at <= life.last)  # fmt: skip
        assert all(end <= start for (_, end), (start, _) in pairwise(alive))
        assert not alive or alive[-1][1] <= size
    assert all(start % 64 == 0 for start in found)
    assert size <= sum(life.nbytes + 63 for life in lives)


# -- modules ------------------------------------------------------------------------------------------------


@pytest.fixture
def codes(wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The modules that are made meanwhile; none is found on disk by what it was made for."""
    loaded: list[bytes] = []
    load = wasm.device.load

    def noting(code: bytes, name: str, label: Label | None) -> Any:
        loaded.append(code)
        return load(code, name, label)

    monkeypatch.setattr(wasm.device, "load", noting)
    monkeypatch.setattr(plans_module, "lasting_key", lambda *_: None)
    return loaded


def test_the_same_network_is_the_same_module(codes: list[bytes]) -> None:
    for _ in range(2):
        graph, feeds = small_network()
        tf.dispose(Program(graph).run({"x": tensor(feeds["x"])}))
        gc.collect()
        tensor(floats(100))  # so that blocks lie elsewhere
    assert len(codes) == 2  # weights differ
    assert codes[0] == codes[1]


def test_steps_that_differ_in_addresses_alone_share_programs(wasm: WasmBackend) -> None:
    b = GraphBuilder()
    y = b.input("x")
    for _ in range(5):
        y = b.add("Conv2D", y, b.constant(floats(3, 3, 4, 4)), strides=(1, 1), pad="same", **CONV)
        y = b.add("Relu", b.add("Add", y, b.constant(floats(4))))
    program = Program(b.graph(y))
    program.run({"x": tensor(floats(1, 6, 6, 4))})
    calls = plan_of(program).assembly.calls
    assert (len(calls), len({id(call.program) for call in calls})) == (5, 1)


def _call(*places: int) -> PlannedCall:
    return PlannedCall(LoopProgram("p", (), (), Block()), places, 0, 1)


def test_threads_wait_only_where_they_must() -> None:
    places = [Place(Kind.ARENA, 64, 0), Place(Kind.ARENA, 64, 64), Place(Kind.ARENA, 128, 0), Place(Kind.INPUT, 64, 0)]
    made = Assembly(places, [], [3], [])
    # Two values of an input, one after the other; then what reads one of them; then what writes over both.
    calls = [_call(3, 0), _call(3, 1), _call(0, 3), _call(3, 2)]
    assert barriers_before(made, [(calls[0],), (calls[1],)]) == [False, False]
    assert barriers_before(made, [(calls[0],), (calls[1],), (_call(0, 1),)]) == [False, False, True]
    assert barriers_before(made, [(calls[0],), (calls[3],)]) == [False, True]
    assert barriers_before(made, [(_call(1, 0),), (_call(3, 1),)]) == [False, True]


# -- what is not planned ------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [np.zeros((0, 3), np.float32), np.zeros((2, 3), np.float32)])
def test_nothing_to_compute(wasm: WasmBackend, values: np.ndarray) -> None:
    b = GraphBuilder()
    program = Program(b.graph(b.add("Relu", b.input("x"))))
    (y,) = program.run({"x": tensor(values)})
    assert y.shape == values.shape
    (form,) = program._forms.values()
    assert form is not None
    assert isinstance(form.plan, WasmPlan) == bool(values.size)


# -- batches ------------------------------------------------------------------------------------------------


def test_batches_share_a_module_and_weights(threads: int, codes: list[bytes]) -> None:
    b = GraphBuilder()
    y = b.add("Conv2D", b.input("x"), b.constant(floats(3, 3, 3, 5)), strides=(2, 2), pad="same", **CONV)
    y = b.add("Relu", b.add("Add", y, b.constant(floats(5))))
    y = b.add("Add", b.add("MaxPool", y, filter_size=(2, 2), strides=(1, 1), pad="same", dim_rounding_mode=None), y)
    graph = b.graph(b.add("Mean", y, axis=(1, 2), keep_dims=False), y)
    program = Program(graph)
    residents = set()
    for batch in (1, 4, 2, 3):
        feeds = {"x": floats(batch, 9, 7, 3)}
        for got, want in zip(program.run({"x": tensor(feeds["x"])}), on_cpu(graph, feeds), strict=True):
            assert_close(got.numpy(), want)
        assert plan_of(program).samples == batch
        residents.add(plan_of(program).resident)
    assert len(codes) == len(residents) == 1


def _crossing(b: GraphBuilder, x: Ref, how: str) -> Ref:
    if how == "sum":
        return b.add("Sum", x, axis=(0,), keep_dims=True)
    if how == "reverse":
        return b.add("Reverse", x, dims=(0,))
    if how == "constant":
        return b.add("Add", x, b.constant(floats(4, 1, 1, 1)))
    if how == "transpose":
        return b.add("Transpose", x, perm=(1, 0, 2, 3))
    return b.add("Reshape", x, shape=(2, 2, 4, -1))


@pytest.mark.parametrize("how", ["sum", "reverse", "constant", "transpose", "reshape"])
def test_samples_that_depend_on_each_other_are_run_together(wasm: WasmBackend, how: str) -> None:
    b = GraphBuilder()
    y = b.add("Conv2D", b.input("x"), b.constant(floats(3, 3, 4, 4)), strides=(1, 1), pad="same", **CONV)
    graph, feeds = b.graph(_crossing(b, y, how)), {"x": floats(4, 4, 4, 4)}
    program = Program(graph)
    (got,) = program.run({"x": tensor(feeds["x"])})
    assert_close(got.numpy(), on_cpu(graph, feeds)[0])
    assert plan_of(program).samples == 1


def test_the_last_sample_has_room_for_whole_vectors(wasm: WasmBackend) -> None:
    # A thread that stored one over the end changed what another was reading.
    b = GraphBuilder()
    y = b.add("Conv2D", b.input("x"), b.constant(floats(3, 3, 4, 5)), strides=(1, 1), pad="same", **CONV)
    program = Program(b.graph(b.add("Relu", y)))
    (got,) = program.run({"x": tensor(floats(16, 3, 3, 4))})
    assert plan_of(program).samples == 16
    assert wasm.device.allocator.size_of(got.storage.data) >= (15 * 45 + 48) * 4


def test_rows_are_multiplied_together(wasm: WasmBackend) -> None:
    b = GraphBuilder()
    y = b.add("BatchMatMul", b.input("x"), b.constant(floats(20, 30)), transpose_a=False, transpose_b=False)
    program = Program(b.graph(b.add("Relu", y)))
    program.run({"x": tensor(floats(16, 20))})
    assert plan_of(program).samples == 1
