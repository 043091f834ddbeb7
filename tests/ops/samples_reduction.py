"""Samples of `ops/reduction.py` and `ops/scan.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from tests.ops.harness import Sample
from tests.ops.samples_arithmetic import BOOLS, EXTREME, ODD, floats, ints
from tests.ops.samples_logical import bools

Array = np.ndarray

AXES: list[tuple[tuple[int, ...], Any]] = [
    ((), None),
    ((5,), None),
    ((2, 3), 0),
    ((2, 3), -1),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 4), [-1, 1]),
    ((2, 3, 4), ()),
    ((1, 2, 1, 3, 1, 2), (1, 3, 4)),
]
EMPTY = np.zeros((2, 0, 3), np.float32)


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def reduced(reference: Callable[..., Any], x: Array, axis: Any = None, keep_dims: bool = False) -> Array:
    """A reference of NumPy's signature, in double precision for floats."""
    values = x.astype(np.float64) if x.dtype == np.float32 else x
    with np.errstate(all="ignore"):
        return np.asarray(reference(values, axis=_axis(axis), keepdims=keep_dims))


def _wrapped(reference: Callable[..., Any], x: Array, axis: Any = None, keep_dims: bool = False) -> Array:
    return np.asarray(reference(x, axis=_axis(axis), keepdims=keep_dims, dtype=np.int32))


def scanned(ufunc: np.ufunc, x: Array, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Array:
    """Position by position, by the definition."""
    values = np.moveaxis(x.astype(np.int32) if x.dtype == bool else x, axis, 0)
    values = values[::-1] if reverse else values
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = ufunc.reduce(values[: i if exclusive else i + 1], axis=0, dtype=values.dtype)
    return np.moveaxis(out[::-1] if reverse else out, 0, axis)


def distinct(*shape: int) -> Array:
    """Numbers of which no two are equal or near."""
    values = np.random.default_rng(3).permutation(int(np.prod(shape)))
    return (values - values.size / 2 + 0.25).astype(np.float32).reshape(shape)


NUMERIC = {"sum": np.sum, "mean": np.mean, "prod": np.prod}
ORDERED = {"max": np.max, "min": np.min}
LOGSUMEXP = partial(reduced, lambda x, **options: special.logsumexp(x, **options) if x.ndim else x)
SCANS: dict[str, np.ufunc] = {"cumsum": np.add, "cumprod": np.multiply}
SCAN_WAYS = [(0, False, False), (1, False, True), (-1, True, False), (-2, True, True)]

SAMPLES = [
    *(
        Sample(name, (floats(*shape, low=0.5), axis), partial(reduced, reference), {"keep_dims": keep}, True)
        for name, reference in NUMERIC.items()
        for shape, axis in AXES
        for keep in (False, True)
    ),
    *(
        Sample(name, (distinct(*shape), axis), partial(reduced, reference), {"keep_dims": keep}, True)
        for name, reference in ORDERED.items()
        for shape, axis in AXES
        for keep in (False, True)
    ),
    *(
        Sample(name, (bools(*shape), axis), partial(reduced, reference), {"keep_dims": keep})
        for name, reference in {"all": np.all, "any": np.any}.items()
        for shape, axis in AXES
        for keep in (False, True)
    ),
    *(
        Sample("log_sum_exp", (floats(*s), a), LOGSUMEXP, {"keep_dims": k}, True)
        for s, a in AXES
        for k in (False, True)
    ),
    *(Sample(n, (ints(4, 5), 1), partial(_wrapped, NUMERIC[n]), label="integers") for n in ("sum", "prod")),
    *(Sample(n, (EXTREME,), partial(_wrapped, NUMERIC[n]), label="wraps around") for n in ("sum", "prod")),
    *(Sample(n, (BOOLS,), partial(_wrapped, NUMERIC[n]), label="bools") for n in ("sum", "prod")),
    *(Sample(n, (ODD,), partial(reduced, f), label="odd") for n, f in (NUMERIC | ORDERED).items()),
    *(Sample(n, (EXTREME,), partial(reduced, f), label="extreme") for n, f in ORDERED.items()),
    *(Sample(n, (BOOLS,), lambda x, f=f: f(x.astype(np.int32)), label="bools") for n, f in ORDERED.items()),
    Sample("sum", (EMPTY, 1), lambda x, axis: np.zeros((2, 3)), label="nothing"),
    Sample("prod", (EMPTY, 1), lambda x, axis: np.ones((2, 3)), label="nothing"),
    Sample("mean", (EMPTY, 1), lambda x, axis: np.full((2, 3), np.nan), label="nothing"),
    *(Sample(n, (EMPTY, 0), partial(reduced, f), label="empty") for n, f in (NUMERIC | ORDERED).items()),
    Sample("max", (EMPTY, 1), lambda x, axis: np.full((2, 3), -np.inf), label="nothing"),
    Sample("min", (EMPTY, 1), lambda x, axis: np.full((2, 3), np.inf), label="nothing"),
    Sample("max", (np.zeros((0,), np.int32),), lambda x: np.int32(-(2**31)), label="no integers"),
    Sample("min", (np.zeros((0,), np.int32),), lambda x: np.int32(2**31 - 1), label="no integers"),
    Sample("log_sum_exp", (EMPTY, 1), lambda x, axis: np.full((2, 3), -np.inf), label="nothing"),
    Sample("all", (np.zeros((0,), bool),), np.all, label="nothing"),
    Sample("any", (np.zeros((0,), bool),), np.any, label="nothing"),
    Sample("mean", (EXTREME,), np.mean, label="extreme"),
    Sample("mean", (BOOLS,), np.mean, label="bools"),
    Sample("sum", (np.array([1j, 2, 3 - 1j], np.complex64),), np.sum, label="complex"),
    Sample(
        "prod", (np.array([[2, 0, 3], [0, 0, 1]], np.float32), 1), partial(reduced, np.prod), {}, True, label="zeros"
    ),
    Sample("prod", (floats(2, 3, 4), (0, 2)), partial(reduced, np.prod), {}, True, label="apart"),
    *(
        Sample("log_sum_exp", (np.array(values, np.float32),), LOGSUMEXP, label=str(values))
        for values in ([1e4, 1e4], [-np.inf, -np.inf], [np.inf, 0], [np.nan, 0], [-np.inf, 3])
    ),
    Sample("logsumexp", (floats(2, 3), 1), LOGSUMEXP, {}, True),
    *(
        Sample(name, (distinct(*shape), axis), lambda x, axis, f=f: f(x, axis=axis).astype(np.int32))
        for name, f in {"arg_max": np.argmax, "arg_min": np.argmin}.items()
        for shape, axis in [((5,), 0), ((2, 3), 1), ((2, 3, 4), -2), ((2, 1, 2, 1, 3, 2), 4), ((0, 3), 1)]
    ),
    Sample("arg_max", (np.array([np.nan, 1, np.inf, 3], np.float32),), lambda x: np.int32(2), label="nan"),
    Sample("arg_min", (np.array([np.nan, 1, -np.inf, 3], np.float32),), lambda x: np.int32(2), label="nan"),
    Sample("arg_max", (np.array([np.nan, np.nan], np.float32),), lambda x: np.int32(0), label="all nan"),
    Sample("arg_max", (np.array([np.nan, -np.inf], np.float32),), lambda x: np.int32(1), label="nan and -inf"),
    Sample("arg_max", (np.array([1, 7, 7, 3], np.float32),), lambda x: np.int32(1), label="ties"),
    Sample("arg_min", (EXTREME,), lambda x: np.int32(0), label="integers"),
    Sample("arg_max", (BOOLS,), lambda x: np.int32(0), label="bools"),
    *(
        Sample(name, (floats(3, 4, low=0.5), *way), partial(scanned, ufunc), differentiable=True)
        for name, ufunc in SCANS.items()
        for way in SCAN_WAYS
    ),
    *(
        Sample(name, (values, 0, exclusive), partial(scanned, ufunc), label=f"{label} {exclusive}")
        for name, ufunc in SCANS.items()
        for label, values in [("extreme", EXTREME), ("bools", BOOLS), ("empty", EMPTY[0]), ("one", EXTREME[:1])]
        for exclusive in (False, True)
    ),
]
