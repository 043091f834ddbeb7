"""Kernels that programs compute by procedures, on wasm: in plans with what follows them, and eagerly on threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.wasm import calls
from tenfold.graph.program import Program
from tests.backends.wasm.test_plans import RNG, assert_close, floats, on_cpu, plan_of, threads
from tests.graph.builder import GraphBuilder, tensor

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

__all__ = ["threads"]

KEYS = RNG.integers(-1, 6, 40).astype(np.int32)
PLACES = RNG.permutation(40)[:7].astype(np.int32)[:, None]

# Kernels with the input "x" of shape [40, 33] first, by name: constants after it, attributes, the number of outputs.
STEPS: dict[str, tuple[str, tuple[np.ndarray, ...], dict[str, Any], int]] = {
    "cumsum along rows": ("Cumsum", (), {"axis": 1}, 1),
    "cumsum along columns": ("Cumsum", (), {"axis": 0, "reverse": True}, 1),
    "cumprod": ("Cumprod", (), {"axis": 1, "exclusive": True}, 1),
    "softmax": ("Softmax", (), {}, 1),
    "topk of few": ("TopK", (), {"k": 3}, 2),
    "topk of all": ("TopK", (), {"k": 33, "sorted": True}, 2),
    "topk as they stand": ("TopK", (), {"k": 5, "sorted": False}, 2),
    "segments": ("UnsortedSegmentSum", (KEYS,), {"num_segments": 6}, 1),
    "update": ("TensorScatterUpdate", (PLACES, floats(7, 33)), {}, 1),
    "long rows": ("Max", (), {"axis": (0, 1), "keep_dims": True}, 1),
    "best": ("ArgMax", (), {"axis": 1}, 1),
    "transposed": ("Transpose", (), {"perm": (1, 0)}, 1),
    "tiled": ("Tile", (), {"reps": (2, 3)}, 1),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_and_what_follows(threads: int, name: str) -> None:
    kernel, constants, attributes, outputs = STEPS[name]
    b = GraphBuilder()
    x = b.add("Neg", b.input("x"))
    found = b.add(kernel, x, *map(b.constant, constants), outputs=outputs, **attributes)
    one = b.constant(np.int32(1) if kernel == "ArgMax" else np.float32(0.5))
    follows = b.add("Relu", b.add("Add", found, one)) if kernel != "ArgMax" else b.add("Add", found, one)
    others = [type(found)(found.node, number) for number in range(1, outputs)]
    graph, feeds = b.graph(follows, found, *others), {"x": floats(40, 33)}
    program = Program(graph)
    for _ in range(2):
        results = program.run({"x": tensor(feeds["x"])})
        for got, want in zip(results, on_cpu(graph, feeds), strict=True):
            assert_close(got.numpy(), want)
    assert plan_of(program).calls >= 2


@pytest.mark.parametrize("count", [2, 3])
def test_eager_calls_on_threads(wasm: WasmBackend, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WORTH_SHARING", 0)
    x, before = floats(5, 70), wasm.device.threads_count
    signal = (floats(3, 48) + 1j * floats(3, 48)).astype(np.complex64)
    wasm.device.set_threads_count(count)
    try:
        t = tf.tensor(x)
        assert_close(tf.cumsum(t, 1).numpy(), x.cumsum(1))
        assert_close(tf.cumsum(t, 0).numpy(), x.cumsum(0))
        order = np.argsort(-x, axis=1, kind="stable")
        for k in (4, 70):
            assert np.array_equal(tf.topk(t, k).indices.numpy(), order[:, :k])
        keys = np.array([2, 0, 2, 1, 0], np.int32)
        sums = np.stack([x[keys == key].sum(0) for key in range(3)])
        assert_close(tf.unsorted_segment_sum(t, tf.tensor(keys, dtype="int32"), 3).numpy(), sums)
        spectra = tf.spectral.fft(tf.tensor(signal)).numpy()
        want = np.fft.fft(signal)
        assert_close(np.stack([spectra.real, spectra.imag]), np.stack([want.real, want.imag]))
        assert_close(tf.transpose(t).numpy(), x.T)
        assert np.array_equal(tf.arg_max(t, 1).numpy(), x.argmax(1))
    finally:
        wasm.device.set_threads_count(before)
