"""From a kernel's definition to draws, for given shapes, dtypes and attributes.

Each stage of a definition is a draw of its own. Elementwise kernels whose inputs have the shape of the result, or one
element, are rendered for flat arrays, so that all shapes share a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tenfold.backends.host_calls import HostCall
from tenfold.backends.webgl.assembled_calls import assembled_call
from tenfold.backends.webgl.calls import DrawCall, Given, Output, SingleDrawCall, Step, Variant, ViewCall
from tenfold.backends.webgl.flat import ON_DEVICE, element_count, placed
from tenfold.backends.webgl.host_kernels import host_reason
from tenfold.backends.webgl.pieces import Operand, Operation
from tenfold.backends.webgl.slices import slice_call
from tenfold.codegen.compute import Array, define
from tenfold.codegen.glsl.layouts import FLAT
from tenfold.codegen.glsl.renderer import Shader, loaded_arrays, render
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.errors import KernelNotFoundError
from tenfold.core.kernel import Attributes, Kernel, TensorSpec
from tenfold.devices.gl.interface import Texture

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import Call, WebglBackend

Specs = Sequence[TensorSpec | None]

VIEWS: Final = ("Identity", "Reshape")
"""Kernels whose result is the storage of their first input, seen in another shape."""


def compile_call(backend: WebglBackend, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> Call:
    """What runs a kernel for operands of the specs of these.

    Raises:
        KernelNotFoundError: if no definition can be rendered and there is no reason to compute it on the host.
    """
    specs = [None if x is None else TensorSpec(x.shape, x.dtype) for x in inputs]
    inferred = kernel.infer(specs, attributes)
    has_one = isinstance(inferred, TensorSpec)
    wanted = [inferred] if isinstance(inferred, TensorSpec) else list(inferred)
    if kernel.name in VIEWS:
        return ViewCall(wanted[0])
    if kernel.name == "Slice" and specs[0] is not None and specs[0].dtype in ON_DEVICE:
        view = slice_call(backend, specs[0], wanted[0], attributes)
        if view is not None:
            return view
    reason = host_reason(kernel, specs, wanted, attributes, backend.settings)
    if reason is not None:
        return HostCall(backend, kernel.name, reason)
    for spec in (*specs, *wanted):
        if spec is not None:
            # Refused here, by its own shape: definitions may see flat arrays.
            placed(spec.shape, spec.dtype, backend.float_format, backend.limits)
    if kernel.definition is None:
        raise KernelNotFoundError(f"The kernel {kernel.name!r} of the backend {backend.name!r} has no definition.")
    assembled = assembled_call(backend, kernel.name, specs, wanted[0], attributes) if has_one else None
    if assembled is not None:
        return assembled
    recipe = Recipe(backend, kernel, specs, attributes, wanted, has_one)
    try:
        return recipe.call(inputs)
    except NotImplementedError as error:
        if any(spec is not None and spec.dtype == "complex64" for spec in (*specs, *wanted)):
            return HostCall(backend, kernel.name, str(error))
        raise KernelNotFoundError(
            f"The backend {backend.name!r} cannot run the kernel {kernel.name!r}: {error}"
        ) from error


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a call is compiled from.

    Attributes:
        backend: for which backend.
        kernel: which kernel.
        specs: of its inputs.
        attributes: its attributes.
        wanted: the specs of its outputs.
        has_one: whether it gives its only output, rather than a list.
    """

    backend: WebglBackend
    kernel: Kernel
    specs: Specs
    attributes: Attributes
    wanted: Sequence[TensorSpec]
    has_one: bool

    def call(self, inputs: Sequence[Any]) -> SingleDrawCall | DrawCall:
        """What runs the draws of the kernel's definition, compiled for such operands."""
        arrays = self._arrays()
        reads = _inputs_of_single_draw(arrays) if self.has_one and element_count(self.wanted[0].shape) else None
        if reads is None:
            return _Compilation(self.backend, len(self.specs), ()).call(self, arrays)
        call = SingleDrawCall(self, reads, Output(len(self.specs), self.wanted[0], _nbytes(self.wanted[0])))
        call.variant_for(inputs)
        return call

    def variant(self, given: Given) -> Variant:
        """The only draw of the definition, with some inputs as uniforms."""
        made = _Compilation(self.backend, len(self.specs), given).variant(self._arrays()[0])
        operation = self._operation(made)
        if operation is not None:
            self.backend.commands.composer.operations[made.step.program.handle] = operation
        return made

    def _operation(self, variant: Variant) -> Operation | None:
        """What the program of a variant computes, where that may be composed with others."""
        if not self.kernel.elementwise or self.backend.settings.half:
            return None
        inputs, size = self._inputs(), element_count(self.wanted[0].shape)
        present = [spec for spec in inputs if spec is not None]
        if any(spec.dtype == "complex64" for spec in (*present, *self.wanted)):
            return None
        if any(spec.shape not in ((size,), (1,)) for spec in present):
            return None
        # A program that computes one element computes all from the first ones.
        operands = tuple([None if s is None else Operand(s.dtype, s.shape != (size,) or size == 1) for s in inputs])
        single = [operand is None or operand.is_single for operand in operands]
        return Operation(
            self.kernel.definition,
            self.attributes,
            operands,
            variant.textures,
            variant.given,
            tuple([single[number] for number in variant.textures]),
            all(single[number] for number in (*variant.textures, *variant.given)),
        )

    def _arrays(self) -> tuple[Array, ...]:
        """What the definition computes."""
        elementwise = self.kernel.elementwise
        return define(self.kernel.definition, self._inputs(), dict(self.attributes), elementwise=elementwise)

    def _inputs(self) -> Specs:
        """The specs of the inputs; as those of flat arrays, where the kernel does not care."""
        if not self.kernel.elementwise:
            return self.specs
        shape = self.wanted[0].shape
        if not all(s is None or s.shape == shape or element_count(s.shape) == 1 for s in self.specs):
            return self.specs
        flat = (element_count(shape),)
        return [None if s is None else TensorSpec(flat if s.shape == shape else (1,), s.dtype) for s in self.specs]


def _inputs_of_single_draw(arrays: Sequence[Array]) -> list[int] | None:
    """The inputs that a definition reads if it has one stage; None if it has not."""
    (array,) = arrays
    if array.stage is None:
        return None
    numbers = [source.number for source in loaded_arrays(array.stage.body)]
    return None if None in numbers else [number for number in numbers if number is not None]


def _nbytes(spec: TensorSpec) -> int:
    return element_count(spec.shape) * bytes_per_element(spec.dtype)


class _Compilation:
    """Gives each array of a definition a number, and each stage a step."""

    def __init__(self, backend: WebglBackend, inputs: int, given: Given) -> None:
        self._backend = backend
        self._inputs = inputs
        self._given = given
        self._steps: list[Step] = []
        self._numbers: dict[int, int] = {}
        self._used: list[int] = []

    def call(self, recipe: Recipe, arrays: Sequence[Array]) -> DrawCall:
        """The draws that compute all arrays."""
        outputs = []
        for array, spec in zip(arrays, recipe.wanted, strict=True):
            value = self._number(array) if element_count(spec.shape) else None
            outputs.append(Output(value, spec, _nbytes(spec)))
        name = recipe.kernel.name
        return DrawCall(self._backend, name, self._inputs, self._used, self._steps, outputs, recipe.has_one)

    def variant(self, array: Array) -> Variant:
        """The draw of an array that is computed from inputs alone."""
        shader = self._render(array)
        textures = tuple([self._number(source) for source in shader.sources])
        given = tuple([self._number(source) for source in shader.given])
        return Variant(textures, given, self._step(array, shader, textures))

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

    def _source(self, array: Array) -> int:
        number = self._number(array)
        if array.number is not None and number not in self._used:
            self._used.append(number)
        return number

    def _render(self, array: Array) -> Shader:
        if not self._given or array.stage is None:
            return render(array)
        return render(array, given=[a for a in loaded_arrays(array.stage.body) if a.number in self._given])

    def _step(self, array: Array, shader: Shader, sources: tuple[int, ...]) -> Step:
        backend = self._backend
        target = self._placed(array)
        units = backend.limits.texture_units
        if len(sources) > units:
            raise NotImplementedError(f"it reads {len(sources)} textures at once, and this device has {units}.")
        ints = shader.ints(target, [self._placed(source) for source in shader.sources])
        program = backend.programs.get(shader.body, shader.samplers)
        shelf = backend.textures.shelf(target.width, target.height, 1, target.format)
        return Step(program, ints, sources, shelf, FLAT.extent(array.shape, array.dtype).rows)

    def _placed(self, array: Array) -> Texture:
        """A texture as that of an array will be."""
        return placed(array.shape, array.dtype, self._backend.float_format, self._backend.limits)
