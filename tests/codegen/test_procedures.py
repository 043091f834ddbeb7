"""What arrays are computed by instead of stages, as programs, against NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

import numpy as np
import pytest

from tenfold.codegen.compute import Array, both
from tenfold.codegen.evaluate import evaluate
from tenfold.codegen.expr import Expr, call, cast, constant
from tenfold.codegen.fourier import fourier, fourier_of_real, real_of_fourier
from tenfold.codegen.loops.program import Target
from tenfold.codegen.procedures import Instead, Ranking
from tenfold.codegen.scans import scan
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.codegen.segments import last_places, segment_sums
from tenfold.codegen.sorting import first_in_order
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


# --- rankings ----------------------------------------------------------------------------------------------


def _greater(a: Expr, b: Expr) -> Expr:
    if a.dtype != "float32":
        return a > b
    return call("logical_or", a > b, both(call("isnan", b), call("logical_not", call("isnan", a))))


def ranked(values: np.ndarray, count: int) -> Array:
    x = Array(values.shape, str(values.dtype), 0)
    return first_in_order(values.shape, count, lambda *i: x[i], _greater, greatest_first=True)


def greatest(values: np.ndarray, count: int) -> np.ndarray:
    """The positions of the greatest, NaN last, equal ones as they stand."""
    keys = -np.where(np.isnan(values), -np.inf, values).astype(np.float64)
    order = np.lexsort((np.isnan(values), keys), axis=-1)
    return order[..., :count].astype(np.int32)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 17, 100, 300])
@pytest.mark.parametrize("rows", [(), (2, 1, 3)])
def test_rankings(machine: Machine, length: int, rows: tuple[int, ...]) -> None:
    """Of numbers with ties, NaN, infinities and zeros of both signs; by lists and by digits."""
    floats = RNG.integers(-5, 5, (*rows, length)).astype(np.float32)
    odd = RNG.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40], floats.shape)
    floats = np.where(RNG.uniform(size=floats.shape) < 0.4, odd, floats).astype(np.float32)
    integers = RNG.choice([-(2**31), 2**31 - 1, -1, 0, 1, 7], floats.shape).astype(np.int32)
    for values in (floats, integers):
        for count in sorted({1, min(3, length), length // 2, length} - {0}):
            result = ranked(values, count)
            (got,) = compute_scheduled(machine.run, [result], [values], PLAIN)
            assert np.array_equal(got, greatest(values, count)), (values, count)
    check(machine, ranked(floats, min(length, 5)), [floats], greatest(floats, min(length, 5)))


def test_rankings_of_rows_in_and_out_of_order(machine: Machine) -> None:
    for values in (np.arange(3000), np.arange(3000)[::-1], np.zeros(3000), np.full(3000, np.nan)):
        row = np.ascontiguousarray(values, np.float32)
        for count in (1, 40, 3000):
            (got,) = compute_scheduled(machine.run, [ranked(row, count)], [row], PLAIN)
            assert np.array_equal(got, greatest(row, count))


@pytest.mark.parametrize("rows", [63, 64, 65, 130])
def test_rankings_of_many_rows_share_room(machine: Machine, rows: int) -> None:
    values = RNG.normal(size=(rows, 9)).astype(np.float32)
    result = ranked(values, 2)
    check(machine, result, [values], greatest(values, 2))
    (array,) = result.procedure.sources if result.procedure is not None else ()
    assert array.size < rows * 2 + 65 * 64
    (program, _) = schedule(array, PLAIN)
    assert program.blocks == min(rows, 64)


def test_both_ways_of_ranking_are_taken() -> None:
    def is_short(length: int, count: int) -> bool:
        values = np.zeros(length, np.float32)
        instead = ranked(values, count).procedure
        assert isinstance(instead, Instead)
        (array,) = instead.sources
        assert isinstance(array.procedure, Ranking)
        return array.procedure.is_short

    assert is_short(8, 8)
    assert is_short(100_000, 10)
    assert not is_short(1000, 1000)
    assert not is_short(100_000, 300)


def test_rankings_of_columns(machine: Machine) -> None:
    """What is ranked along need not lie in memory."""
    values = RNG.normal(size=(37, 5)).astype(np.float32)
    x = Array(values.shape, "float32", 0)
    result = first_in_order((5, 37), 7, lambda i, j: x[j, i], _greater, greatest_first=True)
    check(machine, result, [values], greatest(values.T, 7))
    assert np.array_equal(evaluate(result, [values]), greatest(values.T, 7))


# --- scatters ----------------------------------------------------------------------------------------------


def scattered(kind: str, keys: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Element after element; keys of no segment are passed over."""
    rows = keys.shape[:-1]
    flat_keys = keys.reshape(prod(rows), keys.shape[-1])
    flat_values = values.reshape(*flat_keys.shape, *values.shape[keys.ndim :])
    result = np.zeros((len(flat_keys), count, *flat_values.shape[2:]), values.dtype)
    for row, number in np.ndindex(flat_keys.shape):
        key = flat_keys[row, number]
        if 0 <= key < count:
            found = flat_values[row, number]
            result[row, key] = result[row, key] | found if kind == "any" else result[row, key] + found
    return result.reshape(*rows, count, *values.shape[keys.ndim :])


SCATTERS = [
    *(((50,), 7, (length,)) for length in (1, 2, 3, 4, 5, 8, 13, 63, 64, 65, 128, 131)),
    ((3, 20), 4, (256,)),
    ((50,), 7, ()),
    ((1,), 1, ()),
    ((0,), 5, (3,)),
    ((20,), 1, (2, 3)),
    ((3, 9), 6, ()),
    ((2, 2, 9), 3, (2, 1, 5)),
]


@pytest.mark.parametrize(("keys_shape", "count", "inner"), SCATTERS)
def test_scatters(machine: Machine, keys_shape: tuple[int, ...], count: int, inner: tuple[int, ...]) -> None:
    keys = RNG.integers(-1, count + 1, keys_shape).astype(np.int32)
    k = Array(keys_shape, "int32", 0)
    for dtype in ("float32", "int32", "complex64", "bool"):
        kind = "any" if dtype == "bool" else "sum"
        values = values_of(dtype, (*keys_shape, *inner))
        v = Array(values.shape, dtype, 1)
        result = segment_sums(kind, k, [count], inner, partial(_cast_element, v, dtype))
        want = scattered(kind, keys, values, count)
        (got,) = compute_scheduled(machine.run, [result], [keys, values], PLAIN)
        assert np.array_equal(got, want), dtype
        if dtype == "float32":
            check(machine, result, [keys, values], want)
    check(machine, last_places(k, [count]), [keys], last_of(keys, count))


def last_of(keys: np.ndarray, count: int) -> np.ndarray:
    flat = keys.reshape(prod(keys.shape[:-1]), keys.shape[-1])
    result = np.full((len(flat), count), -1, np.int32)
    for row, number in np.ndindex(flat.shape):
        if 0 <= flat[row, number] < count:
            result[row, flat[row, number]] = number
    return result.reshape(*keys.shape[:-1], count)


def test_scatters_of_what_does_not_lie_in_memory(machine: Machine) -> None:
    values = RNG.integers(-5, 5, (6, 40)).astype(np.float32)
    keys = RNG.integers(0, 3, 40).astype(np.int32)
    k, v = Array((40,), "int32", 0), Array(values.shape, "float32", 1)
    result = segment_sums("sum", k, [3], (6,), lambda number, inner: v[inner, number])
    check(machine, result, [keys, values], scattered("sum", keys, values.T, 3))
    of_one = segment_sums("sum", k, [3], (), lambda number: constant(1.0, "float32"))
    check(machine, of_one, [keys], np.bincount(keys, minlength=3).astype(np.float32))


# --- Fourier transforms ------------------------------------------------------------------------------------

LENGTHS = [6, 8, 9, 10, 12, 14, 15, 16, 18, 20, 22, 25, 26, 27, 30, 33, 39, 49, 64, 77, 121, 128, 169, 1000]


@pytest.mark.parametrize("length", LENGTHS)
def test_transforms(machine: Machine, length: int) -> None:
    """Lengths of all factors; lanes within strides of any length and across them, and none."""
    for rows in ((), (2, 3)):
        values = (RNG.normal(size=(*rows, length)) + 1j * RNG.normal(size=(*rows, length))).astype(np.complex64)
        x = Array(values.shape, "complex64", 0)
        result = fourier(x.shape, lambda *i, x=x: x[i])
        assert isinstance(result.procedure, Instead)
        want = np.fft.fft(values).astype(np.complex64)
        (got,) = compute_scheduled(machine.run, [result], [values], PLAIN)
        assert not mismatch(got, want)
        back = fourier(x.shape, lambda *i, x=x: x[i], inverse=True, wanted=length // 2 + 1)
        (got,) = compute_scheduled(machine.run, [back], [values], RELAXED)
        assert not mismatch(got, (np.fft.ifft(values) * length).astype(np.complex64)[..., : length // 2 + 1])
    if length in (18, 27, 32, 60, 169):
        check(machine, result, [values], want)


@pytest.mark.parametrize("length", [1, 2, 7, 8, *(2 * length for length in LENGTHS), 68])
def test_transforms_of_real_rows(machine: Machine, length: int) -> None:
    """Half as many complex numbers where the half has a procedure; the ends of a row stand alone there."""
    for rows in ((), (2, 3)):
        samples = RNG.normal(size=(*rows, length)).astype(np.float32)
        x = Array(samples.shape, "float32", 0)
        spectrum = np.fft.rfft(samples).astype(np.complex64)
        (got,) = compute_scheduled(machine.run, [fourier_of_real(x.shape, lambda *i, x=x: x[i])], [samples], PLAIN)
        assert not mismatch(got, spectrum)
        # What counts for nothing, as a sum of real numbers has no imaginary part.
        spectrum[..., 0] += 3j
        if length % 2 == 0:
            spectrum[..., -1] -= 5j
        y = Array(spectrum.shape, "complex64", 0)
        back = real_of_fourier(samples.shape, lambda *i, y=y: y[i])
        (got,) = compute_scheduled(machine.run, [back], [spectrum], RELAXED)
        assert not mismatch(got, samples)
    if length in (36, 54, 120, 338):
        check(machine, back, [spectrum], samples)


@pytest.mark.parametrize("length", [34, 97, 251])
def test_transforms_of_lengths_with_large_factors(machine: Machine, length: int) -> None:
    values = (RNG.normal(size=(2, length)) + 1j * RNG.normal(size=(2, length))).astype(np.complex64)
    x = Array(values.shape, "complex64", 0)
    (got,) = compute_scheduled(machine.run, [fourier(x.shape, lambda *i: x[i])], [values], PLAIN)
    assert not mismatch(got, np.fft.fft(values).astype(np.complex64))


# --- blocks ------------------------------------------------------------------------------------------------


def test_blocks_may_be_computed_apart(machine: Machine) -> None:
    """As threads do: what a block leaves does not depend on which others run before it."""
    values, keys = RNG.normal(size=(10, 256)).astype(np.float32), RNG.integers(0, 4, 10).astype(np.int32)
    x, k = Array(values.shape, "float32", 0), Array(keys.shape, "int32", 1)
    ranking = ranked(values, 3).procedure
    assert ranking is not None
    scatter = segment_sums("sum", k, [4], (256,), lambda *i: x[i])
    scans = [scan("sum", x.shape, axis, lambda *i: x[i]) for axis in (0, 1)]
    for array, counted in ((scatter, -1), (scans[0], -1), (scans[1], -1), (ranking.sources[0], 30)):
        program, sources = schedule(array, PLAIN)
        assert program.blocks > 2
        *buffers, output = program.buffers
        arrays = {b: (values, keys)[s.number or 0] for b, s in zip(buffers, sources, strict=True)}
        want = machine.run(program, arrays)[output]
        so_far = np.full(output.size, 9, want.dtype)
        for begin, end in ((program.blocks - 1, program.blocks), (0, 1), (1, program.blocks - 1)):
            so_far = machine.run(program, {**arrays, output: so_far}, blocks=(begin, end))[output]
        assert np.array_equal(so_far[:counted], want[:counted])
