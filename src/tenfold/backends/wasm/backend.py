"""The wasm backend: tensors in one linear memory, kernels as generated modules.

A kernel is run by what its definition is scheduled to, else on the host (`host_calls`). Ops run at once, on the calling
thread or, where that is worth it, on the device's threads. Text stays on the host. Any thread may use the backend: one
lock guards all of it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet, WeakValueDictionary

import numpy as np

from tenfold.backends.base import Backend, BackendMemory
from tenfold.backends.call_keys import call_key
from tenfold.backends.host_calls import HOST
from tenfold.backends.wasm.arena import Workspace
from tenfold.backends.wasm.assembly import INLINED
from tenfold.backends.wasm.compilation import compile_call
from tenfold.backends.wasm.flags import GENERATED
from tenfold.backends.wasm.plans import WasmPlan
from tenfold.backends.wasm.step_programs import NotPlannedError
from tenfold.backends.wasm.threads import wished_threads_count
from tenfold.codegen.wasm.targets import target
from tenfold.core import kernel as kernels
from tenfold.core.dtypes import DType, numpy_dtype
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, KernelResult, TensorInfo
from tenfold.core.storage import Shape, Storage
from tenfold.devices.wasm.native import NativeWasmDevice

if TYPE_CHECKING:
    from tenfold.backends.base import CompiledPlan
    from tenfold.backends.wasm.calls import Call, CallModule
    from tenfold.devices.wasm.interface import WasmDevice
    from tenfold.graph.plan import Plan

MOST_CALLS: Final = 2048
"""How many compiled calls are kept; the oldest go first, and with the last call of a module the module."""


class WasmBackend(Backend):
    """Runs kernels as WebAssembly.

    Attributes:
        kernels: whose kernels run where there is a choice, a value of the flag `WASM_KERNELS`.
        deterministic: whether programs do without instructions whose results depend on the processor.
        device: what runs modules.
        target: what programs are made for.
        modules: those that serve calls of any length, while a call uses them.
        host_calls: how many calls ran on the host, by kernel and reason.
        workspace: where plans keep what lies between their inputs and outputs.
        num_storages: how many storages there are.
        lock: guards all of it.
    """

    reads_at_once = True
    keeps_arrays = False
    # The linear memory cannot shrink, and packed copies would find no room in what they leave there.
    weights_wait_on = HOST
    kernels: str = GENERATED

    def __init__(self, device: WasmDevice[Any] | None = None) -> None:
        """Make it.

        Args:
            device: what runs modules; a new one with a memory of its own if None.
        """
        self.device: WasmDevice[Any] = NativeWasmDevice() if device is None else device
        wished = wished_threads_count()
        if device is None and wished is not None:
            self.device.set_threads_count(wished)
        self.deterministic = ENV.get_bool("WASM_DETERMINISTIC")
        is_relaxed = self.device.features.relaxed_simd and not self.deterministic
        self.target = target(self.device.engine, relaxed=is_relaxed)
        self.modules: WeakValueDictionary[Hashable, CallModule] = WeakValueDictionary()
        self.host_calls: Counter[tuple[str, str]] = Counter()
        self.workspace = Workspace(self.device)
        self._free = self.device.allocator.free
        self._given_back: deque[int] = deque()
        self._calls: dict[Hashable, Call] = {}
        self.num_storages = 0
        self.lock = threading.RLock()
        _BACKENDS.add(self)

    # -- storage ------------------------------------------------------------------------------------------

    def write(self, values: np.ndarray, shape: Shape, dtype: DType) -> Storage:
        with self.lock:
            self.free_given_back()
            if dtype == "string":
                self.num_storages += 1
                return Storage(self, values, shape, dtype, sum(len(v) for v in values.ravel() if v is not None))
            address = self.device.allocator.allocate(values.nbytes)
            self.device.memory.write(address, values)
            return self.adopt(address, shape, dtype, values.nbytes)

    def adopt(self, address: int, shape: Shape, dtype: DType, nbytes: int) -> Storage:
        """A storage of what stands in a block of the device's allocator."""
        self.num_storages += 1
        return Storage(self, address, shape, dtype, nbytes)

    def empty(self, shape: Shape, dtype: DType) -> TensorInfo:
        """A result without elements."""
        return TensorInfo(self.write(np.empty(shape, numpy_dtype(dtype)), shape, dtype), shape, dtype)

    def values_of(self, storage: Storage) -> np.ndarray:
        if storage.dtype == "string":
            values: np.ndarray = storage.data
            return values.reshape(storage.shape)
        return self.device.memory.view(storage.data, storage.shape, numpy_dtype(storage.dtype))

    def read_sync(self, storage: Storage) -> np.ndarray:
        with self.lock:
            values = self.values_of(storage)
            return values if storage.dtype == "string" else values.copy()

    async def read(self, storage: Storage) -> np.ndarray:
        return self.read_sync(storage)

    def dispose_data(self, storage: Storage) -> None:
        # The lock takes as long as the rest: whoever has it next frees the block.
        self.num_storages -= 1
        if storage.dtype != "string":
            self._given_back.append(storage.data)
        storage.data = None

    def free_given_back(self) -> None:
        """Free the blocks of storages that are gone; only with the lock."""
        while self._given_back:
            self._free(self._given_back.popleft())

    def num_data_ids(self) -> int:
        return self.num_storages

    def memory(self) -> BackendMemory:
        with self.lock:
            self.free_given_back()
            self.workspace.free_forgotten()
        used, peak, reserved, _ = self.device.allocator.bytes
        return BackendMemory(
            details={
                "num_bytes_in_wasm": used,
                "num_bytes_in_wasm_peak": peak,
                "num_bytes_in_wasm_reserved": reserved,
            }
        )

    # -- computing ----------------------------------------------------------------------------------------

    def run(self, kernel_name: str, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        with self.lock:
            given_back = self._given_back
            while given_back:
                self._free(given_back.popleft())
            call = self._calls.get(call_key(kernel_name, inputs, attributes))
            if call is not None:
                return call(inputs, attributes)
            return self.kernel_function(kernel_name)(inputs, attributes, self)

    def run_generated(self, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        """Run a kernel for specs and attributes that are new, and keep what runs it."""
        with self.lock:
            call = self.compiled_call(kernel, inputs, attributes)
            while len(self._calls) >= MOST_CALLS:
                del self._calls[next(iter(self._calls))]
            # Methods are called faster than objects.
            self._calls[call_key(kernel.name, inputs, attributes)] = call.__call__
            return call(inputs, attributes)

    @property
    def fuses(self) -> Collection[str]:
        """Every kernel with a definition: what follows is computed where its result is stored."""
        defined = (kernel.name for kernel in kernels.defined_kernels().values() if kernel.definition is not None)
        return frozenset(defined) - INLINED

    def compile(self, plan: Plan) -> CompiledPlan:
        """One module; step by step where no program computes a step."""
        try:
            return WasmPlan(self, plan)
        except NotPlannedError:
            return super().compile(plan)

    def compiled_call(self, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> Call:
        """What runs a kernel for operands of the specs of these."""
        return compile_call(self, kernel, inputs, attributes)

    def set_threads_count(self, count: int) -> None:
        """Use so many threads from the next call on."""
        with self.lock:
            self.device.set_threads_count(count)

    def kernels_changed(self) -> None:
        """Look up every kernel again."""
        with self.lock:
            self._calls.clear()

    def time(self, f: Callable[[], Any]) -> float:
        # Kernels are done when they return.
        started = perf_counter()
        f()
        return (perf_counter() - started) * 1000

    # -- end ----------------------------------------------------------------------------------------------

    def dispose(self) -> None:
        with self.lock:
            self._calls.clear()
            self.device.dispose()


# The registry of kernels must not keep backends alive.
_BACKENDS: WeakSet[WasmBackend] = WeakSet()


def _kernels_changed() -> None:
    for backend in list(_BACKENDS):
        backend.kernels_changed()


kernels.on_change(_kernels_changed)
