"""Which kernels the wasm backend has; imports no device.

A kernel is there if it has a definition, or else if the backend named "cpu" has it. What runs it is found by the
backend, call by call; the functions registered here only lead there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tenfold.backends.host_calls import HOST
from tenfold.core.kernel import Attributes, Kernel, KernelFunction, KernelResult, get_kernel, register_renderer

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

NAME: Final = "wasm"


class GeneratedKernel:
    """The registered function of a kernel that this backend runs in its own way."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(self, inputs: Sequence[Any], attributes: Attributes, backend: WasmBackend, /) -> KernelResult:
        return backend.run_generated(self._kernel, inputs, attributes)


def _render(kernel: Kernel) -> KernelFunction | None:
    if kernel.definition is not None or get_kernel(kernel.name, HOST) is not None:
        return GeneratedKernel(kernel)
    return None


register_renderer(NAME, _render)
