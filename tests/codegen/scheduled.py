"""Calls of kernels recorded from the samples of all ops, and definitions computed by scheduled programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tenfold.codegen.compute import Array, stages_of
from tenfold.codegen.loops.program import Buffer, Program, Target
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.core.engine import INTERCEPTORS, KernelCall, Outputs, Proceed
from tenfold.core.kernel import Attributes, find_kernel_definition
from tenfold.core.profiler import as_list
from tests.ops.harness import call as call_op
from tests.ops.test_samples import SAMPLES

Runner = Callable[[Program, Mapping[Buffer, np.ndarray]], dict[Buffer, np.ndarray]]
"""Runs a kernel on arrays and gives what it leaves in the buffers that it writes."""


class Recorded(NamedTuple):
    """One call of a kernel that has a definition.

    Attributes:
        name: the kernel's.
        inputs: values of its inputs; None for an absent one.
        attributes: the kernel's.
        outputs: what the cpu backend made of them.
    """

    name: str
    inputs: tuple[np.ndarray | None, ...]
    attributes: Attributes
    outputs: tuple[np.ndarray, ...]


@lru_cache(maxsize=1)
def recorded_calls() -> tuple[Recorded, ...]:
    """All calls of kernels with definitions in the samples of the ops, but those of text."""
    recorded: list[Recorded] = []

    def record(call: KernelCall, proceed: Proceed) -> Outputs:
        outputs = proceed(call)
        kernel = find_kernel_definition(call.name)
        made = as_list(outputs)
        known = [t for t in (*call.inputs, *made) if t is not None]
        if kernel is not None and kernel.definition is not None and all(t.dtype != "string" for t in known):
            inputs = tuple(None if t is None else t.numpy() for t in call.inputs)
            recorded.append(Recorded(call.name, inputs, call.attributes, tuple(t.numpy() for t in made)))
        return outputs

    token = INTERCEPTORS.set((*INTERCEPTORS.get(), record))
    try:
        for sample in SAMPLES:
            call_op(sample)
    finally:
        INTERCEPTORS.reset(token)
    return tuple(recorded)


def compute_scheduled(
    runner: Runner, results: Sequence[Array], inputs: Sequence[np.ndarray | None], target: Target
) -> list[np.ndarray]:
    """The values of what a definition computes, by the programs of its stages."""
    values: dict[int, np.ndarray] = {}

    def value_of(array: Array) -> np.ndarray:
        if array.number is None:
            return values[id(array)]
        given = inputs[array.number]
        if given is None:
            raise ValueError(f"The definition reads input {array.number}, which is absent.")
        return given

    for array in stages_of(*results, procedures=True):
        if array.size:
            program, sources = schedule(array, target)
            *buffers, output = program.buffers
            arrays = {buffer: value_of(source) for source, buffer in zip(sources, buffers, strict=True)}
            values[id(array)] = runner(program, arrays)[output].reshape(array.shape)
        else:
            values[id(array)] = np.zeros(array.shape, array.dtype)
    return [value_of(result) for result in results]
