"""From a kernel to what runs it for given shapes, dtypes and attributes: a routine that applies, or its definition.

Elementwise kernels whose inputs have the shape of the result, or one element, are compiled for flat arrays of any
length, so that all shapes share a module.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from tenfold.backends.call_keys import frozen
from tenfold.backends.host_calls import HostCall
from tenfold.backends.wasm.calls import (
    Call,
    CallLayout,
    CallModule,
    GeneratedCall,
    Output,
    Recipe,
    ViewCall,
    nbytes,
    single_call,
)
from tenfold.backends.wasm.checks import CHECKS, CheckedCall
from tenfold.backends.wasm.keys import call_key, lasting_key
from tenfold.backends.wasm.modules import WIDTH, Stage, module_of
from tenfold.backends.wasm.recipes import MakeRecipe
from tenfold.backends.wasm.routines import ROUTINES
from tenfold.codegen.compute import Array, define, stages_of
from tenfold.codegen.expr import Expr
from tenfold.codegen.loops.program import Target
from tenfold.codegen.procedures import Instead
from tenfold.codegen.schedule.body import DEAR
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import Attributes, Kernel, TensorSpec
from tenfold.devices.wasm.interface import Label

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

Specs = Sequence[TensorSpec | None]

VIEWS: Final = ("Identity", "Reshape")
"""Kernels whose result is the storage of their first input, seen in another shape."""

IN_MEMORY: Final = ("float32", "int32", "bool", "complex64")
"""The dtypes that programs compute with."""

HOST_KERNELS: Final = {"BroadcastArgs": "its values are shapes, which must be looked at to see whether they fit"}
"""Kernels that run on the host though they have a definition, and why."""

DEAR_WORK: Final = 3
"""Functions that take many instructions take so many times as long as what memory takes."""

ANY_LENGTH: Final = 1 << 12
"""The length that programs for arrays of any length are made with."""


def compile_call(
    backend: WasmBackend,
    kernel: Kernel,
    inputs: Sequence[Any],
    attributes: Attributes,
    routines: Mapping[str, MakeRecipe] = ROUTINES,
) -> Call:
    """What runs a kernel for operands of the specs of these; kernels that have no routine run by their definitions."""
    specs = [None if x is None else TensorSpec(x.shape, x.dtype) for x in inputs]
    inferred = kernel.infer(specs, attributes)
    outputs = [inferred] if isinstance(inferred, TensorSpec) else list(inferred)
    if kernel.name in VIEWS:
        return ViewCall(outputs[0])
    if kernel.definition is None or kernel.name in HOST_KERNELS:
        return HostCall(backend, kernel.name, HOST_KERNELS.get(kernel.name, "it has no definition"))
    for spec in (*specs, *outputs):
        if spec is not None and spec.dtype not in IN_MEMORY:
            return HostCall(backend, kernel.name, f"programs do not compute with {spec.dtype}")
    try:
        if kernel.elementwise and isinstance(inferred, TensorSpec) and _is_flat(specs, inferred):
            return _flat_call(backend, kernel, specs, attributes, inferred)
        made = _made(backend, kernel, specs, attributes, outputs, routines)
        if isinstance(inferred, TensorSpec):
            call = single_call(backend, made, made.layout, inferred)
        else:
            call = GeneratedCall(backend, made, made.layout, outputs)
        return CheckedCall(backend, call, CHECKS[kernel.name]) if kernel.name in CHECKS else call
    except NotImplementedError as error:
        return HostCall(backend, kernel.name, str(error))


def _made(
    backend: WasmBackend,
    kernel: Kernel,
    specs: Specs,
    attributes: Attributes,
    wanted: Sequence[TensorSpec],
    routines: Mapping[str, MakeRecipe] | None,
) -> CallModule:
    """The module of a kernel, found on disk or made.

    Args:
        backend: for which backend.
        kernel: the kernel.
        specs: of its inputs.
        attributes: its attributes.
        wanted: the specs of its outputs.
        routines: what it may run by besides its definition; None for a module that serves arrays of any length.
    """
    device, target, any_length = backend.device, backend.target, routines is None
    shared = device.memory.is_shared
    key = call_key(kernel, specs, attributes, target, shared=shared, any_length=any_length)
    lasting = lasting_key([kernel.name], key) if any_length or routines is ROUTINES else None
    recalled = None if lasting is None else device.recall(lasting, kernel.name)
    if recalled is not None:
        module, note = recalled
        return CallModule(module, CallLayout.decode(note))
    routine = None if routines is None else routines.get(kernel.name)
    recipe = None if routine is None else routine(specs, attributes, wanted, target)
    if recipe is None:
        recipe = _recipe(target, kernel, specs, attributes, wanted)
    code, layout = module_of(recipe.stages, recipe.values, shared=shared, any_length=any_length), recipe.layout
    label = None if lasting is None else Label(lasting, layout.encode())
    return CallModule(device.load(code, kernel.name, label), layout)


def _recipe(
    target: Target, kernel: Kernel, specs: Specs, attributes: Attributes, wanted: Sequence[TensorSpec]
) -> Recipe:
    """What the definition says, for these shapes."""
    arrays = define(kernel.definition, specs, dict(attributes), elementwise=kernel.elementwise)
    computed = stages_of(*arrays, procedures=True)
    numbers = {id(array): number for number, array in enumerate(computed, len(specs))}
    outputs = []
    for array, spec in zip(arrays, wanted, strict=True):
        value = numbers[id(array)] if array.number is None else array.number
        outputs.append(Output(value if prod(spec.shape) else None, spec, nbytes(spec)))
    sizes = [array.size * bytes_per_element(array.dtype) for array in computed]
    work = sum(_work(array) for array in computed)
    return Recipe(_stages(target, computed, numbers), len(specs), sizes, outputs, work)


def _flat_call(backend: WasmBackend, kernel: Kernel, specs: Specs, attributes: Attributes, wanted: TensorSpec) -> Call:
    """A call of a module that serves all lengths; it is compiled for the first of them."""
    size = prod(wanted.shape)
    flat = [
        None if spec is None else TensorSpec((ANY_LENGTH,) if spec.shape == wanted.shape else (1,), spec.dtype)
        for spec in specs
    ]
    key: Hashable = (kernel.name, tuple(flat), frozen(attributes))
    made = backend.modules.get(key)
    if made is None:
        any_length = [TensorSpec((ANY_LENGTH,), wanted.dtype)]
        made = backend.modules[key] = _made(backend, kernel, flat, attributes, any_length, None)
    layout = made.layout._replace(sizes=(nbytes(wanted),), work=size * made.layout.work // ANY_LENGTH)
    return single_call(backend, made, layout, wanted, (-(-size // WIDTH),))


def _is_flat(specs: Specs, wanted: TensorSpec) -> bool:
    known = [spec for spec in specs if spec is not None]
    if not prod(wanted.shape) or not any(spec.shape == wanted.shape for spec in known):
        return False
    return all(spec.shape == wanted.shape or prod(spec.shape) == 1 for spec in known)


def _stages(target: Target, computed: Sequence[Array], numbers: dict[int, int]) -> list[Stage]:
    stages = []
    for position, array in enumerate(computed):
        if not array.size:  # nothing is written, and what reads it throws away what it reads
            continue
        program, sources = schedule(array, target, f"stage{position}")
        read = [numbers[id(source)] if source.number is None else source.number for source in sources]
        stages.append(Stage(program, (*read, numbers[id(array)])))
    return stages


def _work(array: Array) -> int:
    """How many times a stage computes something, roughly: once an element, or once a step of its reductions."""
    if isinstance(array.procedure, Instead):
        return _work(array.procedure.array)
    if array.procedure is not None:
        return array.procedure.work
    if array.stage is None:
        return 0
    steps, dear, seen = 1, 1, set[int]()
    waiting: list[Expr] = [array.stage.body]
    while waiting:
        expr = waiting.pop()
        if id(expr) in seen:
            continue
        seen.add(id(expr))
        if expr.function == "reduce":
            steps += prod(index.length for index in expr.value.ranges)
        if expr.function in DEAR:
            dear = DEAR_WORK
        waiting.extend(expr.arguments)
    return array.size * steps * dear
