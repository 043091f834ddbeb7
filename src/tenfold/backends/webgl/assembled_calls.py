"""Eager calls of kernels that routines compute: a plan of one step, drawn at once over textures of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tenfold.backends.host_calls import FORWARDED, run_on_host
from tenfold.backends.webgl.assembly import CONVOLUTIONS, WORTHWHILE, Assembly, NotPlannedError, assemble
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, TensorSpec
from tenfold.devices.gl.interface import Draw, Texture
from tenfold.graph.plan import Plan, Step

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

BY_ROUTINE: Final = frozenset((*CONVOLUTIONS, "BatchMatMul"))
"""The kernels that routines compute where it pays."""


class AssembledCall:
    """Runs the draws of a routine; flat textures in, a flat texture out."""

    __slots__ = ("_assembly", "_backend", "_done_with", "_kernel_name", "_nbytes", "_programs", "_spec")

    def __init__(self, backend: WebglBackend, kernel_name: str, assembly: Assembly, spec: TensorSpec) -> None:
        self._backend = backend
        self._kernel_name = kernel_name
        self._assembly = assembly
        self._spec = spec
        self._nbytes = assembly.places[assembly.outputs[0]].array.size * bytes_per_element(spec.dtype)
        self._programs = [backend.programs.get(draw.body, draw.samplers) for draw in assembly.draws]
        self._done_with = _last_reads(assembly)

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        backend, assembly = self._backend, self._assembly
        if backend.forwards(inputs):
            return run_on_host(backend, self._kernel_name, inputs, attributes, FORWARDED)
        textures: dict[int, Texture] = {}
        for place, operand in zip(assembly.inputs, inputs, strict=True):
            if place is not None:
                textures[place] = backend.upload(operand.storage)
        for draw, program, done_with in zip(assembly.draws, self._programs, self._done_with, strict=True):
            written = assembly.places[draw.target]
            extent = written.extent
            target = backend.textures.take(extent.width, extent.height, extent.layers, written.format)
            textures[draw.target] = target
            backend.commands.draw(
                Draw(
                    program,
                    tuple([textures[source] for source in draw.sources]),
                    target,
                    layers=extent.layers,
                    ints=draw.ints,
                    floats=draw.floats,
                    y=extent.origin,
                    width=extent.across,
                    height=extent.rows,
                )
            )
            for source in done_with:
                backend.textures.give_back(textures[source])
        shape, dtype = self._spec
        return TensorInfo(backend.adopt(textures[assembly.outputs[0]], shape, dtype, self._nbytes), shape, dtype)

    def dispose(self) -> None:
        """Give the programs back."""
        for program in self._programs:
            self._backend.programs.release(program)


def assembled_call(
    backend: WebglBackend,
    kernel_name: str,
    specs: Sequence[TensorSpec | None],
    output: TensorSpec,
    attributes: Attributes,
) -> AssembledCall | None:
    """What runs a kernel by its routine; None where its definition serves better."""
    known = [spec for spec in specs if spec is not None]
    if kernel_name not in BY_ROUTINE or len(known) != len(specs) or not _pays(kernel_name, known, output):
        return None
    numbers = tuple(range(len(specs)))
    step = Step(kernel_name, numbers, (len(specs),), attributes)
    plan = Plan((*known, output), numbers, {}, (step,), (len(specs),))
    try:
        assembly = assemble(plan, backend.float_format, backend.limits, flat=True)
    except NotPlannedError:
        return None
    return AssembledCall(backend, kernel_name, assembly, output)


def _pays(kernel_name: str, specs: Sequence[TensorSpec], output: TensorSpec) -> bool:
    """Whether there are so many products that packing costs little beside them."""
    size = 1
    for length in output.shape:
        size *= length
    filter = specs[1].shape
    if kernel_name == "BatchMatMul":
        return True  # the assembly looks at the matrices themselves
    taps = filter[0] * filter[1]
    return size * taps * (1 if CONVOLUTIONS[kernel_name] else filter[2]) >= WORTHWHILE


def _last_reads(assembly: Assembly) -> list[list[int]]:
    """For each draw, the places that nothing reads after it, and that are the call's own."""
    kept = {place for place in (*assembly.inputs, *assembly.outputs) if place is not None}
    last = {place: at for at, draw in enumerate(assembly.draws) for place in draw.sources if place not in kept}
    done: list[list[int]] = [[] for _ in assembly.draws]
    for place, at in last.items():
        done[at].append(place)
    return done
