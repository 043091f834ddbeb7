"""Normalisations of the cpu backend: batch normalisation with given moments, softmax and its logarithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel

if TYPE_CHECKING:
    from tenfold.backends.cpu.row_blocks import Epilogue


@cpu_kernel("FusedBatchNorm")
def fused_batch_norm(
    x: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    offset: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    *,
    variance_epsilon: float = 1e-3,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """`(x - mean) * scale / sqrt(variance + epsilon) + offset`, the operands broadcast to x."""
    factor = 1 / np.sqrt(variance + np.asarray(variance_epsilon, variance.dtype))
    if scale is not None:
        factor = factor * scale
    # The mean is subtracted first: folded into the offset it would cost digits where it outweighs x - mean.
    out: np.ndarray = np.subtract(x, mean)
    out *= factor
    if offset is not None:
        out += offset
    if epilogue is not None:
        epilogue(out, (slice(None),))
    return out


@cpu_kernel("Softmax")
def softmax(logits: np.ndarray, *, dim: int = -1) -> np.ndarray:
    """`exp(logits)` over its sum along an axis."""
    if not logits.size:
        return logits.copy()
    out: np.ndarray = logits - logits.max(axis=dim, keepdims=True)
    np.exp(out, out=out)
    out /= out.sum(axis=dim, keepdims=True)
    return out


@cpu_kernel("LogSoftmax")
def log_softmax(logits: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """The logarithm of `softmax`, without its underflow."""
    if not logits.size:
        return logits.copy()
    out: np.ndarray = logits - logits.max(axis=axis, keepdims=True)
    out -= np.log(np.exp(out).sum(axis=axis, keepdims=True))
    return out
