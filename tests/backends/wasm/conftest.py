"""The wasm backend, active."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

import tenfold as tf

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend


@pytest.fixture
def wasm() -> Iterator[WasmBackend]:
    """The backend, active."""
    tf.ready().result()  # so that there is a backend to come back to
    with tf.backend_scope("wasm") as backend:
        yield cast("WasmBackend", backend)
