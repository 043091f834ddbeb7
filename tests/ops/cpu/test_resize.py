"""Resizing of the cpu backend against formulas for single pixels."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.backends.cpu.resize import (
    resize_bilinear,
    resize_bilinear_grad,
    resize_nearest_neighbor,
    resize_nearest_neighbor_grad,
)
from tests.ops.cpu.reference import adjoint_gap, numbers

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
modes = st.sampled_from([(False, False), (True, False), (False, True)])


def source(i: int, size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> float:
    if align_corners and wanted > 1:
        return i * (size - 1) / (wanted - 1)
    if half_pixel_centers:
        return (i + 0.5) * size / wanted - 0.5
    return i * size / wanted


@settings(max_examples=100, deadline=None)
@given(sizes, sizes, modes, st.integers(1, 3))
def test_bilinear_mixes_the_four_neighbours(given_size, wanted, mode, channels):
    images = numbers((2, *given_size, channels))
    got = resize_bilinear(images, size=wanted, align_corners=mode[0], half_pixel_centers=mode[1])
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.shape == (2, *wanted, channels)
    for row in range(wanted[0]):
        for column in range(wanted[1]):
            y = max(source(row, given_size[0], wanted[0], *mode), 0)
            x = max(source(column, given_size[1], wanted[1], *mode), 0)
            want = np.zeros((2, channels))
            for i, near_y in ((math.floor(y), 1 - y % 1), (math.ceil(y), y % 1)):
                for j, near_x in ((math.floor(x), 1 - x % 1), (math.ceil(x), x % 1)):
                    pixel = images[:, min(i, given_size[0] - 1), min(j, given_size[1] - 1)]
                    want += near_y * near_x * pixel.astype(np.float64)
            np.testing.assert_allclose(got[:, row, column], want, atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(sizes, sizes, modes, st.integers(1, 3))
def test_nearest_copies_one_pixel(given_size, wanted, mode, channels):
    images = numbers((2, *given_size, channels), dtype=np.int32)
    got = resize_nearest_neighbor(images, size=wanted, align_corners=mode[0], half_pixel_centers=mode[1])
    assert got.dtype == np.int32
    assert got.shape == (2, *wanted, channels)
    for row in range(wanted[0]):
        for column in range(wanted[1]):
            places = []
            for i, size, count in ((row, given_size[0], wanted[0]), (column, given_size[1], wanted[1])):
                if mode[1]:
                    place = math.floor((i + 0.5) * (size / count))
                elif mode[0]:
                    place = math.floor(source(i, size, count, *mode) + 0.5)
                else:
                    place = math.floor(i * (size / count))
                places.append(min(place, size - 1))
            np.testing.assert_array_equal(got[:, row, column], images[:, places[0], places[1]])


@pytest.mark.parametrize("mode", [(False, False), (True, False), (False, True)])
def test_nearest_is_exact_where_floats_round(mode: tuple[bool, bool]) -> None:
    for size in range(1, 32):
        line = np.arange(size, dtype=np.float32).reshape(1, size, 1, 1)
        for wanted in range(1, 32):
            got = resize_nearest_neighbor(line, size=(wanted, 1), align_corners=mode[0], half_pixel_centers=mode[1])
            assert got.ravel().tolist() == [
                min(exactly_nearest(i, size, wanted, *mode), size - 1) for i in range(wanted)
            ]


def exactly_nearest(i: int, size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> int:
    if align_corners and wanted > 1:
        return math.floor(Fraction(i * (size - 1), wanted - 1) + Fraction(1, 2))
    if half_pixel_centers:
        return math.floor((i + Fraction(1, 2)) * Fraction(size, wanted))
    return math.floor(Fraction(i * size, wanted))


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, modes, st.integers(1, 3))
def test_gradients_are_the_adjoint(given_size, wanted, mode, channels):
    images = numbers((2, *given_size, channels), dtype=np.float64)
    dy = numbers((2, *wanted, channels), 1, np.float64)
    options = {"align_corners": mode[0], "half_pixel_centers": mode[1]}
    for forward, backward in [
        (resize_bilinear, resize_bilinear_grad),
        (resize_nearest_neighbor, resize_nearest_neighbor_grad),
    ]:
        dx = backward(images, dy, **options)
        assert dx.shape == images.shape
        assert adjoint_gap(lambda v, f=forward: f(v, size=wanted, **options), dx, dy) < 1e-9


@pytest.mark.parametrize("function", [resize_bilinear, resize_nearest_neighbor])
def test_the_same_size_gives_an_equal_copy(function):
    images = numbers((1, 4, 5, 3))
    got = function(images, size=(4, 5))
    np.testing.assert_array_equal(got, images)
    assert not np.shares_memory(got, images)


def test_bilinear_of_int32_is_float32():
    got = resize_bilinear(np.arange(4, dtype=np.int32).reshape(1, 2, 2, 1), size=(3, 3), align_corners=True)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got.ravel(), [0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3])


@pytest.mark.parametrize("shape", [(0, 4, 4, 2), (2, 4, 4, 0)])
def test_empty_batches(shape):
    images = np.ones(shape, np.float32)
    for forward, backward in [
        (resize_bilinear, resize_bilinear_grad),
        (resize_nearest_neighbor, resize_nearest_neighbor_grad),
    ]:
        got = forward(images, size=(3, 5))
        assert got.shape == (shape[0], 3, 5, shape[3])
        assert backward(images, got).shape == shape
