"""What runs the calls of a kernel for the shapes, dtypes and attributes that it was compiled for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from tenfold.backends.wasm.modules import CALL, SHARE, Stage
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, TensorSpec
from tenfold.core.storage import Storage

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.devices.wasm.interface import Module

WORTH_SHARING: Final = 3 << 18
"""Element computations, a third of a nanosecond each, from which on threads are worth their waking, which takes some
eighty microseconds."""

WORTH_INTERRUPTING: Final = 1 << 29
"""Element computations from which on the calling thread only waits, so that it hears Ctrl-C meanwhile: what takes less
than some tenths of a second even where each goes through the memory, and a model a tenth of that."""


class Call(Protocol):
    """Runs a kernel on operands of the specs, with attributes, that it was made for."""

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        """Run it."""


class Output(NamedTuple):
    """An output of a call.

    Attributes:
        value: which value it is: an input, or what a stage computes; None for an empty one.
        spec: its shape and dtype.
        nbytes: its size.
    """

    value: int | None
    spec: TensorSpec
    nbytes: int


class Recipe(NamedTuple):
    """What a call does.

    Attributes:
        stages: what runs, in order.
        inputs: how many inputs the kernel has; values that stages compute are numbered after them.
        sizes: bytes of each of those values.
        outputs: the kernel's.
        work: how many times elements are computed, roughly.
    """

    stages: Sequence[Stage]
    inputs: int
    sizes: Sequence[int]
    outputs: Sequence[Output]
    work: int

    @property
    def used(self) -> list[int]:
        """The inputs that are read."""
        return sorted({value for stage in self.stages for value in stage.values if value < self.inputs})

    @property
    def values(self) -> list[int]:
        """The values whose addresses the module gets, in order."""
        return [*self.used, *range(self.inputs, self.inputs + len(self.sizes))]

    @property
    def layout(self) -> CallLayout:
        """What a call needs to know of it."""
        scratch = {stage.scratch - self.inputs for stage in self.stages if stage.scratch is not None}
        return CallLayout(
            inputs=self.inputs,
            used=tuple(self.used),
            sizes=tuple(self.sizes),
            per_thread=tuple(sorted(scratch)),
            results=tuple([output.value for output in self.outputs]),
            stages=len(self.stages),
            work=self.work,
        )


class CallLayout(NamedTuple):
    """What calling a kernel takes besides its module: numbers alone, which are kept on disk beside that.

    Attributes:
        inputs: how many inputs the kernel has; values that stages compute are numbered after them.
        used: the inputs that are read.
        sizes: bytes of each value that stages compute.
        per_thread: which of those each thread has for itself.
        results: which value each output is: an input, or what a stage computes; None for an empty one.
        stages: how many there are.
        work: how many times elements are computed, roughly.
    """

    inputs: int
    used: tuple[int, ...]
    sizes: tuple[int, ...]
    per_thread: tuple[int, ...]
    results: tuple[int | None, ...]
    stages: int
    work: int

    def encode(self) -> bytes:
        """The layout as a note."""
        return json.dumps(self).encode()

    @classmethod
    def decode(cls, note: bytes) -> CallLayout:
        """The layout that became a note."""
        inputs, used, sizes, per_thread, results, *counts = json.loads(note)
        return cls(inputs, tuple(used), tuple(sizes), tuple(per_thread), tuple(results), *counts)


class CallModule:
    """A module for calls of a kernel, and what else they take."""

    __slots__ = ("__weakref__", "layout", "module")

    def __init__(self, module: Module, layout: CallLayout) -> None:
        self.module = module
        self.layout = layout


class ViewCall:
    """Gives the storage of the first input, seen in another shape."""

    __slots__ = ("_spec",)

    def __init__(self, spec: TensorSpec) -> None:
        self._spec = spec

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        return TensorInfo(inputs[0].storage, *self._spec)


class GeneratedCall:
    """Runs the stages of a module."""

    __slots__ = ("_backend", "_call", "_extra", "_layout", "_made", "_outputs")

    def __init__(
        self,
        backend: WasmBackend,
        made: CallModule,
        layout: CallLayout,
        outputs: Sequence[TensorSpec],
        extra: tuple[int, ...] = (),
    ) -> None:
        """Make it.

        Args:
            backend: for which backend.
            made: the module; see `modules`.
            layout: what a call takes.
            outputs: the specs of what it gives.
            extra: further arguments of the module's functions.
        """
        self._backend = backend
        self._made = made
        self._call = made.module.function(CALL)
        self._layout = layout
        self._outputs = [Output(value, spec, nbytes(spec)) for value, spec in zip(layout.results, outputs, strict=True)]
        self._extra = extra

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> list[TensorInfo]:
        device, layout = self._backend.device, self._layout
        allocate, free = device.allocator.allocate, device.allocator.free
        made: list[int] = []
        try:
            for number, size in enumerate(layout.sizes):
                made.append(allocate(size * device.threads_count if number in layout.per_thread else size))
            self.run([*[inputs[number].storage.data for number in layout.used], *made])
        except BaseException:
            for address in made:
                free(address)
            raise
        for number, address in enumerate(made, layout.inputs):
            if number not in layout.results:
                free(address)
        return [self._wrap(output, inputs, made) for output in self._outputs]

    def run(self, addresses: Sequence[int]) -> None:
        """Run the module, on as many threads as it is worth."""
        backend, work = self._backend, self._layout.work
        brief = work < WORTH_INTERRUPTING
        if not brief or (backend.device.threads_count > 1 and work >= WORTH_SHARING):
            backend.device.run(self._made.module, SHARE, *addresses, *self._extra, brief=brief)
        else:
            self._call(*addresses, *self._extra)

    def _wrap(self, output: Output, inputs: Sequence[Any], made: Sequence[int]) -> TensorInfo:
        shape, dtype = output.spec
        if output.value is None:
            return self._backend.empty(shape, dtype)
        if output.value < self._layout.inputs:
            return TensorInfo(inputs[output.value].storage, shape, dtype)
        address = made[output.value - self._layout.inputs]
        return TensorInfo(self._backend.adopt(address, shape, dtype, output.nbytes), shape, dtype)


class SingleCall(GeneratedCall):
    """Runs the stages of a module with one output."""

    __slots__ = ()

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> Any:
        return super().__call__(inputs, attributes)[0]


class LeanCall:
    """Runs one small stage that computes the one output; what most eager ops spend their time in."""

    __slots__ = ("_allocate", "_backend", "_dtype", "_made", "_nbytes", "_run", "_shape", "_used")

    def __init__(
        self,
        backend: WasmBackend,
        made: CallModule,
        layout: CallLayout,
        outputs: Sequence[TensorSpec],
        extra: tuple[int, ...] = (),
    ) -> None:
        self._backend = backend
        self._made = made  # which goes with its last call
        self._allocate = backend.device.allocator.allocate
        self._run = made.module.function(CALL).in_short(*extra)
        self._used = layout.used
        (spec,) = outputs
        (self._shape, self._dtype), self._nbytes = spec, nbytes(spec)

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> Storage:
        backend, nbytes = self._backend, self._nbytes
        address = self._allocate(nbytes)
        try:
            self._run(*[inputs[number].storage.data for number in self._used], address)
        except BaseException:
            backend.device.allocator.free(address)
            raise
        backend.num_storages += 1
        return Storage(backend, address, self._shape, self._dtype, nbytes)


class LeanBinaryCall(LeanCall):
    """Reads two inputs and nothing else, as most eager ops do: without the loop over those that are read."""

    __slots__ = ()

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> Storage:
        a, b = inputs
        backend, nbytes = self._backend, self._nbytes
        address = self._allocate(nbytes)
        try:
            self._run(a.storage.data, b.storage.data, address)
        except BaseException:
            backend.device.allocator.free(address)
            raise
        backend.num_storages += 1
        return Storage(backend, address, self._shape, self._dtype, nbytes)


def single_call(
    backend: WasmBackend, made: CallModule, layout: CallLayout, output: TensorSpec, extra: tuple[int, ...] = ()
) -> Call:
    """What runs a module with one output."""
    is_lean = layout.stages == len(layout.sizes) == 1 and layout.results == (layout.inputs,)
    if not is_lean or layout.work >= WORTH_SHARING:
        return SingleCall(backend, made, layout, [output], extra)
    kind = LeanBinaryCall if layout.inputs == len(layout.used) == 2 else LeanCall
    return kind(backend, made, layout, [output], extra)


def nbytes(spec: TensorSpec) -> int:
    """Bytes of the values of a spec."""
    return prod(spec.shape) * bytes_per_element(spec.dtype)
