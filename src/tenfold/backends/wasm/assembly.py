"""From the steps of a plan to calls of programs over places in memory.

Views cost nothing: they are the same place. Cheap kernels that one elementwise kernel reads (padding, slices) are
computed inside it. Steps that differ only in where their values lie share their programs. What follows from constants
alone, as weights that a program packs, is computed once, and is then a constant, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Final

import numpy as np

from tenfold.backends.wasm.arena import Lifetime, aligned, offsets
from tenfold.backends.wasm.chains import Chain, chains, strips
from tenfold.backends.wasm.checks import CHECKS
from tenfold.backends.wasm.compilation import IN_MEMORY, VIEWS
from tenfold.backends.wasm.layout import Held, Kind, PlanLayout, Result
from tenfold.backends.wasm.sharing import counters_bytes
from tenfold.backends.wasm.step_programs import SCRATCH, NotPlannedError, Packed, StepPrograms, step_programs
from tenfold.backends.wasm.terms import Inside, Single, Slots, StageTerms, StepTerms, Stored, Term
from tenfold.codegen.loops.program import ELEMENT_BYTES, Program, Target
from tenfold.codegen.routines.routine import Walk
from tenfold.core.kernel import TensorSpec, find_kernel_definition
from tenfold.core.storage import Shape
from tenfold.graph.plan import EpilogueStage, Plan, Step

INLINED: Final = frozenset(("PadV2", "Slice", "BroadcastTo", "Fill", "ZerosLike", "OnesLike"))
"""Kernels that are computed inside the elementwise kernel that reads them, if it is the only one."""


@dataclass(slots=True)
class Place:
    """Where a value lies.

    Attributes:
        kind: in whose memory.
        nbytes: its size.
        offset: in the arena, or among the constants; the number of the input or of the output; in each thread's memory,
            for a part of an image between calls that take turns.
        held: what a constant holds.
    """

    kind: Kind
    nbytes: int
    offset: int = 0
    held: Held | None = None

    @property
    def constant(self) -> Held:
        """What it holds before anything runs, as constants do."""
        if self.held is None:
            raise ValueError("Only constants hold something before anything runs.")
        return self.held


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A program over places.

    Attributes:
        program: what runs.
        places: what its buffers are; `SCRATCH` for memory of the thread's own.
        step: the number of the step that it belongs to.
        work: how many times elements are computed, or products added, roughly.
        walk: how its blocks go through the first place and the last, if they do so in order.
    """

    program: Program
    places: tuple[int, ...]
    step: int
    work: int
    walk: Walk | None = None

    @property
    def read(self) -> tuple[int, ...]:
        """The places that it reads."""
        return tuple([place for place in self.places[:-1] if place != SCRATCH])

    @property
    def written(self) -> int:
        """The place that it writes."""
        return self.places[-1]


@dataclass(slots=True)
class Assembly:
    """What a plan becomes.

    Attributes:
        places: where values lie.
        calls: what runs, in order.
        prepared: the calls that run once, before any run, as they read constants alone.
        chains: the calls, as those that take turns.
        inputs: the place of each input of the plan.
        outputs: the place of each output of the plan; several may be one.
        flags: places of bools that say whether a run met an index that is wrong.
        arena: bytes of the arena.
        constants: bytes of all constants.
        scratch: bytes that each thread has for itself; the last are its counters.
        counters: where those begin.
        work: how many times elements are computed, or products added, roughly.
    """

    places: list[Place]
    calls: list[PlannedCall]
    inputs: list[int]
    outputs: list[int]
    flags: list[int] = field(default_factory=list)
    prepared: list[PlannedCall] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    arena: int = 0
    constants: int = 0
    scratch: int = 0
    counters: int = 0
    work: int = 0

    @property
    def fresh(self) -> list[int]:
        """The places that each run fills anew: outputs that are computed, and flags."""
        return [n for n in dict.fromkeys((*self.outputs, *self.flags)) if self.places[n].kind is Kind.OUTPUT]

    @property
    def layout(self) -> PlanLayout:
        """What a run needs to know of it."""
        places = self.places
        calls = (*self.prepared, *self.calls)
        used = [places[number] for number in dict.fromkeys(number for call in calls for number in call.read)]
        return PlanLayout(
            fresh=tuple([places[number].nbytes for number in self.fresh]),
            flags=tuple([places[number].offset for number in self.flags]),
            results=tuple([_result(places[number]) for number in self.outputs]),
            constants={place.offset: place.held for place in used if place.held is not None},
            constant_bytes=self.constants,
            arena=self.arena,
            scratch=self.scratch,
            calls=len(self.calls),
            work=self.work,
            prepared=len(self.prepared),
        )


def _result(place: Place) -> Result:
    """Where an output is found; a constant that is one is as the plan has it."""
    return Result(place.kind, place.constant.sources[0] if place.kind is Kind.CONSTANT else place.offset)


def assemble(plan: Plan, target: Target, *, take_turns: bool = True) -> Assembly:
    """Plan the calls and the places.

    Args:
        plan: the steps.
        target: what programs are made for.
        take_turns: whether calls may be run a part at a time; see `chains`.

    Raises:
        NotPlannedError: if there is a step that has to be run another way.
    """
    return _Assembler(plan, target).assembly(take_turns)


class _Assembler:
    def __init__(self, plan: Plan, target: Target) -> None:
        self._plan = plan
        self._target = target
        self._readers = _count_readers(plan)
        self._elementwise = _read_elementwise(plan)
        self._places: list[Place] = []
        self._calls: list[PlannedCall] = []
        self._terms: dict[int, Term] = {}
        self._known: dict[Hashable, StepPrograms] = {}
        self._packed: dict[Held, int] = {}
        self._flags: list[int] = []
        self._scratch = 0

    def assembly(self, take_turns: bool) -> Assembly:
        """All steps, in order."""
        plan = self._plan
        for spec in plan.specs:
            if spec.dtype not in IN_MEMORY or not prod(spec.shape):
                raise NotPlannedError(f"a value of {spec.dtype}{list(spec.shape)}")
        for order, number in enumerate(plan.inputs):
            spec = plan.specs[number]
            self._terms[number] = Stored(self._new_place(Kind.INPUT, _nbytes(spec), order), spec)
        for number in plan.constants:
            self._terms[number] = self._constant(number)
        for number, step in enumerate(plan.steps):
            self._step(step, number)
        made = Assembly(self._places, self._calls, [], [], self._flags, scratch=self._scratch)
        made.work = sum(_work(plan, number) for number in range(len(plan.steps)))
        made.inputs = [self._stored(number).place for number in plan.inputs]
        made.outputs = [self._stored(number).place for number in plan.outputs]
        _lay_out(made, take_turns)
        return made

    # -- values -------------------------------------------------------------------------------------------

    def _new_place(self, kind: Kind, nbytes: int, offset: int = 0, held: Held | None = None) -> int:
        self._places.append(Place(kind, nbytes, offset, held))
        return len(self._places) - 1

    def _constant(self, number: int) -> Term:
        tensor, spec = self._plan.constants[number], self._plan.specs[number]
        if prod(spec.shape) == 1 and spec.dtype != "complex64" and number not in self._plan.outputs:
            return Single(tensor.numpy().item(), spec)
        return Stored(self._new_place(Kind.CONSTANT, _nbytes(spec), held=Held((number,))), spec, is_constant=True)

    def _stored(self, number: int) -> Stored:
        term = self._terms[number]
        if not isinstance(term, Stored):
            raise NotPlannedError("an output that is computed where it is read")
        return term

    def _term(self, number: int | None) -> Term | None:
        return None if number is None else self._terms[number]

    # -- steps --------------------------------------------------------------------------------------------

    def _step(self, step: Step, number: int) -> None:
        kernel = find_kernel_definition(step.kernel)
        if kernel is None:
            raise NotPlannedError(f"{step.kernel} is not defined")
        inputs = tuple([self._term(value) for value in step.inputs])
        specs = tuple([self._plan.specs[value] for value in step.outputs])
        if step.kernel in VIEWS and not step.epilogue and isinstance(inputs[0], Stored):
            seen = inputs[0]
            self._terms[step.outputs[0]] = Stored(seen.place, specs[0], seen.is_constant)
        elif step.kernel in INLINED and not step.epilogue and self._is_read_inside(step.outputs[0]):
            self._terms[step.outputs[0]] = Inside(kernel, step.attributes, inputs, specs[0])
        else:
            self._check_constant(step, inputs)
            epilogue = tuple([self._stage(stage) for stage in step.epilogue])
            self._run(StepTerms(kernel, inputs, step.attributes, epilogue, specs), step.outputs, number)

    def _stage(self, stage: EpilogueStage) -> StageTerms:
        kernel = find_kernel_definition(stage.kernel)
        if kernel is None:
            raise NotPlannedError(f"{stage.kernel} is not defined")
        return StageTerms(kernel, tuple([self._term(value) for value in stage.operands]), stage.attributes)

    def _is_read_inside(self, value: int) -> bool:
        return self._readers[value] == 1 and value in self._elementwise

    def _run(self, step: StepTerms, outputs: tuple[int, ...], number: int) -> None:
        """File the calls that compute a step."""
        slots = Slots()
        key = slots.key(step)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = step_programs(step, slots, self._target, len(self._known))
        places = [*slots.numbers]
        places += [self._packed_place(packed, places) for packed in found.packed]
        places += [self._new_place(Kind.ARENA, nbytes) for nbytes in found.computed]
        for program, values, walk in found.stages:
            at = tuple([SCRATCH if value == SCRATCH else places[value] for value in values])
            self._calls.append(PlannedCall(program, at, number, _work(self._plan, number), walk))
        self._scratch = max(self._scratch, found.scratch)
        if found.flag is not None:
            self._flags.append(places[found.flag])
        for value, output in zip(found.outputs, outputs, strict=True):
            self._terms[output] = Stored(places[value], self._plan.specs[output])

    def _check_constant(self, step: Step, inputs: Sequence[Term | None]) -> None:
        """See that indices are right that are always the same."""
        check = CHECKS.get(step.kernel)
        if check is None:
            return
        term, number = inputs[check.number], step.inputs[check.number]
        if number is None or (isinstance(term, Stored) and not term.is_constant):
            return
        if not isinstance(term, Stored | Single):
            raise NotPlannedError("indices that are computed where they are read")
        if isinstance(term, Stored):
            values = self._places[term.place].constant.values(self._plan)
        else:
            values = np.array(term.number, np.int32)
        shapes = [() if value is None else self._plan.specs[value].shape for value in step.inputs]
        try:
            check.check(values.reshape(term.spec.shape), shapes, step.attributes)
        except ValueError as error:
            raise NotPlannedError(str(error)) from None

    def _packed_place(self, packed: Packed, places: Sequence[int]) -> int:
        """The place of a constant in a routine's layout, shared by all steps that want it so."""
        constants = [self._places[places[slot]].constant for slot in packed.sources]
        held = Held(tuple([constant.sources[0] for constant in constants]), packed.panels)
        found = self._packed.get(held)
        if found is None:
            found = self._packed[held] = self._new_place(Kind.CONSTANT, packed.nbytes, held=held)
        return found


def _lay_out(made: Assembly, take_turns: bool) -> None:
    """Give every place that calls use an offset."""
    places = made.places
    for number in (*made.outputs, *made.flags):
        if places[number].kind is Kind.ARENA:
            places[number].kind = Kind.OUTPUT
    for order, number in enumerate(made.fresh):
        places[number].offset = order
    _prepare(made)
    made.chains = [(planned,) for planned in made.calls]
    if take_turns:
        made.chains = chains(made.calls, places, {*made.outputs, *made.flags})
    made.counters = _lay_strips(made, aligned(made.scratch))
    made.scratch = made.counters + counters_bytes(len(made.chains))
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for at, chain in enumerate([*((call,) for call in made.prepared), *made.chains]):
        for number in (number for call in chain for number in (*call.read, call.written)):
            first.setdefault(number, at)
            last[number] = at
    for number in first:
        if places[number].kind is Kind.CONSTANT:
            places[number].offset = made.constants
            made.constants += aligned(places[number].nbytes)
    mine = [number for number in first if places[number].kind is Kind.ARENA]
    found, made.arena = offsets([Lifetime(places[n].nbytes, first[n], last[n]) for n in mine])
    for number, offset in zip(mine, found, strict=True):
        places[number].offset = offset


def _prepare(made: Assembly) -> None:
    """Set calls apart that read constants alone; what the others read of theirs is constant from then on."""
    places, known = made.places, {n for n, place in enumerate(made.places) if place.kind is Kind.CONSTANT}
    calls, made.calls = made.calls, []
    for planned in calls:
        if places[planned.written].kind is Kind.ARENA and known.issuperset(planned.read):
            known.add(planned.written)
            made.prepared.append(planned)
        else:
            made.calls.append(planned)
    for number in known.intersection(number for planned in made.calls for number in planned.read):
        places[number].kind = Kind.CONSTANT


def _lay_strips(made: Assembly, start: int) -> int:
    """Give images between calls that take turns their offsets in each thread's memory, from `start` on; the end."""
    end = start
    for chain in made.chains:
        at = start
        for planned, strip in zip(chain, strips(chain, made.places), strict=False):
            place = made.places[planned.written]
            place.kind, place.offset = Kind.STRIP, at + aligned(strip.margin)
            at = place.offset + aligned(strip.nbytes)
        end = max(end, at)
    return end


def _work(plan: Plan, number: int) -> int:
    """How many times elements are computed by a step, or products added, roughly."""
    step = plan.steps[number]
    return products(plan, step) or prod(plan.specs[step.outputs[0]].shape)


def products(plan: Plan, step: Step) -> int:
    """How many products a step adds up; 0 for one that is no convolution or product of matrices."""
    depth = _DEPTHS.get(step.kernel)
    if depth is None or step.inputs[1] is None:
        return 0
    return prod(plan.specs[step.outputs[0]].shape) * prod(depth(plan.specs[step.inputs[1]].shape))


_DEPTHS: Final[dict[str, Callable[[Shape], Shape]]] = {
    "BatchMatMul": lambda right: right[-2:-1],
    "Conv2D": lambda filter: filter[:3],
    "DepthwiseConv2dNative": lambda filter: filter[:2],
}
"""The lengths that sums run over, by the shape of the second input."""


def _nbytes(spec: TensorSpec) -> int:
    return prod(spec.shape) * ELEMENT_BYTES[spec.dtype]


def _count_readers(plan: Plan) -> Counter[int | None]:
    """How often each value is read; outputs count as several."""
    counts: Counter[int | None] = Counter({number: 2 for number in plan.outputs})
    for step in plan.steps:
        counts.update(step.inputs)
        for stage in step.epilogue:
            counts.update(stage.operands)
    return counts


def _read_elementwise(plan: Plan) -> set[int | None]:
    """The values that elementwise kernels read."""
    found: set[int | None] = set()
    for step in plan.steps:
        kernel = find_kernel_definition(step.kernel)
        if kernel is not None and kernel.elementwise:
            found.update(step.inputs)
        for stage in step.epilogue:
            found.update(stage.operands)
    return found
