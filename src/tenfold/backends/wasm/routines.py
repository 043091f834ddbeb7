"""Which routines run which kernels: each says what it would do for given shapes, or that it does not apply."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from tenfold.backends.wasm.calls import Recipe
from tenfold.backends.wasm.convolutions import CONVOLUTIONS
from tenfold.backends.wasm.poolings import POOLINGS
from tenfold.backends.wasm.recipes import PRODUCTS_PER_WORK, MakeRecipe, RecipeWriter
from tenfold.codegen.compute import Array
from tenfold.codegen.loops.program import Target
from tenfold.codegen.routines.matmul import best_layout, matmul
from tenfold.codegen.routines.packing import Operand, outer_layout
from tenfold.core.kernel import Attributes, TensorSpec

FEWEST_ROWS: Final = 8
"""With fewer rows, packing the right operand takes longer than it saves."""


def _mat_mul(
    specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
) -> Recipe | None:
    """Products by tiles: the right operand is packed first."""
    a, b = specs
    (spec,) = wanted
    if a is None or b is None or spec.dtype != "float32" or not prod(spec.shape):
        return None
    transpose_a, transpose_b = attributes.get("transpose_a", False), attributes.get("transpose_b", False)
    *batch, rows, columns = spec.shape
    depth = a.shape[-2] if transpose_a else a.shape[-1]
    matrices, of_a, of_b = prod(batch), prod(a.shape[:-2]), prod(b.shape[:-2])
    if not depth or of_a not in (1, matrices) or of_b not in (1, matrices):
        return None
    if of_b == 1 and of_a > 1 and not transpose_a:
        matrices, of_a, rows = 1, 1, matrices * rows
    if rows < FEWEST_ROWS:
        return None
    left = Operand(*((1, rows) if transpose_a else (depth, 1)), batch=rows * depth if of_a > 1 else 0)
    right = Operand(*((1, depth) if transpose_b else (columns, 1)), batch=depth * columns if of_b > 1 else 0)
    shape = (matrices, rows, columns) if of_a > 1 or of_b > 1 else (rows, columns)
    layout = outer_layout(target) if transpose_a else best_layout(depth, columns, target, kept=False)
    routine = matmul(Array(shape, "float32"), depth, left, target, layout=layout, weights_batch=of_b > 1)
    writer = RecipeWriter([a, b], target)
    packed = writer.packed(writer.inputs[1], depth, columns, right, layout, of_b)
    product = writer.apply(
        routine, [writer.inputs[0], packed], shape, matrices * rows * columns * depth // PRODUCTS_PER_WORK
    )
    return writer.recipe([product], [spec])


ROUTINES: Final[dict[str, MakeRecipe]] = {"BatchMatMul": _mat_mul, **CONVOLUTIONS, **POOLINGS}
"""The kernels that have routines."""
