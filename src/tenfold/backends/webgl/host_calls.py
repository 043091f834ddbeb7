"""Kernels that run on the host: on the backend named "cpu", with values that are brought there and back.

Small calls whose inputs are all on the host go this way unless `WEBGL_CPU_FORWARD` is off, since a draw and a read cost
more than computing a few numbers. So do the kernels that no shader can compute (`host_kernels`). Calls are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenfold.core.backends import find_backend
from tenfold.core.errors import BackendError
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, as_infos

if TYPE_CHECKING:
    from tenfold.backends.base import Backend
    from tenfold.backends.webgl.backend import WebglBackend

HOST: str = "cpu"


def run_on_host(backend: WebglBackend, kernel_name: str, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
    """Run a kernel on the backend "cpu".

    Raises:
        BackendError: if there is no such backend.
        KernelNotFoundError: if it does not have the kernel either.
    """
    host = find_backend(HOST)
    if host is None:
        raise BackendError(
            f"The backend {backend.name!r} runs {kernel_name!r} on the backend {HOST!r}, which is not registered. "
            f"Register it again, or choose another backend with set_backend."
        )
    backend.host_calls[kernel_name] += 1
    operands = [None if x is None else _moved(backend, host, x) for x in inputs]
    borrowed = {id(o.storage): x.storage for o, x in zip(operands, inputs, strict=True) if o is not None}
    try:
        result = host.run(kernel_name, operands, attributes)
    except BaseException:
        _dispose(host, operands)
        raise
    outputs = [_returned(backend, host, info, borrowed.get(id(info.storage))) for info in as_infos(result)]
    _dispose(host, [*operands, *as_infos(result)])
    return outputs[0] if isinstance(result, TensorInfo) else outputs


def _moved(backend: WebglBackend, host: Backend, operand: Any) -> TensorInfo:
    values = backend.read_sync(operand.storage)
    storage = host.write(values.reshape(operand.shape), operand.shape, operand.dtype)
    return TensorInfo(storage, operand.shape, operand.dtype)


def _returned(backend: WebglBackend, host: Backend, info: TensorInfo, borrowed: Any) -> TensorInfo:
    if borrowed is not None:
        return TensorInfo(borrowed, info.shape, info.dtype)
    values = host.read_sync(info.storage)
    return TensorInfo(backend.write(values, info.shape, info.dtype), info.shape, info.dtype)


def _dispose(host: Backend, infos: Sequence[TensorInfo | None]) -> None:
    """Give back the host's storages, each once."""
    for storage in {id(info.storage): info.storage for info in infos if info is not None}.values():
        host.dispose_data(storage)
