"""The contract of a backend.

A backend stores tensors and runs kernels on them. It promises:

* `write` takes values and gives a `Storage` whose `data` only it understands; `read_sync` and `read` give the
  values back as they were, bit by bit, in the shape of the storage. Values are never changed once written.
* A kernel gets operands (`storage`, `shape`, `dtype`) that live on this backend and returns `TensorInfo`s, or the
  storage alone where it has one output. Storages are new, or those of an input seen in another shape. What a kernel
  allocates besides its outputs it releases itself.
* `dispose_data` is called once for each storage, when nobody holds it any more and no read is pending.
* `compile` turns a plan into something that runs it; the inherited one walks through the steps.

It need not know about tensors as handles, scopes, tapes, gradients, modes or other backends: the engine moves
values between backends with `read_sync` and `move`. A method that a backend does not have raises by name. A
kernel that it does not have is legal: running it raises an error that names kernel and backend.

To add one, see docs/adding-a-backend.md: a subclass, kernels through `register_kernel` or a renderer through
`register_renderer`, and `register_backend(name, factory, priority)`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from tenfold.core.errors import KernelNotFoundError
from tenfold.core.kernel import as_infos, get_kernel, implementations

if TYPE_CHECKING:
    import numpy as np

    from tenfold.core.dtypes import DType
    from tenfold.core.kernel import Attributes, KernelFunction, KernelResult, Operand
    from tenfold.core.storage import Shape, Storage
    from tenfold.graph.plan import EpilogueStage, Plan, Step


@dataclass(frozen=True, slots=True)
class BackendMemory:
    """What a backend says of its memory.

    Attributes:
        unreliable: whether the engine's byte count is only an estimate here.
        reasons: why.
        details: further figures by name, such as `num_bytes_in_gpu`.
    """

    unreliable: bool = False
    reasons: tuple[str, ...] = ()
    details: dict[str, int] = field(default_factory=dict)


CompiledPlan = Callable[[Sequence["Operand"]], "list[Operand]"]
"""Runs a plan: operands for its inputs in, operands of its outputs out, each held once for the caller."""


class Backend:
    """Base of all backends; see the module's head for what each method promises.

    Attributes:
        name: the name under which it is registered; the engine sets it.
        reads_at_once: whether `read_sync` never has to wait for anything.
        keeps_arrays: whether `write` may keep the array that it is given, which then has to be a copy.
        weights_wait_on: the name of a backend where weights of models stay until an op wants them here, if plans have
            copies of their own.
    """

    name: str = "unnamed"
    reads_at_once: bool = False
    keeps_arrays: bool = True
    weights_wait_on: str | None = None

    # -- storage ------------------------------------------------------------------------------------------

    def write(self, values: np.ndarray, shape: Shape, dtype: DType) -> Storage:
        """Store `values` (row-major, in the storage type of `dtype`); the array is its own where it `keeps_arrays`."""
        self._missing("write")

    def move(self, storage: Storage, values: np.ndarray) -> None:
        """Take over a storage that lived elsewhere, with the values that were read from there."""
        taken = self.write(values, storage.shape, storage.dtype)
        storage.backend, storage.data = self, taken.data

    def read_sync(self, storage: Storage) -> np.ndarray:
        """The values, in the shape of the storage, once they are computed; the caller must not write to them."""
        self._missing("read_sync")

    def values_of(self, storage: Storage) -> np.ndarray:
        """The values for as long as the storage lives, without a copy where they can be seen where they are."""
        return self.read_sync(storage)

    async def read(self, storage: Storage) -> np.ndarray:
        """Like `read_sync`, without blocking the event loop."""
        self._missing("read")

    def dispose_data(self, storage: Storage) -> None:
        """Free what `storage.data` refers to."""
        self._missing("dispose_data")

    def num_data_ids(self) -> int:
        """How many storages are allocated here."""
        self._missing("num_data_ids")

    def memory(self) -> BackendMemory:
        """What is known of the memory in use beyond the engine's own count."""
        return BackendMemory()

    # -- computing ----------------------------------------------------------------------------------------

    def kernel_function(self, kernel_name: str) -> KernelFunction:
        """The implementation of a kernel.

        Raises:
            KernelNotFoundError: naming the kernel and this backend.
        """
        found = get_kernel(kernel_name, self.name)
        if found is None:
            raise KernelNotFoundError(
                f"The kernel {kernel_name!r} is not registered for the backend {self.name!r}. "
                "Choose another backend with set_backend, or register one with register_kernel."
            )
        return found.kernel_func

    def run(self, kernel_name: str, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        """Run one kernel on operands that live here."""
        # The look-up of `kernel_function`, without its cost: every op comes this way.
        found = implementations.get((kernel_name, self.name))
        function = self.kernel_function(kernel_name) if found is None else found.kernel_func
        return function(inputs, attributes, self)

    @property
    def fuses(self) -> Collection[str]:
        """Kernels that take an epilogue at little cost; plans give epilogues to no others."""
        return frozenset()

    def run_step(self, step: Step, operands: Sequence[Operand | None]) -> KernelResult:
        """Run one step of a plan; `operands` gives the value of each number.

        The inherited one runs the kernel, then each stage of the epilogue as a kernel of its own.
        """
        inputs = [None if i is None else operands[i] for i in step.inputs]
        return self._run_stages(self.run(step.kernel, inputs, step.attributes), step.epilogue, operands)

    def compile(self, plan: Plan) -> CompiledPlan:
        """Make something that runs a plan with as little work per run as the backend can manage.

        What has a true attribute `has_own_constants` needs the plan's constants no more; those of others are moved to
        the backend before they run.
        """
        return lambda inputs: run_steps(self, plan, inputs)

    def finish(self) -> None:
        """Wait until everything that was asked for is computed; where kernels run at once there is nothing to do."""

    def warmup(self, compiled: CompiledPlan, report: Callable[[float], None]) -> None:
        """Do now what the first run of a compiled plan would do, where that takes long.

        Args:
            compiled: what `compile` gave.
            report: to be called with the fraction that is done.
        """

    def time(self, f: Callable[[], Any]) -> float:
        """Milliseconds that the kernels of `f` take on the device."""
        self._missing("time")

    # -- numbers ------------------------------------------------------------------------------------------

    def float_precision(self) -> int:
        """Bits of a float in computations: 32 or 16."""
        return 32

    def epsilon(self) -> float:
        """A number that is safely above zero in the precision at hand."""
        return 1e-7 if self.float_precision() == 32 else 1e-4

    # -- end ----------------------------------------------------------------------------------------------

    def dispose(self) -> None:
        """Free everything; the backend is not used afterwards."""

    # -- for subclasses -----------------------------------------------------------------------------------

    def _missing(self, method: str) -> NoReturn:
        raise NotImplementedError(
            f"'{method}' not yet implemented or not found in the backend {self.name!r}. "
            "Did you register the backend that you meant?"
        )

    def _run_stages(
        self, result: KernelResult, stages: Sequence[EpilogueStage], operands: Sequence[Operand | None]
    ) -> KernelResult:
        """Run stages of an epilogue as kernels of their own."""
        for stage in stages:
            before = result
            stage_inputs = [before if i is None else operands[i] for i in stage.operands]
            result = self.run(stage.kernel, stage_inputs, stage.attributes)
            self._discard(before, keep=result)
        return result

    def _discard(self, result: KernelResult, keep: KernelResult) -> None:
        kept = {id(info.storage) for info in as_infos(keep)}
        for info in as_infos(result):
            if info.storage.holders == 0 and id(info.storage) not in kept:
                self.dispose_data(info.storage)


def run_steps(backend: Backend, plan: Plan, inputs: Sequence[Operand]) -> list[Operand]:
    """Run a plan step by step, giving each value back after its last use."""
    values: list[Operand | None] = [None] * len(plan.specs)
    for number, tensor in plan.constants.items():
        values[number] = tensor
    for number, operand in zip(plan.inputs, inputs, strict=True):
        values[number] = operand
    held: list[Storage | None] = [None] * len(plan.specs)
    try:
        for step in plan.steps:
            result = backend.run_step(step, values)
            for number, info in zip(step.outputs, as_infos(result), strict=True):
                values[number] = info
                held[number] = info.storage
                info.storage.hold()
            for number in step.releases:
                storage, held[number], values[number] = held[number], None, None
                if storage is not None:
                    storage.release()
        outputs = [operand for operand in (values[number] for number in plan.outputs) if operand is not None]
        for output in outputs:
            output.storage.hold()
        return outputs
    finally:
        for storage in held:
            if storage is not None:
                storage.release()
