"""Which stages after a convolution or product TensorFlow.js's WebAssembly takes along: a bias, then an activation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from tenfold.backends.wasm.xnnpack.requests import ACTIVATIONS, Fusion, Operand

if TYPE_CHECKING:
    from tenfold.core.kernel import Operand as Given
    from tenfold.graph.plan import EpilogueStage, Step


class Fused(NamedTuple):
    """A step with those of its stages that are taken along.

    Attributes:
        fusion: what is asked for.
        operands: value numbers that follow the kernel's inputs.
        stages: how many of them those are, from the first on.
    """

    fusion: Fusion
    operands: tuple[int, ...]
    stages: int


def fuse(step: Step, channels: int, values: Sequence[Given | None]) -> Fused:
    """What can be taken along of a step's epilogue.

    Args:
        step: of a kernel in `FUSING`.
        channels: the length of the last axis of its result.
        values: of the plan, by number.
    """
    stages = list(step.epilogue)
    position = len(step.inputs)
    operands: list[int] = []
    bias: Operand | int = 0
    if stages and (number := _bias(stages[0], channels, values)) is not None:
        bias = Operand(position)
        operands.append(number)
        del stages[0]
    fusion = Fusion(bias)
    stage = stages[0] if stages else None
    if stage is not None and stage.operands[0] is None and stage.kernel in ACTIVATIONS:
        activation = ACTIVATIONS[stage.kernel]
        if stage.kernel != "Prelu":
            fusion = Fusion(bias, activation, slope=float(stage.attributes.get("alpha", 0)))
            del stages[0]
        elif (number := stage.operands[1]) is not None and _is_per_channel(values[number], channels):
            fusion = Fusion(bias, activation, Operand(position + len(operands)))
            operands.append(number)
            del stages[0]
    return Fused(fusion, tuple(operands), len(step.epilogue) - len(stages))


def _bias(stage: EpilogueStage, channels: int, values: Sequence[Given | None]) -> int | None:
    """The value that a stage adds to each channel."""
    if stage.kernel != "Add":
        return None
    others = [number for number in stage.operands if number is not None]
    return others[0] if len(others) == 1 and _is_per_channel(values[others[0]], channels) else None


def _is_per_channel(value: Given | None, channels: int) -> bool:
    return value is not None and prod(value.shape) == channels and value.shape[-1:] in ((channels,), ())
