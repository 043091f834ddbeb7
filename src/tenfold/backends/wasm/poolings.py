"""Pooling and its gradients by routines: windows that slide over images, and what they give back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from tenfold.backends.wasm.calls import Recipe
from tenfold.backends.wasm.recipes import MakeRecipe, RecipeWriter
from tenfold.codegen.loops.program import Target
from tenfold.codegen.routines.maximum_gradients import maximum_gradient
from tenfold.core.kernel import Attributes, TensorSpec
from tenfold.core.storage import Shape
from tenfold.core.windows import ConvInfo, pool2d_info

FEWEST_CHANNELS: Final = 4
"""Lanes are channels."""


def _info(x: Shape, attributes: Attributes) -> ConvInfo:
    return pool2d_info(
        x, attributes["filter_size"], attributes["strides"], attributes["pad"], attributes.get("dim_rounding_mode")
    )


def _is_float(specs: Sequence[TensorSpec | None]) -> bool:
    return all(spec is not None and spec.dtype == "float32" and prod(spec.shape) for spec in specs)


def _max_gradient(
    specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
) -> Recipe | None:
    (spec,) = wanted
    if not _is_float((*specs, spec)) or spec.shape[-1] < FEWEST_CHANNELS:
        return None
    writer = RecipeWriter([one for one in specs if one is not None], target)
    info = _info(spec.shape, attributes)
    rows, columns = info.axes
    routine = maximum_gradient(spec.shape, rows, columns, target)
    work = prod(info.out_shape) * info.filter_height * info.filter_width
    return writer.recipe(writer.apply(routine, writer.inputs, spec.shape, work), spec)


POOLINGS: Final[dict[str, MakeRecipe]] = {"MaxPoolGrad": _max_gradient}
"""The kernels of pooling that have routines."""
