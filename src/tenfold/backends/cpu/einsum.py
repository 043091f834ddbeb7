"""Einstein sums of the cpu backend: pair after pair of operands, each as a batch of matrix products."""

from __future__ import annotations

import math

import numpy as np

from tenfold.backends.cpu.matmul import batch_mat_mul
from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.einsum_equation import read_equation


@cpu_kernel("Einsum")
def einsum(*tensors: np.ndarray, equation: str) -> np.ndarray:
    """The sum of products that the equation describes, from left to right."""
    read = read_equation(equation, [tensor.shape for tensor in tensors])
    product, labels = tensors[0], read.inputs[0]
    for number, (tensor, its) in enumerate(zip(tensors[1:], read.inputs[1:], strict=True), start=2):
        needed = read.output + "".join(read.inputs[number:])
        product, labels = _contract(product, labels, tensor, its, needed)
    product, labels = _sum_out(product, labels, read.output)
    out = np.asarray(_ordered(product, labels, read.output), order="C")
    return out.copy() if any(np.may_share_memory(out, tensor) for tensor in tensors) else out


def _contract(a: np.ndarray, in_a: str, b: np.ndarray, in_b: str, needed: str) -> tuple[np.ndarray, str]:
    """The product of two operands, summed over the axes that nothing after it needs, and its labels."""
    a, in_a = _sum_out(a, in_a, in_b + needed)
    b, in_b = _sum_out(b, in_b, in_a + needed)
    shared = [label for label in in_a if label in in_b]
    batch = "".join(label for label in shared if label in needed)
    inner = "".join(label for label in shared if label not in needed)
    rows = "".join(label for label in in_a if label not in in_b)
    columns = "".join(label for label in in_b if label not in in_a)
    left, right = _ordered(a, in_a, batch + rows + inner), _ordered(b, in_b, batch + inner + columns)
    batches, lengths = left.shape[: len(batch)], left.shape[len(batch) :]
    outer, terms = lengths[: len(rows)], math.prod(lengths[len(rows) :])
    shape = (*batches, *outer, *right.shape[len(batch) + len(inner) :])
    by_row = left.reshape((*batches, math.prod(outer), terms))
    by_column = right.reshape((*batches, terms, math.prod(shape[len(batch) + len(rows) :])))
    # Without a sum the products are elementwise, for which NumPy's matrix product is slow.
    product = batch_mat_mul(by_row, by_column) if inner else by_row * by_column
    return product.reshape(shape), batch + rows + columns


def _sum_out(x: np.ndarray, labels: str, kept: str) -> tuple[np.ndarray, str]:
    """`x` without the axes that are not among `kept`."""
    axes = tuple(axis for axis, label in enumerate(labels) if label not in kept)
    if not axes:
        return x, labels
    return x.sum(axis=axes, dtype=x.dtype), "".join(label for label in labels if label in kept)


def _ordered(x: np.ndarray, labels: str, wanted: str) -> np.ndarray:
    return x.transpose([labels.index(label) for label in wanted])
