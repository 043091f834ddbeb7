"""Kernels as lists of draws: what a definition renders to for given shapes, dtypes and attributes.

A `CompiledCall` is made once for each of these and is all that later calls look up. Each stage of a definition is a
draw of its own; elementwise kernels whose inputs have the shape of the result, or one element, are rendered for flat
arrays, so that all shapes of a size share a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.backends.webgl.flat import element_count, placed
from tenfold.backends.webgl.values import Values
from tenfold.codegen.compute import Array, define
from tenfold.codegen.glsl.layouts import FLAT
from tenfold.codegen.glsl.renderer import Shader, render
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import Attributes, Kernel, KernelResult, TensorInfo, TensorSpec
from tenfold.devices.gl.interface import Draw, Program, Texture

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

Specs = Sequence[TensorSpec | None]


class Step(NamedTuple):
    """One draw of a call.

    Attributes:
        program: what runs.
        ints: its numbers.
        sources: which values it reads: inputs of the kernel, then results of steps, in order.
        target: a texture as the step writes it.
        rows: how many rows of it are used.
    """

    program: Program
    ints: tuple[int, ...]
    sources: tuple[int, ...]
    target: Texture
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


class CompiledCall:
    """Runs the draws of a kernel for operands of the specs that it was made for."""

    __slots__ = ("_backend", "_count", "_outputs", "_single", "_steps", "_used")

    def __init__(
        self, backend: WebglBackend, count: int, used: Sequence[int], steps: Sequence[Step], outputs: Sequence[Output]
    ) -> None:
        self._backend = backend
        self._count = count
        self._used = tuple(used)
        self._steps = tuple(steps)
        self._outputs = tuple(outputs)
        self._single = len(self._outputs) == 1

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        backend = self._backend
        textures: list[Texture | None] = [None] * self._count
        for number in self._used:
            values: Values = inputs[number].storage.data
            textures[number] = values.texture or backend.upload(inputs[number].storage)
        for step in self._steps:
            place = step.target
            target = backend.textures.take(place.width, place.height, 1, place.format)
            sources = tuple([textures[number] for number in step.sources])
            backend.commands.draw(Draw(step.program, sources, target, ints=step.ints, height=step.rows))  # type: ignore[arg-type]
            textures.append(target)
        infos = [self._wrap(output, inputs, textures) for output in self._outputs]
        kept = {output.value for output in self._outputs}
        for number in range(self._count, len(textures)):
            texture = textures[number]
            if number not in kept and texture is not None:
                backend.textures.give_back(texture)
        return infos[0] if self._single else infos

    def _wrap(self, output: Output, inputs: Sequence[Any], textures: Sequence[Texture | None]) -> TensorInfo:
        shape, dtype = output.spec
        if output.value is None:
            return self._backend.empty(shape, dtype)
        if output.value < self._count:
            return TensorInfo(inputs[output.value].storage, shape, dtype)
        storage = self._backend.adopt(textures[output.value], shape, dtype, output.nbytes)
        return TensorInfo(storage, shape, dtype)


def compile_call(backend: WebglBackend, kernel: Kernel, specs: Specs, attributes: Attributes) -> CompiledCall:
    """Render a kernel's definition.

    Raises:
        NotImplementedError: if the definition needs what GLSL cannot express.
    """
    inferred = kernel.infer(specs, attributes)
    wanted = [inferred] if isinstance(inferred, TensorSpec) else list(inferred)
    inputs = _flattened(kernel, specs, wanted)
    arrays = define(kernel.definition, inputs, dict(attributes), elementwise=kernel.elementwise)
    return _Compilation(backend, len(specs)).call(arrays, wanted)


def _flattened(kernel: Kernel, specs: Specs, wanted: Sequence[TensorSpec]) -> Specs:
    """The specs as those of flat arrays, where the kernel does not care."""
    if not kernel.elementwise or len(wanted) != 1:
        return specs
    shape = wanted[0].shape
    if not all(spec is None or spec.shape == shape or element_count(spec.shape) == 1 for spec in specs):
        return specs
    count = element_count(shape)
    return [None if s is None else TensorSpec((count,) if s.shape == shape else (1,), s.dtype) for s in specs]


class _Compilation:
    """Gives each array of a definition a number, and each stage a step."""

    def __init__(self, backend: WebglBackend, inputs: int) -> None:
        self._backend = backend
        self._inputs = inputs
        self._steps: list[Step] = []
        self._numbers: dict[int, int] = {}
        self._used: list[int] = []

    def call(self, arrays: Sequence[Array], wanted: Sequence[TensorSpec]) -> CompiledCall:
        outputs = []
        for array, spec in zip(arrays, wanted, strict=True):
            count = element_count(spec.shape)
            value = self._number(array) if count else None
            outputs.append(Output(value, spec, count * bytes_per_element(spec.dtype)))
        return CompiledCall(self._backend, self._inputs, self._used, self._steps, outputs)

    def _number(self, array: Array) -> int:
        """The number of the value that an array is, with the steps that lead to it."""
        if array.number is not None:
            return array.number
        if id(array) in self._numbers:
            return self._numbers[id(array)]
        shader = render(array)
        sources = tuple([self._source(source) for source in shader.sources])
        self._steps.append(self._step(array, shader, sources))
        number = self._numbers[id(array)] = self._inputs + len(self._steps) - 1
        return number

    def _source(self, array: Array) -> int:
        number = self._number(array)
        if array.number is not None and number not in self._used:
            self._used.append(number)
        return number

    def _step(self, array: Array, shader: Shader, sources: tuple[int, ...]) -> Step:
        backend = self._backend
        target = self._placed(array)
        ints = shader.ints(target, [self._placed(source) for source in shader.sources])
        program = backend.programs.get(shader.body, shader.samplers)
        return Step(program, ints, sources, target, FLAT.extent(array.shape, array.dtype).rows)

    def _placed(self, array: Array) -> Texture:
        """A texture as that of an array will be."""
        return placed(array.shape, array.dtype, self._backend.float_format, self._backend.limits)
