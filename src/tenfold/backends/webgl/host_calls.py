"""Kernels that run on the host: on the backend named "cpu", with values that are brought there and back.

Small calls whose inputs are all on the host go this way unless `WEBGL_CPU_FORWARD` is off, since a draw and a read cost
more than computing a few numbers. So do those that no shader computes (`host_kernels`). Each is counted, with its
reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tenfold.core.backends import find_backend
from tenfold.core.errors import BackendError
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, as_infos

if TYPE_CHECKING:
    from tenfold.backends.base import Backend
    from tenfold.backends.webgl.backend import WebglBackend
    from tenfold.core.storage import Storage

HOST: Final = "cpu"

FORWARDED: Final = "its inputs are few numbers on the host"


class HostCall:
    """Runs a kernel on the host.

    Attributes:
        reason: why.
    """

    __slots__ = ("_backend", "_kernel_name", "reason")

    def __init__(self, backend: WebglBackend, kernel_name: str, reason: str) -> None:
        self._backend = backend
        self._kernel_name = kernel_name
        self.reason = reason

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        return run_on_host(self._backend, self._kernel_name, inputs, attributes, self.reason)

    def dispose(self) -> None:
        """There is nothing to give back."""


def run_on_host(
    backend: WebglBackend, kernel_name: str, inputs: Sequence[Any], attributes: Attributes, reason: str
) -> KernelResult:
    """Run a kernel on the backend "cpu".

    Raises:
        BackendError: if there is no such backend.
        KernelNotFoundError: if it does not have the kernel either.
    """
    host = find_backend(HOST)
    if host is None:
        raise BackendError(
            f"The backend {backend.name!r} runs {kernel_name!r} on the backend {HOST!r} ({reason}), which is not "
            "registered. Register it again, or choose another backend with set_backend."
        )
    backend.host_calls[kernel_name, reason] += 1
    operands = [None if x is None else _moved(backend, host, x) for x in inputs]
    lent = {id(o.storage): x.storage for o, x in zip(operands, inputs, strict=True) if o is not None}
    try:
        result = host.run(kernel_name, operands, attributes)
    except BaseException:
        _dispose(host, operands)
        raise
    outputs = [_returned(backend, host, info, lent.get(id(info.storage))) for info in as_infos(result)]
    _dispose(host, [*operands, *as_infos(result)])
    return outputs[0] if isinstance(result, TensorInfo) else outputs


def _moved(backend: WebglBackend, host: Backend, operand: Any) -> TensorInfo:
    values = backend.read_sync(operand.storage)
    storage = host.write(values.reshape(operand.shape), operand.shape, operand.dtype)
    return TensorInfo(storage, operand.shape, operand.dtype)


def _returned(backend: WebglBackend, host: Backend, info: TensorInfo, lent: Storage | None) -> TensorInfo:
    """A result on this backend: over the storage of an input where the host's is that of an operand."""
    if lent is not None:
        return TensorInfo(lent, info.shape, info.dtype)
    values = host.read_sync(info.storage)
    return TensorInfo(backend.write(values, info.shape, info.dtype), info.shape, info.dtype)


def _dispose(host: Backend, infos: Sequence[TensorInfo | None]) -> None:
    """Give back the host's storages, each once."""
    for storage in {id(info.storage): info.storage for info in infos if info is not None}.values():
        host.dispose_data(storage)
