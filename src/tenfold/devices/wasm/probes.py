"""Small modules that an engine finds valid if, and only if, it has a feature."""

from __future__ import annotations

from collections.abc import Callable

from tenfold.codegen.wasm.assembler import Code, ImportedMemory, Module
from tenfold.codegen.wasm.instructions import CODES, access, i32_const, v128_const
from tenfold.devices.wasm.interface import MEMORY_IMPORT, Features


def probe_features(is_valid: Callable[[bytes], bool]) -> Features:
    """What an engine can do, by its own judgement of modules."""
    return Features(
        simd=is_valid(_module(i32_const(0), CODES["i8x16.splat"])),
        relaxed_simd=is_valid(_module(*[v128_const(bytes(16))] * 3, CODES["f32x4.relaxed_madd"])),
        threads=is_valid(_module(i32_const(0), access("i32.atomic.load"), shared=True)),
    )


def _module(*instructions: bytes, shared: bool = False) -> bytes:
    """A module with a function that computes a value and drops it."""
    module = Module(ImportedMemory(*MEMORY_IMPORT, 1, 1, shared=True) if shared else None)
    code = Code()
    code.emit(*instructions, CODES["drop"])
    module.add(code)
    return module.encode()
