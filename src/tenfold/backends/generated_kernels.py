"""Kernels that a backend makes from their definitions for the specs and attributes of a call; imports no device.

A kernel is there if it has a definition, or else if the backend lets the host compute it. What runs it is found by the
backend, call by call; the functions registered here only lead there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tenfold.core.kernel import Attributes, Kernel, KernelFunction, KernelResult, register_renderer


class GeneratingBackend(Protocol):
    """A backend that finds or makes what runs a call."""

    def run_generated(self, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        """Run a kernel in the backend's own way."""


class GeneratedKernel:
    """The registered function of such a kernel."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(self, inputs: Sequence[Any], attributes: Attributes, backend: GeneratingBackend, /) -> KernelResult:
        return backend.run_generated(self._kernel, inputs, attributes)


def register_generated_kernels(backend_name: str, runs_on_host: Callable[[Kernel], bool]) -> None:
    """Register every kernel that has a definition, and those without that the host computes."""

    def render(kernel: Kernel) -> KernelFunction | None:
        return GeneratedKernel(kernel) if kernel.definition is not None or runs_on_host(kernel) else None

    register_renderer(backend_name, render)
