"""What generated code cannot complain of: values of indices, which it would take for the nearest ones or pass over.

Values stand in memory that the host sees, so it looks at them before the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

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
    """

    number: int
    check: Callable[[np.ndarray, Sequence[Shape], Attributes], None]


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


CHECKS: Final = {
    "GatherV2": Check(1, _gather),
    "GatherNd": Check(1, _gather_nd),
    "ScatterNd": Check(0, _scatter_nd),
    "TensorScatterUpdate": Check(1, _tensor_scatter_update),
    "SparseToDense": Check(0, _sparse_to_dense),
    "Bincount": Check(0, _not_negative("bincount")),
    "DenseBincount": Check(0, _not_negative("dense_bincount")),
}
"""The kernels that are checked."""
