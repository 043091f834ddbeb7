"""The wasm backend, active."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest

import tenfold as tf
from tenfold.backends.wasm.binaries import reset_wasm_paths
from tenfold.core.backends import BACKENDS
from tests.shared import package_path
from tools.testdata import TFJS_WASM

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend


@pytest.fixture
def wasm() -> Iterator[WasmBackend]:
    """The backend, active."""
    tf.ready().result()  # so that there is a backend to come back to
    with tf.backend_scope("wasm") as backend:
        yield cast("WasmBackend", backend)


@pytest.fixture(scope="module")
def xnnpack() -> Iterator[XnnpackBackend]:
    """The backend with TensorFlow.js's own kernels, active; the one that was there comes back afterwards."""
    folder = package_path(TFJS_WASM, "dist")
    tf.ready().result()
    with without_the_backend():
        tf.set_wasm_paths(folder)
        tf.env().set("WASM_KERNELS", "xnnpack")
        with tf.backend_scope("wasm") as backend:
            yield cast("XnnpackBackend", backend)


@contextmanager
def without_the_backend() -> Iterator[None]:
    """Have the backend as it is before it is initialised; the one that was there comes back afterwards."""
    before = BACKENDS.instances.pop("wasm", None)
    given = {name: tf.env().get(name) for name in ("WASM_KERNELS", "WASM_DETERMINISTIC")}
    try:
        yield
    finally:
        made = BACKENDS.instances.pop("wasm", None)
        reset_wasm_paths()
        for name, value in given.items():
            tf.env().set(name, value)
        if made is not None:
            made.dispose()
        if before is not None:
            BACKENDS.instances["wasm"] = before
