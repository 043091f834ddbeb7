"""Plans on the wasm backend: a model is one module, and a run of it one call a thread.

Weights are packed once, into a block of the plan's own; values between inputs and outputs lie in the arena that all
plans share. Inputs are read where they lie, and outputs are fresh blocks, so that a run never changes what the one
before has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tenfold.backends.base import run_steps
from tenfold.backends.host_calls import HOST
from tenfold.backends.wasm.arena import aligned
from tenfold.backends.wasm.assembly import Assembly, Kind, assemble
from tenfold.backends.wasm.batches import batch_of
from tenfold.backends.wasm.calls import WORTH_INTERRUPTING, WORTH_SHARING
from tenfold.backends.wasm.plan_modules import RUN, plan_module
from tenfold.core.backends import find_backend
from tenfold.core.engine import engine
from tenfold.core.kernel import TensorInfo
from tenfold.core.storage import Storage

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.core.kernel import Operand
    from tenfold.graph.plan import Plan


class WasmPlan:
    """A plan made ready: call it with operands for the plan's inputs.

    Attributes:
        samples: how many times a run goes through the calls.
        plan: what they compute, for one sample.
        assembly: what it became.
        own_outputs: the places that a run fills with fresh blocks.
        resident: the module and its constants.

    Raises:
        NotPlannedError: if there is a step that no programs compute.
    """

    has_own_constants = True

    def __init__(self, backend: WasmBackend, plan: Plan) -> None:
        self._backend = backend
        self._specs = [plan.specs[number] for number in plan.outputs]
        batch = batch_of(plan)
        self.samples = 1 if batch is None else batch.samples
        self.plan = plan if batch is None else batch.sample
        self._whole = plan
        self.assembly = made = assemble(self.plan, backend.target)
        self.own_outputs = made.fresh
        code = plan_module(made, shared=backend.device.memory.is_shared)
        _leave_to_host(backend, plan)
        with backend.lock:
            backend.free_given_back()
            self.resident = backend.workspace.resident(code, constant_values(made))
        self._run = self.resident.module.function(RUN)

    @property
    def calls(self) -> int:
        """How many calls of programs a run takes."""
        return len(self.assembly.calls)

    def __call__(self, inputs: Sequence[Operand]) -> list[Operand]:
        """Run the plan; the results are held once for the caller."""
        backend, made = self._backend, self.assembly
        given = [operand.storage for operand in inputs]
        with backend.lock:
            backend.free_given_back()
            backend.workspace.free_forgotten()
            allocator = backend.device.allocator
            fresh: list[int] = []
            try:
                for number in self.own_outputs:
                    # The last sample, too, needs room for whole vectors.
                    nbytes = made.places[number].nbytes
                    fresh.append(allocator.allocate(nbytes * (self.samples - 1) + aligned(nbytes)))
                self.run([storage.data for storage in given], fresh)
            except BaseException:
                for address in fresh:
                    allocator.free(address)
                raise
            blocks = dict(zip(self.own_outputs, fresh, strict=True))
            is_wrong = any([self._is_set(blocks[flag]) for flag in made.flags])
            for number in self.own_outputs if is_wrong else made.flags:
                allocator.free(blocks[number])
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
        backend, made = self._backend, self.assembly
        device, work = backend.device, made.work
        count = device.threads_count
        arena = backend.workspace.at_least(aligned(made.arena) + made.scratch * count)
        constants = self.resident.constants
        arguments = (self.samples, arena, constants, arena + aligned(made.arena), *inputs, *outputs)
        if work * self.samples >= (WORTH_SHARING if count > 1 else WORTH_INTERRUPTING):
            device.run(self.resident.module, RUN, *arguments)
        else:
            self._run(0, 1, *arguments)

    def _results(self, inputs: Sequence[Storage], fresh: dict[int, int]) -> list[Operand]:
        made, storages = self.assembly, dict[int, Storage]()
        results: list[Operand] = []
        for number, (shape, dtype) in zip(made.outputs, self._specs, strict=True):
            place = made.places[number]
            storage = storages.get(number)
            if storage is None:
                if place.kind is Kind.INPUT:
                    storage = inputs[place.offset]
                elif place.kind is Kind.CONSTANT:
                    storage = self._backend.write(place.held(), shape, dtype)
                else:
                    storage = self._backend.adopt(fresh[number], shape, dtype, place.nbytes * self.samples)
                storages[number] = storage
            storage.hold()
            results.append(TensorInfo(storage, shape, dtype))
        return results


def constant_values(made: Assembly) -> dict[int, np.ndarray]:
    """What constants hold, by where they lie among them."""
    used = dict.fromkeys(number for call in made.calls for number in call.read)
    places = [made.places[number] for number in used]
    return {place.offset: place.held() for place in places if place.kind is Kind.CONSTANT}


def _leave_to_host(backend: WasmBackend, plan: Plan) -> None:
    """Move constants out of the linear memory, which cannot shrink: the packed ones need the room."""
    host = find_backend(HOST)
    if host is not None:
        for tensor in plan.constants.values():
            if tensor.storage.backend is backend:
                engine().move(tensor, host)
