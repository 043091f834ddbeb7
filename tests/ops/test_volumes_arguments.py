"""Arguments of convolutions and pooling of volumes, what their windows see, and gradients of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.windows import pool3d_info
from tests.ops.harness import double, error_of_scale, find_op

VOLUME = np.arange(54, dtype=np.float32).reshape(1, 3, 3, 3, 2)
FILTER = np.ones((2, 2, 2, 2, 1), np.float32)

CALLS: dict[str, list[Any]] = {
    "conv3d": [VOLUME, FILTER, 1, "valid"],
    "conv3d_transpose": [VOLUME, FILTER.reshape(2, 2, 2, 1, 2), [1, 4, 4, 4, 1], 1, "valid"],
    "max_pool3d": [VOLUME, 2, 1, "valid"],
    "avg_pool3d": [VOLUME, 2, 1, "valid"],
}


def called(name: str, changes: dict[int, Any] | None = None, **options: Any) -> Any:
    args = list(CALLS[name])
    for position, value in (changes or {}).items():
        args[position] = value
    return find_op(name)(*args, **options)


@pytest.mark.parametrize("name", CALLS)
def test_refuses_what_is_no_volume(name: str) -> None:
    with pytest.raises(TypeError, match=r"argument 'x' must be a tensor"):
        called(name, {0: {}})
    with pytest.raises(ValueError, match=r"argument 'x' must have rank 5, or 4 .*\[3, 3, 2\]"):
        called(name, {0: np.zeros((3, 3, 2), np.float32)})


@pytest.mark.parametrize("name", ["conv3d", "conv3d_transpose", "avg_pool3d"])
def test_all_but_maxima_need_floats(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}: argument 'x' must be a float32 tensor, but got a int32"):
        called(name, {0: tf.tensor(VOLUME, dtype="int32")})


@pytest.mark.parametrize("name", ["conv3d", "conv3d_transpose"])
def test_filters_must_fit(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}: argument 'filter' must be a tensor"):
        called(name, {1: {}})
    with pytest.raises(ValueError, match="filter of rank 5"):
        called(name, {1: np.ones((2, 2, 2, 2), np.float32)})
    with pytest.raises(ValueError, match="must be equal" if name == "conv3d" else "but x is"):
        called(name, {1: np.ones((2, 2, 2, 1, 1), np.float32)})


@pytest.mark.parametrize("name", CALLS)
def test_refuses_strides_and_pads(name: str) -> None:
    strides = len(CALLS[name]) - 2
    for given, error, message in [
        (0, ValueError, "argument 'strides' must be 1 or more"),
        ([1, 1], TypeError, "argument 'strides' must be a whole number or three"),
        (1.5, TypeError, "argument 'strides' must be a whole number or three"),
    ]:
        with pytest.raises(error, match=message):
            called(name, {strides: given})
    for given, error, message in [
        ("SAME", ValueError, "argument 'pad' must be 'same', 'valid' or numbers"),
        (None, TypeError, "argument 'pad'"),
        ([[0, 0]] * 4, ValueError, "five pairs"),
        (-1, ValueError, "negative"),
    ]:
        with pytest.raises(error, match=message):
            called(name, {strides + 1: given})


@pytest.mark.parametrize("name", ["max_pool3d", "avg_pool3d"])
def test_pooling_refuses(name: str) -> None:
    with pytest.raises(ValueError, match="argument 'data_format' must be 'NDHWC'"):
        called(name, data_format="NCDHW")
    with pytest.raises(TypeError, match="argument 'filter_size'"):
        called(name, {1: "2"})
    with pytest.raises(ValueError, match="dim_rounding_mode needs pad given in numbers"):
        called(name, dim_rounding_mode="round")
    with pytest.raises(ValueError, match="dim_rounding_mode must be"):
        called(name, {3: 0}, dim_rounding_mode="up")
    with pytest.raises(ValueError, match="A window of 6"):
        called(name, {1: [6, 1, 1]})


def test_conv3d_refuses() -> None:
    with pytest.raises(ValueError, match="argument 'data_format' must be 'NDHWC'"):
        called("conv3d", data_format="NCDHW")
    with pytest.raises(ValueError, match="argument 'dilations' must be 1 or more"):
        called("conv3d", dilations=[1, 1, 0])
    with pytest.raises(ValueError, match="either 'strides' or 'dilations' must be 1"):
        called("conv3d", {2: 2}, dilations=2)


def test_conv3d_transpose_checks_the_output_shape() -> None:
    with pytest.raises(ValueError, match="argument 'output_shape' must have 5 lengths"):
        called("conv3d_transpose", {2: [4, 4, 4, 1]})
    with pytest.raises(TypeError, match="argument 'output_shape' must be a list of integers"):
        called("conv3d_transpose", {2: 4})
    with pytest.raises(ValueError, match=r"makes \[1, 4, 3, 3, 2\], but x is \[1, 3, 3, 3, 2\]"):
        called("conv3d_transpose", {2: [1, 5, 4, 4, 1]})


def test_maxima_pass_over_nan_and_means_do_not() -> None:
    volume = np.full((1, 2, 1, 2, 1), np.nan, np.float32)
    volume[0, 1, 0, 0, 0] = 3
    assert tf.max_pool3d(volume, [2, 1, 1], 1, "valid").array_sync() == [[[[[3.0], [-np.inf]]]]]
    assert np.isnan(tf.avg_pool3d(volume, [2, 1, 1], 1, "valid").numpy()).all()


def test_the_gradient_of_a_maximum_goes_to_the_first() -> None:
    gradient = tf.grad(lambda x: tf.max_pool3d(x, 2, 1, "valid"))(tf.ones([2, 2, 2, 1]))
    assert gradient.numpy().ravel().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("mode", "out"), [("floor", 2), ("ceil", 3), ("round", 3), (None, 2)])
def test_sizes_round_as_wanted(mode: str | None, out: int) -> None:
    info = pool3d_info([1, 6, 6, 6, 1], 3, 2, 0, mode)
    assert info.out_shape == (1, out, out, out, 1)
    assert tf.avg_pool3d(tf.ones([1, 6, 6, 6, 1]), 3, 2, 0, mode).numpy().min() == 1


def test_gradients_of_the_gradients_of_conv3d() -> None:
    rng = np.random.default_rng(0)
    x, taps = double(rng.normal(size=(1, 3, 3, 2, 1))), double(rng.normal(size=(2, 2, 1, 1, 2)))
    direction = rng.normal(size=x.shape)

    def of_filter(taps: tf.Tensor) -> tf.Tensor:
        return tf.grad(lambda x: tf.conv3d(x, taps, 1, "same").square().sum())(x).mul(double(direction)).sum()

    got = tf.grad(of_filter)(taps).numpy()
    want = np.zeros(taps.shape)
    for place in np.ndindex(taps.shape):
        step = np.zeros(taps.shape)
        step[place] = 1e-5
        above, below = (of_filter(double(taps.numpy() + sign * step)).numpy() for sign in (1, -1))
        want[place] = (above - below) / 2e-5
    assert error_of_scale(got, want) < 1e-6
