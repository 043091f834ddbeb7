"""What plans are known by, so that modules are found without being made anew.

The key of a plan says everything that its module and its layout depend on, but for the package's sources: steps,
shapes, what programs are made for, and those constants that become a part of the code or are looked at, as indices are.
On disk, where keys outlive the process, a digest of the sources belongs to it.
"""

from __future__ import annotations

from hashlib import blake2b
from math import prod
from typing import TYPE_CHECKING

from tenfold.backends.call_keys import frozen
from tenfold.backends.wasm.sources import sources
from tenfold.core.kernel import is_own_kernel

if TYPE_CHECKING:
    from tenfold.codegen.loops.program import Target
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
    described = repr((target, shared, plan.specs, plan.inputs, constants, steps, plan.outputs))
    return blake2b(described.encode(), digest_size=20).digest()


def _known(plan: Plan, number: int) -> object:
    """What is known of a constant beforehand: weights, none of which is alone, may be any."""
    shape, dtype = plan.specs[number]
    if dtype == "float32" and prod(shape) != 1:
        return None
    return plan.constants[number].numpy().tobytes()


def lasting_key(plan: Plan, key: bytes) -> bytes | None:
    """The key of a plan for all processes; None where that cannot be told, as with kernels that users define."""
    digest = sources()
    kernels = {*(step.kernel for step in plan.steps), *(s.kernel for step in plan.steps for s in step.epilogue)}
    return b"plan" + digest + key if digest is not None and all(map(is_own_kernel, kernels)) else None
