"""The tables of kernels in the documentation, from the registry."""

from __future__ import annotations

from tenfold.backends.host_calls import HOST
from tenfold.backends.wasm.compilation import HOST_KERNELS, VIEWS
from tenfold.backends.wasm.routines import ROUTINES
from tenfold.backends.wasm.xnnpack.requests import FUSING, KERNELS
from tenfold.core.kernel import Kernel, defined_kernels, get_gradient, get_kernel

SHAPE_DEPENDS = "the size of its result depends on values"
NO_DEFINITION = "it has no definition as a loop over numbers"


def wasm_kernels(note: str) -> str:
    """The page of the kernels that the wasm backend has."""
    kernels = sorted(defined_kernels().values(), key=lambda kernel: kernel.name.lstrip("_").lower())
    rows = [_row(kernel) for kernel in kernels if kernel.definition is not None or get_kernel(kernel.name, HOST)]
    generated = sum("generated" in row or "view" in row for row in rows)
    there = sum(kernel.name in KERNELS for kernel in kernels)
    return "\n".join(
        [
            "# Kernels of the wasm backend",
            "",
            f"<!-- {note} -->",
            "",
            f"The backend has {len(rows)} kernels: {generated} are generated, the others run on the host, on values",
            "where they stand in WebAssembly's memory. Those that have a routine take it where it is faster than what",
            "their definition is scheduled to. Text stays on the host in any case. With",
            f"`WASM_KERNELS=xnnpack`, {there} of them run on TensorFlow.js's own code where that can do what is asked",
            "([Platform and environment](platform-and-environment.md#tensorflowjss-own-kernels)).",
            "",
            "| kernel | runs | XNNPACK | gradient |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _row(kernel: Kernel) -> str:
    there = "with bias and activation" if kernel.name in FUSING else "yes" if kernel.name in KERNELS else ""
    gradient = "yes" if get_gradient(kernel.name) is not None else ""
    return f"| `{kernel.name}` | {_runs(kernel)} | {there} | {gradient} |"


def _runs(kernel: Kernel) -> str:
    if kernel.name in VIEWS:
        return "as a view"
    if kernel.name in HOST_KERNELS:
        return f"on the host: {HOST_KERNELS[kernel.name]}"
    if kernel.definition is not None:
        return "generated, by a routine" if kernel.name in ROUTINES else "generated"
    return f"on the host: {SHAPE_DEPENDS if kernel.data_dependent else NO_DEFINITION}"
