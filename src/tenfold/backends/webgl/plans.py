"""Plans on the webgl backend: a recorded list of draws over textures that are made once.

Weights are uploaded in their final layout when the plan is compiled, and textures serve several values, one after the
other. To run a plan is to upload its inputs and to replay the recording. Outputs belong to the caller: while somebody
still holds those of a run, the next one draws into others, by a recording of its own (a `Variant`); variants that are
free again are used again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import finalize

import numpy as np

from tenfold.backends.webgl.assembly import Assembly, Place, assemble
from tenfold.backends.webgl.flat import placed, to_numbers
from tenfold.backends.webgl.values import PlanOutput, Values
from tenfold.codegen.compute import Array, compute
from tenfold.codegen.glsl.layouts import FLAT, Columns, Flat
from tenfold.codegen.glsl.renderer import beginning_at, render
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import TensorInfo
from tenfold.core.storage import Storage
from tenfold.devices.gl.interface import Draw, Program, Texture

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend
    from tenfold.backends.webgl.programs import Text
    from tenfold.core.kernel import Operand
    from tenfold.graph.plan import Plan

MOST_FREE: Final = 2
"""Variants that are kept although nobody uses their outputs."""

MOST_WAITING: Final = 2**25
"""Bytes of constants on their way to textures at once."""


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


class Holdings:
    """What a plan has of the device, and gives back when it is gone and nobody holds its outputs any more."""

    def __init__(self, backend: WebglBackend) -> None:
        self._backend = backend
        self.textures: dict[int, Texture] = {}
        self.programs: dict[Text, Program] = {}
        self.free: list[Variant] = []
        self.is_open = True

    def program(self, text: Text) -> Program:
        """The program of a text, kept until the end."""
        found = self.programs.get(text)
        if found is None:
            found = self.programs[text] = self._backend.programs.get(*text)
        return found

    def give_back(self, variant: Variant) -> None:
        """One of a variant's outputs is not held any more."""
        variant.held -= 1
        if variant.held:
            return
        if self.is_open and len(self.free) < MOST_FREE:
            self.free.append(variant)
        else:
            self._forget(variant)

    def close(self) -> None:
        """Give everything back that no output needs; called from finalisers, which only enqueue."""
        self._backend.commands.add_later(lambda device: self._close())

    def _close(self) -> None:
        self.is_open = False
        for variant in self.free:
            self._forget(variant)
        for texture in {texture.handle: texture for texture in self.textures.values()}.values():
            self._backend.textures.give_back(texture)
        for program in self.programs.values():
            self._backend.programs.release(program)

    def _forget(self, variant: Variant) -> None:
        self._backend.commands.forget(variant.recording)
        for texture in variant.outputs.values():
            self._backend.textures.give_back(texture)


class WebglPlan:
    """A plan made ready: call it with operands for the plan's inputs.

    Raises:
        NotPlannedError: if there is a step that no draws compute.
    """

    def __init__(self, backend: WebglBackend, plan: Plan) -> None:
        self._backend = backend
        self._specs = [plan.specs[number] for number in plan.outputs]
        self._assembly: Assembly = assemble(plan, backend.float_format, backend.limits)
        self._own_outputs = {place for place in self._assembly.outputs if place >= 0}
        self._holdings = Holdings(backend)
        finalize(self, self._holdings.close)
        self._make_textures()

    @property
    def draws(self) -> int:
        """How many draws a run takes."""
        return len(self._assembly.draws)

    def __call__(self, inputs: Sequence[Operand]) -> list[Operand]:
        """Run the plan; the results are held once for the caller."""
        backend = self._backend
        with backend.lock:
            for place, operand in zip(self._assembly.inputs, inputs, strict=True):
                if place is not None:
                    self._feed(place, operand)
            free = self._holdings.free
            variant = free.pop() if free else self._new_variant()
            backend.commands.replay(variant.recording, self.draws)
            storages = {place: self._storage(place, variant) for place in self._own_outputs}
        results: list[Operand] = []
        for place, spec in zip(self._assembly.outputs, self._specs, strict=True):
            storage = storages[place] if place >= 0 else inputs[-1 - place].storage
            storage.hold()
            results.append(TensorInfo(storage, spec.shape, spec.dtype))
        return results

    def warmup(self, report: Callable[[float], None]) -> None:
        """Compile everything: draw each draw, since some drivers compile only then."""
        backend = self._backend
        with backend.lock:
            outputs = self._output_textures()
            draws = self._draws(outputs)
            for number, draw in enumerate(draws, 1):
                with backend.commands.device_in_order() as device:
                    device.draw(draw)
                    device.finish()
                report(number / len(draws))
            self._holdings.free.append(Variant(backend.commands.record(draws), outputs))

    # -- textures -----------------------------------------------------------------------------------------

    def _make_textures(self) -> None:
        """The texture of each place but for outputs; one serves again after the last draw that reads it."""
        assembly, textures = self._assembly, self._holdings.textures
        lasting = {place for place in assembly.inputs if place is not None} | self._own_outputs
        self._upload_constants(lasting)
        last_read = {place: at for at, draw in enumerate(assembly.draws) for place in draw.sources}
        free: dict[Any, list[Texture]] = {}
        for number in lasting - self._own_outputs - textures.keys():
            textures[number] = self._take(assembly.places[number])
        for at, draw in enumerate(assembly.draws):
            if draw.target not in self._own_outputs:
                place = assembly.places[draw.target]
                pool = free.get((place.extent[:3], place.format))
                textures[draw.target] = pool.pop() if pool else self._take(place)
            for source in set(draw.sources) - lasting:
                if last_read[source] == at:
                    place = assembly.places[source]
                    free.setdefault((place.extent[:3], place.format), []).append(textures[source])

    def _upload_constants(self, lasting: set[int]) -> None:
        """Upload what never changes; it is not needed on the host any more."""
        backend, waiting = self._backend, 0
        for number, place in enumerate(self._assembly.places):
            if place.values is None:
                continue
            lasting.add(number)
            texture = self._holdings.textures[number] = self._take(place)
            backend.commands.upload(texture, _filled(place, place.layout.packed(place.values)))
            place.values = None
            waiting += texture.bytes
            if waiting > MOST_WAITING:
                backend.commands.submit()
                waiting = 0

    def _take(self, place: Place) -> Texture:
        width, height, layers, *_ = place.extent
        return self._backend.textures.take(width, height, layers, place.format)

    # -- running ------------------------------------------------------------------------------------------

    def _feed(self, number: int, operand: Operand) -> None:
        """Bring an input to its place: by an upload from the host, by a draw from where it lies on the device."""
        place, texture = self._assembly.places[number], self._holdings.textures[number]
        values: Values = operand.storage.data
        if values.host is None:
            self._draw_input(place, texture, operand)
        elif isinstance(place.layout, Columns):
            packed = place.layout.packed(values.host.reshape(operand.shape))
            self._backend.commands.upload(texture, _filled(place, packed))
        else:
            numbers = to_numbers(values.host)
            self._backend.commands.add(lambda device: device.upload_flat(texture, numbers))

    def _draw_input(self, place: Place, texture: Texture, operand: Operand) -> None:
        source = self._backend.upload(operand.storage)
        given = Array(operand.shape, operand.dtype, 0)
        shader = render(compute(operand.shape, lambda *i: given[i]), place.layout)
        program = self._holdings.program((shader.body, shader.samplers))
        self._backend.commands.draw(_draw_over(place, program, (source,), texture, shader.ints(texture, [source])))

    def _new_variant(self) -> Variant:
        outputs = self._output_textures()
        return Variant(self._backend.commands.record(self._draws(outputs)), outputs)

    def _output_textures(self) -> dict[int, Texture]:
        return {number: self._take(self._assembly.places[number]) for number in self._own_outputs}

    def _draws(self, outputs: dict[int, Texture]) -> list[Draw]:
        """The draws of a run that leaves its outputs in these textures."""
        textures, draws = {**self._holdings.textures, **outputs}, []
        for draw in self._assembly.draws:
            sources = tuple([textures[source] for source in draw.sources])
            program = self._holdings.program((draw.body, draw.samplers))
            place, target = self._assembly.places[draw.target], textures[draw.target]
            draws.append(_draw_over(place, program, sources, target, draw.ints, draw.floats))
        return draws

    def _storage(self, number: int, variant: Variant) -> Storage:
        """A storage over an output's texture, which comes back to the variant."""
        place, holdings = self._assembly.places[number], self._holdings
        array = place.array
        variant.held += 1
        nbytes = array.size * bytes_per_element(array.dtype)
        output = PlanOutput(variant.outputs[number], place.layout, place.extent, lambda: holdings.give_back(variant))
        return self._backend.adopt_output(output, array.shape, array.dtype, nbytes)


def _draw_over(
    place: Place,
    program: Program,
    sources: tuple[Texture, ...],
    target: Texture,
    ints: tuple[int, ...],
    floats: tuple[float, ...] = (),
) -> Draw:
    """A draw over the used part of a place."""
    extent = place.extent
    return Draw(
        program,
        sources,
        target,
        layers=extent.layers,
        ints=ints,
        floats=floats,
        y=extent.origin,
        width=extent.across,
        height=extent.rows,
    )


def flattened(backend: WebglBackend, storage: Storage, output: PlanOutput) -> Texture:
    """The flat texture of what a plan left in columns."""
    return _copy(backend, storage, output.texture, output.layout, 0)


def copied(backend: WebglBackend, storage: Storage, texture: Texture, texel: int) -> Texture:
    """A flat texture of its own for values that lie in another one from a texel on."""
    return _copy(backend, storage, texture, FLAT, texel)


def _copy(backend: WebglBackend, storage: Storage, source: Texture, layout: Flat | Columns, texel: int) -> Texture:
    given = Array(storage.shape, storage.dtype, 0)
    shader = render(compute(storage.shape, lambda *i: given[i]), FLAT, {id(given): layout})
    place = placed(storage.shape, storage.dtype, backend.float_format, backend.limits)
    target = backend.textures.take(place.width, place.height, 1, place.format)
    program = backend.programs.get(shader.body, shader.samplers)
    of_target, of_source, *rest = shader.ints(target, [source])
    ints = (of_target, beginning_at(of_source, texel), *rest)
    rows = FLAT.extent(storage.shape, storage.dtype).rows
    backend.commands.draw(Draw(program, (source,), target, ints=ints, height=rows))
    return target


def _filled(place: Place, texels: np.ndarray) -> np.ndarray:
    """The used texels of a place as all texels of its texture."""
    extent = place.extent
    if texels.shape == (extent.layers, extent.height, extent.width, 4):
        return texels
    filled = np.zeros((extent.layers, extent.height, extent.width, 4), texels.dtype)
    filled[:, extent.origin : extent.origin + extent.rows] = texels
    return filled
