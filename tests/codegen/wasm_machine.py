"""A machine for tests: modules compiled by wasmtime, buffers laid out in one memory, seen as NumPy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import wasmtime
from wasmtime import _ffi as ffi

from tenfold.codegen.loops.program import Buffer, Program
from tenfold.codegen.wasm.assembler import PAGE_BYTES, ImportedMemory, Module
from tenfold.codegen.wasm.renderer import add_program
from tenfold.codegen.wasm.targets import target

PLAIN = target("v8", relaxed=False)
RELAXED = target("wasmtime", relaxed=True)
MARGIN = PAGE_BYTES

_DTYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "complex64": np.complex64}


def engine(*, hints: bool = True) -> wasmtime.Engine:
    """An engine with everything that generated code may use."""
    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    config.wasm_threads = True
    config.shared_memory = True
    ffi.wasmtime_config_wasm_branch_hinting_set(config.ptr(), hints)
    return wasmtime.Engine(config)


class Machine:
    """One store with one memory, in which buffers have their places."""

    def __init__(self, pages: int = 1024) -> None:
        self.engine = engine()
        self.store = wasmtime.Store(self.engine)
        self.memory = wasmtime.Memory(self.store, wasmtime.MemoryType(wasmtime.Limits(pages, None)))
        self._pages = pages
        self._next = MARGIN

    def reset(self) -> None:
        """Forget all buffers."""
        self._next = MARGIN

    def place(self, nbytes: int) -> int:
        """The address of new memory, with what a last vector may add to it."""
        address = self._next
        self._next += -(-nbytes // 64) * 64 + 64
        missing = -(-(self._next + MARGIN) // PAGE_BYTES) - self._pages
        if missing > 0:
            self.memory.grow(self.store, missing)
            self._pages += missing
        return address

    def view(self, address: int, count: int, dtype: str) -> np.ndarray:
        """The elements at an address."""
        base = ctypes.addressof(self.memory.data_ptr(self.store).contents)
        size = count * np.dtype(_DTYPES[dtype]).itemsize
        raw = (ctypes.c_uint8 * size).from_address(base + address)
        return np.frombuffer(raw, _DTYPES[dtype])

    def instantiate(self, encoded: bytes) -> Any:
        """The exports of a module that imports the memory."""
        module = wasmtime.Module(self.engine, encoded)
        imports = [self.memory] if module.imports else []
        return wasmtime.Instance(self.store, module, imports).exports(self.store)

    def run(
        self,
        program: Program,
        arrays: Mapping[Buffer, np.ndarray],
        *,
        blocks: tuple[int, int] | None = None,
    ) -> dict[Buffer, np.ndarray]:
        """What a kernel leaves in the buffers that it writes, as flat arrays."""
        self.reset()
        exports = self.instantiate(module_of([program]))
        places = {buffer: self.place(buffer.bytes) for buffer in program.buffers}
        for buffer, values in arrays.items():
            self.view(places[buffer], buffer.size, buffer.dtype)[:] = np.asarray(values).ravel()
        begin, end = (0, program.blocks) if blocks is None else blocks
        limits = (begin, end)[: len(program.parameters)]
        exports["kernel0"](self.store, *(places[buffer] for buffer in program.buffers), *limits)
        return {b: self.view(places[b], b.size, b.dtype).copy() for b in program.buffers if b.written}


def module_of(programs: Sequence[Program], *, shared: bool = False) -> bytes:
    """A module with the given kernels, exported as kernel0, kernel1 and so on."""
    maximum = 1 << 16 if shared else None
    module = Module(ImportedMemory("env", "memory", 1, maximum, shared))
    functions: dict[Program, int] = {}
    for number, program in enumerate(programs):
        add_program(module, program, functions, export=f"kernel{number}")
    return module.encode()
