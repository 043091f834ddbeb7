"""What plans and calls are known by, so that modules are found without being made anew.

A key says everything that a module and its layout depend on, but for the package's sources: kernels, shapes,
attributes, what programs are made for, and those constants of a plan that become a part of the code or are looked at,
as indices are. On disk, where keys outlive the process, a digest of the sources belongs to them.
"""

from __future__ import annotations

from hashlib import blake2b
from math import prod
from typing import TYPE_CHECKING

from tenfold.backends.call_keys import frozen
from tenfold.backends.wasm.sources import sources
from tenfold.core.kernel import is_own_kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tenfold.codegen.loops.program import Target
    from tenfold.core.kernel import Attributes, Kernel, TensorSpec
    from tenfold.graph.plan import Plan


def plan_key(plan: Plan, target: Target, *, shared: bool) -> bytes:
    """A digest that is equal for plans whose modules and layouts are the same, in this process.

    Args:
        plan: the plan.
        target: what its programs are made for.
        shared: whether the memory is shared between threads.
    """
    steps = [
        (
            *(step.kernel, step.inputs, step.outputs, frozen(step.attributes)),
            [(stage.kernel, stage.operands, frozen(stage.attributes)) for stage in step.epilogue],
        )
        for step in plan.steps
    ]
    constants = [(number, _known(plan, number)) for number in plan.constants]
    described = repr(("plan", target, shared, plan.specs, plan.inputs, constants, steps, plan.outputs))
    return blake2b(described.encode(), digest_size=20).digest()


def _known(plan: Plan, number: int) -> object:
    """What is known of a constant beforehand: weights, none of which is alone, may be any."""
    shape, dtype = plan.specs[number]
    if dtype == "float32" and prod(shape) != 1:
        return None
    return plan.constants[number].numpy().tobytes()


def kernels_of(plan: Plan) -> set[str]:
    """The kernels that a plan calls."""
    return {*(step.kernel for step in plan.steps), *(stage.kernel for step in plan.steps for stage in step.epilogue)}


def call_key(
    kernel: Kernel,
    specs: Sequence[TensorSpec | None],
    attributes: Attributes,
    target: Target,
    *,
    shared: bool,
    any_length: bool,
) -> bytes:
    """A digest that is equal for calls of a kernel whose modules and layouts are the same, in this process.

    Args:
        kernel: the kernel.
        specs: of its inputs.
        attributes: its attributes.
        target: what its programs are made for.
        shared: whether the memory is shared between threads.
        any_length: whether the module is for arrays of any length.
    """
    described = repr(("call", kernel.name, list(specs), frozen(attributes), target, shared, any_length))
    return blake2b(described.encode(), digest_size=20).digest()


def lasting_key(kernels: Iterable[str], key: bytes) -> bytes | None:
    """A key for all processes; None where that cannot be told.

    Args:
        kernels: the names of all that is called; the package's sources say nothing of those that users define.
        key: the key in this process.
    """
    digest = sources()
    return digest + key if digest is not None and all(map(is_own_kernel, kernels)) else None
