"""What plans compute once: calls that read constants alone, as those that pack weights for a gradient's routine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.wasm import convolutions, keys, plans
from tenfold.backends.wasm.layout import Kind
from tenfold.graph.graph import Graph
from tenfold.graph.program import Program
from tests.backends.wasm.test_plans import assert_close, on_cpu, plan_of
from tests.graph.builder import GraphBuilder, tensor
from tests.graph.test_agreement import CONV

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

RNG = np.random.default_rng(41)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def transposed(filter: np.ndarray, stride: int, batch: int = 1) -> Graph:
    """A transposed convolution of a constant filter, between elementwise kernels."""
    b = GraphBuilder()
    *_, channels, _ = filter.shape
    attributes = {"strides": (stride, stride), "pad": "same", "input_shape": (batch, 9 * stride, 9 * stride, channels)}
    image = b.add("Conv2DBackpropInput", b.add("Neg", b.input("x")), b.constant(filter), **attributes, **CONV)
    return b.graph(b.add("Relu", b.add("Add", image, b.constant(floats(channels)))))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("stride", "window"), [(1, 3), (2, 3), (2, 4), (3, 2)])
def test_transposed_convolutions(
    wasm: WasmBackend, stride: int, window: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their filters are packed once, whatever runs in between."""
    monkeypatch.setattr(plans, "WORTH_SHARING", 0)
    monkeypatch.setattr(convolutions, "WORTH_PHASES", 0)
    monkeypatch.setattr(keys, "sources", lambda: None)  # other processes have other bounds: nothing is left to them
    before = wasm.device.threads_count
    wasm.device.set_threads_count(threads)
    filter = floats(window, window, 16, 24)
    programs = []
    for scale in (1, 2):  # the second plan is the same but for its weights
        graph, feeds = transposed(filter * scale, stride), {"x": floats(1, 9, 9, 24)}
        programs.append((graph, Program(graph), feeds, on_cpu(graph, feeds)))
    for _ in range(2):
        for _, program, feeds, wanted in programs:
            for got, want in zip(program.run({"x": tensor(feeds["x"])}), wanted, strict=True):
                assert_close(got.numpy(), want)
            x = tensor(floats(300))  # memory that others had is used again
            x.exp().cumsum().data_sync()
    wasm.device.set_threads_count(before)
    for _, program, _, _ in programs:
        made = plan_of(program).assembly
        assert made.prepared
        packing = {call.written for call in made.prepared}
        read = {number for call in made.calls for number in call.read}
        assert {made.places[number].kind for number in packing & read} == {Kind.CONSTANT}
        assert {made.places[number].kind for number in packing - read} <= {Kind.ARENA}
        assert plan_of(program).resident.layout.prepared == len(made.prepared)


def test_batches_share_what_is_prepared(wasm: WasmBackend) -> None:
    filter = floats(3, 3, 16, 24)
    for batch in (1, 3, 2):
        graph, feeds = transposed(filter, 2, batch), {"x": floats(batch, 9, 9, 24)}
        (got,) = Program(graph).run({"x": tensor(feeds["x"])})
        assert_close(got.numpy(), on_cpu(graph, feeds)[0])


def test_outputs_and_flags_are_computed_in_each_run(wasm: WasmBackend) -> None:
    """They are fresh, though they follow from constants."""
    b = GraphBuilder()
    table = b.add("Cumsum", b.constant(floats(6, 5)), axis=0, exclusive=False, reverse=False)
    graph = b.graph(b.add("Exp", table), b.add("Add", b.input("x"), table), b.add("Cumsum", table, axis=1,
                    exclusive=False, reverse=True))  # fmt: skip
    program, feeds = Program(graph), {"x": floats(6, 5)}
    results = [program.run({"x": tensor(feeds["x"])}) for _ in range(2)]
    for got, want in zip(results[1], on_cpu(graph, feeds), strict=True):
        assert_close(got.numpy(), want)
    tf.dispose(results[0])
    for got, want in zip(results[1], on_cpu(graph, feeds), strict=True):
        assert_close(got.numpy(), want)


def test_what_was_taken_goes_with_a_plan_that_cannot_be_prepared(
    wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, x = Program(transposed(floats(3, 3, 16, 24), 2)), tensor(floats(1, 9, 9, 24))
    tf.memory()
    before = wasm.device.allocator.bytes.used

    def full(_: int) -> int:
        raise MemoryError("no room")

    monkeypatch.setattr(wasm.workspace, "at_least", full)
    with pytest.raises(MemoryError, match="no room"):
        program.run({"x": x})
    monkeypatch.undo()
    tf.memory()
    assert wasm.device.allocator.bytes.used <= before
    assert np.isfinite(program.run({"x": x})[0].numpy()).all()
