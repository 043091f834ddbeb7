"""A plan: the straight-line program into which a graph (or a run of nodes between control flow) is compiled.

Values are numbered. A plan is made for given input shapes and dtypes, so every value's spec is known. These
are the data types that backends see; `passes` and `program` make them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenfold.core.kernel import Attributes, TensorSpec
    from tenfold.core.tensor import Tensor


@dataclass(frozen=True, slots=True)
class EpilogueStage:
    """An elementwise kernel applied to what a step computes, before it is stored.

    Attributes:
        kernel: name of an elementwise kernel with a definition.
        operands: value numbers in the kernel's order; None stands where the running value goes.
        attributes: the kernel's attributes.
    """

    kernel: str
    operands: tuple[int | None, ...]
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call of a plan.

    Attributes:
        kernel: the kernel's name.
        inputs: value numbers; None for an absent optional input.
        outputs: value numbers, one for each output of the kernel.
        attributes: the kernel's attributes.
        epilogue: elementwise stages applied to the only output, in order.
        releases: values that no later step or output needs.
    """

    kernel: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    attributes: Attributes
    epilogue: tuple[EpilogueStage, ...] = ()
    releases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order over numbered values.

    Attributes:
        specs: shape and dtype of each value.
        inputs: value numbers that the caller provides.
        constants: tensors that live as long as the plan, by value number.
        steps: the kernel calls.
        outputs: value numbers that the caller receives.
    """

    specs: tuple[TensorSpec, ...]
    inputs: tuple[int, ...]
    constants: Mapping[int, Tensor]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
