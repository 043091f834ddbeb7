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
from tenfold.backends.wasm.chains import Chain, turn
from tenfold.backends.wasm.step_programs import SCRATCH
from tenfold.codegen.loops.program import Program
from tenfold.codegen.routines.routine import Walk
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
    module.add(writer.run(assembly.chains), RUN)
    if separately:
        for number, planned in enumerate(assembly.calls):
            module.add(writer.run([(planned,)]), f"call{number}")
    return module.encode()


class _Writer:
    """Writes functions that run calls."""

    def __init__(self, assembly: Assembly, functions: dict[Program, int], barrier: int) -> None:
        self._assembly = assembly
        self._functions = functions
        self._barrier = barrier
        self._inputs = len(assembly.inputs)
        self._own = assembly.fresh

    def run(self, chains: Sequence[Chain]) -> Code:
        """A function that runs chains of calls in order."""
        code = Code([I32] * (INPUTS + self._inputs + len(self._own)))
        scratch = code.local(I32)
        mine = [local_get(THREAD), i32_const(self._assembly.scratch), CODES["i32.mul"]]
        code.emit(local_get(SCRATCHES), *mine, CODES["i32.add"], local_set(scratch))
        code.emit(CODES["loop"] + EMPTY_BLOCK)
        barriers = barriers_before(self._assembly, chains)
        for chain, waits in zip(chains, barriers, strict=True):
            if waits:
                code.emit(*self._wait())
            if len(chain) == 1:
                code.emit(*self._call(chain[0], scratch))
            else:
                self._take_turns(code, chain, scratch)
        code.emit(*self._next_sample(), END)
        return code

    def _wait(self) -> list[bytes]:
        return [local_get(COUNT), call(self._barrier)]

    def _call(self, planned: PlannedCall, scratch: int) -> Iterable[bytes]:
        """A thread's part of a call."""
        yield from self._addresses(planned, scratch)
        blocks = planned.program.blocks
        if blocks == 1:
            # The last thread has it; others skip the call.
            yield i32_const(0)
            yield from [local_get(THREAD), CODES["i32.eqz"]]
        else:
            yield from [*_share_of(blocks, 0), *_share_of(blocks, 1)]
        yield call(self._functions[planned.program])

    def _take_turns(self, code: Code, chain: Chain, scratch: int) -> None:
        """A thread's part of the last call of a chain, some blocks at a time, and before them what they need."""
        *others, last = chain
        at, end, after = code.local(I32), code.local(I32), code.local(I32)
        done, needed = [code.local(I32) for _ in others], [code.local(I32) for _ in others]
        code.emit(*_share_of(last.program.blocks, 0), local_set(at), *_share_of(last.program.blocks, 1), local_set(end))
        # Where the others begin: with what the first block of the next call reads.
        first = at
        for planned, follower, begun in reversed(list(zip(others, chain[1:], done, strict=True))):
            code.emit(*_first_block(planned, follower, first), local_set(begun))
            first = begun
        code.emit(CODES["block"] + EMPTY_BLOCK, CODES["loop"] + EMPTY_BLOCK)
        code.emit(local_get(at), local_get(end), CODES["i32.ge_u"], CODES["br_if"] + unsigned(1))
        length = turn(chain, self._assembly.places)
        code.emit(*_lesser([local_get(at), i32_const(length), CODES["i32.add"]], [local_get(end)], after))
        until = after
        for planned, follower, need in reversed(list(zip(others, chain[1:], needed, strict=True))):
            code.emit(*_blocks_for(planned, follower, until, need))
            until = need
        for planned, begun, need in zip(others, done, needed, strict=True):
            code.emit(local_get(begun), local_get(need), CODES["i32.lt_u"], CODES["if"] + EMPTY_BLOCK)
            code.emit(*self._addresses(planned, scratch), local_get(begun), local_get(need))
            code.emit(call(self._functions[planned.program]), local_get(need), local_set(begun), END)
        code.emit(*self._addresses(last, scratch), local_get(at), local_get(after))
        code.emit(call(self._functions[last.program]), local_get(after), local_set(at))
        code.emit(CODES["br"] + unsigned(0), END, END)

    def _addresses(self, planned: PlannedCall, scratch: int) -> Iterable[bytes]:
        for number in planned.places:
            yield from [local_get(scratch)] if number == SCRATCH else self._address(number)

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


def _share_of(blocks: int, after: int) -> list[bytes]:
    """The first block of a thread, or of the one after it."""
    thread = [local_get(THREAD), i32_const(after), CODES["i32.add"]] if after else [local_get(THREAD)]
    return [i32_const(blocks), *thread, CODES["i32.mul"], local_get(COUNT), CODES["i32.div_u"]]


def _walk(planned: PlannedCall) -> Walk:
    if planned.walk is None:
        raise ValueError(f"{planned.program.name} does not go through its image in order.")
    return planned.walk


def _first_block(planned: PlannedCall, follower: PlannedCall, first: int) -> list[bytes]:
    """The block that writes the first element which a block of the next call reads."""
    read, written = _walk(follower), _walk(planned).written
    begin = [local_get(first), i32_const(read.step), CODES["i32.mul"]]
    inside = [*begin, i32_const(read.before), CODES["i32.sub"]]
    reaches_back = [*begin, i32_const(read.before), CODES["i32.gt_u"]]
    return [*inside, i32_const(0), *reaches_back, CODES["select"], i32_const(written), CODES["i32.div_u"]]


def _blocks_for(planned: PlannedCall, follower: PlannedCall, until: int, need: int) -> list[bytes]:
    """How many blocks must have run before the next call may run up to a block."""
    read, written = _walk(follower), _walk(planned).written
    elements = [local_get(until), i32_const(1), CODES["i32.sub"], i32_const(read.step), CODES["i32.mul"]]
    elements += [i32_const(read.reach + written - 1), CODES["i32.add"], i32_const(written), CODES["i32.div_u"]]
    return _lesser(elements, [i32_const(planned.program.blocks)], need)


def _lesser(one: Sequence[bytes], other: Sequence[bytes], result: int) -> list[bytes]:
    """The lesser of two numbers, into a local."""
    both = [*one, local_tee(result), *other, local_get(result), *other, CODES["i32.lt_u"], CODES["select"]]
    return [*both, local_set(result)]


def barriers_before(assembly: Assembly, chains: Sequence[Chain]) -> list[bool]:
    """Whether threads have to wait for each other before each chain of calls."""
    found = []
    read: list[tuple[Kind, int, int]] = []
    written: list[tuple[Kind, int, int]] = []
    for chain in chains:
        reads = [_extent(assembly, number) for planned in chain for number in planned.read]
        writes = [_extent(assembly, planned.written) for planned in chain]
        waits = any(_meet(one, other) for one in (*read, *written) for other in writes)
        waits = waits or any(_meet(one, other) for one in reads for other in written)
        if waits:
            read.clear()
            written.clear()
        read += reads
        written += writes
        found.append(waits)
    return found


def _extent(assembly: Assembly, number: int) -> tuple[Kind, int, int]:
    """The memory of a place; those of inputs and outputs are one byte long, at their numbers."""
    place = assembly.places[number]
    length = place.nbytes if place.kind in (Kind.ARENA, Kind.CONSTANT) else 1
    return place.kind, place.offset, place.offset + length


def _meet(one: tuple[Kind, int, int], other: tuple[Kind, int, int]) -> bool:
    return one[0] is other[0] and one[1] < other[2] and other[1] < one[2]
