"""When a result agrees with a recorded one.

Shapes, dtypes, integers, booleans and strings must be equal. The error of floating-point values is the
largest absolute difference over the larger of the largest wanted magnitude and 1e-3; NaN and infinities must
stand in the same places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.conformance.vectors import BufferValue, TensorValue

_Recorded = TensorValue | BufferValue

BOUNDS = {"cpu": 1e-4}
"""A backend's bound where the recorded test set none of its own."""

OTHER_BOUND = 1e-3
"""The bound of float32 backends that stand in no row above."""

EXACT_TOLERANCE = 1e-6
"""For results that were compared for equality: a few units in the last place, where libraries differ."""

_SMALLEST_SCALE = 1e-3


def tolerance_of(recorded: float | None, backend: str = "cpu") -> float:
    """The bound on a backend for a case whose `tol` is `recorded`."""
    return BOUNDS.get(backend, OTHER_BOUND) if recorded is None else max(recorded, EXACT_TOLERANCE)


def assert_agrees(got: Any, want: Any, tolerance: float, where: str = "the result") -> None:
    """Raise an `AssertionError` that says where and by how much `got` differs from `want`.

    Tensors are `TensorValue`s on both sides; lists and mappings of them are compared entry by entry.
    """
    if isinstance(want, _Recorded):
        assert_same_spec(got, want, where)
        _assert_same_values(got.data, want, tolerance, where)
    elif isinstance(want, Mapping):
        assert isinstance(got, Mapping), f"{where} is {got!r}, not a record of {', '.join(want)}"
        assert got.keys() >= want.keys(), f"{where} has {', '.join(got)}; wanted {', '.join(want)}"
        for key in want:
            assert_agrees(got[key], want[key], tolerance, f"{where}.{key}")
    elif isinstance(want, list):
        assert isinstance(got, Sequence), f"{where} is {got!r}, not a list"
        assert len(got) == len(want), f"{where} has {len(got)} entries; wanted {len(want)}"
        for i, (one, other) in enumerate(zip(got, want, strict=True)):
            assert_agrees(one, other, tolerance, f"{where}[{i}]")
    elif isinstance(want, float):
        error = _error(np.asarray(got, np.float64), np.asarray(want))
        assert error <= tolerance, f"{where} is {got}; wanted {want}"
    elif isinstance(want, np.ndarray):
        assert np.array_equal(np.ravel(got), np.ravel(want)), f"{where} is {got!r}; wanted {want!r}"
    else:
        assert got == want, f"{where} is {got!r}; wanted {want!r}"


def assert_same_spec(got: Any, want: Any, where: str = "the result") -> None:
    """Raise an `AssertionError` unless tensors, alone or in containers, have the wanted shapes and dtypes."""
    if isinstance(want, _Recorded):
        assert type(got) is type(want), f"{where} is {got!r}, not a {type(want).__name__}"
        assert got.dtype == want.dtype, f"{where} is {got.dtype}; wanted {want.dtype}"
        assert got.shape == want.shape, f"{where} has shape {got.shape}; wanted {want.shape}"
    elif isinstance(want, list):
        assert len(got) == len(want), f"{where} has {len(got)} entries; wanted {len(want)}"
        for i, (one, other) in enumerate(zip(got, want, strict=True)):
            assert_same_spec(one, other, f"{where}[{i}]")


def _assert_same_values(got: np.ndarray, want: _Recorded, tolerance: float, where: str) -> None:
    wanted = want.data
    if wanted is None:
        assert isinstance(want, TensorValue)
        assert want.head is not None
        got, wanted = got.ravel()[: want.head.size], want.head
    if wanted.dtype.kind in "fc":
        error = _error(got, wanted)
        assert error <= tolerance, f"{where} is off by {error:.3g} of scale (bound {tolerance:g}): {got}"
    else:
        assert got.tolist() == wanted.tolist(), f"{where} is {got.tolist()}; wanted {wanted.tolist()}"


def _error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference over the scale of `want`; infinite if special values do not coincide."""
    if np.iscomplexobj(want):
        return max(_error(got.real, want.real), _error(got.imag, want.imag))
    regular = np.isfinite(want)
    same_specials = np.array_equal(got[~regular], want[~regular], equal_nan=True)
    if not same_specials or not np.isfinite(got[regular]).all():
        return np.inf
    exact_got, exact_want = got[regular].astype(np.float64), want[regular].astype(np.float64)
    if exact_want.size == 0:
        return 0.0
    scale = max(float(np.abs(exact_want).max()), _SMALLEST_SCALE)
    return float(np.abs(exact_got - exact_want).max()) / scale
