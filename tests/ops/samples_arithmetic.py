"""Samples of `ops/arithmetic.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(7)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return _rng.uniform(low, high, shape).astype(np.float32)


def ints(*shape: int) -> np.ndarray:
    return _rng.integers(-9, 10, shape).astype(np.int32)


ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -3e38, 1e-40], np.float32)
EXTREME = np.array([-(2**31), 2**31 - 1, 0, -1, 7], np.int32)
BOOLS = np.array([True, False, True])

SHAPES = [((), ()), ((3,), ()), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((0, 3), (3,)), ((1, 2, 1, 2, 1, 2), (2, 1, 1, 2))]


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return run


def _int_pow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.trunc(np.power(a.astype(np.float64), b)).astype(np.int32)


def _div_no_nan(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(b == 0, np.float32(0), a / np.where(b == 0, 1, b)).astype(np.float32)


REFERENCES: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "div_no_nan": _div_no_nan,
    "floor_div": lambda a, b: np.floor(a / b).astype(a.dtype),
    "mod": np.mod,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "squared_difference": lambda a, b: (a - b) ** 2,
    "atan2": np.arctan2,
}

SAMPLES = [
    *(
        Sample(name, (floats(*a), floats(*b, low=0.5)), _quiet(reference), differentiable=name not in ("floor_div",))
        for name, reference in REFERENCES.items()
        for a, b in SHAPES
    ),
    *(
        Sample(name, (ODD[:, None], ODD), _quiet(reference), label="odd")
        for name, reference in REFERENCES.items()
        if name not in ("floor_div", "mod", "div_no_nan")
    ),
    *(
        Sample(name, (EXTREME[:, None], EXTREME), _quiet(REFERENCES[name]), label="extreme")
        for name in ("add", "sub", "mul", "maximum", "minimum")
    ),
    *(
        Sample(name, (BOOLS, BOOLS), lambda a, b, r=reference: r(a.astype(np.int32), b.astype(np.int32)), label="bools")
        for name, reference in REFERENCES.items()
        if name in ("add", "sub", "mul", "maximum", "minimum", "squared_difference")
    ),
    Sample("pow", (floats(2, 3, low=0.5), floats(3)), np.power, differentiable=True),
    Sample("pow", (ints(4), np.array([2, 0, 1, 3], np.int32)), _int_pow, label="ints"),
    Sample("pow", (np.array([2, 1, -1], np.int32), np.array(-1, np.int32)), _int_pow, label="negative exponent"),
    Sample("floor_div", (ints(5), np.array([2, -2, 3, -3, 7], np.int32)), np.floor_divide, label="ints"),
    Sample("div", (ints(5), np.array([2, -2, 3, -3, 7], np.int32)), np.floor_divide, label="ints"),
    Sample("mod", (ints(5), np.array([2, -2, 3, -3, 7], np.int32)), np.mod, label="ints"),
    Sample("add", (ints(3), floats(3)), lambda a, b: a.astype(np.float32) + b, label="mixed"),
    Sample("add", (BOOLS, ints(3)), np.add, label="bool and int"),
    Sample("add_n", ([floats(2, 2), floats(2, 2), floats(2, 2)],), lambda ts: sum(ts), label="three"),
    Sample("add_n", ([ints(0, 2)],), lambda ts: ts[0], label="empty"),
]
