"""wasmtime's engine: how it is set up, what it compiles for, and modules from bytes or from the disk.

Compiling is left on the calling thread: the engine's own pool of threads does not survive a fork, and a child that
compiled a module would wait for it for ever. Checks for interruption (epochs, fuel) are off, since every loop would
have one: a plain loop of multiply-adds takes up to 7 % longer with them (benchmarks/wasm_calls.py), products whose
accumulators fill the registers up to twice as long. Threads look at an abort word at barriers instead.
"""

from __future__ import annotations

import hashlib

import wasmtime
from wasmtime import _ffi as ffi

from tenfold.core.errors import BackendError
from tenfold.devices.wasm.interface import Label
from tenfold.devices.wasm.module_cache import ModuleCache

_EMPTY_MODULE = b"\0asm\x01\0\0\0"


def create_engine() -> wasmtime.Engine:
    """An engine for generated code: threads, relaxed SIMD, branch hints, memories that never move."""
    config = wasmtime.Config()
    config.wasm_threads = True
    config.shared_memory = True
    config.wasm_relaxed_simd = True
    config.memory_may_move = False
    config.parallel_compilation = False
    # Only debuggers read it. Without it, a module takes half the memory and is loaded in two thirds of the time.
    config.native_unwind_info = False
    # The Python library has no attribute for it yet.
    ffi.wasmtime_config_wasm_branch_hinting_set(config.ptr(), True)
    return wasmtime.Engine(config)


def is_valid(engine: wasmtime.Engine, code: bytes) -> bool:
    """Whether the engine would compile a module."""
    try:
        wasmtime.Module.validate(engine, code)
    except wasmtime.WasmtimeError:
        return False
    return True


def fingerprint(engine: wasmtime.Engine) -> bytes:
    """What compiled modules depend on besides their bytes: the engine, processor features and settings.

    Every compiled module begins with what the engine itself compares when it loads one; the library's file tells minor
    versions apart, too. (That `importlib.metadata` knows them as well takes it 30 ms to learn.)
    """
    compiled = wasmtime.Module(engine, _EMPTY_MODULE).serialize()
    library = ffi.filename.stat()
    return hashlib.sha256(f"{library.st_size} {library.st_mtime_ns}\n".encode() + compiled).digest()


def recalled_module(engine: wasmtime.Engine, key: bytes, cache: ModuleCache) -> tuple[wasmtime.Module, bytes] | None:
    """A module that is in the cache under a key, and the note beside it."""
    kept = cache.read(key)
    if kept is None:
        return None
    try:
        return wasmtime.Module.deserialize(engine, kept.compiled), kept.note
    except wasmtime.WasmtimeError:
        return None  # of another engine after all: it says so itself


def compile_module(
    engine: wasmtime.Engine, code: bytes, name: str, cache: ModuleCache | None = None, label: Label | None = None
) -> wasmtime.Module:
    """A module, kept in the cache under a label; without one it is known by its bytes, and may be there already.

    Args:
        engine: what compiles.
        code: the module's bytes.
        name: for errors.
        cache: where compiled modules are kept.
        label: under what this one is.

    Raises:
        BackendError: the engine refuses it.
    """
    if cache is not None and label is None:
        found = recalled_module(engine, code, cache)
        if found is not None:
            return found[0]
    if not code.startswith(_EMPTY_MODULE[:4]):
        raise BackendError(f"The module {name!r} is no WebAssembly: it begins with {code[:4]!r}.")
    try:
        module = wasmtime.Module(engine, code)
    except wasmtime.WasmtimeError as error:
        raise BackendError(f"wasmtime refuses the module {name!r}: {error}") from None
    if cache is not None:
        key, note = (code, b"") if label is None else label
        cache.write(key, bytes(module.serialize()), note)
    return module
