"""The cpu backend's storage and plans: a storage is a C-contiguous NumPy array that nobody writes to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.backends.base import Backend, BackendMemory
from tenfold.backends.cpu.plans import TAKE_EPILOGUES, CpuPlan
from tenfold.core.dtypes import DTYPE_OF_NUMPY, DType
from tenfold.core.kernel import defined_kernels
from tenfold.core.storage import Shape, Storage

if TYPE_CHECKING:
    from tenfold.backends.base import CompiledPlan
    from tenfold.graph.plan import Plan


class CpuBackend(Backend):
    """Runs kernels with NumPy, at once and on the calling thread."""

    reads_at_once = True

    def __init__(self) -> None:
        self._num_data_ids = 0

    def write(self, values: np.ndarray, shape: Shape, dtype: DType) -> Storage:
        self._num_data_ids += 1
        return Storage(self, values, shape, dtype, _num_bytes(values))

    def adopt(self, array: np.ndarray) -> Storage:
        """A storage of a kernel's result."""
        self._num_data_ids += 1
        if type(array) is not np.ndarray:
            array = np.asarray(array)
        elif not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        dtype = DTYPE_OF_NUMPY[array.dtype]
        return Storage(self, array, array.shape, dtype, array.nbytes if dtype != "string" else _num_bytes(array))

    def read_sync(self, storage: Storage) -> np.ndarray:
        values: np.ndarray = storage.data
        return values.reshape(storage.shape)

    async def read(self, storage: Storage) -> np.ndarray:
        return self.read_sync(storage)

    def dispose_data(self, storage: Storage) -> None:
        self._num_data_ids -= 1
        storage.data = None

    def num_data_ids(self) -> int:
        return self._num_data_ids

    def memory(self) -> BackendMemory:
        reason = "The reported memory is an upper bound: the allocator may not have returned it to the system."
        return BackendMemory(unreliable=True, reasons=(reason,))

    @property
    def fuses(self) -> Collection[str]:
        """Convolutions and products, and elementwise kernels, which make chains."""
        return TAKE_EPILOGUES | {kernel.name for kernel in defined_kernels().values() if kernel.elementwise}

    def compile(self, plan: Plan) -> CompiledPlan:
        return CpuPlan(self, plan)

    def time(self, f: Callable[[], Any]) -> float:
        # Kernels run on the calling thread. An interceptor would make plans run op by op, which is not what is asked.
        started = perf_counter()
        f()
        return (perf_counter() - started) * 1000


def _num_bytes(array: np.ndarray) -> int:
    if array.dtype.kind == "O":
        return sum(len(value) for value in array.ravel() if value is not None)
    return array.nbytes
