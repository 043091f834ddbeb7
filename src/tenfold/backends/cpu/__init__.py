"""The cpu backend: NumPy and BLAS. The reference for every other backend, and the readable one."""

from __future__ import annotations

from tenfold.backends.cpu import (  # noqa: F401
    arrays,
    convolution,
    counting,
    creation,
    einsum,
    image,
    indexing,
    matmul,
    morphology,
    normalization,
    padding,
    pooling,
    ragged,
    random,
    rearranging,
    reduction,
    resize,
    response_normalization,
    scan,
    searching,
    selection,
    sparse,
    spectral,
    strings,
    transpose,
    volumes,
    warping,
)
from tenfold.backends.cpu.backend import CpuBackend
from tenfold.core.backends import Availability, register_backend

NAME = "cpu"
PRIORITY = 1


def _probe() -> Availability:
    import numpy as np

    return Availability(True, f"NumPy {np.__version__}, always there")


register_backend(NAME, CpuBackend, PRIORITY, probe=_probe)
