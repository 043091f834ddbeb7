"""Calls into wasmtime at the least cost: arguments packed into an array that is made once, and one foreign call.

The package's own calls ask for a function's type and convert each argument anew, which takes ten to a hundred times as
long. The engine stops the whole process when a function is called in a store that is gone; a function therefore
keeps its store, and is taken apart when its module is disposed.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import _func

from tenfold.core.errors import DisposedError, TrapError

_VALUE_BYTES: Final = 16
# A value takes 16 bytes, of which the engine reads as many as its type has; i32 may be given as signed or unsigned.
_FORMATS: Final = {"i32": "q8x", "i64": "q8x", "f32": "f12x", "f64": "d8x"}
_RESULT_FORMATS: Final = {"i32": "i", "i64": "q", "f32": "f", "f64": "d"}

_ADDRESS: Final = ctypes.cast(ffi.dll.wasmtime_func_call_unchecked, ctypes.c_void_p).value or 0
# The engine's function, called without Python's lock, and with it. Its arguments are pointers and a size. They are not
# declared: those of the right types pass faster so.
_call_unlocked: Final = ctypes.CFUNCTYPE(ctypes.c_size_t)(_ADDRESS)
_call_locked: Final = ctypes.PYFUNCTYPE(ctypes.c_size_t)(_ADDRESS)


class NativeFunction:
    """An exported function in one store. Not to be called from two threads at once.

    Attributes:
        name: the name of the export.
        module_name: what its module is called in errors.
        types: the types of its parameters.
    """

    __slots__ = ("_callee", "_run", "_unpack", "_values", "module_name", "name", "types")

    def __init__(self, store: wasmtime.Store, function: wasmtime.Func, name: str, module_name: str) -> None:
        self.name = name
        self.module_name = module_name
        kind = function.type(store)
        self.types = tuple(str(type) for type in kind.params)
        results = [str(type) for type in kind.results]
        if unknown := {*self.types, *results} - _FORMATS.keys():
            raise TypeError(f"The function {name!r} of {module_name!r} takes or gives {', '.join(sorted(unknown))}.")
        if len(results) > 1:
            raise TypeError(f"The function {name!r} of {module_name!r} has {len(results)} results; one is possible.")
        self._unpack = struct.Struct("<" + _RESULT_FORMATS[results[0]]).unpack_from if results else None
        self._callee = _Callee((store, function), name, module_name, self.types, max(len(self.types), len(results), 1))
        self._values = self._callee.new_values()
        self._run = self._callee.caller(_call_unlocked, self._values, ())

    def __call__(self, *arguments: float) -> float | None:
        """Run the function on this thread; see `interface.Function`."""
        self._run(*arguments)
        return None if self._unpack is None else self._unpack(self._values)[0]

    def in_short(self, *last: float) -> Callable[..., None]:
        """The function with its last arguments given; see `interface.Function`."""
        return self._callee.caller(_call_locked, self._callee.new_values(), last)

    def forget(self) -> None:
        """Let go of the store; calls are errors from now on."""
        self._callee.bound = None


@dataclass(slots=True)
class _Callee:
    """What a call needs of a function.

    Attributes:
        bound: the store, and the function in it; None once they are gone.
        trap: where the engine puts a pointer to what went wrong.
    """

    bound: tuple[wasmtime.Store, wasmtime.Func] | None
    name: str
    module_name: str
    types: tuple[str, ...]
    slots: int
    trap: ctypes.c_void_p = field(default_factory=ctypes.c_void_p)

    def new_values(self) -> ctypes.Array[ctypes.c_char]:
        """An array for the arguments of a call, or for its result."""
        return ctypes.create_string_buffer(self.slots * _VALUE_BYTES)

    def caller(
        self, engine_call: Callable[..., int], values: ctypes.Array[ctypes.c_char], last: tuple[float, ...]
    ) -> Callable[..., None]:
        """What puts arguments into an array, where the last ones stand already, and runs the function."""
        store, function = self._present()
        first = self.types[: len(self.types) - len(last)]
        try:
            _packer(self.types[len(first) :]).pack_into(values, len(first) * _VALUE_BYTES, *last)
        except struct.error as error:
            raise TypeError(self._mismatch(last)) from error
        pack, trap = partial(_packer(first).pack_into, values, 0), self.trap
        # What the foreign call gets, made and converted once: converting takes longer than the rest of the call.
        pointers = (
            ctypes.c_void_p.from_param(ctypes.cast(store._context(), ctypes.c_void_p).value),
            ctypes.c_void_p.from_param(ctypes.addressof(function._func)),
            ctypes.c_void_p.from_param(ctypes.addressof(values)),
            ctypes.c_size_t.from_param(self.slots),
            ctypes.c_void_p.from_param(ctypes.addressof(trap)),
        )

        def call(*arguments: float) -> None:
            try:
                pack(*arguments)
            except struct.error as error:
                raise TypeError(self._mismatch((*arguments, *last))) from error
            # The store is held here, too: it must not go while it runs, even if the module is disposed meanwhile.
            _held = self.bound or self._present()
            failed = engine_call(*pointers)
            if failed or trap.value:
                raise self._failure(failed)

        return call

    def _present(self) -> tuple[wasmtime.Store, wasmtime.Func]:
        if self.bound is None:
            raise DisposedError(f"The function {self.name!r} was called after its module {self.module_name!r} went.")
        return self.bound

    def _mismatch(self, arguments: tuple[float, ...]) -> str:
        given = ", ".join(repr(argument) for argument in arguments)
        return f"{self.name}({', '.join(self.types)}) of {self.module_name!r} was called with ({given})."

    def _failure(self, error: int) -> BaseException:
        what = f"The function {self.name!r} of the module {self.module_name!r}"
        # What a Python function raised that the code had called; it must not be raised by some later call instead.
        raised, _func.LAST_EXCEPTION = _func.LAST_EXCEPTION, None
        if error:
            pointer = ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
            message = str(wasmtime.WasmtimeError._from_ptr(pointer)).strip()
            failure = TrapError(f"{what} failed: {message if raised is None else f'it called what raised {raised!r}'}.")
        else:
            trap = wasmtime.Trap._from_ptr(ctypes.cast(self.trap, ctypes.POINTER(ffi.wasm_trap_t)))
            self.trap.value = None
            failure = trap_error(trap, what, self.name)
        failure.__cause__ = raised
        return failure if raised is None or isinstance(raised, Exception) else raised


def _packer(types: Sequence[str]) -> struct.Struct:
    return struct.Struct("<" + "".join(_FORMATS[type] for type in types))


def trap_error(trap: wasmtime.Trap, what: str, name: str = "") -> TrapError:
    """The error to raise for a trap in `what`, a function of that name."""
    code = trap.trap_code
    cause = trap.message.strip().splitlines()[-1] if code is None else code.name.replace("_", " ").lower()
    return TrapError(f"{what} trapped{_place(trap, name)}: {cause}.")


def _place(trap: wasmtime.Trap, name: str) -> str:
    """Which function it was, if the one that was called had called another."""
    frames = trap.frames
    if not frames:
        return ""
    inner = frames[0].func_name or f"function {frames[0].func_index}"
    return "" if len(frames) == 1 or inner == name else f" in {inner}"
