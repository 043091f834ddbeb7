"""Samples with axes so long that definitions combine them in stages."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import special

from tests.ops.harness import Sample
from tests.ops.samples_reduction import NUMERIC, ORDERED, SCANS, reduced, scanned

_rng = np.random.default_rng(23)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return _rng.uniform(low, high, shape).astype(np.float32)


def integers(*shape: int) -> np.ndarray:
    """Integers from the whole range of int32."""
    return _rng.integers(-(2**31), 2**31, shape, dtype=np.int64).astype(np.int32)


def bits(*shape: int) -> np.ndarray:
    return _rng.integers(0, 2, shape).astype(bool)


def _wrapping(reference: Any, x: np.ndarray, axis: Any) -> np.ndarray:
    return np.asarray(reference(x, axis=axis, dtype=np.int32))


SAMPLES = [
    *(
        Sample(name, (floats(*shape, low=0.9, high=1.1), axis), partial(reduced, reference), label=f"long {shape}")
        for name, reference in (NUMERIC | ORDERED).items()
        for shape, axis in [((1031,), None), ((3, 2048), 1), ((2, 40, 50, 3), (1, 2))]
    ),
    *(
        Sample(name, (integers(1031, 2), 0), partial(_wrapping, NUMERIC[name]), label="many integers")
        for name in ("sum", "prod")
    ),
    Sample("mean", (integers(1031, 2), 0), partial(reduced, np.mean), label="many integers"),
    Sample("mean", (integers(40000),), partial(reduced, np.mean), label="very many integers"),
    Sample("mean", (bits(5000),), partial(reduced, np.mean), label="many bools"),
    *(
        Sample(name, (integers(2, 1031), 1), lambda x, axis, f=f: f(x, axis).astype(np.int32), label="many integers")
        for name, f in {"max": np.max, "min": np.min, "arg_max": np.argmax, "arg_min": np.argmin}.items()
    ),
    *(
        Sample(name, (values, 1, exclusive, reverse), partial(scanned, ufunc), label=f"{label} {exclusive} {reverse}")
        for name, ufunc in SCANS.items()
        for label, values in [
            ("long floats", floats(2, 300, 2, low=0.95, high=1.05)),
            ("long integers", integers(2, 131)),
            ("long bools", bits(1, 144, 3)),
        ]
        for exclusive in (False, True)
        for reverse in (False, True)
    ),
    *(
        Sample(name, (floats(2, 1500),), lambda x, f=f: f(x.astype(np.float64), axis=-1), label="long rows")
        for name, f in {"softmax": special.softmax, "log_softmax": special.log_softmax}.items()
    ),
]
