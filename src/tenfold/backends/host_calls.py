"""Kernels that a backend leaves to the host: they run on the backend named "cpu", with values brought there and back.

Each such call is counted, with its reason, so that tests see when one goes astray.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from tenfold.core.backends import find_backend
from tenfold.core.errors import BackendError
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, as_infos
from tenfold.core.storage import Storage

if TYPE_CHECKING:
    import numpy as np

    from tenfold.backends.base import Backend
    from tenfold.core.dtypes import DType
    from tenfold.core.storage import Shape

HOST: Final = "cpu"

FORWARDED: Final = "its inputs are few numbers on the host"
"""The reason where a flag lets the host compute small calls, which takes less than asking a device."""


class ForwardingBackend(Protocol):
    """A backend that leaves kernels to the host.

    Attributes:
        name: the name under which it is registered.
        host_calls: how many calls ran on the host, by kernel and reason.
    """

    name: str
    host_calls: Counter[tuple[str, str]]

    def values_of(self, storage: Storage) -> np.ndarray:
        """The values, for as long as the storage lives."""

    def write(self, values: np.ndarray, shape: Shape, dtype: DType) -> Storage:
        """Store values."""


class HostCall:
    """Runs a kernel on the host.

    Attributes:
        reason: why.
    """

    __slots__ = ("_backend", "_kernel_name", "reason")

    def __init__(self, backend: ForwardingBackend, kernel_name: str, reason: str) -> None:
        self._backend = backend
        self._kernel_name = kernel_name
        self.reason = reason

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        return run_on_host(self._backend, self._kernel_name, inputs, attributes, self.reason)

    def dispose(self) -> None:
        """There is nothing to give back."""


def run_on_host(
    backend: ForwardingBackend, kernel_name: str, inputs: Sequence[Any], attributes: Attributes, reason: str
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
    operands = [None if x is None else _lent(backend, host, x) for x in inputs]
    lenders = {id(o.storage): x.storage for o, x in zip(operands, inputs, strict=True) if o is not None}
    made: Sequence[TensorInfo] = ()
    try:
        result = host.run(kernel_name, operands, attributes)
        made = as_infos(result)
        outputs = [_returned(backend, host, info, lenders.get(id(info.storage))) for info in made]
    finally:
        # The host's storages, each once.
        for storage in {id(info.storage): info.storage for info in (*operands, *made) if info is not None}.values():
            host.dispose_data(storage)
    return outputs[0] if isinstance(result, (TensorInfo, Storage)) else outputs


def _lent(backend: ForwardingBackend, host: Backend, operand: Any) -> TensorInfo:
    """An operand on the host."""
    values = backend.values_of(operand.storage).reshape(operand.shape)
    return TensorInfo(host.write(values, operand.shape, operand.dtype), operand.shape, operand.dtype)


def _returned(backend: ForwardingBackend, host: Backend, info: TensorInfo, lender: Storage | None) -> TensorInfo:
    """A result on this backend: over the storage of an input where the host's is that of an operand."""
    if lender is not None:
        return TensorInfo(lender, info.shape, info.dtype)
    return TensorInfo(backend.write(host.read_sync(info.storage), info.shape, info.dtype), info.shape, info.dtype)
