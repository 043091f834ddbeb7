"""The barrier that threads meet at: a function of each module that needs it, and the words of memory that it works on.

Whoever arrives last begins a new generation; the others watch the number of the generation, first by reading it over
and over, then asleep. Sleepers look up from time to time, and everybody looks at the abort word: once it is set, the
barrier traps instead of returning, which ends the function that called it. The host sets it from outside, by a plain
store, when it is interrupted or when a thread has failed. It also says how long to watch before sleeping.

(It is no module of its own because wasmtime ends the process when code runs out of a shared memory that two instances
in one store import.)
"""

from __future__ import annotations

from typing import Final

from tenfold.codegen.wasm.assembler import Code, Module
from tenfold.codegen.wasm.instructions import (
    CODES,
    EMPTY_BLOCK,
    END,
    I32,
    access,
    i32_const,
    i64_const,
    local_get,
    local_set,
    local_tee,
    unsigned,
)

# A line of the processor's cache each, so that watching one does not slow the others down.
ABORT: Final = 64
SPINS: Final = ABORT + 4
ARRIVED: Final = 128
GENERATION: Final = 192
SLEEPERS: Final = 256

LONG_SPINS: Final = 100_000
"""How often the generation is read before sleeping where each thread has a processor: one or two tenths of a
millisecond. Waking a sleeper takes one where its processor sleeps, too, and threads that share their work by pieces are
seldom longer apart."""

SHORT_SPINS: Final = 1_000
"""How often where there are more threads than processors: then who watches may keep from running whom it waits for."""

SLEEP_NANOSECONDS: Final = 20_000_000
"""After how long a sleeper looks at the abort word."""


def add_barrier(module: Module, shared: bool = True) -> int:
    """Add the barrier to a module that is being made; the number of the function, which takes the count of threads.

    Args:
        module: imports the device's memory.
        shared: whether that is a shared one; in another there is but one thread, for which the barrier does nothing.
    """
    return module.add(_barrier() if shared else Code([I32]))


def _barrier() -> Code:
    code = Code([I32])
    count, generation, spins = 0, code.local(I32), code.local(I32)
    code.emit(*_trap_if_aborted())
    code.emit(local_get(count), i32_const(1), CODES["i32.le_s"], *_if(CODES["return"]))
    code.emit(*_load(GENERATION), local_set(generation))
    last = [i32_const(0), i32_const(1), access("i32.atomic.rmw.add", ARRIVED), i32_const(1), CODES["i32.add"]]
    code.emit(*last, local_get(count), CODES["i32.eq"], *_if(*_begin_generation(), CODES["return"]))
    code.emit(CODES["loop"] + EMPTY_BLOCK)
    code.emit(*_return_if_begun(generation), *_trap_if_aborted())
    code.emit(local_get(spins), i32_const(1), CODES["i32.add"], local_tee(spins))
    code.emit(*_load(SPINS), CODES["i32.lt_u"], CODES["br_if"] + unsigned(0))
    code.emit(*_sleep(generation), CODES["br"] + unsigned(0), END)
    return code


def _begin_generation() -> list[bytes]:
    """Nobody has arrived at the next barrier; all may go on."""
    return [
        *(i32_const(0), i32_const(0), access("i32.atomic.store", ARRIVED)),
        *(i32_const(0), i32_const(1), access("i32.atomic.rmw.add", GENERATION), CODES["drop"]),
        *_load(SLEEPERS),
        *_if(i32_const(0), i32_const(-1), access("memory.atomic.notify", GENERATION), CODES["drop"]),
    ]


def _sleep(generation: int) -> list[bytes]:
    """Sleep until another generation begins or time is up; who begins it sees that there are sleepers."""
    until = [i32_const(0), local_get(generation), i64_const(SLEEP_NANOSECONDS)]
    return [
        *(i32_const(0), i32_const(1), access("i32.atomic.rmw.add", SLEEPERS), CODES["drop"]),
        *(*until, access("memory.atomic.wait32", GENERATION), CODES["drop"]),
        *(i32_const(0), i32_const(1), access("i32.atomic.rmw.sub", SLEEPERS), CODES["drop"]),
    ]


def _return_if_begun(generation: int) -> list[bytes]:
    return [*_load(GENERATION), local_get(generation), CODES["i32.ne"], *_if(CODES["return"])]


def _trap_if_aborted() -> list[bytes]:
    return [*_load(ABORT), *_if(CODES["unreachable"])]


def _load(address: int) -> list[bytes]:
    return [i32_const(0), access("i32.atomic.load", address)]


def _if(*instructions: bytes) -> list[bytes]:
    return [CODES["if"] + EMPTY_BLOCK, *instructions, END]
