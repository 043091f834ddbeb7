"""From stages to a module: a function for each stage, and two that run all of them.

`call(addresses...)` runs them one after the other on one thread. `share(thread, count, addresses...)` is for a thread
of several: it computes its part of each stage's blocks, and waits for the others before the next stage. Addresses are
those of the values that stages read and write, in the order of their numbers. Where the one stage of a module serves
arrays of any length, both take the number of its blocks as a last argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tenfold.codegen.loops.program import Program
from tenfold.codegen.wasm.assembler import Code, ImportedMemory, Module
from tenfold.codegen.wasm.instructions import CODES, I32, call, i32_const, local_get
from tenfold.codegen.wasm.renderer import add_program
from tenfold.devices.wasm.barrier import add_barrier
from tenfold.devices.wasm.interface import MAX_PAGES, MEMORY_IMPORT

WIDTH: Final = 4

CALL: Final = "call"
SHARE: Final = "share"


class Stage(NamedTuple):
    """One program of a module.

    Attributes:
        program: what runs.
        values: the numbers of the values that its buffers are.
        scratch: the value that each thread has for itself, if there is one; the threads' lie side by side.
        scratch_bytes: how far apart.
    """

    program: Program
    values: tuple[int, ...]
    scratch: int | None = None
    scratch_bytes: int = 0


def module_of(stages: Sequence[Stage], values: Sequence[int], *, shared: bool, any_length: bool) -> bytes:
    """The module of some stages.

    Args:
        stages: what runs, in order.
        values: the numbers of the values whose addresses are given, in order.
        shared: whether the memory is shared between threads.
        any_length: whether the number of blocks is given, too; there is one stage then.
    """
    module = Module(ImportedMemory(*MEMORY_IMPORT, 1, MAX_PAGES if shared else None, shared))
    functions: dict[Program, int] = {}
    numbers = [add_program(module, stage.program, functions) for stage in stages]
    barrier = add_barrier(module, shared)
    place = {value: number for number, value in enumerate(values)}
    extra = [I32] if any_length else []

    alone = Code([I32] * len(values) + extra)
    for stage, number in zip(stages, numbers, strict=True):
        blocks = local_get(len(values)) if any_length else i32_const(stage.program.blocks)
        addresses = [local_get(place[value]) for value in stage.values]
        alone.emit(*addresses, i32_const(0), blocks, call(number))
    module.add(alone, CALL)

    together = Code([I32, I32] + [I32] * len(values) + extra)
    for stage, number in zip(stages, numbers, strict=True):
        if stage is not stages[0]:
            together.emit(local_get(1), call(barrier))
        blocks = local_get(2 + len(values)) if any_length else i32_const(stage.program.blocks)
        for value in stage.values:
            together.emit(local_get(2 + place[value]))
            if value == stage.scratch:
                own = [local_get(0), i32_const(stage.scratch_bytes), CODES["i32.mul"]]
                together.emit(*own, CODES["i32.add"])
        together.emit(*_bound(blocks, 0), *_bound(blocks, 1), call(number))
    module.add(together, SHARE)
    return module.encode()


def _bound(blocks: bytes, after: int) -> list[bytes]:
    """The first block of a thread, or of the one after it."""
    thread = [local_get(0), i32_const(after), CODES["i32.add"]]
    return [blocks, *thread, CODES["i32.mul"], local_get(1), CODES["i32.div_u"]]
