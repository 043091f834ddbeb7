"""Functions by the names that expressions call them by, as programs for a target."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions import division, exponential, trigonometric
from tenfold.codegen.loops.program import Program, Target, Value, vector

FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Value]]] = {
    **{
        (function.__name__, "f32"): function
        for function in (
            exponential.exp,
            exponential.expm1,
            exponential.log,
            exponential.log1p,
            exponential.tanh,
            exponential.sinh,
            exponential.cosh,
            exponential.arcsinh,
            exponential.arccosh,
            exponential.arctanh,
            exponential.power,
            trigonometric.sin,
            trigonometric.cos,
            trigonometric.tan,
            trigonometric.arcsin,
            trigonometric.arccos,
            trigonometric.arctan,
            trigonometric.arctan2,
            division.floor_divide,
            division.remainder,
        )
    },
    ("floor_divide", "i32"): division.floor_divide_integers,
    ("remainder", "i32"): division.remainder_integers,
    ("power", "i32"): division.power_integers,
}
"""By name and kind of number: what builds the value of a function of vectors."""

_OF_TWO: Final = ("power", "arctan2", "floor_divide", "remainder")


@lru_cache(maxsize=256)
def function(name: str, scalar: str, target: Target) -> Program:
    """The program of a function of vectors as wide as the target's."""
    b = Builder(target)
    kind = vector(scalar, b.width)
    parameters = [b.parameter(kind, number) for number in range(2 if name in _OF_TWO else 1)]
    return b.function(f"{name}_{scalar}", parameters, FUNCTIONS[name, scalar](b, *parameters))
