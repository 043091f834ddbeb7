"""Which kernels the webgl backend has; imports no device.

A kernel is there if it has a definition or a reason to be computed on the host. What runs it is found by the backend,
call by call; the functions registered here only lead there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tenfold.backends.webgl.host_kernels import HOST_KERNELS
from tenfold.core.kernel import Attributes, Kernel, KernelFunction, KernelResult, register_renderer

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

NAME: Final = "webgl"


class GeneratedKernel:
    """The registered function of a kernel that this backend runs in its own way."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(self, inputs: Sequence[Any], attributes: Attributes, backend: WebglBackend, /) -> KernelResult:
        return backend.run_generated(self._kernel, inputs, attributes)


def _render(kernel: Kernel) -> KernelFunction | None:
    if kernel.definition is not None or kernel.name in HOST_KERNELS:
        return GeneratedKernel(kernel)
    return None


register_renderer(NAME, _render)
