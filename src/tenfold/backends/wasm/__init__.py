"""The wasm backend: kernels generated as WebAssembly, run by wasmtime; on request beside TensorFlow.js's own.

Importing it registers it with its flags; the engine is loaded when the backend is first wanted.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tenfold.backends.wasm.flags import XNNPACK
from tenfold.backends.wasm.registry import NAME
from tenfold.core.backends import Availability, register_backend
from tenfold.core.environment import ENV

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

PRIORITY = 2


def _make() -> WasmBackend:
    if ENV.get("WASM_KERNELS") == XNNPACK:
        from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend

        return XnnpackBackend()
    from tenfold.backends.wasm.backend import WasmBackend

    return WasmBackend()


def _probe() -> Availability:
    if find_spec("wasmtime") is None:
        return Availability(False, "wasmtime is not installed: pip install wasmtime")
    # Kernels are compiled when they are first called, ten milliseconds each, and NumPy's products use wider vectors.
    reason = "chosen by name: models run faster than on cpu, but single ops often slower"
    return Availability(False, reason, by_name=True)


register_backend(NAME, _make, PRIORITY, probe=_probe)
