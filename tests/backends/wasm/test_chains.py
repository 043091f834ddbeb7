"""Chains of calls that take turns: the same results, bit by bit, as calls one after the other, however many threads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tenfold.backends.wasm import chains
from tenfold.backends.wasm import plans as plans_module
from tenfold.backends.wasm.layout import Kind
from tenfold.graph.graph import Graph, Ref
from tenfold.graph.program import Program
from tests.backends.wasm.test_plans import assert_close, on_cpu, plan_of
from tests.graph.builder import GraphBuilder, tensor
from tests.graph.test_agreement import CONV

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

NEVER = 1 << 40


@pytest.fixture(autouse=True)
def _made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of plans are made each time: what is tested here are constants of what makes them."""
    monkeypatch.setattr(plans_module, "plan_key", lambda *_, shared: os.urandom(20))
    monkeypatch.setattr(plans_module, "lasting_key", lambda *_: None)


def network(seed: int) -> tuple[Graph, dict[str, np.ndarray]]:
    """Layers one after the other, of windows of any kind."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder()
    channels = int(rng.integers(2, 9))
    shape = (1, *(int(length) for length in rng.integers(22, 31, 2)), channels)
    y = b.input("x")

    def weights(*shape: int) -> Ref:
        return b.constant(rng.standard_normal(shape).astype(np.float32))

    for _ in range(5):
        kind = rng.choice(["point", "point", "depthwise", "depthwise", "window", "pool"])
        how: dict[str, Any] = {**CONV, "pad": rng.choice(["same", "valid"]).item()}
        how["strides"] = (int(rng.integers(1, 3)),) * 2 if rng.integers(3) == 0 else (1, 1)
        side = int(rng.integers(2, 4))
        if kind == "pool":
            sizes = {"filter_size": (3, 3), "strides": (1, 1), "pad": how["pad"], "dim_rounding_mode": None}
            y = b.add(rng.choice(["MaxPool", "AvgPool"]).item(), y, **sizes)
        elif kind == "depthwise":
            if how["strides"] == (1, 1):
                how["dilations"] = (int(rng.integers(1, 3)),) * 2
            y = b.add("DepthwiseConv2dNative", y, weights(side, side, channels, 1), **how)
        else:
            more = int(rng.integers(2, 12))
            size = (side, side) if kind == "window" else (1, 1)
            how["strides"] = how["strides"] if kind == "window" else (1, 1)
            y = b.add("Conv2D", y, weights(*size, channels, more), **how)
            channels = more
        if rng.integers(2):
            y = b.add("Relu", b.add("Add", y, weights(channels)))
    return b.graph(y), {"x": rng.standard_normal(shape).astype(np.float32)}


@pytest.mark.parametrize("seed", range(12))
def test_results(wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    graph, feeds = network(seed)
    want = on_cpu(graph, feeds)[0]
    monkeypatch.setattr(plans_module, "WORTH_SHARING", 0)
    monkeypatch.setattr(chains, "LEAST_BYTES", NEVER)
    (alone,) = Program(graph).run({"x": tensor(feeds["x"])})
    assert_close(alone.numpy(), want)
    monkeypatch.setattr(chains, "LEAST_BYTES", 0)
    before = wasm.device.threads_count
    lengths = set()
    for turn_bytes in (1, 5000, NEVER):
        monkeypatch.setattr(chains, "TURN_BYTES", turn_bytes)
        program = Program(graph)
        for threads in (1, 2, 3):
            wasm.device.set_threads_count(threads)
            (got,) = program.run({"x": tensor(feeds["x"])})
            assert np.array_equal(got.numpy(), alone.numpy())
        lengths |= {len(chain) for chain in plan_of(program).assembly.chains}
    wasm.device.set_threads_count(before)
    assert max(lengths) > 1


def test_what_others_read_is_computed_whole(wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    b = GraphBuilder()
    x = b.input("x")
    y = b.add(
        "Conv2D",
        x,
        b.constant(rng.standard_normal((1, 1, 3, 8)).astype(np.float32)),
        strides=(1, 1),
        pad="same",
        **CONV,
    )
    filter = b.constant(rng.standard_normal((1, 1, 8, 1)).astype(np.float32))
    z = b.add("DepthwiseConv2dNative", y, filter, strides=(2, 2), pad="valid", **CONV)
    graph = b.graph(z, b.add("Sum", y, axis=(1, 2), keep_dims=False))
    feeds = {"x": rng.standard_normal((1, 21, 21, 3)).astype(np.float32)}
    monkeypatch.setattr(chains, "LEAST_BYTES", 0)
    program = Program(graph)
    for got, want in zip(program.run({"x": tensor(feeds["x"])}), on_cpu(graph, feeds), strict=True):
        assert_close(got.numpy(), want)
    assert {len(chain) for chain in plan_of(program).assembly.chains} == {1}


def test_images_between_calls_that_take_turns_are_nowhere_whole(
    wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    b = GraphBuilder()
    y = b.input("x")
    for _ in range(2):
        filter = b.constant(rng.standard_normal((3, 3, 8, 1)).astype(np.float32))
        y = b.add("DepthwiseConv2dNative", y, filter, strides=(1, 1), pad="same", **CONV)
    monkeypatch.setattr(chains, "LEAST_BYTES", 0)
    monkeypatch.setattr(chains, "TURN_BYTES", 1)
    rows, columns = 150, 10
    graph, x = b.graph(y), rng.standard_normal((1, rows, columns, 8)).astype(np.float32)
    program = Program(graph)
    for sample in (x, x[:, ::-1]):
        (got,) = program.run({"x": tensor(sample)})
        assert_close(got.numpy(), on_cpu(graph, {"x": sample})[0])
    made = plan_of(program).assembly
    ((first, _),) = made.chains
    assert made.places[first.written].kind is Kind.STRIP
    (strip,) = chains.strips(made.chains[0], made.places)
    # A row and its neighbours, and as many as a block writes on both sides and before.
    assert strip.nbytes <= 7 * columns * 8 * 4
    assert made.arena + made.scratch < x.nbytes // 10
