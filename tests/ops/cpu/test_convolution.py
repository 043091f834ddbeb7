"""Convolutions of the cpu backend against loops over the taps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tenfold.backends.cpu.convolution as convolution_module
from tenfold.backends.cpu.convolution import (
    conv2d,
    conv2d_backprop_filter,
    conv2d_backprop_input,
    depthwise_conv2d,
    depthwise_conv2d_backprop_filter,
    depthwise_conv2d_backprop_input,
)
from tests.ops.cpu.reference import (
    Recorder,
    Windows,
    adjoint_gap,
    convolution,
    depthwise_convolution,
    geometries,
    numbers,
    relative_error,
    window_values,
)

channel_counts = st.integers(1, 5)


def attributes(geometry: Windows) -> dict:
    return {"strides": geometry.strides, "dilations": geometry.dilations, "pad": geometry.pad}


@settings(max_examples=150, deadline=None)
@given(geometries(), channel_counts, channel_counts)
def test_convolution_agrees_with_the_loop(geometry, channels, outputs):
    x = numbers((geometry.batch, *geometry.size, channels))
    filters = numbers((*geometry.window, channels, outputs), 1)
    want = convolution(x, filters, geometry)
    got = conv2d(x, filters, **attributes(geometry))
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert relative_error(got, want) < 1e-5


@settings(max_examples=150, deadline=None)
@given(geometries(), channel_counts, st.integers(1, 3))
def test_depthwise_convolution_agrees_with_the_loop(geometry, channels, multiplier):
    x = numbers((geometry.batch, *geometry.size, channels))
    filters = numbers((*geometry.window, channels, multiplier), 1)
    want = depthwise_convolution(x, filters, geometry)
    got = depthwise_conv2d(x, filters, **attributes(geometry))
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert relative_error(got, want) < 1e-5


# One shape for each way through the kernels: columns folded in even and uneven runs, gathered columns, strided
# columns, several images in a block and several blocks in an image.
@pytest.mark.parametrize(
    ("shape", "strides", "dilations"),
    [
        ((1, 129, 129, 24), (1, 1), (1, 1)),
        ((2, 60, 53, 96), (1, 1), (1, 1)),
        ((1, 96, 96, 16), (2, 2), (1, 1)),
        ((1, 57, 56, 144), (2, 2), (1, 1)),
        ((9, 7, 7, 80), (1, 1), (1, 1)),
        ((1, 40, 40, 70), (1, 1), (3, 2)),
        ((1, 5, 5, 1344), (1, 1), (1, 1)),
    ],
)
def test_depthwise_convolution_of_layers_as_models_have_them(shape, strides, dilations):
    x, filters = numbers(shape), numbers((3, 3, shape[3], 1), 1)
    geometry = Windows(shape[0], shape[1:3], (3, 3), strides, dilations, "same")
    epilogue = Recorder()
    got = depthwise_conv2d(x, filters, **attributes(geometry), epilogue=epilogue)
    assert epilogue.each_element_once()
    assert relative_error(got, depthwise_convolution(x, filters, geometry) + 1) < 1e-5


@pytest.mark.parametrize(
    ("shape", "filter_shape", "strides", "pad"),
    [
        ((1, 224, 224, 3), (3, 3, 3, 48), (2, 2), "same"),
        ((1, 128, 128, 3), (5, 5, 3, 24), (2, 2), "same"),
        ((1, 112, 112, 24), (1, 1, 24, 144), (1, 1), "same"),
        ((1, 56, 56, 20), (3, 3, 20, 12), (1, 1), "same"),
        ((5, 12, 12, 40), (1, 1, 40, 30), (2, 2), "valid"),
        ((11, 20, 20, 32), (3, 3, 32, 8), (1, 1), "valid"),
        ((1, 3, 3, 32), (3, 3, 32, 266), (3, 3), "valid"),
    ],
)
def test_convolution_of_layers_as_models_have_them(shape, filter_shape, strides, pad):
    x, filters = numbers(shape), numbers(filter_shape, 1)
    geometry = Windows(shape[0], shape[1:3], filter_shape[:2], strides, (1, 1), pad)
    epilogue = Recorder()
    got = conv2d(x, filters, **attributes(geometry), epilogue=epilogue)
    assert epilogue.each_element_once()
    assert relative_error(got, convolution(x, filters, geometry) + 1) < 1e-5


@settings(max_examples=60, deadline=None)
@given(geometries(), channel_counts, channel_counts)
def test_gradients_of_a_convolution_are_its_adjoint(geometry, channels, outputs):
    x = numbers((geometry.batch, *geometry.size, channels), dtype=np.float64)
    filters = numbers((*geometry.window, channels, outputs), 1, np.float64)
    common = attributes(geometry)
    dy = numbers(conv2d(x, filters, **common).shape, 2, np.float64)
    epilogue = Recorder()
    dx = conv2d_backprop_input(dy, filters, **common, input_shape=x.shape, epilogue=epilogue)
    assert epilogue.each_element_once()
    assert adjoint_gap(lambda v: conv2d(v, filters, **common), dx - 1, dy) < 1e-9
    dw = conv2d_backprop_filter(x, dy, **common, filter_shape=filters.shape)
    assert adjoint_gap(lambda v: conv2d(x, v, **common), dw, dy) < 1e-9


@settings(max_examples=60, deadline=None)
@given(geometries(), channel_counts, st.integers(1, 3))
def test_gradients_of_a_depthwise_convolution_are_its_adjoint(geometry, channels, multiplier):
    x = numbers((geometry.batch, *geometry.size, channels), dtype=np.float64)
    filters = numbers((*geometry.window, channels, multiplier), 1, np.float64)
    common = attributes(geometry)
    dy = numbers(depthwise_conv2d(x, filters, **common).shape, 2, np.float64)
    dx = depthwise_conv2d_backprop_input(dy, filters, **common, input_shape=x.shape)
    assert adjoint_gap(lambda v: depthwise_conv2d(v, filters, **common), dx, dy) < 1e-9
    dw = depthwise_conv2d_backprop_filter(x, dy, **common, filter_shape=filters.shape)
    assert adjoint_gap(lambda v: depthwise_conv2d(x, v, **common), dw, dy) < 1e-9


@settings(max_examples=40, deadline=None)
@given(geometries(), channel_counts, st.integers(1, 3))
def test_blocks_of_one_row_make_the_same_results(geometry, channels, outputs):
    x = numbers((geometry.batch, *geometry.size, channels), dtype=np.float64)
    filters = numbers((*geometry.window, channels, outputs), 1, np.float64)
    common = attributes(geometry)

    def results() -> list[np.ndarray]:
        made = []
        for forward, back, back_filter in [
            (conv2d, conv2d_backprop_input, conv2d_backprop_filter),
            (depthwise_conv2d, depthwise_conv2d_backprop_input, depthwise_conv2d_backprop_filter),
        ]:
            y = forward(x, filters, **common)
            dx = back(y, filters, **common, input_shape=x.shape)
            made += [y, dx, back_filter(x, y, **common, filter_shape=filters.shape)]
        return made

    want = results()
    with pytest.MonkeyPatch.context() as patched:
        for budget in ("_PATCH_BYTES", "_PRODUCT_BYTES", "_DEPTHWISE_BYTES"):
            patched.setattr(convolution_module, budget, 1)
        for got, whole in zip(results(), want, strict=True):
            assert relative_error(got, whole) < 1e-12


@pytest.mark.parametrize(("groups", "inside", "outside"), [(2, 3, 4), (3, 1, 2), (4, 1, 1)])
def test_a_grouped_convolution_convolves_each_group_by_itself(groups, inside, outside):
    x = numbers((2, 6, 7, groups * inside), dtype=np.float64)
    filters = numbers((3, 2, inside, groups * outside), 1, np.float64)
    common = {"strides": (1, 2), "pad": "same"}
    want = np.concatenate(
        [
            conv2d(
                x[..., group * inside : (group + 1) * inside],
                filters[..., group * outside : (group + 1) * outside],
                **common,
            )
            for group in range(groups)
        ],
        axis=3,
    )
    epilogue = Recorder()
    got = conv2d(x, filters, **common, epilogue=epilogue)
    assert epilogue.each_element_once()
    assert relative_error(got, want + 1) < 1e-12
    dy = numbers(want.shape, 2, np.float64)
    dx = conv2d_backprop_input(dy, filters, **common, input_shape=x.shape)
    assert adjoint_gap(lambda v: conv2d(v, filters, **common), dx, dy) < 1e-9
    dw = conv2d_backprop_filter(x, dy, **common, filter_shape=filters.shape)
    assert adjoint_gap(lambda v: conv2d(x, v, **common), dw, dy) < 1e-9


def channels_first(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("pad", ["same", "valid", 1, [[0, 0], [2, 1], [0, 3], [0, 0]]])
def test_channels_first_is_channels_last_transposed(pad):
    x, filters = numbers((2, 8, 9, 3), dtype=np.float64), numbers((3, 2, 3, 4), 1, np.float64)
    first_pad = [pad[0], pad[3], pad[1], pad[2]] if isinstance(pad, list) else pad
    last = {"strides": (2, 1), "pad": pad}
    first = {"strides": (2, 1), "pad": first_pad, "data_format": "NCHW"}
    for forward, back, back_filter in [
        (conv2d, conv2d_backprop_input, conv2d_backprop_filter),
        (depthwise_conv2d, depthwise_conv2d_backprop_input, depthwise_conv2d_backprop_filter),
    ]:
        y = forward(x, filters, **last)
        got = forward(channels_first(x), filters, **first)
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, channels_first(y))
        dx = back(y, filters, **last, input_shape=x.shape)
        got = back(channels_first(y), filters, **first, input_shape=channels_first(x).shape)
        np.testing.assert_array_equal(got, channels_first(dx))
        dw = back_filter(x, y, **last, filter_shape=filters.shape)
        got = back_filter(channels_first(x), channels_first(y), **first, filter_shape=filters.shape)
        np.testing.assert_array_equal(got, dw)


@pytest.mark.parametrize("scale", [1, 40_000, 4_000_001, 20_000_000])
def test_int32_is_exact_and_wraps_around(scale):
    x = numbers((1, 6, 6, 3), dtype=np.int32) * np.int32(scale)
    filters = numbers((3, 3, 3, 2), 1, np.int32) * np.int32(scale)
    geometry = Windows(1, (6, 6), (3, 3), (1, 1), (1, 1), "same")
    windows, wide = window_values(x.astype(np.int64), geometry), filters.astype(np.int64)
    got = conv2d(x, filters, **attributes(geometry))
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, np.tensordot(windows, wide, 3).astype(np.int32))
    got = depthwise_conv2d(x, filters, **attributes(geometry))
    assert got.dtype == np.int32
    want = (windows[..., None] * wide).sum(axis=(3, 4)).reshape(1, 6, 6, 6)
    np.testing.assert_array_equal(got, want.astype(np.int32))


@pytest.mark.parametrize("function", [conv2d, depthwise_conv2d])
@pytest.mark.parametrize(
    ("shape", "filter_shape", "out"),
    [
        ((0, 5, 5, 2), (3, 3, 2, 4), 0),
        ((2, 0, 5, 2), (3, 3, 2, 4), 0),
        ((2, 5, 5, 0), (3, 3, 0, 4), None),
        ((2, 5, 5, 2), (3, 3, 2, 0), 0),
    ],
)
def test_empty_operands_give_zeros_or_nothing(function, shape, filter_shape, out):
    epilogue = Recorder()
    got = function(
        np.ones(shape, np.float32), np.ones(filter_shape, np.float32), strides=1, pad="same", epilogue=epilogue
    )
    assert got.shape[:3] == shape[:3]
    assert out is None or got.size == out
    assert (got == 1).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("function", [conv2d, depthwise_conv2d])
def test_what_is_not_finite_reaches_every_window_that_sees_it(function, value):
    x = np.ones((1, 6, 6, 2), np.float32)
    x[0, 2, 2] = value
    got = function(x, np.ones((3, 3, 2, 1), np.float32), strides=1, pad="same")
    seen = np.zeros((6, 6), bool)
    seen[1:4, 1:4] = True
    for channel in range(got.shape[3]):
        np.testing.assert_array_equal(np.isfinite(got[0, :, :, channel]), ~seen)


def test_the_operands_stay_as_they_were_and_the_result_is_new():
    x, filters = numbers((1, 4, 4, 3)), np.ones((1, 1, 3, 1), np.float32)
    x_before = x.copy()
    for function in (conv2d, depthwise_conv2d):
        got = function(x, filters, strides=1, pad="same", epilogue=Recorder())
        assert not np.shares_memory(got, x)
        np.testing.assert_array_equal(x, x_before)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="dy must have the shape"):
        conv2d_backprop_input(np.ones((1, 3, 3, 2)), np.ones((2, 2, 3, 2)), strides=1, pad="same",
                              input_shape=(1, 4, 4, 3))  # fmt: skip


def test_no_window_that_fits_gives_no_output_and_no_gradient():
    x, options = np.ones((1, 2, 5, 3), np.float32), {"strides": 1, "pad": "valid"}
    for forward, back, back_filter in [
        (conv2d, conv2d_backprop_input, conv2d_backprop_filter),
        (depthwise_conv2d, depthwise_conv2d_backprop_input, depthwise_conv2d_backprop_filter),
    ]:
        filters = np.ones((3, 2, 3, 2), np.float32)
        got = forward(x, filters, **options)
        assert got.shape[:3] == (1, 0, 4)
        np.testing.assert_array_equal(back(got, filters, **options, input_shape=x.shape), np.zeros_like(x))
        dw = back_filter(x, got, **options, filter_shape=filters.shape)
        np.testing.assert_array_equal(dw, np.zeros_like(filters))
