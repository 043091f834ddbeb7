"""How a step of a plan is computed: programs over numbered values, whichever place these lie in.

Values are numbered: first the slots of the step (see `terms`), then constants in the layout that a routine wants, then
what the programs compute. Products and windows go by their routines, over weights that were packed before if they are
constants; what else has routines by the programs that it has outside plans; and everything else by what its definition
is scheduled to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Final, NamedTuple

from tenfold.backends.wasm.checks import CHECKS, is_wrong
from tenfold.backends.wasm.convolutions import is_product
from tenfold.backends.wasm.layout import Panels
from tenfold.backends.wasm.poolings import POOLED_AS, pool_info, pooled, slides
from tenfold.backends.wasm.routines import ROUTINES
from tenfold.backends.wasm.terms import Arrays, Slots, StageTerms, StepTerms, Stored, Term
from tenfold.codegen.compute import Array, compute, stages_of
from tenfold.codegen.fusing import applied, inlined, with_stages
from tenfold.codegen.loops.program import ELEMENT_BYTES, Program, Target
from tenfold.codegen.procedures import Instead
from tenfold.codegen.routines.convolution import convolve
from tenfold.codegen.routines.matmul import best_layout, matmul
from tenfold.codegen.routines.packing import Operand, outer_layout
from tenfold.codegen.routines.routine import Routine, Walk
from tenfold.codegen.routines.windows import slide
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.core.kernel import TensorSpec
from tenfold.core.windows import ConvInfo, conv2d_attributes, conv2d_info

SCRATCH: Final = -1
"""Stands among the values of a stage for memory of a thread's own."""


class NotPlannedError(Exception):
    """A plan has a step that no programs compute."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A constant in another layout.

    Attributes:
        sources: the slots of what it is made of.
        panels: the layout.
        nbytes: its size.
    """

    sources: tuple[int, ...]
    panels: Panels
    nbytes: int


class Stage(NamedTuple):
    """One program of a step.

    Attributes:
        program: what runs.
        values: the numbers of the values that its buffers are, in order.
        walk: how its blocks go through the first of them and the last, if they do so in order.
    """

    program: Program
    values: tuple[int, ...]
    walk: Walk | None = None


@dataclass(slots=True)
class StepPrograms:
    """What computes a step.

    Attributes:
        slots: how many places the step names.
        packed: constants of its own, whose numbers follow those of the slots.
        stages: the programs, in order, and the values that their buffers are.
        computed: bytes of what programs compute; their numbers follow.
        outputs: which values are the step's outputs.
        scratch: bytes that a thread needs for itself.
        flag: which value is a bool that says whether an index was wrong, if that is computed.
    """

    slots: int
    packed: list[Packed] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    computed: list[int] = field(default_factory=list)
    outputs: tuple[int, ...] = ()
    scratch: int = 0
    flag: int | None = None

    def value(self, nbytes: int) -> int:
        """The number of one more computed value."""
        self.computed.append(nbytes)
        return self.slots + len(self.packed) + len(self.computed) - 1


def step_programs(step: StepTerms, slots: Slots, target: Target, number: int) -> StepPrograms:
    """How to compute a step.

    Args:
        step: the step.
        slots: its places.
        target: what for.
        number: a number of its own, for the names of programs.

    Raises:
        NotPlannedError: if no programs compute it.
    """
    try:
        done = (
            _by_routine(step, slots, target, number)
            or _by_recipe(step, slots, target, number)
            or _by_definition(step, slots, target, number)
        )
        _add_check(done, step, slots, target, f"check{number}")
    except NotImplementedError as error:
        raise NotPlannedError(f"{step.kernel.name}: {error}") from None
    return done


def _add_check(done: StepPrograms, step: StepTerms, slots: Slots, target: Target, name: str) -> None:
    """Compute whether an index is wrong, where one may be; those that are known beforehand have been looked at."""
    check = CHECKS.get(step.kernel.name)
    if check is None:
        return
    term = step.inputs[check.number]
    if not isinstance(term, Stored) or term.is_constant:
        return
    shapes = [() if one is None else one.spec.shape for one in step.inputs]
    flag = is_wrong(check, Arrays(slots).of(term), shapes, step.attributes)
    done.flag = _scheduled(done, [flag], target, name)[id(flag)]


# --- definitions -------------------------------------------------------------------------------------------


def _by_definition(step: StepTerms, slots: Slots, target: Target, number: int) -> StepPrograms:
    if step.kernel.definition is None:
        raise NotPlannedError(f"{step.kernel.name} has no definition.")
    arrays = Arrays(slots)
    inputs = arrays.of_all(step.inputs)
    made = applied(step.kernel.definition, inputs, step.attributes, elementwise=step.kernel.elementwise)
    finished = []
    for array in made:
        if step.epilogue and isinstance(array.procedure, Instead):
            array = array.procedure.array
        if not array.is_computed:
            array = _copy(array)
        if step.epilogue:
            # What a procedure computes is in no expression that stages could follow in.
            producers = [array] if array.procedure is None else []
            array = inlined(with_stages(array, arrays.stages(step.epilogue)), producers)
        finished.append(array if array.procedure is not None else inlined(array, arrays.inside))
    done = StepPrograms(len(slots.numbers))
    numbers = _scheduled(done, finished, target, f"step{number}")
    done.outputs = tuple(numbers[id(array)] for array in finished)
    return done


def _copy(array: Array) -> Array:
    return compute(array.shape, lambda *i: array[i])


def _scheduled(done: StepPrograms, finished: Sequence[Array], target: Target, name: str) -> dict[int, int]:
    """Add the programs of all stages that arrays are computed in; the values' numbers by the ids of the arrays."""
    numbers: dict[int, int] = {}
    for position, array in enumerate(stages_of(*finished, procedures=True)):
        program, sources = schedule(array, target, f"{name}_{position}")
        read = [numbers[id(source)] if source.number is None else source.number for source in sources]
        numbers[id(array)] = value = done.value(array.size * ELEMENT_BYTES[array.dtype])
        done.stages.append(Stage(program, (*read, value)))
    return numbers


# --- routines ----------------------------------------------------------------------------------------------


def _by_routine(step: StepTerms, slots: Slots, target: Target, number: int) -> StepPrograms | None:
    """The programs of a step that a routine computes faster than its definition does."""
    specs = [None if term is None else term.spec for term in step.inputs]
    make = _ROUTINES.get(step.kernel.name)
    if make is None or any(spec is not None and spec.dtype != "float32" for spec in (*specs, *step.outputs)):
        return None
    return make(step, slots, target, f"step{number}")


def _convolution(step: StepTerms, slots: Slots, target: Target, name: str) -> StepPrograms | None:
    """Products of patches and filters; of pixels and filters, where a window is one pixel."""
    image, filter = step.inputs
    if not isinstance(image, Stored) or not isinstance(filter, Stored) or not filter.is_constant:
        return None
    info = windows(step, image, filter)
    if info.data_format != "NHWC" or info.groups != 1:
        return None
    result = Array(step.outputs[0].shape, "float32", SCRATCH)
    depth, columns = prod(filter.spec.shape[:-1]), info.out_channels

    multiplied = is_product(info.axes)
    layout = best_layout(depth, columns, target) if multiplied else outer_layout(target)

    def make(finished: Array) -> Routine:
        if multiplied:
            operand, title = Operand(depth, 1), f"{name}_product"
            return matmul(result, depth, operand, target, finished=finished, layout=layout, name=title)
        rows, across = info.axes
        return convolve(result, rows, across, info.in_channels, target, finished=finished, name=f"{name}_convolution")

    panels = Panels(depth, columns, layout)
    return _with_weights(step, result, image, filter, panels, make, slots, target, name)


def _product(step: StepTerms, slots: Slots, target: Target, name: str) -> StepPrograms | None:
    """A product of matrices of which the right one is a constant."""
    left, right = step.inputs
    shape = step.outputs[0].shape
    if not isinstance(left, Stored) or not (isinstance(right, Stored) and right.is_constant):
        return None
    if step.attributes.get("transpose_a") or prod(right.spec.shape[:-2]) != 1:
        return None
    if prod(left.spec.shape[:-1]) != prod(shape[:-1]):
        return None
    is_transposed = bool(step.attributes.get("transpose_b"))
    depth = right.spec.shape[-1 if is_transposed else -2]
    layout = best_layout(depth, shape[-1], target)
    panels = Panels(depth, shape[-1], layout, is_transposed)
    result = Array(shape, "float32", SCRATCH)

    def make(finished: Array) -> Routine:
        operand, title = Operand(depth, 1), f"{name}_product"
        return matmul(result, depth, operand, target, finished=finished, layout=layout, name=title)

    return _with_weights(step, result, left, right, panels, make, slots, target, name)


def _depthwise(step: StepTerms, slots: Slots, target: Target, name: str) -> StepPrograms | None:
    """A filter for each channel."""
    image, filter = step.inputs
    if not isinstance(image, Stored) or not isinstance(filter, Stored):
        return None
    info = windows(step, image, filter, depthwise=True)
    if info.data_format != "NHWC" or info.multiplier != 1 or info.in_channels < 2:
        return None
    result = Array(step.outputs[0].shape, "float32", SCRATCH)
    rows, across = info.axes

    def make(finished: Array) -> Routine:
        return slide("depthwise", result, rows, across, target, finished=finished, name=f"{name}_depthwise")

    done = StepPrograms(len(slots.numbers))
    inputs = [slots.numbers[image.place], slots.numbers[filter.place]]
    _add_routine(done, make, inputs, result, step.epilogue, slots, target, name)
    return done


def _pooling(step: StepTerms, slots: Slots, target: Target, name: str) -> StepPrograms | None:
    """The largest or the mean of what each window sees."""
    (image,) = step.inputs
    if not isinstance(image, Stored):
        return None
    kernel, info = step.kernel.name, pool_info(image.spec.shape, step.attributes)
    if not slides(info):
        return None
    result = Array(step.outputs[0].shape, "float32", SCRATCH)
    mean = pooled(kernel, result, info.axes)
    rows, across = info.axes

    def make(finished: Array) -> Routine:
        return slide(POOLED_AS[kernel], result, rows, across, target, finished=finished, name=f"{name}_pooling")

    done = StepPrograms(len(slots.numbers))
    _add_routine(done, make, [slots.numbers[image.place]], mean, step.epilogue, slots, target, name)
    return done


_ROUTINES: Final[dict[str, Callable[[StepTerms, Slots, Target, str], StepPrograms | None]]] = {
    "BatchMatMul": _product,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    **dict.fromkeys(POOLED_AS, _pooling),
}


def _by_recipe(step: StepTerms, slots: Slots, target: Target, number: int) -> StepPrograms | None:
    """The programs of a kernel as they are outside plans, where those do it by routines; then the epilogue."""
    make = ROUTINES.get(step.kernel.name)
    stored = [term for term in step.inputs if isinstance(term, Stored)]
    if make is None or len(stored) < len(step.inputs):
        return None
    specs = [term.spec for term in stored]
    inferred = step.kernel.infer(specs, step.attributes)
    wanted = [inferred] if isinstance(inferred, TensorSpec) else list(inferred)
    recipe = make(specs, step.attributes, wanted, target)
    if recipe is None:
        return None
    done = StepPrograms(len(slots.numbers))
    own = {stage.scratch for stage in recipe.stages}
    values = [slots.numbers[term.place] for term in stored]
    for value, size in enumerate(recipe.sizes, recipe.inputs):
        values.append(SCRATCH if value in own else done.value(size))
    for one in recipe.stages:
        done.stages.append(Stage(one.program, tuple([values[value] for value in one.values])))
        done.scratch = max(done.scratch, one.scratch_bytes)
    done.outputs = tuple([values[output.value] for output in recipe.outputs if output.value is not None])
    _add_second_pass(done, Array(*wanted[0]), step.epilogue, slots, target, f"step{number}")
    return done


def _with_weights(
    step: StepTerms,
    result: Array,
    left: Stored,
    weights: Stored,
    panels: Panels,
    make: Callable[[Array], Routine],
    slots: Slots,
    target: Target,
    name: str,
) -> StepPrograms | None:
    """A routine over packed weights, which begin with a constant bias if there is one."""
    depth, columns, layout, _ = panels
    if not depth:
        return None
    bias, epilogue = _bias(step.epilogue, columns)
    done = StepPrograms(len(slots.numbers))
    sources = [slots.numbers[term.place] for term in (weights, *bias)]
    done.packed.append(Packed(tuple(sources), panels, layout.size(depth, columns) * 4))
    inputs = [slots.numbers[left.place], done.slots]
    _add_routine(done, make, inputs, result, epilogue, slots, target, name)
    return done


def _add_routine(
    done: StepPrograms,
    make: Callable[[Array], Routine],
    inputs: Sequence[int],
    begun: Array,
    epilogue: tuple[StageTerms, ...],
    slots: Slots,
    target: Target,
    name: str,
) -> None:
    """Add a routine that applies as much of an epilogue as it can, and a second pass for the rest.

    Args:
        done: where to.
        make: the routine, given what it stores.
        inputs: the numbers of what it reads.
        begun: what it stores without an epilogue.
        epilogue: the stages.
        slots: the step's places.
        target: what for.
        name: of the programs.
    """
    arrays = Arrays(slots)
    for count in range(len(epilogue), -1, -1):
        finished = with_stages(begun, arrays.stages(epilogue[:count]))
        finished = inlined(finished, [*arrays.inside, *([begun] if begun.is_computed else [])])
        try:
            routine = make(finished)
            break
        except NotImplementedError:
            if not count:
                raise
    sources = [_slot(source) for source in routine.sources]
    scratch = [SCRATCH] if routine.scratch else []
    output = done.value(finished.size * ELEMENT_BYTES[finished.dtype])
    done.stages.append(Stage(routine.program, (*inputs, *sources, *scratch, output), routine.walk))
    done.scratch = max(done.scratch, routine.scratch)
    done.outputs = (output,)
    _add_second_pass(done, finished, epilogue[count:], slots, target, name)


def _add_second_pass(
    done: StepPrograms, first: Array, later: tuple[StageTerms, ...], slots: Slots, target: Target, name: str
) -> None:
    """Apply stages to the output of the programs so far."""
    if not later:
        return
    arrays = Arrays(slots)
    running = Array(first.shape, first.dtype, done.outputs[0])
    finished = inlined(with_stages(running, arrays.stages(later)), arrays.inside)
    numbers = _scheduled(done, [finished], target, f"{name}_then")
    done.outputs = (numbers[id(finished)],)


def _slot(array: Array) -> int:
    if array.number is None:
        raise NotImplementedError("an epilogue that reads what has to be computed first")
    return array.number


def _bias(epilogue: tuple[StageTerms, ...], columns: int) -> tuple[list[Stored], tuple[StageTerms, ...]]:
    """The constant bias that an epilogue begins with, if it does, and the rest."""
    if epilogue and epilogue[0].kernel.name == "Add":
        operands = [operand for operand in epilogue[0].operands if operand is not None]
        if len(operands) == 1 and isinstance(operands[0], Stored) and operands[0].is_constant:
            shape = operands[0].spec.shape
            if shape and shape[-1] == columns == prod(shape):
                return operands, epilogue[1:]  # type: ignore[return-value]
    return [], epilogue


def windows(step: StepTerms, image: Term, filter: Term, *, depthwise: bool = False) -> ConvInfo:
    """What shapes and attributes say of a convolution."""
    attributes = conv2d_attributes(step.attributes)
    return conv2d_info(image.spec.shape, filter.spec.shape, **attributes, depthwise=depthwise)
