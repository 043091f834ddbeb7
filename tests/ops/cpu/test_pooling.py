"""Pooling of the cpu backend against loops over the taps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.backends.cpu.pooling import avg_pool, avg_pool_grad, max_pool, max_pool_grad, max_pool_with_argmax
from tests.ops.cpu.reference import Recorder, Windows, geometries, numbers, relative_error, window_values


def attributes(geometry: Windows) -> dict:
    return {"filter_size": geometry.window, "strides": geometry.strides, "pad": geometry.pad}


@settings(max_examples=100, deadline=None)
@given(geometries(dilated=False), st.integers(1, 4))
def test_pooling_agrees_with_the_loop(geometry, channels):
    x = numbers((geometry.batch, *geometry.size, channels))
    if geometry.window == (1, 1) and window_values(x, geometry).shape[1:3] == geometry.size:
        geometry = geometry._replace(strides=(1, 1), pad="valid")
    epilogue = Recorder()
    got = max_pool(x, **attributes(geometry), epilogue=epilogue)
    assert epilogue.each_element_once()
    want = window_values(x, geometry, -np.inf).max(axis=(3, 4)) + np.float32(1)
    np.testing.assert_array_equal(got, want)

    inside = window_values(np.ones_like(x), geometry).sum(axis=(3, 4))
    epilogue = Recorder()
    got = avg_pool(x, **attributes(geometry), epilogue=epilogue)
    assert epilogue.each_element_once()
    seen = inside > 0
    means = window_values(x.astype(np.float64), geometry).sum(axis=(3, 4))[seen] / inside[seen]
    assert relative_error(got[seen], means + 1) < 1e-5
    assert np.isnan(got[~seen]).all()


def test_windows_of_one_pixel_copy_wherever_the_sizes_agree():
    x = numbers((1, 2, 2, 3))
    for function in (max_pool, avg_pool):
        got = function(x, filter_size=1, strides=2, pad=1, dim_rounding_mode="floor")
        np.testing.assert_array_equal(got, x)
        assert not np.shares_memory(got, x)


@settings(max_examples=60, deadline=None)
@given(geometries(dilated=False), st.integers(1, 3), st.booleans())
def test_argmax_is_the_place_of_the_first_maximum(geometry, channels, include_batch):
    x = np.round(numbers((geometry.batch, *geometry.size, channels)))
    largest, index = max_pool_with_argmax(x, **attributes(geometry), include_batch_in_index=include_batch)
    np.testing.assert_array_equal(largest, window_values(x, geometry, -np.inf).max(axis=(3, 4)))
    places = np.arange(x.size if include_batch else x[0].size, dtype=np.int32)
    places = np.broadcast_to(places.reshape(-1, *x.shape[1:]), x.shape)
    windows = window_values(x, geometry, -np.inf)
    windows = windows.reshape(*windows.shape[:3], -1, channels)
    candidates = window_values(places, geometry).reshape(windows.shape)
    first = windows.argmax(axis=3)
    want = np.take_along_axis(candidates, first[:, :, :, None], 3)[:, :, :, 0]
    seen = np.isfinite(largest)
    np.testing.assert_array_equal(index[seen], want[seen])


@settings(max_examples=60, deadline=None)
@given(geometries(dilated=False), st.integers(1, 3))
def test_each_gradient_of_a_maximum_goes_to_its_place(geometry, channels):
    x = np.round(numbers((geometry.batch, *geometry.size, channels), dtype=np.float64))
    largest, index = max_pool_with_argmax(x, **attributes(geometry), include_batch_in_index=True)
    dy = numbers(largest.shape, 1, np.float64)
    want = np.zeros(x.size)
    seen = np.isfinite(largest)
    np.add.at(want, index[seen], dy[seen])
    got = max_pool_grad(dy, x, largest, **attributes(geometry))
    np.testing.assert_allclose(got, want.reshape(x.shape), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(geometries(dilated=False), st.integers(1, 3))
def test_gradients_of_a_mean_are_shares_of_its_pixels(geometry, channels):
    x = numbers((geometry.batch, *geometry.size, channels), dtype=np.float64)
    places = np.arange(1, x.size + 1, dtype=np.int64).reshape(x.shape)
    taps = window_values(places, geometry)
    dy = numbers((*taps.shape[:3], channels), 1, np.float64)
    want = np.zeros(x.size + 1)
    pixels = np.maximum((taps > 0).sum(axis=(3, 4), keepdims=True), 1)
    np.add.at(want, taps, dy[:, :, :, None, None] / pixels)
    got = avg_pool_grad(dy, x, **attributes(geometry))
    np.testing.assert_allclose(got, want[1:].reshape(x.shape), atol=1e-12)


def test_a_maximum_passes_over_nan_and_a_mean_does_not():
    x = np.array([1, 2, 3, 4, 5, 6, 7, np.nan, 9], np.float32).reshape(1, 3, 3, 1)
    got = max_pool(x, filter_size=2, strides=1, pad="valid")
    np.testing.assert_array_equal(got.ravel(), [5, 6, 7, 9])
    got = avg_pool(x, filter_size=2, strides=1, pad="valid")
    np.testing.assert_array_equal(got.ravel(), [3, 4, np.nan, np.nan])


@pytest.mark.parametrize(("mode", "size"), [("floor", 1), ("round", 2), ("ceil", 2), (None, 1)])
def test_windows_may_lie_beyond_the_image_where_sizes_are_rounded_up(mode, size):
    x = np.arange(1, 5, dtype=np.float32).reshape(1, 2, 2, 1)
    for function, nothing in ((max_pool, -np.inf), (avg_pool, np.nan)):
        got = function(x, filter_size=2, strides=3, pad=1, dim_rounding_mode=mode)
        np.testing.assert_array_equal(got.ravel(), [1] + [nothing] * (size**2 - 1))


def test_int32_keeps_its_dtype_and_drops_the_fraction():
    x = np.array([[-7, -2], [3, 4]], np.int32).reshape(1, 2, 2, 1)
    assert max_pool(x, filter_size=2, strides=2, pad="valid").tolist() == [[[[4]]]]
    got = avg_pool(x, filter_size=(1, 2), strides=2, pad="valid")
    assert got.dtype == np.int32
    assert got.tolist() == [[[[-4]]]]


@pytest.mark.parametrize("shape", [(0, 4, 4, 2), (2, 4, 4, 0), (2, 0, 4, 2)])
def test_empty_images_give_empty_results(shape):
    for function in (max_pool, avg_pool):
        got = function(np.ones(shape, np.float32), filter_size=2, strides=2, pad="same")
        assert got.shape == (shape[0], (shape[1] + 1) // 2, 2, shape[3])


def test_no_window_that_fits_gives_no_output_and_no_gradient():
    x, options = np.ones((1, 1, 5, 2), np.float32), {"filter_size": 2, "strides": 1, "pad": "valid"}
    for function, gradient in ((max_pool, lambda dy: max_pool_grad(dy, x, dy, **options)),
                               (avg_pool, lambda dy: avg_pool_grad(dy, x, **options))):  # fmt: skip
        got = function(x, **options)
        assert got.shape == (1, 0, 4, 2)
        np.testing.assert_array_equal(gradient(got), np.zeros_like(x))
    assert max_pool_with_argmax(x, **options)[1].shape == (1, 0, 4, 2)
