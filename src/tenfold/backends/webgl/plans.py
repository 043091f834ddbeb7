"""Plans on the webgl backend: a recorded list of draws over textures that are made once.

Weights are uploaded in their final layout when the plan is compiled, and textures serve several values, one after the
other. To run a plan is to upload its inputs and to replay the recording. Outputs belong to the caller: while somebody
still holds those of a run, the next one draws into others, by a recording of its own (a `Variant`); variants that are
free again are used again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenfold.backends.webgl.assembly import Assembly, Place, assemble
from tenfold.backends.webgl.values import PlanOutput, Values
from tenfold.codegen.compute import Array, compute
from tenfold.codegen.glsl.layouts import FLAT
from tenfold.codegen.glsl.renderer import render
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import TensorInfo
from tenfold.core.storage import Storage
from tenfold.devices.gl.interface import Draw, Program, Texture

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend
    from tenfold.core.kernel import Operand
    from tenfold.graph.plan import Plan

MOST_FREE: Final = 2
"""Variants that are kept although nobody uses their outputs."""


class Variant:
    """A recording and the textures that it writes its outputs to.

    Attributes:
        recording: the device's number for it.
        outputs: the textures by place.
        held: how many outputs of the last run somebody holds.
    """

    __slots__ = ("held", "outputs", "recording")

    def __init__(self, recording: int, outputs: dict[int, Texture]) -> None:
        self.recording = recording
        self.outputs = outputs
        self.held = 0


class WebglPlan:
    """A plan made ready: call it with operands for the plan's inputs.

    Raises:
        NotPlannedError: if there is a step that no draws compute.
    """

    def __init__(self, backend: WebglBackend, plan: Plan) -> None:
        self._backend = backend
        self._specs = [plan.specs[number] for number in plan.outputs]
        self._assembly: Assembly = assemble(plan, backend.float_format, backend.limits)
        assembly = self._assembly
        self._own_outputs = {place for place in assembly.outputs if place >= 0}
        self._textures = self._make_textures()
        self._programs: list[Program] = []
        self._variants: list[Variant] = []
        self._free: list[Variant] = []

    @property
    def draws(self) -> int:
        """How many draws a run takes."""
        return len(self._assembly.draws)

    def compile(self) -> None:
        """Compile what is not yet compiled; the first run does so otherwise."""
        if not self._programs:
            self._programs = [self._backend.programs.get(d.body, d.samplers) for d in self._assembly.draws]

    def __call__(self, inputs: Sequence[Operand]) -> list[Operand]:
        """Run the plan; the results are held once for the caller."""
        backend = self._backend
        for place, operand in zip(self._assembly.inputs, inputs, strict=True):
            if place is not None:
                self._feed(place, operand)
        variant = self._free.pop() if self._free else self._new_variant()
        recording = variant.recording
        backend.commands.replay(recording, len(self._assembly.draws))
        storages = {place: self._storage(place, variant) for place in self._own_outputs}
        results: list[Operand] = []
        for place, spec in zip(self._assembly.outputs, self._specs, strict=True):
            storage = storages[place] if place >= 0 else inputs[-1 - place].storage
            storage.hold()
            results.append(TensorInfo(storage, spec.shape, spec.dtype))
        return results

    def dispose(self) -> None:
        """Give the textures back."""
        for variant in self._free:
            self._forget(variant)
        self._free.clear()
        for texture in set(self._textures.values()):
            self._backend.textures.give_back(texture)
        self._textures.clear()

    # -- textures -----------------------------------------------------------------------------------------

    def _make_textures(self) -> dict[int, Texture]:
        """The texture of each place but for outputs; one serves again after the last draw that reads it."""
        assembly, backend = self._assembly, self._backend
        last_read = {place: at for at, draw in enumerate(assembly.draws) for place in draw.sources}
        fixed = {place for place in assembly.inputs if place is not None} | self._own_outputs
        textures: dict[int, Texture] = {}
        free: dict[Any, list[Texture]] = {}
        for number, place in enumerate(assembly.places):
            if place.values is not None or (number in fixed and number not in self._own_outputs):
                textures[number] = self._take(place)
            if place.values is not None:
                backend.commands.upload(textures[number], _filled(place, place.layout.packed(place.values)))
        for at, draw in enumerate(assembly.draws):
            if draw.target not in self._own_outputs:
                place = assembly.places[draw.target]
                pool = free.get((place.extent[:3], place.format))
                textures[draw.target] = pool.pop() if pool else self._take(place)
            for source in set(draw.sources):
                place = assembly.places[source]
                if last_read[source] == at and place.values is None and source not in fixed:
                    free.setdefault((place.extent[:3], place.format), []).append(textures[source])
        return textures

    def _take(self, place: Place) -> Texture:
        width, height, layers, *_ = place.extent
        return self._backend.textures.take(width, height, layers, place.format)

    def _feed(self, number: int, operand: Operand) -> None:
        """Bring an input to its place."""
        backend, place, texture = self._backend, self._assembly.places[number], self._textures[number]
        values: Values = operand.storage.data
        host = values.host if values.host is not None else backend.read_sync(operand.storage)
        backend.commands.upload(texture, _filled(place, place.layout.packed(host.reshape(operand.shape))))

    # -- outputs ------------------------------------------------------------------------------------------

    def _new_variant(self) -> Variant:
        self.compile()
        outputs = {number: self._take(self._assembly.places[number]) for number in self._own_outputs}
        textures = {**self._textures, **outputs}
        draws = []
        for draw, program in zip(self._assembly.draws, self._programs, strict=True):
            extent = self._assembly.places[draw.target].extent
            draws.append(
                Draw(
                    program,
                    tuple([textures[source] for source in draw.sources]),
                    textures[draw.target],
                    layers=extent.layers,
                    ints=draw.ints,
                    floats=draw.floats,
                    y=extent.origin,
                    width=extent.across,
                    height=extent.rows,
                )
            )
        return Variant(self._backend.commands.record(draws), outputs)

    def _storage(self, number: int, variant: Variant) -> Storage:
        """A storage over an output's texture, which comes back to the variant."""
        place, backend = self._assembly.places[number], self._backend
        array = place.array
        variant.held += 1
        nbytes = array.size * bytes_per_element(array.dtype)
        output = PlanOutput(variant.outputs[number], place.layout, place.extent, lambda: self._give_back(variant))
        return backend.adopt_output(output, array.shape, array.dtype, nbytes)

    def _give_back(self, variant: Variant) -> None:
        variant.held -= 1
        if variant.held:
            return
        if len(self._free) < MOST_FREE and self._textures:
            self._free.append(variant)
        else:
            self._forget(variant)

    def _forget(self, variant: Variant) -> None:
        self._backend.commands.forget(variant.recording)
        for texture in variant.outputs.values():
            self._backend.textures.give_back(texture)


def flattened(backend: WebglBackend, storage: Storage, output: PlanOutput) -> Texture:
    """The flat texture of what a plan left in columns."""
    given = Array(storage.shape, storage.dtype, 0)
    shader = render(compute(storage.shape, lambda *i: given[i]), FLAT, {id(given): output.layout})
    extent = FLAT.extent(storage.shape, storage.dtype)
    target = backend.textures.take(extent.width, extent.height, 1, backend.float_format)
    program = backend.programs.get(shader.body, shader.samplers)
    ints = shader.ints(target, [output.texture])
    backend.commands.draw(Draw(program, (output.texture,), target, ints=ints, height=extent.rows))
    return target


def _filled(place: Place, texels: np.ndarray) -> np.ndarray:
    """The used texels of a place as all texels of its texture."""
    extent = place.extent
    if texels.shape == (extent.layers, extent.height, extent.width, 4):
        return texels
    filled = np.zeros((extent.layers, extent.height, extent.width, 4), texels.dtype)
    filled[:, extent.origin : extent.origin + extent.rows] = texels
    return filled
