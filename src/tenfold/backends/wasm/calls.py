"""What runs the calls of a kernel for the shapes, dtypes and attributes that it was compiled for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from tenfold.backends.wasm.modules import CALL, SHARE
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, TensorSpec

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.devices.wasm.interface import Module

WORTH_SHARING: Final = 1 << 18
"""Element computations from which on threads are worth their waking: some hundred microseconds."""

WORTH_INTERRUPTING: Final = 1 << 26
"""Element computations from which on a lone thread is waited for, so that Ctrl-C is heard meanwhile."""


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


class ViewCall:
    """Gives the storage of the first input, seen in another shape."""

    __slots__ = ("_spec",)

    def __init__(self, spec: TensorSpec) -> None:
        self._spec = spec

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        return TensorInfo(inputs[0].storage, *self._spec)


class GeneratedCall:
    """Runs the stages of a definition."""

    __slots__ = ("_backend", "_call", "_extra", "_inputs", "_module", "_outputs", "_sizes", "_used", "_work")

    def __init__(
        self,
        backend: WasmBackend,
        module: Module,
        inputs: int,
        used: Sequence[int],
        sizes: Sequence[int],
        outputs: Sequence[Output],
        work: int,
        extra: tuple[int, ...] = (),
    ) -> None:
        """Make it.

        Args:
            backend: for which backend.
            module: what runs; see `modules`.
            inputs: how many the kernel has; values computed by stages are numbered after them.
            used: the inputs that are read.
            sizes: bytes of what each stage computes.
            outputs: the kernel's.
            work: how many times elements are computed, roughly.
            extra: further arguments.
        """
        self._backend = backend
        self._module = module
        self._call = module.function(CALL)
        self._inputs = inputs
        self._used = tuple(used)
        self._sizes = tuple(sizes)
        self._outputs = tuple(outputs)
        self._work = work
        self._extra = extra

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> list[TensorInfo]:
        backend = self._backend
        allocate, free = backend.device.allocator.allocate, backend.device.allocator.free
        made: list[int] = []
        try:
            for size in self._sizes:
                made.append(allocate(size))
            self.run([*[inputs[number].storage.data for number in self._used], *made])
        except BaseException:
            for address in made:
                free(address)
            raise
        kept = {output.value for output in self._outputs}
        for number, address in enumerate(made, self._inputs):
            if number not in kept:
                free(address)
        return [self._wrap(output, inputs, made) for output in self._outputs]

    def run(self, addresses: Sequence[int]) -> None:
        """Run the module, on as many threads as it is worth."""
        backend, work = self._backend, self._work
        if work >= (WORTH_SHARING if backend.device.threads_count > 1 else WORTH_INTERRUPTING):
            backend.device.run(self._module, SHARE, *addresses, *self._extra)
        else:
            self._call(*addresses, *self._extra)

    def _wrap(self, output: Output, inputs: Sequence[Any], made: Sequence[int]) -> TensorInfo:
        shape, dtype = output.spec
        if output.value is None:
            return self._backend.empty(shape, dtype)
        if output.value < self._inputs:
            return TensorInfo(inputs[output.value].storage, shape, dtype)
        address = made[output.value - self._inputs]
        return TensorInfo(self._backend.adopt(address, shape, dtype, output.nbytes), shape, dtype)


class SingleCall(GeneratedCall):
    """Runs the stages of a definition with one output."""

    __slots__ = ()

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> Any:
        return super().__call__(inputs, attributes)[0]


class LeanCall(GeneratedCall):
    """Runs one stage that computes the one output; what most eager ops spend their time in."""

    __slots__ = ("_allocate", "_dtype", "_nbytes", "_shape")

    def __init__(
        self,
        backend: WasmBackend,
        module: Module,
        inputs: int,
        used: Sequence[int],
        sizes: Sequence[int],
        outputs: Sequence[Output],
        work: int,
        extra: tuple[int, ...] = (),
    ) -> None:
        super().__init__(backend, module, inputs, used, sizes, outputs, work, extra)
        self._allocate = backend.device.allocator.allocate
        (self._shape, self._dtype), self._nbytes = outputs[0].spec, outputs[0].nbytes

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> Any:
        address = self._allocate(self._nbytes)
        try:
            if self._work < WORTH_SHARING:
                self._call(*[inputs[number].storage.data for number in self._used], address, *self._extra)
            else:
                self.run([*[inputs[number].storage.data for number in self._used], address])
        except BaseException:
            self._backend.device.allocator.free(address)
            raise
        backend, shape, dtype = self._backend, self._shape, self._dtype
        return TensorInfo(backend.adopt(address, shape, dtype, self._nbytes), shape, dtype)
