"""TensorFlow.js's WebAssembly as a library: what it imports, what it exports, and the tensors that it knows.

The bytes are not trusted: they have a header and an engine that validates them, they reach nothing of the host but the
seven functions here, and write to no memory but their own. The library knows a tensor by a number, with an address and
a size, and keeps what it makes of weights (packed, in its own memory) by their numbers until they are disposed of. It
does not ask for the shape again when it finds something kept, so that weights have a number for each shape in which
they are used.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from tenfold.backends.wasm.xnnpack.signatures import EXPORTS
from tenfold.core.errors import BackendError
from tenfold.devices.wasm.foreign import ForeignModule
from tenfold.devices.wasm.interface import MAX_BYTES, PAGE_BYTES

if TYPE_CHECKING:
    from tenfold.core.storage import Shape, Storage
    from tenfold.devices.wasm.functions import NativeFunction
    from tenfold.devices.wasm.memory import ExportedMemory

HEADER: Final = b"\0asm\x01\0\0\0"

SCRATCH_BYTES: Final = 256
"""Room for the shapes that a call takes."""

_MOST_CHARACTERS: Final = 4096


class Xnnpack:
    """The library, instantiated.

    Attributes:
        memory: its own, where tensors live.
        scratch: room in that memory, for what one call takes.
        scratch_address: where it begins.
    """

    def __init__(self, code: bytes, place: str) -> None:
        """Instantiate it.

        Args:
            code: the binary.
            place: where it is from, for errors.

        Raises:
            BackendError: it is not TensorFlow.js's WebAssembly for one thread.
        """
        if not code.startswith(HEADER):
            raise BackendError(f"{place} is no WebAssembly of version 1: it begins with {code[:8]!r}.")
        self._place = place
        self._said = ""
        self._memory: ExportedMemory | None = None
        self._module = ForeignModule(code, place, self._imports())
        try:
            self.memory = self._memory = self._module.memory("memory", allocate="malloc")
            self._functions = {name: self._checked(name, types) for name, types in EXPORTS.items()}
        except LookupError as error:
            raise BackendError(f"{place} is not the WebAssembly of TensorFlow.js 4: {error.args[0]}") from None
        self._register, self._forget = self._functions["register_tensor"], self._functions["dispose_data"]
        # By address, and then by shape where it matters.
        self._numbers: dict[int, dict[Shape | None, int]] = {}
        self._next = 1
        self._functions["__wasm_call_ctors"]()
        self._functions["init"]()
        self.scratch_address = int(self._functions["malloc"](SCRATCH_BYTES) or 0) & 0xFFFFFFFF
        self.scratch = self.memory.view(self.scratch_address, (SCRATCH_BYTES,), np.uint8).data

    def function(self, name: str) -> NativeFunction:
        """One of the functions in `EXPORTS`."""
        return self._functions[name]

    def number_of(self, storage: Storage, shape: Shape | None = None) -> int:
        """The number of a tensor, which it gets now if it has none yet.

        Args:
            storage: of the tensor, which has at least one element.
            shape: for weights, the shape in which they are used.
        """
        numbers = self._numbers.get(storage.data)
        if numbers is not None:
            number = numbers.get(shape)
            if number is not None:
                return number
        return self.register(storage.data, storage.nbytes // 4, shape)

    def register(self, address: int, size: int, shape: Shape | None = None) -> int:
        """A new number for the elements at an address, which are of four bytes."""
        number, self._next = self._next, self._next + 1
        self._register(number, size, address)
        self._numbers.setdefault(address, {})[shape] = number
        return number

    def forget(self, address: int) -> None:
        """Give up what is known of the tensor at an address, and what was kept of it."""
        for number in self._numbers.pop(address, {}).values():
            self._forget(number)

    @property
    def num_tensors(self) -> int:
        """How many numbers are given."""
        return sum(map(len, self._numbers.values()))

    def complaint(self) -> str:
        """What the library has written since it was last asked."""
        said, self._said = self._said, ""
        return said

    def dispose(self) -> None:
        """Give up all tensors."""
        self._numbers.clear()
        self._functions["dispose"]()

    # -- what it imports ----------------------------------------------------------------------------------

    def _imports(self) -> dict[str, Callable[..., int | None]]:
        return {
            "abort": self._abort,
            "emscripten_memcpy_big": self._copy,
            "emscripten_get_heap_max": lambda: MAX_BYTES - PAGE_BYTES,
            "emscripten_resize_heap": lambda nbytes: int(self._own().grow_to(nbytes & 0xFFFFFFFF)),
            "fd_close": lambda file: 0,
            "fd_seek": lambda file, low, high, whence, result: 0,
            "fd_write": self._write,
        }

    def _own(self) -> ExportedMemory:
        if self._memory is None:
            raise BackendError(f"{self._place} uses its memory before it is there.")
        return self._memory

    def _abort(self) -> None:
        raise BackendError(f"TensorFlow.js's WebAssembly gave up. {self._said}".rstrip())

    def _copy(self, target: int, source: int, nbytes: int) -> None:
        memory, size = self._own(), (nbytes & 0xFFFFFFFF,)
        memory.write(target & 0xFFFFFFFF, memory.read(source & 0xFFFFFFFF, size, np.uint8))

    def _write(self, file: int, parts: int, count: int, written: int) -> int:
        """Keep the beginning of what is written to a file, be it standard output or error."""
        memory, total = self._own(), 0
        for part in range(count):
            found = memory.read((parts & 0xFFFFFFFF) + 8 * part, (8,), np.uint8).tobytes()
            address, nbytes = struct.unpack("<II", found)
            total += nbytes
            room = min(nbytes, _MOST_CHARACTERS - len(self._said))
            if room > 0:
                self._said += memory.read(address, (room,), np.uint8).tobytes().decode(errors="replace")
        memory.write(written & 0xFFFFFFFF, np.array(total, np.uint32))
        return 0

    def _checked(self, name: str, types: tuple[str, ...]) -> NativeFunction:
        function = self._module.function(name)
        if function.types != types:
            found, wanted = ", ".join(function.types), ", ".join(types)
            raise BackendError(
                f"{self._place} is not the WebAssembly of TensorFlow.js 4: {name} takes ({found}), not ({wanted})."
            )
        return function
