"""Which kernels the wasm backend has: those with a definition, and what the backend named "cpu" has besides."""

from __future__ import annotations

from typing import Final

from tenfold.backends.generated_kernels import register_generated_kernels
from tenfold.backends.host_calls import HOST
from tenfold.core.kernel import get_kernel

NAME: Final = "wasm"

register_generated_kernels(NAME, lambda kernel: get_kernel(kernel.name, HOST) is not None)
