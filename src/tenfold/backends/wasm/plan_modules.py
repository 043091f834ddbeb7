"""From the calls of a plan to a module: a function for each program, and one that runs all calls.

`run(thread, count, samples, arena, constants, scratch, inputs..., outputs...)` is for a thread of several: it computes
its part of each call's blocks, and waits for the others where a call needs what they wrote, or writes to where they
may still read. It does so for each of `samples` samples, whose inputs and outputs lie one behind the other. Addresses
are arguments, so that the bytes of a module depend on the plan alone, as its look-up on disk needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tenfold.backends.wasm.assembly import Assembly, Kind, PlannedCall
from tenfold.backends.wasm.step_programs import SCRATCH
from tenfold.codegen.loops.program import Program
from tenfold.codegen.wasm.assembler import Code, ImportedMemory, Module
from tenfold.codegen.wasm.instructions import (
    CODES,
    EMPTY_BLOCK,
    END,
    I32,
    call,
    i32_const,
    local_get,
    local_set,
    local_tee,
    unsigned,
)
from tenfold.codegen.wasm.renderer import add_program
from tenfold.devices.wasm.barrier import add_barrier
from tenfold.devices.wasm.interface import MAX_PAGES, MEMORY_IMPORT

RUN: Final = "run"

THREAD, COUNT, SAMPLES, ARENA, CONSTANTS, SCRATCHES, INPUTS = range(7)


def plan_module(assembly: Assembly, *, shared: bool, separately: bool = False) -> bytes:
    """The module of a plan.

    Args:
        assembly: what it does.
        shared: whether the memory is shared between threads.
        separately: whether there is a function for each call besides, `call0` and so on, for profiles.
    """
    module = Module(ImportedMemory(*MEMORY_IMPORT, 1, MAX_PAGES if shared else None, shared))
    functions: dict[Program, int] = {}
    for planned in assembly.calls:
        if planned.program not in functions:
            add_program(module, planned.program, functions)
    writer = _Writer(assembly, functions, add_barrier(module, shared))
    module.add(writer.run(assembly.calls), RUN)
    if separately:
        for number, planned in enumerate(assembly.calls):
            module.add(writer.run([planned]), f"call{number}")
    return module.encode()


class _Writer:
    """Writes functions that run calls."""

    def __init__(self, assembly: Assembly, functions: dict[Program, int], barrier: int) -> None:
        self._assembly = assembly
        self._functions = functions
        self._barrier = barrier
        self._inputs = len(assembly.inputs)
        self._own = assembly.fresh

    def run(self, calls: Sequence[PlannedCall]) -> Code:
        """A function that runs calls in order."""
        code = Code([I32] * (INPUTS + self._inputs + len(self._own)))
        scratch = code.local(I32)
        mine = [local_get(THREAD), i32_const(self._assembly.scratch), CODES["i32.mul"]]
        code.emit(local_get(SCRATCHES), *mine, CODES["i32.add"], local_set(scratch))
        code.emit(CODES["loop"] + EMPTY_BLOCK)
        barriers = barriers_before(self._assembly, calls)
        for planned, waits in zip(calls, barriers, strict=True):
            if waits:
                code.emit(*self._wait())
            code.emit(*self._call(planned, scratch))
        code.emit(*self._next_sample(), END)
        return code

    def _wait(self) -> list[bytes]:
        return [local_get(COUNT), call(self._barrier)]

    def _call(self, planned: PlannedCall, scratch: int) -> Iterable[bytes]:
        for number in planned.places:
            yield from [local_get(scratch)] if number == SCRATCH else self._address(number)
        blocks = planned.program.blocks
        if blocks == 1:
            # The last thread has it; others skip the call.
            yield i32_const(0)
            yield from [local_get(THREAD), CODES["i32.eqz"]]
        else:
            yield from [i32_const(blocks), local_get(THREAD), CODES["i32.mul"], local_get(COUNT), CODES["i32.div_u"]]
            after = [local_get(THREAD), i32_const(1), CODES["i32.add"]]
            yield from [i32_const(blocks), *after, CODES["i32.mul"], local_get(COUNT), CODES["i32.div_u"]]
        yield call(self._functions[planned.program])

    def _address(self, number: int) -> list[bytes]:
        place = self._assembly.places[number]
        if place.kind is Kind.INPUT:
            return [local_get(INPUTS + place.offset)]
        if place.kind is Kind.OUTPUT:
            return [local_get(INPUTS + self._inputs + place.offset)]
        base = local_get(ARENA if place.kind is Kind.ARENA else CONSTANTS)
        return [base, i32_const(place.offset), CODES["i32.add"]] if place.offset else [base]

    def _next_sample(self) -> list[bytes]:
        """Go on with the next sample, if there is one."""
        assembly = self._assembly
        moves: list[bytes] = []
        for number in (*assembly.inputs, *self._own):
            (local,) = self._address(number)
            place = assembly.places[number]
            index = INPUTS + place.offset + (self._inputs if place.kind is Kind.OUTPUT else 0)
            moves += [local, i32_const(place.nbytes), CODES["i32.add"], local_set(index)]
        return [
            *(local_get(SAMPLES), i32_const(1), CODES["i32.sub"], local_tee(SAMPLES)),
            *(CODES["if"] + EMPTY_BLOCK, *self._wait(), *moves, CODES["br"] + unsigned(1), END),
        ]


def barriers_before(assembly: Assembly, calls: Sequence[PlannedCall]) -> list[bool]:
    """Whether threads have to wait for each other before each call."""
    found = []
    read: list[tuple[Kind, int, int]] = []
    written: list[tuple[Kind, int, int]] = []
    for planned in calls:
        reads = [_extent(assembly, number) for number in planned.read]
        writes = _extent(assembly, planned.written)
        waits = any(_meet(one, writes) for one in (*read, *written))
        waits = waits or any(_meet(one, other) for one in reads for other in written)
        if waits:
            read.clear()
            written.clear()
        read += reads
        written.append(writes)
        found.append(waits)
    return found


def _extent(assembly: Assembly, number: int) -> tuple[Kind, int, int]:
    """The memory of a place; those of inputs and outputs are one byte long, at their numbers."""
    place = assembly.places[number]
    length = place.nbytes if place.kind in (Kind.ARENA, Kind.CONSTANT) else 1
    return place.kind, place.offset, place.offset + length


def _meet(one: tuple[Kind, int, int], other: tuple[Kind, int, int]) -> bool:
    return one[0] is other[0] and one[1] < other[2] and other[1] < one[2]
