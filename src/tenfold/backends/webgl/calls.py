"""Kernels as lists of draws: what a definition renders to for given shapes, dtypes and attributes.

A call is compiled once for each of these and is all that later calls look up. Each stage of a definition is a draw of
its own; elementwise kernels whose inputs have the shape of the result, or one element, are rendered for flat arrays, so
that all shapes share a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tenfold.backends.webgl.assembled_calls import assembled_call
from tenfold.backends.webgl.flat import INTEGERS, element_count, placed
from tenfold.backends.webgl.host_calls import FORWARDED, HostCall, run_on_host
from tenfold.backends.webgl.host_kernels import host_reason
from tenfold.backends.webgl.textures import Shelf
from tenfold.codegen.compute import Array, define
from tenfold.codegen.glsl.layouts import FLAT
from tenfold.codegen.glsl.renderer import Shader, loaded_arrays, render
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.errors import KernelNotFoundError
from tenfold.core.kernel import Attributes, Kernel, KernelResult, TensorInfo, TensorSpec
from tenfold.devices.gl.interface import Draw, Program, Texture

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import Call, WebglBackend

Specs = Sequence[TensorSpec | None]

VIEWS: Final = ("Identity", "Reshape")
"""Kernels whose result is the storage of their first input, seen in another shape."""


class Step(NamedTuple):
    """One draw of a call.

    Attributes:
        program: what runs.
        ints: its numbers.
        sources: which values it reads: inputs of the kernel, then results of steps, in order.
        shelf: where its target comes from.
        rows: how many rows of that are used.
    """

    program: Program
    ints: tuple[int, ...]
    sources: tuple[int, ...]
    shelf: Shelf
    rows: int


class Output(NamedTuple):
    """An output of a call.

    Attributes:
        value: which value it is; None for an empty one, which nothing has to compute.
        spec: its shape and dtype.
        nbytes: its size, as `memory()` counts it.
    """

    value: int | None
    spec: TensorSpec
    nbytes: int


def specs_of(inputs: Sequence[Any]) -> Specs:
    """The specs of operands."""
    return [None if x is None else TensorSpec(x.shape, x.dtype) for x in inputs]


def compile_call(backend: WebglBackend, kernel: Kernel, specs: Specs, attributes: Attributes) -> Call:
    """What runs a kernel for operands of these specs.

    Raises:
        KernelNotFoundError: if no definition can be rendered and there is no reason to compute it on the host.
    """
    inferred = kernel.infer(specs, attributes)
    wanted = [inferred] if isinstance(inferred, TensorSpec) else list(inferred)
    if kernel.name in VIEWS:
        return ViewCall(wanted[0])
    reason = host_reason(kernel, specs, wanted, attributes)
    if reason is not None:
        return HostCall(backend, kernel.name, reason)
    if kernel.definition is None:
        raise KernelNotFoundError(f"The kernel {kernel.name!r} of the backend {backend.name!r} has no definition.")
    assembled = assembled_call(backend, kernel.name, specs, wanted[0], attributes)
    if assembled is not None:
        return assembled
    try:
        return Recipe(backend, kernel, specs, attributes, wanted).call()
    except NotImplementedError as error:
        if any(spec is not None and spec.dtype == "complex64" for spec in (*specs, *wanted)):
            return HostCall(backend, kernel.name, str(error))
        raise KernelNotFoundError(
            f"The backend {backend.name!r} cannot run the kernel {kernel.name!r}: {error}"
        ) from error


def _flattened(kernel: Kernel, specs: Specs, wanted: Sequence[TensorSpec]) -> Specs:
    """The specs as those of flat arrays, where the kernel does not care."""
    if not kernel.elementwise or len(wanted) != 1:
        return specs
    shape = wanted[0].shape
    if not all(spec is None or spec.shape == shape or element_count(spec.shape) == 1 for spec in specs):
        return specs
    count = element_count(shape)
    return [None if s is None else TensorSpec((count,) if s.shape == shape else (1,), s.dtype) for s in specs]


# --- what runs ---------------------------------------------------------------------------------------------


class ViewCall:
    """Gives the storage of the first input, seen in another shape."""

    __slots__ = ("_spec",)

    def __init__(self, spec: TensorSpec) -> None:
        self._spec = spec

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        return TensorInfo(inputs[0].storage, *self._spec)

    def dispose(self) -> None:
        """There is nothing to give back."""


class DrawCall:
    """Runs the draws of a kernel: several, or with several results."""

    __slots__ = ("_backend", "_count", "_kernel_name", "_outputs", "_single", "_steps", "_used")

    def __init__(
        self,
        backend: WebglBackend,
        kernel_name: str,
        count: int,
        used: Sequence[int],
        steps: Sequence[Step],
        outputs: Sequence[Output],
    ) -> None:
        self._backend = backend
        self._kernel_name = kernel_name
        self._count = count
        self._used = tuple(used)
        self._steps = tuple(steps)
        self._outputs = tuple(outputs)
        self._single = len(outputs) == 1

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        backend = self._backend
        if backend.forwards(inputs):
            return run_on_host(backend, self._kernel_name, inputs, attributes, FORWARDED)
        textures: dict[int, Texture] = {n: backend.upload(inputs[n].storage) for n in self._used}
        for number, step in enumerate(self._steps, self._count):
            target = textures[number] = backend.textures.take_from(step.shelf)
            sources = tuple([textures[source] for source in step.sources])
            backend.commands.draw(Draw(step.program, sources, target, ints=step.ints, height=step.rows))
        infos = [self._wrap(output, inputs, textures) for output in self._outputs]
        kept = {output.value for output in self._outputs}
        for number, texture in textures.items():
            if number >= self._count and number not in kept:
                backend.textures.give_back(texture)
        return infos[0] if self._single else infos

    def dispose(self) -> None:
        """Give the programs back."""
        for step in self._steps:
            self._backend.programs.release(step.program)

    def _wrap(self, output: Output, inputs: Sequence[Any], textures: dict[int, Texture]) -> TensorInfo:
        shape, dtype = output.spec
        if output.value is None:
            return self._backend.empty(shape, dtype)
        if output.value < self._count:
            return TensorInfo(inputs[output.value].storage, shape, dtype)
        storage = self._backend.adopt(textures[output.value], shape, dtype, output.nbytes)
        return TensorInfo(storage, shape, dtype)


class SingleDrawCall:
    """Runs a kernel that is one draw and has one result; what most eager ops spend their time in.

    Inputs of a few numbers that are still on the host, such as what users write as `x * 2`, come to the shader as
    uniforms: to fill a texture takes as long as several draws. For each set of such inputs there is a variant.
    """

    __slots__ = (
        "_backend",
        "_dtype",
        "_given",
        "_nbytes",
        "_recipe",
        "_shape",
        "_shelf",
        "_step",
        "_used",
        "_variants",
    )

    def __init__(
        self,
        recipe: Recipe,
        used: Sequence[int],
        step: Step,
        output: Output,
        given: Sequence[int] = (),
    ) -> None:
        """Make it.

        Args:
            recipe: what it was made from.
            used: the inputs that it reads from textures, in the order of the step's sources.
            step: the draw.
            output: the result.
            given: the inputs that are uniforms, in the order of the shader's.
        """
        self._backend = recipe.backend
        self._recipe = recipe
        self._used = tuple(used)
        self._given = tuple(given)
        self._step = step
        self._shelf = step.shelf
        self._shape, self._dtype = output.spec
        self._nbytes = output.nbytes
        self._variants: dict[tuple[int, ...], SingleDrawCall] = {}

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        textures = []
        for number in self._used:
            texture = inputs[number].storage.data.texture
            if texture is None:
                return self._from_host(inputs)
            textures.append(texture)
        return self._run(textures, self._step.ints, ())

    def _from_host(self, inputs: Sequence[Any]) -> KernelResult:
        """Run it with inputs of which some are not on the device."""
        backend = self._backend
        if backend.forwards(inputs):
            return run_on_host(backend, self._recipe.kernel.name, inputs, self._recipe.attributes, FORWARDED)
        most = backend.settings.uniforms_up_to
        given = tuple([number for number in self._used if inputs[number].storage.data.is_few(most)])
        if not given:
            return self._upload_and_run(inputs)
        variant = self._variants.get(given)
        if variant is None:
            variant = self._variants[given] = self._recipe.variant(given)
        return variant._upload_and_run(inputs)

    def _upload_and_run(self, inputs: Sequence[Any]) -> TensorInfo:
        backend = self._backend
        textures = [backend.upload(inputs[number].storage) for number in self._used]
        floats: tuple[float, ...] = ()
        ints = self._step.ints
        for number in self._given:
            storage = inputs[number].storage
            if storage.dtype in INTEGERS:
                ints += storage.data.four_numbers()
            else:
                floats += storage.data.four_numbers()
        return self._run(textures, ints, floats)

    def _run(self, textures: Sequence[Texture], ints: tuple[int, ...], floats: tuple[float, ...]) -> TensorInfo:
        backend, step = self._backend, self._step
        target = backend.textures.take_from(self._shelf)
        backend.commands.draw(Draw(step.program, tuple(textures), target, 0, 1, ints, floats, 0, 0, 0, step.rows))
        shape, dtype = self._shape, self._dtype
        return TensorInfo(backend.adopt(target, shape, dtype, self._nbytes), shape, dtype)

    def dispose(self) -> None:
        """Give the programs back."""
        self._backend.programs.release(self._step.program)
        for variant in self._variants.values():
            variant.dispose()


# --- compiling ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a call is compiled from.

    Attributes:
        backend: for which backend.
        kernel: which kernel.
        specs: of its inputs.
        attributes: its attributes.
        wanted: the specs of its outputs.
    """

    backend: WebglBackend
    kernel: Kernel
    specs: Specs
    attributes: Attributes
    wanted: Sequence[TensorSpec]

    def call(self) -> SingleDrawCall | DrawCall:
        """The draws of the kernel's definition."""
        return _Compilation(self, ()).call()

    def variant(self, given: Sequence[int]) -> SingleDrawCall:
        """The only draw of the definition, with some inputs as uniforms."""
        call = _Compilation(self, given).call()
        if not isinstance(call, SingleDrawCall):
            raise ValueError("Uniforms are for kernels of one draw.")
        return call

    def arrays(self) -> tuple[Array, ...]:
        """What the definition computes."""
        inputs = _flattened(self.kernel, self.specs, self.wanted)
        elementwise = self.kernel.elementwise
        return define(self.kernel.definition, inputs, dict(self.attributes), elementwise=elementwise)


class _Compilation:
    """Gives each array of a definition a number, and each stage a step."""

    def __init__(self, recipe: Recipe, given: Sequence[int]) -> None:
        self._backend = recipe.backend
        self._recipe = recipe
        self._inputs = len(recipe.specs)
        self._wanted_given = frozenset(given)
        self._given: list[int] = []
        self._steps: list[Step] = []
        self._numbers: dict[int, int] = {}
        self._used: list[int] = []

    def call(self) -> SingleDrawCall | DrawCall:
        """The draws that compute the kernel's outputs."""
        outputs = []
        for array, spec in zip(self._recipe.arrays(), self._recipe.wanted, strict=True):
            count = element_count(spec.shape)
            value = self._number(array) if count else None
            outputs.append(Output(value, spec, count * bytes_per_element(spec.dtype)))
        steps, (output, *others) = self._steps, outputs
        if len(steps) == 1 and not others and output.value == self._inputs:
            return SingleDrawCall(self._recipe, self._used, steps[0], output, self._given)
        return DrawCall(self._backend, self._recipe.kernel.name, self._inputs, self._used, steps, outputs)

    def _number(self, array: Array) -> int:
        """The number of the value that an array is, with the steps that lead to it."""
        if array.number is not None:
            return array.number
        if id(array) in self._numbers:
            return self._numbers[id(array)]
        shader = self._render(array)
        sources = tuple([self._source(source) for source in shader.sources])
        self._steps.append(self._step(array, shader, sources))
        number = self._numbers[id(array)] = self._inputs + len(self._steps) - 1
        return number

    def _render(self, array: Array) -> Shader:
        if not self._wanted_given or array.stage is None:
            return render(array)
        loaded = loaded_arrays(array.stage.body)
        shader = render(array, given=[source for source in loaded if source.number in self._wanted_given])
        self._given = [source.number for source in shader.given if source.number is not None]
        return shader

    def _source(self, array: Array) -> int:
        number = self._number(array)
        if array.number is not None and number not in self._used:
            self._used.append(number)
        return number

    def _step(self, array: Array, shader: Shader, sources: tuple[int, ...]) -> Step:
        backend = self._backend
        target = self._placed(array)
        if len(shader.sources) > backend.limits.texture_units:
            raise NotImplementedError(
                f"it reads {len(shader.sources)} textures at once, and this device has {backend.limits.texture_units}."
            )
        ints = shader.ints(target, [self._placed(source) for source in shader.sources])
        program = backend.programs.get(shader.body, shader.samplers)
        shelf = backend.textures.shelf(target.width, target.height, 1, target.format)
        return Step(program, ints, sources, shelf, FLAT.extent(array.shape, array.dtype).rows)

    def _placed(self, array: Array) -> Texture:
        """A texture as that of an array will be."""
        return placed(array.shape, array.dtype, self._backend.float_format, self._backend.limits)
