"""Whole modules, as the backend gives them to wasmtime, accepted by the engine of browsers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.wasm import keys
from tenfold.devices.wasm.interface import Label
from tenfold.graph.program import Program
from tests.backends.wasm.conftest import without_the_backend
from tests.backends.wasm.test_plans import small_network
from tests.codegen.node import validated_by_node

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend


@pytest.mark.parametrize("deterministic", [False, True])
def test_node_accepts_whole_modules(deterministic: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of plans, of batches, of single calls and of procedures, with barriers between threads."""
    tf.ready().result()
    codes: list[bytes] = []
    with without_the_backend():
        tf.env().set("WASM_DETERMINISTIC", deterministic)
        with tf.backend_scope("wasm") as active:
            device = cast("WasmBackend", active).device
            device.set_threads_count(2)
            load = device.load

            def noting(code: bytes, name: str, label: Label | None = None) -> Any:
                codes.append(code)
                return load(code, name, label)

            monkeypatch.setattr(device, "load", noting)
            monkeypatch.setattr(keys, "sources", lambda: None)  # so that nothing is found on disk
            for batch in (1, 3):
                graph, feeds = small_network(batch)
                tf.dispose(Program(graph).run({"x": tf.tensor(feeds["x"])}))
            with tf.tidy():
                x = tf.tensor(np.random.default_rng(3).normal(size=(4, 64)).astype(np.float32))
                x.mat_mul(x, transpose_b=True)
                tf.topk(x, 5)
                tf.cumsum(x, 1)
                tf.spectral.rfft(x)
                tf.conv2d(x.reshape([1, 8, 8, 4]), tf.ones([3, 3, 4, 8]), 1, "same")
                tf.logical_and(x > 0, x < 1).any()
    assert len(codes) > 8
    assert all(validated_by_node(codes, tmp_path))
