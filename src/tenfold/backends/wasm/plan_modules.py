"""From the calls of a plan to a module: a function for each program, and one that runs all calls.

`run(thread, count, samples, arena, constants, scratch, inputs..., outputs...)` is for a thread of several: it takes
blocks of each call until none are left, and waits for the others where a call needs what they wrote, or writes to where
they may still read. It does so for each of `samples` samples, whose inputs and outputs lie one behind the other.
`prepare`, which takes the first of these arguments, must have run on one thread before, once the constants are there.
Addresses are arguments, so that the bytes of a module depend on the plan alone, as its look-up on disk needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tenfold.backends.wasm.assembly import Assembly, PlannedCall
from tenfold.backends.wasm.chains import Chain, turn, walk_of
from tenfold.backends.wasm.layout import Kind
from tenfold.backends.wasm.sharing import Cuts, add_take
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
PREPARE: Final = "prepare"

MEMORY: Final = b"\0"
"""The number of the memory, where an instruction names it."""

THREAD, COUNT, SAMPLES, ARENA, CONSTANTS, SCRATCHES, INPUTS = range(7)


def plan_module(assembly: Assembly, *, shared: bool, separately: bool = False) -> bytes:
    """The module of a plan.

    Args:
        assembly: what it does.
        shared: whether the memory is shared between threads.
        separately: whether there is a function for each call besides, `call0` and so on, for profiles; only where none
            take turns.
    """
    module = Module(ImportedMemory(*MEMORY_IMPORT, 1, MAX_PAGES if shared else None, shared))
    functions: dict[Program, int] = {}
    for planned in (*assembly.prepared, *assembly.calls):
        if planned.program not in functions:
            add_program(module, planned.program, functions)
    writer = _Writer(assembly, functions, add_barrier(module, shared), add_take(module, assembly.scratch, shared))
    module.add(writer.prepare(), PREPARE)
    module.add(writer.run(assembly.chains), RUN)
    if separately:
        for number, planned in enumerate(assembly.calls):
            module.add(writer.run([(planned,)]), f"call{number}")
    return module.encode()


class _Writer:
    """Writes functions that run calls."""

    def __init__(self, assembly: Assembly, functions: dict[Program, int], barrier: int, take: int) -> None:
        self._assembly = assembly
        self._functions = functions
        self._barrier = barrier
        self._take = take
        self._inputs = len(assembly.inputs)
        self._own = assembly.fresh
        self._strips: dict[int, int] = {}

    def prepare(self) -> Code:
        """A function that runs the calls whose results are constant."""
        code = Code([I32] * INPUTS)
        for planned in self._assembly.prepared:
            code.emit(*self._call(planned, SCRATCHES, i32_const(0), i32_const(planned.program.blocks)))
        return code

    def run(self, chains: Sequence[Chain]) -> Code:
        """A function that runs chains of calls in order."""
        code = Code([I32] * (INPUTS + self._inputs + len(self._own)))
        self._strips = {planned.written: code.local(I32) for chain in chains for planned in chain[:-1]}
        scratch = code.local(I32)
        piece = _Piece(*[code.local(I32) for _ in _Piece._fields])
        mine = [local_get(THREAD), i32_const(self._assembly.scratch), CODES["i32.mul"]]
        code.emit(local_get(SCRATCHES), *mine, CODES["i32.add"], local_set(scratch))
        code.emit(CODES["loop"] + EMPTY_BLOCK, *self._clear(scratch), *self._wait())
        barriers = barriers_before(self._assembly, chains)
        for number, (chain, waits) in enumerate(zip(chains, barriers, strict=True)):
            if waits:
                code.emit(*self._wait())
            if chain[-1].program.blocks == 1:
                code.emit(local_get(THREAD), CODES["i32.eqz"], CODES["if"] + EMPTY_BLOCK)
                code.emit(*self._call(chain[-1], scratch, i32_const(0), i32_const(1)), END)
            else:
                self._share(code, number, chain, scratch, piece)
        code.emit(*self._next_sample(), END)
        return code

    def _wait(self) -> list[bytes]:
        return [local_get(COUNT), call(self._barrier)]

    def _call(self, planned: PlannedCall, scratch: int, begin: bytes, end: bytes) -> list[bytes]:
        """Run some blocks of a call."""
        return [*self._addresses(planned, scratch), begin, end, call(self._functions[planned.program])]

    def _share(self, code: Code, number: int, chain: Chain, scratch: int, piece: _Piece) -> None:
        """Run pieces of the last call of a chain until none are left, and before each what it needs of the others."""
        *others, last = chain
        cuts = _cuts(chain, self._assembly)
        code.emit(i32_const(-1), local_set(piece.reached))
        code.emit(CODES["block"] + EMPTY_BLOCK, CODES["loop"] + EMPTY_BLOCK)
        code.emit(local_get(SCRATCHES), i32_const(self._assembly.counters + 4 * number), CODES["i32.add"])
        code.emit(local_get(THREAD), local_get(COUNT), *map(i32_const, cuts), call(self._take))
        code.emit(local_set(piece.end), local_tee(piece.begin), local_get(piece.end), CODES["i32.eq"])
        code.emit(CODES["br_if"] + unsigned(1))
        if others:
            self._run_others(code, chain, scratch, piece)
        code.emit(*self._call(last, scratch, local_get(piece.begin), local_get(piece.end)))
        code.emit(local_get(piece.end), local_set(piece.reached), CODES["br"] + unsigned(0), END, END)

    def _run_others(self, code: Code, chain: Chain, scratch: int, piece: _Piece) -> None:
        """Run of each call of a chain but the last what a piece needs, and the thread has not just run."""
        links = list(pairwise(chain))
        done, needed = [code.local(I32) for _ in links], [code.local(I32) for _ in links]
        first, until = piece.begin, piece.end
        # Where a piece does not go on from the one before, the others begin with what its first block reads.
        code.emit(local_get(piece.begin), local_get(piece.reached), CODES["i32.ne"], CODES["if"] + EMPTY_BLOCK)
        for (planned, follower), begun in zip(reversed(links), reversed(done), strict=True):
            code.emit(*_first_block(planned, follower, first), local_set(begun))
            first = begun
        code.emit(END)
        for (planned, follower), begun, first in zip(links, done, [*done[1:], piece.begin], strict=True):
            self._move_on(code, planned, follower, begun, first, scratch)
        for (planned, follower), need in zip(reversed(links), reversed(needed), strict=True):
            code.emit(*_blocks_for(planned, follower, until, need))
            until = need
        for (planned, _), begun, need in zip(links, done, needed, strict=True):
            code.emit(local_get(begun), local_get(need), CODES["i32.lt_u"], CODES["if"] + EMPTY_BLOCK)
            code.emit(*self._call(planned, scratch, local_get(begun), local_get(need)))
            code.emit(local_get(need), local_set(begun), END)

    def _move_on(
        self, code: Code, planned: PlannedCall, follower: PlannedCall, begun: int, first: int, scratch: int
    ) -> None:
        """Have the strip between two calls begin with what the next block of the second reads, as far as it is there.

        Args:
            code: where to.
            planned: the first call.
            follower: the second.
            begun: the local with the next block of the first.
            first: the local with the next block of the second.
            scratch: the local with the address of the thread's memory.
        """
        number = planned.written
        image = self._strips[number]
        kept, made, strip, source = (code.local(I32) for _ in range(4))
        code.emit(local_get(begun), i32_const(walk_of(planned).written), CODES["i32.mul"], local_set(made))
        code.emit(*_lesser(_first_element(follower, first), [local_get(made)], kept))
        code.emit(local_get(scratch), i32_const(self._assembly.places[number].offset), CODES["i32.add"])
        code.emit(local_tee(strip), *_element(image, kept), local_tee(source), CODES["i32.ne"])
        code.emit(local_get(made), local_get(kept), CODES["i32.gt_u"], CODES["i32.and"], CODES["if"] + EMPTY_BLOCK)
        code.emit(local_get(strip), local_get(source), local_get(made), local_get(kept), CODES["i32.sub"])
        code.emit(i32_const(4), CODES["i32.mul"], CODES["memory.copy"] + MEMORY + MEMORY, END)
        code.emit(local_get(strip), local_get(kept), i32_const(4), CODES["i32.mul"], CODES["i32.sub"], local_set(image))

    def _addresses(self, planned: PlannedCall, scratch: int) -> Iterable[bytes]:
        for number in planned.places:
            yield from [local_get(scratch)] if number == SCRATCH else self._address(number)

    def _address(self, number: int) -> list[bytes]:
        place = self._assembly.places[number]
        if place.kind is Kind.STRIP:
            return [local_get(self._strips[number])]
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

    def _clear(self, scratch: int) -> list[bytes]:
        """Clear the thread's own counters."""
        counters, end = self._assembly.counters, self._assembly.scratch
        start = [local_get(scratch), i32_const(counters), CODES["i32.add"]]
        return [*start, i32_const(0), i32_const(end - counters), CODES["memory.fill"] + MEMORY]


class _Piece(NamedTuple):
    """Locals: the first block of a piece, the one after the last, and that of the piece before."""

    begin: int
    end: int
    reached: int


def _cuts(chain: Chain, assembly: Assembly) -> Cuts:
    """How the blocks of the last call of a chain may be cut: where calls take turns, a piece is a turn."""
    last = chain[-1]
    turns = -(-last.program.blocks // turn(chain, assembly.places)) if len(chain) > 1 else 1
    return Cuts.of(last.program.blocks, work=last.work, least=last.program.least, fewest=turns)


def _first_element(follower: PlannedCall, first: int) -> list[bytes]:
    """The number of the first element that a block of a call of a chain reads."""
    read = walk_of(follower)
    begin = [local_get(first), i32_const(read.step), CODES["i32.mul"]]
    inside = [*begin, i32_const(read.before), CODES["i32.sub"]]
    reaches_back = [*begin, i32_const(read.before), CODES["i32.gt_u"]]
    return [*inside, i32_const(0), *reaches_back, CODES["select"]]


def _first_block(planned: PlannedCall, follower: PlannedCall, first: int) -> list[bytes]:
    """The block that writes the first element which a block of the next call reads."""
    return [*_first_element(follower, first), i32_const(walk_of(planned).written), CODES["i32.div_u"]]


def _element(image: int, number: int) -> list[bytes]:
    """The address of an element of an image."""
    return [local_get(image), local_get(number), i32_const(4), CODES["i32.mul"], CODES["i32.add"]]


def _blocks_for(planned: PlannedCall, follower: PlannedCall, until: int, need: int) -> list[bytes]:
    """How many blocks must have run before the next call may run up to a block."""
    read, written = walk_of(follower), walk_of(planned).written
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
        reads = _extents(assembly, [number for planned in chain for number in planned.read])
        writes = _extents(assembly, [planned.written for planned in chain])
        waits = any(_meet(one, other) for one in (*read, *written) for other in writes)
        waits = waits or any(_meet(one, other) for one in reads for other in written)
        if waits:
            read.clear()
            written.clear()
        read += reads
        written += writes
        found.append(waits)
    return found


def _extents(assembly: Assembly, numbers: Sequence[int]) -> list[tuple[Kind, int, int]]:
    """The memory of places that several threads may see."""
    return [_extent(assembly, number) for number in numbers if assembly.places[number].kind is not Kind.STRIP]


def _extent(assembly: Assembly, number: int) -> tuple[Kind, int, int]:
    """The memory of a place; those of inputs and outputs are one byte long, at their numbers."""
    place = assembly.places[number]
    length = place.nbytes if place.kind in (Kind.ARENA, Kind.CONSTANT) else 1
    return place.kind, place.offset, place.offset + length


def _meet(one: tuple[Kind, int, int], other: tuple[Kind, int, int]) -> bool:
    return one[0] is other[0] and one[1] < other[2] and other[1] < one[2]
