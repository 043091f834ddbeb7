"""Kernels that have no definition, or one that no program computes: they run on the backend named "cpu".

It sees the values where they stand in the linear memory, so that only results are copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenfold.backends.wasm.registry import HOST
from tenfold.core.backends import find_backend
from tenfold.core.errors import BackendError
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, as_infos

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend


class HostCall:
    """Runs a kernel on the host.

    Attributes:
        reason: why.
    """

    __slots__ = ("_backend", "_kernel_name", "reason")

    def __init__(self, backend: WasmBackend, kernel_name: str, reason: str) -> None:
        self._backend = backend
        self._kernel_name = kernel_name
        self.reason = reason

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        backend, host = self._backend, find_backend(HOST)
        if host is None:
            raise BackendError(
                f"The backend {backend.name!r} runs {self._kernel_name!r} on the backend {HOST!r} ({self.reason}), "
                "which is not registered. Register it again, or choose another backend with set_backend."
            )
        backend.host_calls[self._kernel_name, self.reason] += 1
        lent: dict[int, Any] = {}
        operands: list[TensorInfo | None] = []
        for operand in inputs:
            if operand is None:
                operands.append(None)
                continue
            values = backend.values_of(operand.storage).reshape(operand.shape)
            storage = host.write(values, operand.shape, operand.dtype)
            lent[id(storage)] = operand.storage
            operands.append(TensorInfo(storage, operand.shape, operand.dtype))
        borrowed = [operand.storage for operand in operands if operand is not None]
        result: KernelResult = ()
        try:
            result = host.run(self._kernel_name, operands, attributes)
            outputs = []
            for storage, shape, dtype in as_infos(result):
                own = lent.get(id(storage))
                if own is None:
                    own = backend.write(host.read_sync(storage), shape, dtype)
                outputs.append(TensorInfo(own, shape, dtype))
        finally:
            made = [info.storage for info in as_infos(result)]
            for storage in {id(storage): storage for storage in (*borrowed, *made)}.values():
                host.dispose_data(storage)
        return outputs[0] if isinstance(result, TensorInfo) else outputs
