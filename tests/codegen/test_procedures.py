"""What arrays are computed by instead of stages, as programs, against NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from tenfold.codegen.compute import Array
from tenfold.codegen.evaluate import evaluate
from tenfold.codegen.expr import Expr, cast
from tenfold.codegen.loops.program import Target
from tenfold.codegen.scans import scan
from tests.codegen.scheduled import Runner, compute_scheduled
from tests.codegen.test_scans import ACCUMULATE, scanned
from tests.codegen.test_schedule import interpreted, mismatch
from tests.codegen.wasm_machine import PLAIN, RELAXED, Machine

RNG = np.random.default_rng(23)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def runners(machine: Machine) -> dict[str, tuple[Runner, Target]]:
    """WebAssembly with and without relaxed instructions, and the interpreter with eight lanes."""
    wide = Target("any", width=8, slack=1 << 16)
    return {"WebAssembly": (machine.run, PLAIN), "relaxed": (machine.run, RELAXED), "wide": (interpreted(8), wide)}


def check(machine: Machine, result: Array, arrays: Sequence[np.ndarray], want: np.ndarray) -> None:
    """Every runner gives what is wanted."""
    for name, (runner, target) in runners(machine).items():
        (got,) = compute_scheduled(runner, [result], arrays, target)
        wrong = mismatch(got, want)
        assert not wrong, f"{name}: {wrong[:400]}"


# --- scans -------------------------------------------------------------------------------------------------

SHAPES = [
    *(((length,), 0) for length in (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 100)),
    *(((3, length), 1) for length in (1, 5, 8, 20)),
    *(((5, length), 0) for length in (1, 3, 4, 5, 7, 8, 31, 33, 40, 100)),
    ((2, 9, 3), 1),
    ((2, 9, 6), 1),
    ((2, 1, 3, 4, 2), 3),
    ((2, 2, 3, 2, 5, 8), 5),
    ((2, 2, 3, 2, 5, 8), 0),
]


def values_of(dtype: str, shape: Sequence[int]) -> np.ndarray:
    values = RNG.integers(-2, 3, shape)
    if dtype == "complex64":
        return (values + 1j * RNG.integers(-2, 3, shape)).astype(dtype)
    return values.astype(dtype)


def _cast_element(x: Array, dtype: str, *indices: Expr) -> Expr:
    return cast(x[indices], dtype)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_scans(machine: Machine, shape: tuple[int, ...], axis: int) -> None:
    """Integers are exact, so that every element is told from its neighbours."""
    for dtype in ("float32", "int32", "bool", "complex64"):
        values = values_of(dtype, shape)
        summed = "int32" if dtype == "bool" else dtype
        x = Array(shape, dtype, 0)
        for kind, exclusive, reverse in (("sum", False, False), ("prod", True, False), ("sum", True, True)):
            element = partial(_cast_element, x, summed)
            result = scan(kind, shape, axis, element, exclusive=exclusive, reverse=reverse)
            want = scanned(kind, values.astype(summed), axis, exclusive, reverse)
            (got,) = compute_scheduled(machine.run, [result], [values], PLAIN)
            wrong = mismatch(got, want)
            assert not wrong, f"{dtype} {kind}: {wrong[:400]}"
            if dtype == "float32" and kind == "prod":
                check(machine, result, [values], want)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(100,), (100, 5)])
def test_what_is_no_number_spreads_forwards_only(machine: Machine, odd: float, shape: tuple[int, ...]) -> None:
    values = np.ones(shape, np.float32)
    values[57] = odd
    x = Array(shape, "float32", 0)
    for kind, (ufunc, _) in ACCUMULATE.items():
        result = scan(kind, shape, 0, lambda *i: x[i])
        for runner, target in runners(machine).values():
            (got,) = compute_scheduled(runner, [result], [values], target)
            np.testing.assert_array_equal(got, ufunc.accumulate(values))


def test_scans_of_what_is_computed(machine: Machine) -> None:
    """Elements may use their position, and read in another order."""
    values = RNG.uniform(-1, 1, (6, 37)).astype(np.float32)
    x = Array(values.shape, "float32", 0)
    for axis, shape in ((1, (6, 37)), (0, (6, 37))):
        result = scan("sum", shape, axis, lambda i, j: x[i, 36 - j] * 2 + cast(i * 10 + j, "float32"))
        i, j = np.indices(shape)
        want = (values[:, ::-1] * 2 + i * 10 + j).astype(np.float32).cumsum(axis)
        check(machine, result, [values], want)
        np.testing.assert_allclose(evaluate(result, [values]), want, rtol=1e-5)
