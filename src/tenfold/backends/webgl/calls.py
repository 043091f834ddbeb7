"""What runs the calls of a kernel for the shapes, dtypes and attributes that it was compiled for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.backends.host_calls import FORWARDED, run_on_host
from tenfold.backends.webgl.flat import INTEGERS
from tenfold.codegen.glsl.renderer import beginning_at
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, TensorSpec
from tenfold.devices.gl.interface import Draw, Program, Texture

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend
    from tenfold.backends.webgl.compilation import Recipe
    from tenfold.backends.webgl.textures import Shelf

Given = tuple[int, ...]
"""The inputs of a kernel that come to the shader as uniforms."""


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

    def ints_for(self, textures: Sequence[Texture], texels: Sequence[int]) -> tuple[int, ...]:
        """The numbers where sources may begin at other texels than the first, in textures of other widths."""
        if not any(texels):
            return self.ints
        changed = list(self.ints)
        for at, (texture, texel) in enumerate(zip(textures, texels, strict=True), 1):
            if texel:
                changed[at] = beginning_at(texture.width.bit_length() - 1, texel)
        return tuple(changed)


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
        single: bool,
    ) -> None:
        self._backend = backend
        self._kernel_name = kernel_name
        self._count = count
        self._used = tuple(used)
        self._steps = tuple(steps)
        self._outputs = tuple(outputs)
        self._single = single

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        backend = self._backend
        if backend.forwards(inputs):
            return run_on_host(backend, self._kernel_name, inputs, attributes, FORWARDED)
        places = {n: backend.place_of(inputs[n].storage) for n in self._used}
        textures = {number: texture for number, (texture, _) in places.items()}
        texels = {number: texel for number, (_, texel) in places.items() if texel}
        try:
            for number, step in enumerate(self._steps, self._count):
                target = textures[number] = backend.textures.take_from(step.shelf)
                sources = tuple([textures[source] for source in step.sources])
                ints = step.ints_for(sources, [texels.get(source, 0) for source in step.sources])
                backend.commands.draw(Draw(step.program, sources, target, ints=ints, height=step.rows))
        except BaseException:
            self._give_back(textures, frozenset())
            raise
        infos = [self._wrap(output, inputs, textures) for output in self._outputs]
        self._give_back(textures, {output.value for output in self._outputs})
        return infos[0] if self._single else infos

    def _give_back(self, textures: Mapping[int, Texture], kept: Collection[int | None]) -> None:
        """Give back what steps computed, but for what is kept."""
        for number, texture in textures.items():
            if number >= self._count and number not in kept:
                self._backend.textures.give_back(texture)

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


class Variant(NamedTuple):
    """A draw, with some inputs as uniforms.

    Attributes:
        textures: the inputs that it reads from textures, in the order of the step's sources.
        given: those that are uniforms, in the order of the shader's.
        step: the draw.
    """

    textures: tuple[int, ...]
    given: Given
    step: Step


class SingleDrawCall:
    """Runs a kernel that is one draw and has one result; what most eager ops spend their time in.

    Inputs of a few numbers that are still on the host, such as what users write as `x * 2`, come to the shader as
    uniforms: to fill a texture takes as long as several draws. For each set of such inputs there is a variant.
    """

    __slots__ = ("_backend", "_dtype", "_nbytes", "_plain", "_reads", "_recipe", "_shape", "_variants")

    def __init__(self, recipe: Recipe, reads: Sequence[int], output: Output) -> None:
        """Make it; nothing is compiled before `variant_for`.

        Args:
            recipe: what variants are compiled from.
            reads: the inputs that the kernel reads.
            output: the result.
        """
        self._backend = recipe.backend
        self._recipe = recipe
        self._reads = tuple(reads)
        self._shape, self._dtype = output.spec
        self._nbytes = output.nbytes
        self._plain: Variant | None = None
        self._variants: dict[Given, Variant] = {}

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        plain = self._plain
        if plain is None:
            return self._from_host(inputs)
        textures = []
        for number in plain.textures:
            texture = inputs[number].storage.data.texture
            if texture is None:
                return self._from_host(inputs)
            textures.append(texture)
        return self._run(plain.step, textures, plain.step.ints, ())

    def _from_host(self, inputs: Sequence[Any]) -> KernelResult:
        """Run it with inputs of which some may not be on the device."""
        backend = self._backend
        if backend.forwards(inputs):
            return run_on_host(backend, self._recipe.kernel.name, inputs, self._recipe.attributes, FORWARDED)
        variant = self.variant_for(inputs)
        places = [backend.place_of(inputs[number].storage) for number in variant.textures]
        textures = [texture for texture, _ in places]
        floats: tuple[float, ...] = ()
        ints = variant.step.ints_for(textures, [texel for _, texel in places])
        for number in variant.given:
            storage = inputs[number].storage
            if storage.dtype in INTEGERS:
                ints += storage.data.four_numbers()
            else:
                floats += storage.data.four_numbers()
        return self._run(variant.step, textures, ints, floats)

    def variant_for(self, inputs: Sequence[Any]) -> Variant:
        """The draw with those inputs as uniforms that are few numbers on the host."""
        most = self._backend.settings.uniforms_up_to
        given = tuple([number for number in self._reads if inputs[number].storage.data.is_few(most)])
        found = self._variants.get(given)
        if found is None:
            found = self._variants[given] = self._recipe.variant(given)
            if not given:
                self._plain = found
        return found

    def _run(
        self, step: Step, textures: Sequence[Texture], ints: tuple[int, ...], floats: tuple[float, ...]
    ) -> TensorInfo:
        backend = self._backend
        target = backend.textures.take_from(step.shelf)
        backend.commands.draw(Draw(step.program, tuple(textures), target, 0, 1, ints, floats, 0, 0, 0, step.rows))
        shape, dtype = self._shape, self._dtype
        return TensorInfo(backend.adopt(target, shape, dtype, self._nbytes), shape, dtype)

    def dispose(self) -> None:
        """Give the programs back."""
        for variant in self._variants.values():
            self._backend.programs.release(variant.step.program)
