"""Plans for batches as plans for one sample, to be run again and again: then all sizes of batches share a module.

A plan is such a one if every value that depends on its inputs has the batch as its first axis, and if each element is
computed from elements at the same place of that axis. Definitions tell: what they load from a batch, they load at the
first index of what they compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any, Final, NamedTuple

from tenfold.backends.wasm.assembly import products
from tenfold.backends.wasm.compilation import VIEWS
from tenfold.codegen.compute import Array, broadcast_shape, define, stages_of
from tenfold.codegen.expr import Expr
from tenfold.core.kernel import Attributes, TensorSpec, find_kernel_definition
from tenfold.graph.plan import EpilogueStage, Plan, Step

SHAPES: Final = {
    "BroadcastTo": "shape",
    "Conv2DBackpropInput": "input_shape",
    "Reshape": "shape",
    "Slice": "size",
}
"""Attributes that are shapes, with the batch as their first length."""


class Batch(NamedTuple):
    """A plan taken apart.

    Attributes:
        sample: the plan for one sample.
        samples: how many there are.
    """

    sample: Plan
    samples: int


def batch_of(plan: Plan) -> Batch | None:
    """A plan as one for each sample of a batch; None if it is not such a one, or better run on all at once."""
    first = [plan.specs[number].shape[:1] for number in plan.inputs]
    if not first or len(set(first)) != 1 or not first[0] or first[0][0] < 2:
        return None
    try:
        sample = _Sample(plan, first[0][0]).plan()
    except _NotPerSampleError:
        return None
    return None if _runs_at_once(sample) else Batch(sample, first[0][0])


def _runs_at_once(sample: Plan) -> bool:
    """Whether a batch is better run on all at once.

    That is where most of the work is products of single rows, which a batch makes products of matrices, and where there
    are no products at all: then a sample may be as little as one number.
    """
    work = single = 0
    for step in sample.steps:
        count = products(sample, step)
        work += count
        if prod(sample.specs[step.outputs[0]].shape[:-1]) == 1:
            single += count
    return 2 * single >= work


class _NotPerSampleError(Exception):
    """Samples of a batch depend on each other."""


class _Sample:
    """Makes the plan for one sample."""

    def __init__(self, plan: Plan, count: int) -> None:
        self._plan = plan
        self._count = count
        self._batched = set(plan.inputs)
        self._specs = list(plan.specs)

    def plan(self) -> Plan:
        for number in self._plan.inputs:
            self._specs[number] = self._of_one(number)
        steps = [self._step(step) for step in self._plan.steps]
        if not self._batched.issuperset(self._plan.outputs):
            raise _NotPerSampleError
        return replace(self._plan, specs=tuple(self._specs), steps=tuple(steps))

    def _of_one(self, number: int) -> TensorSpec:
        shape, dtype = self._plan.specs[number]
        if not shape or shape[0] != self._count:
            raise _NotPerSampleError
        return TensorSpec((1, *shape[1:]), dtype)

    def _step(self, step: Step) -> Step:
        read = {*step.inputs, *(operand for stage in step.epilogue for operand in stage.operands)}
        if not read & self._batched:
            return step
        if not self._batched.intersection(step.inputs):
            raise _NotPerSampleError
        attributes = self._attributes(step.kernel, step.attributes)
        if step.kernel not in VIEWS:
            specs = [None if number is None else self._plan.specs[number] for number in step.inputs]
            self._check(step.kernel, specs, [number in self._batched for number in step.inputs], step.attributes)
        self._check_epilogue(step)
        for number in step.outputs:
            self._specs[number] = self._of_one(number)
        self._infer(step, attributes)
        self._batched.update(step.outputs)
        return replace(step, attributes=attributes)

    def _attributes(self, kernel: str, attributes: Attributes) -> Attributes:
        name = SHAPES.get(kernel)
        if name is None or name not in attributes or list(attributes[name])[:1] != [self._count]:
            return attributes
        return {**attributes, name: (1, *list(attributes[name])[1:])}

    def _infer(self, step: Step, attributes: Attributes) -> None:
        """See that the kernel makes of one sample what it makes of a batch."""
        kernel = find_kernel_definition(step.kernel)
        if kernel is None:
            raise _NotPerSampleError
        specs = [None if number is None else self._specs[number] for number in step.inputs]
        try:
            inferred: Any = kernel.infer(specs, attributes)
        except ValueError:
            raise _NotPerSampleError from None
        made = [inferred] if isinstance(inferred, TensorSpec) else list(inferred)
        if [tuple(spec.shape) for spec in made] != [tuple(self._specs[number].shape) for number in step.outputs]:
            raise _NotPerSampleError

    def _check_epilogue(self, step: Step) -> None:
        for stage in step.epilogue:
            self._check_stage(stage, self._plan.specs[step.outputs[0]])

    def _check_stage(self, stage: EpilogueStage, running: TensorSpec) -> None:
        specs = [running if number is None else self._plan.specs[number] for number in stage.operands]
        batched = [number is None or number in self._batched for number in stage.operands]
        self._check(stage.kernel, specs, batched, stage.attributes)

    def _check(
        self, name: str, specs: Sequence[TensorSpec | None], batched: Sequence[bool], attributes: Attributes
    ) -> None:
        """See that each sample of the results comes from the same sample of the batched inputs alone."""
        kernel = find_kernel_definition(name)
        if kernel is None or kernel.definition is None:
            raise _NotPerSampleError
        if kernel.elementwise:
            shape = broadcast_shape([spec.shape for spec in specs if spec is not None])
            for spec, is_batched in zip(specs, batched, strict=True):
                if spec is not None and not _meets_samples(spec, is_batched, len(shape)):
                    raise _NotPerSampleError
            return
        results = define(kernel.definition, specs, dict(attributes), elementwise=False)
        samples = {number for number, is_batched in enumerate(batched) if is_batched}
        for array in stages_of(*results):
            if not _is_per_sample(array, samples, self._count):
                raise _NotPerSampleError


def _meets_samples(spec: TensorSpec, is_batched: bool, rank: int) -> bool:
    """Whether an operand of an elementwise kernel has the batch where the result has it, or is the same for all."""
    if is_batched:
        return len(spec.shape) == rank
    return len(spec.shape) < rank or spec.shape[0] == 1


def _is_per_sample(array: Array, samples: set[int], count: int) -> bool:
    """Whether a stage loads from batches, and from other stages, at the first index of what it computes only."""
    if array.stage is None or not array.shape or array.shape[0] != count:
        return False
    own = array.stage.axes[0].number
    seen, waiting = set[int](), [array.stage.body]
    while waiting:
        expr = waiting.pop()
        if id(expr) in seen:
            continue
        seen.add(id(expr))
        if expr.function == "index" and expr.value.number == own:
            return False
        arguments = expr.arguments
        if expr.function == "element" and (expr.value.number is None or expr.value.number in samples):
            if not arguments or not _is_index(arguments[0], own):
                return False
            arguments = arguments[1:]
        waiting.extend(arguments)
    return True


def _is_index(expr: Expr, number: int) -> bool:
    return expr.function == "index" and bool(expr.value.number == number)
