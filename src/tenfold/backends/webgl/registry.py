"""Which kernels the webgl backend has: those with a definition, and those with a reason to be computed on the host."""

from __future__ import annotations

from typing import Final

from tenfold.backends.generated_kernels import register_generated_kernels
from tenfold.backends.webgl.host_kernels import HOST_KERNELS

NAME: Final = "webgl"

register_generated_kernels(NAME, lambda kernel: kernel.name in HOST_KERNELS)
