"""Local response normalisation of the cpu backend."""

from __future__ import annotations

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("LRN")
def lrn(x: np.ndarray, *, depth_radius: int, bias: float, alpha: float, beta: float) -> np.ndarray:
    """`x` over a power of the energy of the channels around each one."""
    out: np.ndarray = x * _norms(x, depth_radius, bias, alpha) ** x.dtype.type(-beta)
    return out


@cpu_kernel("LRNGrad")
def lrn_grad(
    x: np.ndarray, y: np.ndarray, dy: np.ndarray, *, depth_radius: int, bias: float, alpha: float, beta: float
) -> np.ndarray:
    """The gradient for `x`: through the numerator, and through every divisor that the element is part of."""
    norms = _norms(x, depth_radius, bias, alpha)
    through_divisors = _sums_around(dy * y / norms, depth_radius)
    out: np.ndarray = dy * norms ** x.dtype.type(-beta) - x.dtype.type(2 * alpha * beta) * x * through_divisors
    return out


def _norms(x: np.ndarray, radius: int, bias: float, alpha: float) -> np.ndarray:
    norms = _sums_around(x * x, radius)
    norms *= alpha
    norms += bias
    return norms


def _sums_around(x: np.ndarray, radius: int) -> np.ndarray:
    """For each channel the sum over those at most `radius` away."""
    sums = x.copy()
    for distance in range(1, min(radius, x.shape[-1] - 1) + 1):
        sums[..., :-distance] += x[..., distance:]
        sums[..., distance:] += x[..., :-distance]
    return sums
