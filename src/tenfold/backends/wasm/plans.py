"""Plans on the wasm backend: a model is one module, and a run of it one call a thread.

Weights are packed once, into a block of the plan's own; values between inputs and outputs lie in the arena that all
plans share. Inputs are read where they lie, and outputs are fresh blocks, so that a run never changes what the one
before has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tenfold.backends.base import run_steps
from tenfold.backends.host_calls import HOST
from tenfold.backends.wasm.arena import NAME, Resident, aligned
from tenfold.backends.wasm.assembly import Assembly, assemble
from tenfold.backends.wasm.batches import batch_of
from tenfold.backends.wasm.calls import WORTH_INTERRUPTING, WORTH_SHARING
from tenfold.backends.wasm.keys import kernels_of, lasting_key, plan_key
from tenfold.backends.wasm.layout import Kind, PlanLayout, Result
from tenfold.backends.wasm.plan_modules import PREPARE, RUN, plan_module
from tenfold.core.backends import find_backend
from tenfold.core.engine import engine
from tenfold.core.kernel import TensorInfo
from tenfold.core.storage import Shape, Storage
from tenfold.devices.wasm.interface import Label, Module

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.core.dtypes import DType
    from tenfold.core.kernel import Operand
    from tenfold.graph.plan import Plan


class WasmPlan:
    """A plan made ready: call it with operands for the plan's inputs.

    Attributes:
        samples: how many times a run goes through the calls.
        plan: what they compute, for one sample.
        resident: the module, its layout, and its constants in memory.

    Raises:
        NotPlannedError: if there is a step that no programs compute.
    """

    has_own_constants = True

    def __init__(self, backend: WasmBackend, plan: Plan) -> None:
        self._backend = backend
        batch = batch_of(plan)
        self.samples = 1 if batch is None else batch.samples
        self.plan = plan if batch is None else batch.sample
        self._whole = plan
        with backend.lock:
            self.resident = self._made_resident()
        self._run = self.resident.module.function(RUN)
        layout = self.resident.layout
        # The last sample, too, needs room for whole vectors.
        self._blocks = [nbytes * (self.samples - 1) + aligned(nbytes) for nbytes in layout.fresh]
        self._arena = aligned(layout.arena)
        self._work = layout.work * self.samples
        self._outputs = [
            _Output(result, layout.results.index(result), *plan.specs[number])
            for result, number in zip(layout.results, plan.outputs, strict=True)
        ]

    def _made_resident(self) -> Resident:
        """The module in memory with its constants: another plan's, or found on disk, or made."""
        backend, plan, target = self._backend, self.plan, self._backend.target
        workspace, memory = backend.workspace, backend.device.memory
        backend.free_given_back()
        key = plan_key(plan, target, shared=memory.is_shared)
        found = workspace.find(key)
        if found is not None and workspace.holds(found, found.layout.values(plan)):
            return found
        module, layout = self._loaded(lasting_key(kernels_of(plan), key))
        _leave_to_host(backend, self._whole)
        backend.free_given_back()

        def fill(address: int) -> None:
            layout.write(plan, memory, address)
            if layout.prepared:
                arena = workspace.at_least(aligned(layout.arena) + layout.scratch)
                module.function(PREPARE)(0, 1, 1, arena, address, arena + aligned(layout.arena))

        return workspace.add(key, module, layout, fill)

    def _loaded(self, key: bytes | None) -> tuple[Module, PlanLayout]:
        """The module and its layout; programs are only written where these are not on disk under a key."""
        device = self._backend.device
        recalled = None if key is None else device.recall(key, NAME)
        if recalled is not None:
            module, note = recalled
            return module, PlanLayout.decode(note)
        made = self.assembly
        code, layout = plan_module(made, shared=device.memory.is_shared), made.layout
        return device.load(code, NAME, None if key is None else Label(key, layout.encode())), layout

    @property
    def assembly(self) -> Assembly:
        """What the plan becomes, made anew: running it takes no more than the layout."""
        return assemble(self.plan, self._backend.target)

    @property
    def calls(self) -> int:
        """How many calls of programs a run takes."""
        return self.resident.layout.calls

    def __call__(self, inputs: Sequence[Operand]) -> list[Operand]:
        """Run the plan; the results are held once for the caller."""
        backend, layout = self._backend, self.resident.layout
        given = [operand.storage for operand in inputs]
        with backend.lock:
            backend.free_given_back()
            backend.workspace.free_forgotten()
            allocator = backend.device.allocator
            blocks: list[int] = []
            try:
                for nbytes in self._blocks:
                    blocks.append(allocator.allocate(nbytes))
                self.run([storage.data for storage in given], blocks)
            except BaseException:
                for address in blocks:
                    allocator.free(address)
                raise
            is_wrong = any([self._is_set(blocks[flag]) for flag in layout.flags])
            for address in blocks if is_wrong else [blocks[flag] for flag in layout.flags]:
                allocator.free(address)
            return self._step_by_step(inputs) if is_wrong else self._results(given, blocks)

    def _is_set(self, address: int) -> bool:
        """Whether a flag is set for any sample."""
        return bool(self._backend.device.memory.view(address, (self.samples,), np.uint8).any())

    def _step_by_step(self, inputs: Sequence[Operand]) -> list[Operand]:
        """Run the plan so that the step whose indices are wrong complains."""
        constants = self._whole.constants.values()
        try:
            for tensor in constants:
                if tensor.storage.backend is not self._backend:
                    engine().move(tensor, self._backend)
            return run_steps(self._backend, self._whole, inputs)
        finally:
            _leave_to_host(self._backend, self._whole)

    def run(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Run the module over inputs and outputs at these addresses."""
        backend, resident, work = self._backend, self.resident, self._work
        device = backend.device
        count = device.threads_count
        arena = backend.workspace.at_least(self._arena + resident.layout.scratch * count)
        arguments = (self.samples, arena, resident.constants, arena + self._arena, *inputs, *outputs)
        brief = work < WORTH_INTERRUPTING
        if not brief or (count > 1 and work >= WORTH_SHARING):
            device.run(resident.module, RUN, *arguments, brief=brief)
        else:
            self._run(0, 1, *arguments)

    def _results(self, inputs: Sequence[Storage], blocks: Sequence[int]) -> list[Operand]:
        results: list[Operand] = []
        for output in self._outputs:
            if output.first < len(results):
                storage = results[output.first].storage
            else:
                storage = self._storage(output, inputs, blocks)
            storage.hold()
            results.append(TensorInfo(storage, output.shape, output.dtype))
        return results

    def _storage(self, output: _Output, inputs: Sequence[Storage], blocks: Sequence[int]) -> Storage:
        (kind, number), _, shape, dtype = output
        if kind is Kind.OUTPUT:
            return self._backend.adopt(blocks[number], shape, dtype, self.resident.layout.fresh[number] * self.samples)
        if kind is Kind.INPUT:
            return inputs[number]
        return self._backend.write(self.plan.constants[number].numpy(), shape, dtype)


class _Output(NamedTuple):
    """An output of a plan.

    Attributes:
        result: where it is found.
        first: the number of the first output that is found there.
        shape: of it.
        dtype: of it.
    """

    result: Result
    first: int
    shape: Shape
    dtype: DType


def _leave_to_host(backend: WasmBackend, plan: Plan) -> None:
    """Move constants out of the linear memory, which cannot shrink: the packed ones need the room."""
    host = find_backend(HOST)
    if host is not None:
        for tensor in plan.constants.values():
            if tensor.storage.backend is backend:
                engine().move(tensor, host)
