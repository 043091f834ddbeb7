"""How recipes are written: program after program, each over inputs and what others before it have computed.

A value is an array whose `number` says which one it is, so that stages of definitions can load from it by its indices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Final

from tenfold.backends.wasm.calls import Output, Recipe, nbytes
from tenfold.backends.wasm.modules import Stage
from tenfold.codegen.compute import Array
from tenfold.codegen.expr import Expr, Number, select
from tenfold.codegen.loops.program import Program, Target
from tenfold.codegen.routines.packing import Layout, Operand, packing
from tenfold.codegen.routines.routine import Routine
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.core.kernel import Attributes, TensorSpec
from tenfold.devices.wasm.allocator import ALIGNMENT

MakeRecipe = Callable[
    [Sequence[TensorSpec | None], Attributes, Sequence[TensorSpec], Target],
    Recipe | None,
]
"""From inputs, attributes and outputs to a recipe; None where no routine applies."""

PRODUCTS_PER_WORK: Final = 8
"""Multiply-adds of a routine that take as long as one element computation of a definition."""


class RecipeWriter:
    """A recipe that is being written.

    Attributes:
        inputs: arrays that stand for the kernel's inputs.
        target: what programs are made for.
    """

    def __init__(self, specs: Sequence[TensorSpec], target: Target) -> None:
        self.inputs = [Array(*spec, number) for number, spec in enumerate(specs)]
        self.target = target
        self._stages: list[Stage] = []
        self._sizes: list[int] = []
        self._work = 0

    def value(self, shape: Sequence[int], size: int | None = None, dtype: str = "float32") -> Array:
        """A value that a program will compute.

        Args:
            shape: how it is seen.
            size: bytes; as many as its elements take by default.
            dtype: of its elements.
        """
        array = Array(shape, dtype, len(self.inputs) + len(self._sizes))
        self._sizes.append(nbytes(TensorSpec(array.shape, array.dtype)) if size is None else size)
        return array

    def seen_as(self, array: Array, shape: Sequence[int]) -> Array:
        """The same value in another shape."""
        return Array(shape, array.dtype, array.number)

    def define(self, array: Array) -> Array:
        """Compute a stage whose sources are values."""
        program, sources = schedule(array, self.target, f"stage{len(self._stages)}")
        made = self.value(array.shape, dtype=array.dtype)
        self.run(program, [*sources, made])
        self._work += array.size
        return made

    def run(self, program: Program, values: Sequence[Array]) -> None:
        """Run a program over values, of which it writes the last."""
        self._stages.append(Stage(program, tuple(map(_number, values))))

    def apply(
        self, routine: Routine, inputs: Sequence[Array], shape: Sequence[int], work: int, dtype: str = "float32"
    ) -> Array:
        """Run a routine.

        Args:
            routine: what runs.
            inputs: the values of its inputs.
            shape: of what it computes.
            work: how many element computations of a definition take as long, roughly.
            dtype: of what it computes.
        """
        read = [*map(_number, inputs), *map(_number, routine.sources)]
        scratch, own = [], -(-routine.scratch // ALIGNMENT) * ALIGNMENT
        if own:
            scratch.append(_number(self.value((own // 4,))))
        made = self.value(shape, dtype=dtype)
        values = (*read, *scratch, _number(made))
        self._stages.append(Stage(routine.program, values, scratch[0] if scratch else None, own))
        self._work += work
        return made

    def packed(
        self, source: Array, depth: int, columns: int, operand: Operand, layout: Layout, batch: int = 1
    ) -> Array:
        """A right operand in a layout of the routines of products."""
        made = self.value((batch * layout.size(depth, columns),))
        self.run(packing(depth, columns, operand, self.target, layout=layout, batch=batch), [source, made])
        self._work += prod((batch, depth, columns))
        return made

    def recipe(self, results: Sequence[Array], specs: Sequence[TensorSpec]) -> Recipe:
        """What was written, of which some values are the outputs."""
        outputs = [Output(_number(one), spec, nbytes(spec)) for one, spec in zip(results, specs, strict=True)]
        return Recipe(self._stages, len(self.inputs), self._sizes, outputs, self._work)


def guarded(condition: Expr, value: Expr, otherwise: Number = 0) -> Expr:
    """A value where a condition holds, without a question where that is known."""
    return value if condition.function == "constant" and condition.value else select(condition, value, otherwise)


def _number(array: Array) -> int:
    if array.number is None:
        raise ValueError("Only inputs and computed values have numbers.")
    return array.number
