"""Calls of TensorFlow.js's WebAssembly, made once for the shapes and attributes of a kernel."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from tenfold.backends.wasm.xnnpack.requests import OUTPUT, Lengths, Operand, Request
from tenfold.core.errors import BackendError
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, TensorSpec
from tenfold.core.storage import Shape

if TYPE_CHECKING:
    from tenfold.backends.wasm.calls import Call
    from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend

_FLOAT_BYTES: Final = 4


class XnnpackCall:
    """Asks the library for a kernel with one float32 result."""

    __slots__ = ("_arguments", "_backend", "_function", "_lengths", "_operands", "_results", "_size", "_spec")

    def __init__(self, backend: XnnpackBackend, request: Request, output: TensorSpec) -> None:
        self._backend = backend
        self._function = backend.library.function(request.function)
        self._spec = output
        self._size = prod(output.shape)
        self._operands: list[tuple[int, int, Shape | None]] = []
        self._results: list[int] = []
        self._arguments: list[float] = []
        lengths = b""
        for place, argument in enumerate(request.arguments):
            if isinstance(argument, Lengths):
                self._arguments.append(backend.library.scratch_address + len(lengths))
                lengths += struct.pack(f"<{len(argument.shape)}i", *argument.shape)
            elif isinstance(argument, Operand):
                self._arguments.append(0)
                if argument.position == OUTPUT:
                    self._results.append(place)
                else:
                    self._operands.append((place, *argument))
            else:
                self._arguments.append(argument)
        self._lengths = lengths

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> TensorInfo:
        backend = self._backend
        library, allocator = backend.library, backend.device.allocator
        arguments = self._arguments.copy()
        for place, position, weights in self._operands:
            arguments[place] = library.number_of(inputs[position].storage, weights)
        nbytes = self._size * _FLOAT_BYTES
        address = allocator.allocate(nbytes)
        try:
            number = library.register(address, self._size)
            for place in self._results:
                arguments[place] = number
            if self._lengths:
                library.scratch[: len(self._lengths)] = self._lengths
            self._function(*arguments)
            complaint = library.complaint()
            if complaint:
                raise BackendError(f"XNNPACK does not do {self._function.name}: {complaint.strip()}")
        except BaseException:
            library.forget(address)
            allocator.free(address)
            raise
        backend.ran[self._function.name] += 1
        return TensorInfo(backend.adopt(address, *self._spec, nbytes), *self._spec)


class DeclinedCall:
    """Runs a kernel as generated code, and counts that it does."""

    __slots__ = ("_backend", "_call", "_key")

    def __init__(self, backend: XnnpackBackend, call: Call, kernel_name: str, reason: str) -> None:
        self._backend = backend
        self._call = call
        self._key = (kernel_name, reason)

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        self._backend.declined[self._key] += 1
        return self._call(inputs, attributes)
