"""From a kernel's definition to what runs it, for given shapes, dtypes and attributes.

Elementwise kernels whose inputs have the shape of the result, or one element, are compiled for flat arrays of any
length, so that all shapes share a module.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from tenfold.backends.wasm.calls import Call, GeneratedCall, LeanCall, Output, SingleCall, ViewCall
from tenfold.backends.wasm.checks import CHECKS, CheckedCall
from tenfold.backends.wasm.host_calls import HostCall
from tenfold.backends.wasm.keys import frozen
from tenfold.backends.wasm.modules import WIDTH, Stage, module_of
from tenfold.codegen.compute import Array, define, stages_of
from tenfold.codegen.expr import Expr
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import Attributes, Kernel, TensorSpec
from tenfold.devices.wasm.interface import Module

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

Specs = Sequence[TensorSpec | None]

VIEWS: Final = ("Identity", "Reshape")
"""Kernels whose result is the storage of their first input, seen in another shape."""

IN_MEMORY: Final = ("float32", "int32", "bool", "complex64")
"""The dtypes that programs compute with."""

HOST_KERNELS: Final = {"BroadcastArgs": "its values are shapes, which must be looked at to see whether they fit"}
"""Kernels that run on the host though they have a definition, and why."""

ANY_LENGTH: Final = 1 << 12
"""The length that programs for arrays of any length are made with."""


def compile_call(backend: WasmBackend, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> Call:
    """What runs a kernel for operands of the specs of these."""
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
        call = _call(backend, kernel, specs, attributes, outputs, isinstance(inferred, TensorSpec))
        return CheckedCall(backend, call, CHECKS[kernel.name]) if kernel.name in CHECKS else call
    except NotImplementedError as error:
        return HostCall(backend, kernel.name, str(error))


def _call(
    backend: WasmBackend, kernel: Kernel, specs: Specs, attributes: Attributes, wanted: Sequence[TensorSpec], one: bool
) -> Call:
    """A call for these shapes."""
    arrays = define(kernel.definition, specs, dict(attributes), elementwise=kernel.elementwise)
    computed = stages_of(*arrays)
    numbers = {id(array): number for number, array in enumerate(computed, len(specs))}
    stages = _stages(backend, computed, numbers)
    outputs = []
    for array, spec in zip(arrays, wanted, strict=True):
        value = numbers[id(array)] if array.number is None else array.number
        outputs.append(Output(value if prod(spec.shape) else None, spec, _nbytes(spec)))
    used = sorted({value for stage in stages for value in stage.values if value < len(specs)})
    module = _loaded(backend, kernel.name, stages, [*used, *numbers.values()], any_length=False)
    sizes = [array.size * bytes_per_element(array.dtype) for array in computed]
    work = sum(_work(array) for array in computed)
    is_lean = one and len(stages) == len(sizes) == 1 and outputs[0].value == len(specs)
    kind = LeanCall if is_lean else SingleCall if one else GeneratedCall
    return kind(backend, module, len(specs), used, sizes, outputs, work)


def _flat_call(backend: WasmBackend, kernel: Kernel, specs: Specs, attributes: Attributes, wanted: TensorSpec) -> Call:
    """A call of a module that serves all lengths; it is compiled for the first of them."""
    size = prod(wanted.shape)
    flat = [
        None if spec is None else TensorSpec((ANY_LENGTH,) if spec.shape == wanted.shape else (1,), spec.dtype)
        for spec in specs
    ]
    key: Hashable = (kernel.name, tuple(flat), frozen(attributes))
    (array,) = define(kernel.definition, flat, dict(attributes), elementwise=True)
    stages = _stages(backend, [array], {id(array): len(specs)})
    used = [value for value in stages[0].values if value < len(specs)]
    module = backend.modules.get(key)
    if module is None:
        module = _loaded(backend, kernel.name, stages, stages[0].values, any_length=True)
        backend.modules[key] = module
    output = Output(len(specs), wanted, _nbytes(wanted))
    return LeanCall(backend, module, len(specs), used, [output.nbytes], [output], size, (-(-size // WIDTH),))


def _is_flat(specs: Specs, wanted: TensorSpec) -> bool:
    known = [spec for spec in specs if spec is not None]
    if not prod(wanted.shape) or not any(spec.shape == wanted.shape for spec in known):
        return False
    return all(spec.shape == wanted.shape or prod(spec.shape) == 1 for spec in known)


def _stages(backend: WasmBackend, computed: Sequence[Array], numbers: dict[int, int]) -> list[Stage]:
    stages = []
    for position, array in enumerate(computed):
        if not array.size:  # nothing is written, and what reads it throws away what it reads
            continue
        program, sources = schedule(array, backend.target, f"stage{position}")
        read = [numbers[id(source)] if source.number is None else source.number for source in sources]
        stages.append(Stage(program, (*read, numbers[id(array)])))
    return stages


def _loaded(
    backend: WasmBackend, name: str, stages: Sequence[Stage], values: Sequence[int], *, any_length: bool
) -> Module:
    code = module_of(stages, values, shared=backend.device.memory.is_shared, any_length=any_length)
    return backend.device.load(code, name)


def _nbytes(spec: TensorSpec) -> int:
    return prod(spec.shape) * bytes_per_element(spec.dtype)


def _work(array: Array) -> int:
    """How many times a stage computes something, roughly: once an element, or once a step of its reductions."""
    if array.stage is None:
        return 0
    steps, seen = 1, set[int]()
    waiting: list[Expr] = [array.stage.body]
    while waiting:
        expr = waiting.pop()
        if id(expr) in seen:
            continue
        seen.add(id(expr))
        if expr.function == "reduce":
            steps += prod(index.length for index in expr.value.ranges)
        waiting.extend(expr.arguments)
    return array.size * steps
