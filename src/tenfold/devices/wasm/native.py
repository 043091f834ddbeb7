"""The WebAssembly device on CPython: wasmtime.

Modules over the device's own memory get a store for each thread that runs them, so that they vanish whole when they
are disposed: an engine gives nothing back before the store goes. Instances for further threads are made when a
function is first run on them.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Final

import wasmtime

from tenfold.core.errors import BackendError, DisposedError
from tenfold.devices.host import cache_folder, cores
from tenfold.devices.wasm.allocator import Allocator
from tenfold.devices.wasm.engine import compile_module, create_engine, fingerprint, is_valid, recalled_module
from tenfold.devices.wasm.functions import NativeFunction, trap_error
from tenfold.devices.wasm.interface import MAX_BYTES, MAX_THREADS, MEMORY_IMPORT, Features, Label
from tenfold.devices.wasm.memory import NativeMemory, OwnMemory
from tenfold.devices.wasm.module_cache import FOLDER_NAME, ModuleCache
from tenfold.devices.wasm.probes import probe_features
from tenfold.devices.wasm.workers import AbortWord, Workers


class NativeModule:
    """A module over the device's memory; see `interface.Module`.

    Attributes:
        name: what it is called in errors.
    """

    def __init__(self, compiled: wasmtime.Module, name: str, memory: NativeMemory) -> None:
        self.name = name
        self._memory = memory
        self._compiled: wasmtime.Module | None = compiled
        imports = [(needed.module, needed.name) for needed in compiled.imports]
        if imports not in ([], [MEMORY_IMPORT]):
            names = ", ".join(f"{module}.{field}" for module, field in imports)
            raise BackendError(f"The module {name!r} imports {names}; a device has {'.'.join(MEMORY_IMPORT)} alone.")
        self._externs = [memory.extern()] if imports else []
        self._instances: list[_Instance] = [self._instantiate(compiled)]

    def function(self, name: str) -> NativeFunction:
        """An exported function, to be called on this thread."""
        return self.functions(name, 1)[0]

    def functions(self, name: str, threads: int) -> list[NativeFunction]:
        """An exported function, once for each thread; the first is the one to be called on this thread."""
        if self._compiled is None:
            raise DisposedError(f"The module {self.name!r} was used after its disposal.")
        while len(self._instances) < threads:
            self._instances.append(self._instantiate(self._compiled))
        return [instance.function(name) for instance in self._instances[:threads]]

    def dispose(self) -> None:
        """Give up the code and its stores; functions that were handed out raise from now on."""
        for instance in self._instances:
            instance.dispose()
        self._instances.clear()
        self._compiled = None

    def _instantiate(self, compiled: wasmtime.Module) -> _Instance:
        # One instance a store: when code runs out of a shared memory, wasmtime looks for the instance that has it, and
        # ends the process if it finds two.
        store = self._memory.store()
        try:
            instance = wasmtime.Instance(store, compiled, self._externs)
        except wasmtime.Trap as trap:
            raise trap_error(trap, f"The start of the module {self.name!r}") from None
        except wasmtime.WasmtimeError as error:
            kind = "a shared" if self._memory.is_shared else "an unshared"
            raise BackendError(f"The module {self.name!r} does not fit to {kind} memory: {error}") from None
        return _Instance(store, instance, self.name)


class _Instance:
    """A module in a store, and those of its functions that were asked for."""

    def __init__(self, store: wasmtime.Store, instance: wasmtime.Instance, module_name: str) -> None:
        self._store = store
        self._exports = instance.exports(store)
        self._module_name = module_name
        self._functions: dict[str, NativeFunction] = {}

    def function(self, name: str) -> NativeFunction:
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = exported_function(self._store, self._exports, name, self._module_name)
        return found

    def dispose(self) -> None:
        for function in self._functions.values():
            function.forget()


def exported_function(
    store: wasmtime.Store, exports: Mapping[str, object], name: str, module_name: str
) -> NativeFunction:
    """A function among what an instance exports.

    Raises:
        LookupError: there is none of that name; the message lists those there are.
    """
    function = exports.get(name)
    if not isinstance(function, wasmtime.Func):
        names = ", ".join(sorted(key for key in exports if isinstance(exports[key], wasmtime.Func)))
        raise LookupError(f"The module {module_name!r} exports no function {name!r}; it exports: {names or 'none'}.")
    return NativeFunction(store, function, name, module_name)


class NativeWasmDevice:
    """A device; see `interface` for what it promises.

    Attributes:
        memory: the linear memory of all modules.
        allocator: hands out blocks of it.
        features: what modules may use.
    """

    engine: Final = "wasmtime"

    def __init__(self, memory: NativeMemory | None = None, *, limit: int = MAX_BYTES, caches: bool = True) -> None:
        """Make a device.

        Args:
            memory: what modules work on, such as a memory that a `ForeignModule` exports; a new shared one if None.
            limit: the most bytes that a new memory grows to.
            caches: whether compiled modules are kept on disk.
        """
        self.memory: NativeMemory = OwnMemory(create_engine(), limit) if memory is None else memory
        self._engine: Final = self.memory.engine
        self.allocator = Allocator(self.memory)
        self.features: Features = probe_features(lambda code: is_valid(self._engine, code))
        self._cache = ModuleCache(cache_folder() / FOLDER_NAME, fingerprint(self._engine)) if caches else None
        self._modules: weakref.WeakSet[NativeModule] = weakref.WeakSet()
        self._abort = AbortWord(self.memory.base, self.memory)
        self._workers = Workers(min(cores(), MAX_THREADS) if self.memory.is_shared else 1, self._abort)

    @property
    def threads_count(self) -> int:
        """On how many threads `run` runs."""
        return self._workers.count

    def set_threads_count(self, count: int) -> None:
        """Use so many threads from the next `run` on; see `interface.WasmDevice`."""
        if count < 1:
            raise ValueError(f"count: {count} threads; at least 1 is needed.")
        if count > 1 and not self.memory.is_shared:
            raise ValueError(f"count: {count} threads; the module that exports this memory allows but 1.")
        if count != self._workers.count:
            self._workers.require_idle()
            self._workers.stop()
            self._workers = Workers(count, self._abort)

    def load(self, code: bytes, name: str, label: Label | None = None) -> NativeModule:
        """Compile, or find compiled, and instantiate a module; see `interface.WasmDevice`."""
        return self._instantiated(compile_module(self._engine, code, name, self._cache, label), name)

    def recall(self, key: bytes, name: str) -> tuple[NativeModule, bytes] | None:
        """A module that was kept under a label, and the note of it; see `interface.WasmDevice`."""
        found = None if self._cache is None else recalled_module(self._engine, key, self._cache)
        return None if found is None else (self._instantiated(found[0], name), found[1])

    def _instantiated(self, compiled: wasmtime.Module, name: str) -> NativeModule:
        module = NativeModule(compiled, name, self.memory)
        self._modules.add(module)
        return module

    def run(self, module: NativeModule, name: str, *arguments: float, brief: bool = False) -> None:
        """Run a module's function on all threads; see `interface.WasmDevice`."""
        count = self._workers.count
        functions = module.functions(name, count)
        if not self.memory.is_shared:  # whose words below `RESERVED_BYTES` are not ours
            functions[0](0, 1, *arguments)
            return
        self._workers.run(lambda thread: functions[thread](thread, count, *arguments), brief=brief)

    def dispose(self) -> None:
        """End the threads and give up modules; the memory goes with the last view of it."""
        self._workers.stop()
        for module in list(self._modules):
            module.dispose()
