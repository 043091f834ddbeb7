"""Fourier transforms of any length, in stages, against NumPy's in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from tenfold.codegen.compute import Array, compute, stages_of
from tenfold.codegen.evaluate import evaluate, steps
from tenfold.codegen.expr import Expr, function
from tenfold.codegen.fourier import LONGEST_CHIRP, _square_modulo, fourier

RNG = np.random.default_rng(23)
BOUND = 1e-6
LENGTHS = [*range(20), 49, 61, 67, 100, 121, 127, 134, 512, 1000, 1021, 1024, 2187, 3721, 4093, 4095, 4096]


def complex_numbers(*shape: int) -> np.ndarray:
    return (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(np.complex64)


def check(array: Array, values: np.ndarray, want: np.ndarray) -> None:
    got = evaluate(array, [values])
    assert got.shape == want.shape
    if want.size:
        assert np.abs(got - want).max() <= BOUND * np.abs(want).max()


@pytest.mark.parametrize("length", LENGTHS)
def test_both_directions(length: int) -> None:
    values = complex_numbers(2, length)
    x = Array(values.shape, "complex64", 0)
    exact = values.astype(np.complex128)
    forth = np.fft.fft(exact) if length else exact
    back = np.fft.ifft(exact) * length if length else exact
    check(fourier(x.shape, lambda *i: x[i]), values, forth)
    check(fourier(x.shape, lambda *i: x[i], inverse=True), values, back)


@pytest.mark.parametrize("rows", [(), (1,), (0,), (2, 1, 3)])
@pytest.mark.parametrize("length", [6, 16, 67])
def test_part_of_the_results_and_what_becomes_of_them(length: int, rows: tuple[int, ...]) -> None:
    values = complex_numbers(*rows, length)
    x = Array(values.shape, "complex64", 0)
    real = function("real")

    def finish(value: Expr, *i: Expr) -> Expr:
        assert len(i) == len(rows) + 1
        return real(value) / length

    array = fourier(x.shape, lambda *i: x[i], wanted=length // 2 + 1, finish=finish)
    assert array.dtype == "float32"
    check(array, values, np.fft.fft(values.astype(np.complex128)).real[..., : length // 2 + 1] / length)


@pytest.mark.parametrize("place", [0, 1, 5, 1023])
def test_one_sample_makes_a_pure_tone(place: int) -> None:
    values = np.zeros(1024, np.complex64)
    values[place] = 1
    x = Array([1024], "complex64", 0)
    got = evaluate(fourier(x.shape, lambda i: x[i]), [values])
    want = np.exp(-2j * np.pi * (place * np.arange(1024) % 1024) / 1024)
    assert np.abs(got - want).max() < 3e-7


@pytest.mark.parametrize(("length", "stages", "times"), [(1024, 6, 6), (4096, 7, 7), (3000, 7, 21), (4093, 26, 50)])
def test_few_stages_and_little_work(length: int, stages: int, times: int) -> None:
    x = Array([8, length], "complex64", 0)
    found = stages_of(fourier(x.shape, lambda *i: x[i]))
    assert len(found) <= stages
    # A stage of radix 4 loads four values in one step.
    assert sum(map(steps, found)) <= times * x.size


def test_lengths_of_large_primes() -> None:
    for length in (46_337, 46_349, LONGEST_CHIRP):
        squares = evaluate(compute([length], lambda k, n=length: _square_modulo(k, n)), [])
        exact = np.arange(length, dtype=np.int64)
        assert np.array_equal(squares, exact**2 % (2 * length))
    x = Array([67 << 17], "complex64", 0)
    with pytest.raises(ValueError, match="prime factor above 61"):
        fourier(x.shape, lambda i: x[i])
