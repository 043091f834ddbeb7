"""Modules that the tests of the WebAssembly device run."""

from __future__ import annotations

import wasmtime

from tenfold.codegen.wasm.assembler import Code, ImportedMemory, Module
from tenfold.codegen.wasm.instructions import (
    CODES,
    EMPTY_BLOCK,
    END,
    I32,
    access,
    call,
    i32_const,
    local_get,
    local_tee,
    unsigned,
)
from tenfold.devices.wasm.barrier import add_barrier
from tenfold.devices.wasm.interface import MAX_PAGES, MEMORY_IMPORT

IMPORT = '(import "env" "memory" (memory 1 65536 shared))'


def module(text: str, imports: str = IMPORT) -> bytes:
    """A module from its text, with the import of the device's memory."""
    return bytes(wasmtime.wat2wasm(f"(module {imports} {text})"))


def threads_module(shared: bool = True) -> bytes:
    """Functions `(thread, count, ...)`:

    * `meet(thread, count, address, times)`: adds 1 at the address and comes to the barrier, so many times.
    * `phases(thread, count, address, times)`: every thread counts for itself, at `address + 64 * thread`, and traps if,
      between two barriers, another thread has not counted as far.
    * `fail(thread, count, which, kind)`: one thread traps (0: unreachable, 1: out of bounds, 2: divides by 0), the
      others wait for it at the barrier.
    * `fail_all(thread, count)`: all trap.
    * `forever(thread, count)`: meets without end.
    * `busy(thread, count, address)`: runs, and comes to no barrier, until there is something at the address.
    """
    result = Module(ImportedMemory(*MEMORY_IMPORT, 1, MAX_PAGES if shared else None, shared=shared))
    barrier = [local_get(1), call(add_barrier(result, shared))]
    add_one = [local_get(2), i32_const(1), access("i32.atomic.rmw.add"), CODES["drop"]]
    _add(result, "meet", 4, [*_loop(*add_one, *barrier, *_count_down(3))])
    own = [local_get(2), local_get(0), i32_const(64), CODES["i32.mul"], CODES["i32.add"]]
    next_one = [local_get(0), i32_const(1), CODES["i32.add"], local_get(1), CODES["i32.rem_u"]]
    other = [local_get(2), *next_one, i32_const(64), CODES["i32.mul"], CODES["i32.add"]]
    count_own = [*own, *own, access("i32.load"), i32_const(1), CODES["i32.add"], access("i32.store")]
    compare = [*own, access("i32.load"), *other, access("i32.load"), CODES["i32.ne"], *_if(CODES["unreachable"])]
    _add(result, "phases", 4, _loop(*count_own, *barrier, *compare, *barrier, *_count_down(3)))
    out_of_bounds = [i32_const(-8), access("i32.load"), CODES["drop"]]
    by_zero = [i32_const(1), i32_const(0), CODES["i32.div_u"], CODES["drop"]]
    kinds = [[CODES["unreachable"]], out_of_bounds, by_zero]
    trap = [
        code
        for kind, body in enumerate(kinds)
        for code in (local_get(3), i32_const(kind), CODES["i32.eq"], *_if(*body))
    ]
    _add(result, "fail", 4, [local_get(0), local_get(2), CODES["i32.eq"], *_if(*trap), *barrier])
    _add(result, "fail_all", 2, [CODES["unreachable"]])
    _add(result, "forever", 2, _loop(*barrier, CODES["br"] + unsigned(0)))
    until = [local_get(2), access("i32.atomic.load"), CODES["i32.eqz"], CODES["br_if"] + unsigned(0)]
    _add(result, "busy", 3, _loop(*until))
    return result.encode()


def _add(result: Module, name: str, parameters: int, instructions: list[bytes]) -> None:
    code = Code([I32] * parameters)
    code.emit(*instructions)
    result.add(code, name)


def _loop(*instructions: bytes) -> list[bytes]:
    return [CODES["loop"] + EMPTY_BLOCK, *instructions, END]


def _if(*instructions: bytes) -> list[bytes]:
    return [CODES["if"] + EMPTY_BLOCK, *instructions, END]


def _count_down(local: int) -> list[bytes]:
    """Go on with the loop until a local is 0."""
    return [local_get(local), i32_const(1), CODES["i32.sub"], local_tee(local), CODES["br_if"] + unsigned(0)]
