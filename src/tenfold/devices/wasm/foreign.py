"""Modules that others compiled and that own their memory, such as TensorFlow.js's XNNPACK.

Such a module runs as it is, with the functions that it imports made from Python ones. A device over the memory that it
exports runs generated modules beside it, on the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import wasmtime

from tenfold.core.errors import BackendError
from tenfold.devices.host import cache_folder
from tenfold.devices.wasm.engine import compile_module, create_engine, fingerprint
from tenfold.devices.wasm.functions import NativeFunction, trap_error
from tenfold.devices.wasm.memory import ExportedMemory
from tenfold.devices.wasm.module_cache import FOLDER_NAME, ModuleCache
from tenfold.devices.wasm.native import exported_function


class ForeignModule:
    """A module with its own memory, instantiated.

    Attributes:
        name: what it is called in errors.
    """

    def __init__(
        self, code: bytes, name: str, imports: Mapping[str, Callable[..., Any]] | None = None, *, caches: bool = True
    ) -> None:
        """Compile, or find compiled, and instantiate it.

        Args:
            code: its bytes.
            name: what it is called in errors.
            imports: functions by the second halves of the imports' names; they take and give numbers.
            caches: whether the compiled module is kept on disk.

        Raises:
            BackendError: the engine refuses it, or it imports what is not given.
            TrapError: it traps when it is instantiated.
        """
        self.name = name
        engine = create_engine()
        cache = ModuleCache(cache_folder() / FOLDER_NAME, fingerprint(engine)) if caches else None
        compiled = compile_module(engine, code, name, cache)
        self._store = wasmtime.Store(engine)
        try:
            instance = wasmtime.Instance(self._store, compiled, _functions(self._store, compiled, name, imports or {}))
        except wasmtime.Trap as trap:
            raise trap_error(trap, f"The start of the module {name!r}") from None
        except wasmtime.WasmtimeError as error:
            raise BackendError(f"The module {name!r} cannot be instantiated: {error}") from None
        self._exports = instance.exports(self._store)
        self._functions: dict[str, NativeFunction] = {}

    def function(self, name: str) -> NativeFunction:
        """An exported function.

        Raises:
            LookupError: there is none of that name.
        """
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = exported_function(self._store, self._exports, name, self.name)
        return found

    def memory(self, name: str, allocate: str) -> ExportedMemory:
        """An exported memory, for a device to work on.

        Args:
            name: of the memory.
            allocate: name of the function that gives the address of so many bytes, or 0 (C's malloc).

        Raises:
            LookupError: there is no such memory or function.
        """
        memory = self._exports.get(name)
        if not isinstance(memory, wasmtime.Memory):
            raise LookupError(f"The module {self.name!r} exports no memory {name!r}.")
        return ExportedMemory(self._store, memory, self.function(allocate))


def _functions(
    store: wasmtime.Store, compiled: wasmtime.Module, name: str, given: Mapping[str, Callable[..., Any]]
) -> list[wasmtime.Func]:
    """What a module imports, in its order."""
    found = []
    for needed in compiled.imports:
        function, kind = given.get(str(needed.name)), needed.type
        if function is None or not isinstance(kind, wasmtime.FuncType):
            raise BackendError(f"The module {name!r} imports {needed.module}.{needed.name}, which is not given.")
        found.append(wasmtime.Func(store, kind, function))
    return found
