"""What runs the calls of a kernel for the shapes, dtypes and attributes that it was compiled for."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from tenfold.backends.wasm.modules import CALL, SHARE, Stage
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, TensorSpec

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.core.storage import Storage
    from tenfold.devices.wasm.interface import Module

WORTH_SHARING: Final = 3 << 18
"""Element computations, a third of a nanosecond each, from which on threads are worth their waking, which takes some
eighty microseconds."""

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


class ViewCall:
    """Gives the storage of the first input, seen in another shape."""

    __slots__ = ("_spec",)

    def __init__(self, spec: TensorSpec) -> None:
        self._spec = spec

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        return TensorInfo(inputs[0].storage, *self._spec)


class GeneratedCall:
    """Runs the stages of a recipe."""

    __slots__ = (
        "_backend",
        "_call",
        "_extra",
        "_inputs",
        "_module",
        "_outputs",
        "_per_thread",
        "_sizes",
        "_used",
        "_work",
    )

    def __init__(self, backend: WasmBackend, module: Module, recipe: Recipe, extra: tuple[int, ...] = ()) -> None:
        """Make it.

        Args:
            backend: for which backend.
            module: the recipe's; see `modules`.
            recipe: what is done.
            extra: further arguments of the module's functions.
        """
        self._backend = backend
        self._module = module
        self._call = module.function(CALL)
        self._inputs = recipe.inputs
        self._used = tuple(recipe.used)
        self._sizes = tuple(recipe.sizes)
        self._per_thread = {stage.scratch - recipe.inputs for stage in recipe.stages if stage.scratch is not None}
        self._outputs = tuple(recipe.outputs)
        self._work = recipe.work
        self._extra = extra

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> list[TensorInfo]:
        device = self._backend.device
        allocate, free = device.allocator.allocate, device.allocator.free
        made: list[int] = []
        try:
            for number, size in enumerate(self._sizes):
                made.append(allocate(size * device.threads_count if number in self._per_thread else size))
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
    """Runs the stages of a recipe with one output."""

    __slots__ = ()

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> Any:
        return super().__call__(inputs, attributes)[0]


class LeanCall:
    """Runs one small stage that computes the one output; what most eager ops spend their time in."""

    __slots__ = ("_allocate", "_backend", "_dtype", "_module", "_nbytes", "_run", "_shape", "_used")

    def __init__(self, backend: WasmBackend, module: Module, recipe: Recipe, extra: tuple[int, ...] = ()) -> None:
        self._backend = backend
        self._module = module  # which goes with its last call
        self._allocate = backend.device.allocator.allocate
        self._run = module.function(CALL).in_short(*extra)
        self._used = tuple(recipe.used)
        (self._shape, self._dtype), self._nbytes = recipe.outputs[0].spec, recipe.outputs[0].nbytes

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> Storage:
        backend, nbytes = self._backend, self._nbytes
        address = self._allocate(nbytes)
        try:
            self._run(*[inputs[number].storage.data for number in self._used], address)
        except BaseException:
            backend.device.allocator.free(address)
            raise
        return backend.adopt(address, self._shape, self._dtype, nbytes)


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
        return backend.adopt(address, self._shape, self._dtype, nbytes)


def single_call(backend: WasmBackend, module: Module, recipe: Recipe, extra: tuple[int, ...] = ()) -> Call:
    """What runs a recipe with one output."""
    is_lean = len(recipe.stages) == len(recipe.sizes) == 1 and recipe.outputs[0].value == recipe.inputs
    if not is_lean or recipe.work >= WORTH_SHARING:
        return SingleCall(backend, module, recipe, extra)
    kind = LeanBinaryCall if recipe.inputs == len(recipe.used) == 2 else LeanCall
    return kind(backend, module, recipe, extra)


def nbytes(spec: TensorSpec) -> int:
    """Bytes of the values of a spec."""
    return prod(spec.shape) * bytes_per_element(spec.dtype)
