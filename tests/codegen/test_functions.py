"""Mathematical functions of vectors: measured against NumPy in double precision, over all floats and dense ranges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions.table import FUNCTIONS, function
from tenfold.codegen.loops.interpreter import evaluate_function
from tenfold.codegen.loops.program import Buffer, Program, Target, vector
from tests.codegen.wasm_machine import PLAIN, RELAXED, Machine

RNG = np.random.default_rng(11)
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0, -0.0, 1e-45, -1e-45, 1.1754944e-38, 3.4e38, -3.4e38, 1, -1, 2, 0.5, -0.5, -2],
    np.float32,
)
ANY = RNG.integers(0, 2**32, 1 << 19, dtype=np.uint64).astype(np.uint32).view(np.float32)
"""Floats of every size: each bit is drawn."""

BOUNDS = {
    "exp": 1.01,
    "expm1": 1.6,
    "log": 0.9,
    "log1p": 0.9,
    "tanh": 1.4,
    "tan": 0.9,
}
"""Largest errors in units of the last place; all others are within 0.51."""

OF_ONE: dict[str, Callable[..., np.ndarray]] = {
    name: getattr(np, name)
    for name in (
        *("exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "arcsinh", "arccosh", "arctanh"),
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan"),
    )
}
OF_TWO: dict[str, Callable[..., np.ndarray]] = {
    "power": np.power,
    "arctan2": np.arctan2,
    "floor_divide": lambda x, y: np.floor(x / y),
    "remainder": np.remainder,
}


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def over_array(function: Program, size: int) -> tuple[Program, list[Buffer], Buffer]:
    """A kernel that applies a function of vectors to arrays."""
    b = Builder(PLAIN)
    kind = function.parameters[0].type
    dtype = "float32" if kind.scalar == "f32" else "int32"
    inputs = [Buffer(f"x{i}", dtype, size) for i in range(len(function.parameters))]
    output = Buffer("y", dtype, size, written=True)
    with b.loop(0, 4 * size, 16) as at:
        loads = [b.load(kind, b.address(x, at.value)) for x in inputs]
        b.store(b.address(output, at.value), b.call(function, *loads))
    return b.kernel("over_array", [*inputs, output], (), 1), inputs, output


def apply(machine: Machine, name: str, scalar: str, target: Target, *arrays: np.ndarray) -> np.ndarray:
    program, inputs, output = over_array(function(name, scalar, target), arrays[0].size)
    return machine.run(program, dict(zip(inputs, arrays, strict=True)))[output]


def check(got: np.ndarray, want: np.ndarray, bound: float, arguments: tuple[np.ndarray, ...]) -> None:
    """NaN and infinities stand where they must, and the rest is within a bound."""
    with np.errstate(all="ignore"):
        rounded = want.astype(np.float32)
        odd = ~np.isfinite(rounded)
        assert np.array_equal(got[odd], rounded[odd], equal_nan=True), [a[odd][:5] for a in arguments]
        unit = np.spacing(np.abs(rounded[~odd])).astype(np.float64)
        errors = np.abs(got[~odd] - want[~odd]) / unit
    worst = int(errors.argmax())
    assert errors[worst] <= bound, f"{errors[worst]} at {[a[~odd][worst] for a in arguments]}"


def check_special(got: np.ndarray, want: np.ndarray) -> None:
    """Results of zeros and infinities have the right signs."""
    with np.errstate(over="ignore"):
        rounded = want.astype(np.float32)
    exact = (rounded == 0) | ~np.isfinite(rounded)
    assert np.array_equal(np.signbit(got)[exact & ~np.isnan(got)], np.signbit(rounded)[exact & ~np.isnan(got)])


@pytest.mark.parametrize("target", [PLAIN, RELAXED], ids=["plain", "relaxed"])
@pytest.mark.parametrize("name", OF_ONE)
def test_functions_of_one_number(machine: Machine, name: str, target: Target) -> None:
    ranges = [np.linspace(-limit, limit, 1 << 17).astype(np.float32) for limit in (110, 2, 0.1)]
    x = np.concatenate([SPECIAL, ANY, *ranges])
    with np.errstate(all="ignore"):
        want = OF_ONE[name](x.astype(np.float64))
    got = apply(machine, name, "f32", target, x)
    check(got, want, BOUNDS.get(name, 0.51), (x,))
    check_special(got[: SPECIAL.size], want[: SPECIAL.size])


@pytest.mark.parametrize("target", [PLAIN, RELAXED], ids=["plain", "relaxed"])
@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two_numbers(machine: Machine, name: str, target: Target) -> None:
    near = np.linspace(-5, 5, 1 << 17).astype(np.float32)
    x = np.concatenate([np.repeat(SPECIAL, SPECIAL.size), ANY, near, np.abs(ANY)])
    small = RNG.uniform(-3, 3, ANY.size).astype(np.float32)
    y = np.concatenate([np.tile(SPECIAL, SPECIAL.size), ANY[::-1], RNG.permutation(near) * 6, small])
    with np.errstate(all="ignore"):
        want = OF_TWO[name](x.astype(np.float64), y.astype(np.float64))
    got = apply(machine, name, "f32", target, x, y)
    check(got, want, 0.51, (x, y))
    check_special(got[: SPECIAL.size**2], want[: SPECIAL.size**2])


INTEGERS = np.array(
    [0, 1, -1, 2, -2, 3, 7, -7, 10, 46341, 2**31 - 1, -(2**31), -(2**31) + 1, 65536, -65536, 31], np.int32
)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "power"])
def test_functions_of_integers(machine: Machine, name: str) -> None:
    x, y = (a.ravel() for a in np.meshgrid(INTEGERS, INTEGERS))
    got = apply(machine, name, "i32", PLAIN, x, y)
    for a, b, result in zip(x.tolist(), y.tolist(), got.tolist(), strict=True):
        assert result == _of_integers(name, a, b), f"{name}({a}, {b}) = {result}"


def _of_integers(name: str, a: int, b: int) -> int:
    if name == "power":
        exact = a**b if b >= 0 and abs(a) < 2 else pow(a, b, 1 << 32) if b >= 0 else (0 if abs(a) != 1 else a**b)
        return (int(exact) + 2**31) % 2**32 - 2**31
    if b == 0:
        return 0
    return (a // b + 2**31) % 2**32 - 2**31 if name == "floor_divide" else a % b


@pytest.mark.parametrize(("name", "scalar"), FUNCTIONS)
def test_functions_are_the_same_at_any_width(machine: Machine, name: str, scalar: str) -> None:
    """The interpreter, with 8 and 16 lanes, gives what WebAssembly gives."""
    values = SPECIAL if scalar == "f32" else INTEGERS
    count = len(function(name, scalar, PLAIN).parameters)
    arguments = [np.repeat(values, values.size), np.tile(values, values.size)][:count]
    want = apply(machine, name, scalar, PLAIN, *arguments)
    for width in (8, 16):
        program = function(name, scalar, Target("wide", width=width))
        assert program.parameters[0].type is vector(scalar, width)
        rows = [a.reshape(-1, width) for a in arguments]
        got = np.concatenate([evaluate_function(program, *row) for row in zip(*rows, strict=True)])
        np.testing.assert_array_equal(got, want)
