"""Wrong indices in plans on wasm raise as in eager ops, though generated code takes them for the nearest ones."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.base import Backend
from tenfold.backends.wasm import plans as plans_module
from tenfold.backends.wasm.backend import WasmBackend
from tenfold.graph.graph import Graph
from tenfold.graph.program import Program
from tests.backends.wasm.test_plans import RNG, assert_close, floats, plan_of
from tests.graph.builder import GraphBuilder, tensor

ROWS = floats(5, 3)
Build = Callable[[GraphBuilder, Any], Any]


def _gather(b: GraphBuilder, indices: Any) -> Any:
    return b.add("GatherV2", b.input("values"), indices, axis=0)


def _gather_inner(b: GraphBuilder, indices: Any) -> Any:
    return b.add("GatherV2", b.input("values"), indices, axis=1)


def _gather_nd(b: GraphBuilder, indices: Any) -> Any:
    return b.add("GatherNd", b.input("values"), indices)


def _scatter_nd(b: GraphBuilder, indices: Any) -> Any:
    return b.add("ScatterNd", indices, b.input("values"), shape=(4, 3))


def _update(b: GraphBuilder, indices: Any) -> Any:
    return b.add("TensorScatterUpdate", b.input("values"), indices, b.constant(floats(2, 3)))


def _to_dense(b: GraphBuilder, indices: Any) -> Any:
    return b.add("SparseToDense", indices, b.constant(floats(3)), b.constant(np.float32(1)), output_shape=(4, 6))


def _count(b: GraphBuilder, indices: Any) -> Any:
    return b.add("Bincount", indices, b.constant(floats(4)), size=4)


# How the step is made, indices that are right, where one is put that is wrong, and what it is.
STEPS = {
    "gather": (_gather, [0, 4, 2], 1, [5, -1, 2**31 - 1]),
    "gather along the inner axis": (_gather_inner, [[0, 2], [1, 1]], 3, [3, -(2**31)]),
    "gather_nd, elements": (_gather_nd, [[0, 2], [4, 1], [3, 0]], 3, [3, -1]),
    "gather_nd, rows": (_gather_nd, [[0], [4]], 1, [5, -2]),
    "scatter_nd": (_scatter_nd, [[0], [3], [3], [1], [0]], 4, [4, -1]),
    "scatter_nd of positions": (_scatter_nd, [0, 3, 3, 1, 0], 0, [4, -1]),
    "tensor_scatter_update": (_update, [[0], [4]], 0, [5, -1]),
    "sparse_to_dense": (_to_dense, [[0, 5], [3, 0], [2, 2]], 4, [-1, 4]),
    "bincount": (_count, [0, 3, 3, 9], 2, [-1]),
}


def graph_of(build: Build, *, computed: bool) -> Graph:
    b = GraphBuilder()
    indices = b.input("indices")
    if computed:
        indices = b.add("Sub", b.add("Add", indices, b.constant(np.int32(7))), b.constant(np.int32(7)))
    return b.graph(b.add("Neg", build(b, indices)))


def run(program: Program, indices: np.ndarray) -> np.ndarray:
    feeds = {"indices": tensor(indices), "values": tensor(ROWS)}
    (result,) = program.run({name: feeds[name] for name in program.graph.inputs})
    return np.asarray(result.numpy())


def step_by_step(graph: Graph, indices: np.ndarray) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WasmBackend, "compile", Backend.compile)
        return run(Program(graph), indices)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("computed", [False, True])
def test_wrong_indices_raise_what_eager_ops_raise(wasm: WasmBackend, name: str, computed: bool) -> None:
    """Also where the plan itself computes them; and the next run is right."""
    build, right, place, wrongs = STEPS[name]
    graph, good = graph_of(build, computed=computed), np.array(right, np.int32)
    program, wanted = Program(graph), step_by_step(graph, good)
    assert np.array_equal(run(program, good), wanted)
    assert len(plan_of(program).assembly.flags) == 1
    gc.collect()  # what other tests have left
    used, before = wasm.device.allocator.bytes.used, tf.memory().num_tensors
    messages = []
    for wrong in wrongs:
        bad = good.copy()
        bad.flat[place] = wrong
        with pytest.raises(ValueError, match=": ") as raised:
            run(program, bad)
        messages.append((bad, str(raised.value)))
        del raised
    assert np.array_equal(run(program, good), wanted)
    gc.collect()
    assert wasm.device.allocator.bytes.used <= used
    assert tf.memory().num_tensors == before
    for bad, message in messages:
        with pytest.raises(ValueError, match=re.escape(message)):
            step_by_step(graph, bad)


@pytest.mark.parametrize("threads", [1, 2])
def test_one_wrong_index_of_one_sample_is_enough(
    wasm: WasmBackend, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    b, table, weights = GraphBuilder(), floats(9, 4), floats(4, 5)
    found = b.add("GatherV2", b.constant(table), b.input("indices"), axis=0)
    # Plans without products take a batch at once.
    product = b.add("BatchMatMul", found, b.constant(weights), transpose_a=False, transpose_b=False)
    program = Program(b.graph(product))
    places = RNG.integers(0, 9, (6, 30)).astype(np.int32)
    monkeypatch.setattr(plans_module, "WORTH_SHARING", 0)
    before = wasm.device.threads_count
    wasm.device.set_threads_count(threads)
    try:
        (result,) = program.run({"indices": tensor(places)})
        assert plan_of(program).samples == 6
        assert_close(result.numpy(), table[places] @ weights)
        for sample in (0, 3, 5):
            bad = places.copy()
            bad[sample, 29] = 9
            with pytest.raises(ValueError, match=r"gather: index 9 in 'indices' is not in \[0, 9\)"):
                program.run({"indices": tensor(bad)})
    finally:
        wasm.device.set_threads_count(before)


def test_constant_indices_cost_nothing_and_wrong_ones_raise(wasm: WasmBackend) -> None:
    for indices, is_right in (([0, 4], True), ([0, 5], False), (5, False), (-1, False)):
        b = GraphBuilder()
        program = Program(b.graph(b.add("GatherV2", b.input("x"), b.constant(np.int32(indices)), axis=0)))
        if is_right:
            (result,) = program.run({"x": tensor(ROWS)})
            assert np.array_equal(result.numpy(), ROWS[indices])
            assert not plan_of(program).assembly.flags
        else:
            for _ in range(2):
                with pytest.raises(ValueError, match="gather: index"):
                    program.run({"x": tensor(ROWS)})
