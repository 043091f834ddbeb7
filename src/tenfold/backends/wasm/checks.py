"""What generated code cannot complain of: values of indices, which it would take for the nearest ones or pass over.

Values stand in memory that the host sees, so it looks at them before the call. A plan computes indices itself: it also
computes whether one is wrong, which the host looks at afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tenfold.codegen.compute import Array
from tenfold.codegen.expr import Expr, call
from tenfold.codegen.reductions import reduce_axes
from tenfold.core.kernel import Attributes, KernelResult

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.backends.wasm.calls import Call
    from tenfold.core.storage import Shape


class Check(NamedTuple):
    """How a kernel's indices are checked.

    Attributes:
        number: which input they are.
        check: raises a `ValueError` if it does not like them; gets them, the shapes of all inputs, and attributes.
        lengths: the lengths that indices must stay below, one for each number along the last axis, or one for all; None
            where they only must not be negative. Gets the shape of the indices, those of all inputs, and attributes.
    """

    number: int
    check: Callable[[np.ndarray, Sequence[Shape], Attributes], None]
    lengths: Callable[[Shape, Sequence[Shape], Attributes], Sequence[int] | None]


class CheckedCall:
    """Runs a call if indices are right."""

    __slots__ = ("_backend", "_call", "_check")

    def __init__(self, backend: WasmBackend, call: Call, check: Check) -> None:
        self._backend = backend
        self._call = call
        self._check = check

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        indices = inputs[self._check.number]
        values = self._backend.values_of(indices.storage).reshape(indices.shape)
        self._check.check(values, [operand.shape for operand in inputs], attributes)
        return self._call(inputs, attributes)


def _gather(indices: np.ndarray, shapes: Sequence[Shape], attributes: Attributes) -> None:
    length = shapes[0][attributes.get("axis", 0)]
    if indices.size:
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= length:
            raise ValueError(f"gather: index {low if low < 0 else high} in 'indices' is not in [0, {length}).")


def _gather_nd(indices: np.ndarray, shapes: Sequence[Shape], attributes: Attributes) -> None:
    _check_positions(indices, shapes[0], "gather_nd")


def _scatter_nd(indices: np.ndarray, shapes: Sequence[Shape], attributes: Attributes) -> None:
    _check_positions(indices if indices.ndim > 1 else indices[:, None], attributes["shape"], "scatter_nd")


def _tensor_scatter_update(indices: np.ndarray, shapes: Sequence[Shape], attributes: Attributes) -> None:
    _check_positions(indices if indices.ndim > 1 else indices[:, None], shapes[0], "tensor_scatter_update")


def _sparse_to_dense(indices: np.ndarray, shapes: Sequence[Shape], attributes: Attributes) -> None:
    shape = attributes["output_shape"]
    _check_positions(indices.reshape(-1, len(shape)), shape, "sparse_to_dense")


def _check_positions(positions: np.ndarray, shape: Shape, op: str) -> None:
    """Positions `[..., depth]` lie in the first `depth` axes of a shape."""
    shape = tuple(shape[: positions.shape[-1]])
    outside = ((positions < 0) | (positions >= np.array(shape, np.int64))).any(-1)
    if outside.any():
        wrong = positions[outside][0].tolist()
        raise ValueError(f"{op}: the position {wrong} in 'indices' is outside of the shape {list(shape)}.")


def _not_negative(op: str) -> Callable[[np.ndarray, Sequence[Shape], Attributes], None]:
    def check(values: np.ndarray, shapes: Sequence[Shape], attributes: Attributes) -> None:
        if values.size and values.min() < 0:
            raise ValueError(f"{op}: argument 'x' must hold numbers from 0 on, got {int(values.min())}.")

    return check


def _of_axis(indices: Shape, shapes: Sequence[Shape], attributes: Attributes) -> Sequence[int]:
    return [shapes[0][attributes.get("axis", 0)]]


def _of_first_axes(indices: Shape, shapes: Sequence[Shape], attributes: Attributes) -> Sequence[int]:
    return shapes[0][: indices[-1] if len(indices) > 1 else 1]


def _of_coordinates(indices: Shape, shapes: Sequence[Shape], attributes: Attributes) -> Sequence[int]:
    return shapes[0][: indices[-1]]


def _of_shape(name: str) -> Callable[[Shape, Sequence[Shape], Attributes], Sequence[int]]:
    def lengths(indices: Shape, shapes: Sequence[Shape], attributes: Attributes) -> Sequence[int]:
        shape: Shape = attributes[name]
        return shape[: indices[-1] if len(indices) > 1 else 1]

    return lengths


def _any(indices: Shape, shapes: Sequence[Shape], attributes: Attributes) -> None:
    return None


CHECKS: Final = {
    "GatherV2": Check(1, _gather, _of_axis),
    "GatherNd": Check(1, _gather_nd, _of_coordinates),
    "ScatterNd": Check(0, _scatter_nd, _of_shape("shape")),
    "TensorScatterUpdate": Check(1, _tensor_scatter_update, _of_first_axes),
    "SparseToDense": Check(0, _sparse_to_dense, _of_shape("output_shape")),
    "Bincount": Check(0, _not_negative("bincount"), _any),
    "DenseBincount": Check(0, _not_negative("dense_bincount"), _any),
}
"""The kernels that are checked."""


def is_wrong(check: Check, indices: Array, shapes: Sequence[Shape], attributes: Attributes) -> Array:
    """Whether a check would raise: a bool.

    Args:
        check: the kernel's.
        indices: what it looks at.
        shapes: of all inputs.
        attributes: of the kernel.
    """
    lengths = check.lengths(indices.shape, shapes, attributes)
    # Coordinates along the last axis are looked at one by one, each with its own length.
    apart = lengths is not None and len(lengths) > 1
    places = indices.shape[:-1] if apart else indices.shape

    def outside(index: Expr, length: int | None) -> Expr:
        below = index < 0
        return below if length is None else call("logical_or", below, index >= length)

    def element(*i: Expr) -> Expr:
        if lengths is None or not apart:
            return outside(indices[i], None if lengths is None else lengths[0])
        found = outside(indices[*i, 0], lengths[0])
        for axis, length in enumerate(lengths[1:], 1):
            found = call("logical_or", found, outside(indices[*i, axis], length))
        return found

    return reduce_axes("any", places, range(len(places)), element)
