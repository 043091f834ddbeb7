"""Arguments of convolutions and pooling: which are refused and how, and what the forms of an argument mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import find_op

IMAGE = np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2)
FILTER = np.ones((2, 2, 2, 1), np.float32)
POINTS = np.ones((1, 1, 2, 1), np.float32)

CALLS: dict[str, list[Any]] = {
    "conv2d": [IMAGE, FILTER, 1, "valid"],
    "depthwise_conv2d": [IMAGE, FILTER, 1, "valid"],
    "separable_conv2d": [IMAGE, FILTER, POINTS, 1, "valid"],
    "conv2d_transpose": [IMAGE, FILTER.reshape(2, 2, 1, 2), [1, 5, 5, 1], 1, "valid"],
    "max_pool": [IMAGE, 2, 1, "valid"],
    "avg_pool": [IMAGE, 2, 1, "valid"],
    "max_pool_with_argmax": [IMAGE, 2, 1, "valid"],
    "pool": [IMAGE, 2, "max", "valid"],
    "fused.conv2d": [IMAGE, FILTER, 1, "valid"],
    "fused.depthwise_conv2d": [IMAGE, FILTER, 1, "valid"],
}


def called(name: str, changes: dict[int, Any] | None = None, **options: Any) -> Any:
    args = list(CALLS[name])
    for position, value in (changes or {}).items():
        args[position] = value
    return find_op(name)(*args, **options)


@pytest.mark.parametrize("name", CALLS)
def test_refuses_what_is_no_image(name: str) -> None:
    argument = "input" if name == "pool" else "x"
    with pytest.raises(TypeError, match=rf"argument '{argument}' must be a tensor"):
        called(name, {0: {}})
    with pytest.raises(ValueError, match=rf"argument '{argument}' must have rank 4, or 3 .*\[4, 4\]"):
        called(name, {0: np.zeros((4, 4), np.float32)})


@pytest.mark.parametrize("name", [name for name in CALLS if "conv" in name])
def test_convolutions_need_floats_and_filters_that_fit(name: str) -> None:
    with pytest.raises(TypeError, match="argument 'x' must be a float32 tensor, but got a int32"):
        called(name, {0: tf.tensor(IMAGE, dtype="int32")})
    argument = "depthwise_filter" if name == "separable_conv2d" else "filter"
    with pytest.raises(TypeError, match=rf"argument '{argument}' must be a tensor"):
        called(name, {1: {}})
    with pytest.raises(TypeError, match=rf"argument '{argument}' must be a float32 tensor"):
        called(name, {1: tf.ones([2, 2, 2, 1], "int32")})
    with pytest.raises(ValueError, match="filter"):
        called(name, {1: np.ones((2, 2, 2), np.float32)})
    with pytest.raises(ValueError, match="filter"):
        called(name, {1: np.ones((2, 2, 3, 3), np.float32)})


@pytest.mark.parametrize("name", ["conv2d", "fused.conv2d"])
def test_an_image_of_more_channels_is_no_grouped_convolution(name: str) -> None:
    with pytest.raises(ValueError, match=r"conv2d: x of shape .* has 2 channels.*takes 1"):
        called(name, {1: np.ones((2, 2, 1, 2), np.float32)})


@pytest.mark.parametrize("name", CALLS)
def test_refuses_pads_strides_and_sizes(name: str) -> None:
    place = len(CALLS[name]) - 1
    for pad, error, message in [
        ("SAME", ValueError, "argument 'pad' must be 'same', 'valid' or numbers"),
        (1.5, ValueError, "argument 'pad' must hold whole numbers"),
        (None, TypeError, "argument 'pad'"),
        ([[0, 0], [0, 2.1], [1, 1], [0, 0]], ValueError, "argument 'pad' must hold whole numbers"),
        ([1, 1], ValueError, "argument 'pad' must hold pairs"),
        ([[1, 1]], ValueError, "pad must be"),
        (-1, ValueError, "pad must not hold negative"),
    ]:
        with pytest.raises(error, match=message):
            called(name, {place: pad})
    if name == "pool":
        with pytest.raises(ValueError, match="argument 'strides' must be 1 or more"):
            called(name, strides=0)
        return
    for strides, error in [(0, ValueError), ([1, 0], ValueError), (1.5, TypeError), ([1, 2, 3], TypeError)]:
        with pytest.raises(error, match="argument 'strides' must be"):
            called(name, {place - 1: strides})


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("separable_conv2d", "max_pool_with_argmax")])
def test_rounding_needs_numeric_padding(name: str) -> None:
    place = len(CALLS[name]) - 1
    for pad in ("same", "valid"):
        with pytest.raises(ValueError, match="dim_rounding_mode needs pad given in numbers"):
            called(name, {place: pad}, dim_rounding_mode="round")
    with pytest.raises(ValueError, match="dim_rounding_mode must be"):
        called(name, {place: 1}, dim_rounding_mode="up")


@pytest.mark.parametrize("name", ["conv2d", "depthwise_conv2d", "pool", "fused.conv2d"])
def test_either_strides_or_dilations(name: str) -> None:
    with pytest.raises(ValueError, match=r"either 'strides' or 'dilations' must be 1, got \(2, 2\) and \(2, 2\)"):
        called(name, {2: 2} if name != "pool" else {}, dilations=2, **({"strides": 2} if name == "pool" else {}))
    with pytest.raises(ValueError, match="argument 'dilations' must be 1 or more"):
        called(name, dilations=0)


def test_windows_that_do_not_fit() -> None:
    for name in ("max_pool", "avg_pool"):
        with pytest.raises(ValueError, match=rf"{name}: A window of 7"):
            called(name, {1: 7})
        with pytest.raises(ValueError, match="argument 'filter_size' must be 1 or more"):
            called(name, {1: 0})
    with pytest.raises(TypeError, match="avg_pool: argument 'x' must be a float32 tensor"):
        called("avg_pool", {0: tf.tensor(IMAGE, dtype="int32")})
    with pytest.raises(ValueError, match="data_format must be one of NHWC, NCHW"):
        called("conv2d", data_format="NWC")


def test_pool() -> None:
    with pytest.raises(ValueError, match="argument 'pooling_type' must be 'max' or 'avg', got 'min'"):
        called("pool", {2: "min"})
    with pytest.raises(ValueError, match="argument 'dim_rounding_mode' must be None with dilated windows"):
        called("pool", {3: 1}, dilations=2, dim_rounding_mode="floor")


def test_conv1d() -> None:
    sequence, taps = tf.ones([2, 4, 1]), tf.ones([2, 1, 1])
    for x, filter, options, message in [
        (tf.ones([4]), taps, {}, "argument 'x' must have rank 3, or 2"),
        (sequence, tf.ones([2, 1]), {}, "argument 'filter' must have rank 3"),
        (sequence, tf.ones([2, 2, 1]), {}, "channels"),
        (sequence, taps, {"data_format": "NCW"}, "argument 'data_format' must be 'NWC'"),
        (sequence, taps, {"dilation": 0}, "must be 1 or more"),
        (sequence, taps, {"dilation": 2, "stride": 2}, "either 'strides' or 'dilations'"),
    ]:
        with pytest.raises(ValueError, match=f"conv1d: .*{message}"):
            tf.conv1d(x, filter, **{"stride": 1, "pad": "valid", **options})


def test_conv2d_transpose() -> None:
    with pytest.raises(ValueError, match="argument 'output_shape' must have 4 lengths"):
        called("conv2d_transpose", {2: [5, 5, 1]})
    with pytest.raises(ValueError, match=r"makes \[1, 5, 5, 2\], but x is \[1, 4, 4, 2\]"):
        called("conv2d_transpose", {2: [1, 6, 6, 1]})


def test_separable_conv2d() -> None:
    for pointwise in [(1, 1, 2), (1, 2, 2, 1), (1, 1, 3, 1)]:
        with pytest.raises(ValueError, match="argument 'pointwise_filter' must have"):
            called("separable_conv2d", {2: np.ones(pointwise, np.float32)})


def test_fused() -> None:
    with pytest.raises(ValueError, match=r"fused.conv2d: argument 'activation' must be one of .*, got 'cubic'"):
        called("fused.conv2d", activation="cubic")
    with pytest.raises(ValueError, match="argument 'prelu_activation_weights' is needed"):
        called("fused.conv2d", activation="prelu")
    for name in ("fused.conv2d", "fused.depthwise_conv2d"):
        with pytest.raises(ValueError, match=rf"{name}: argument 'bias' of shape \[7\] does not broadcast"):
            called(name, bias=tf.ones([7]))
    with pytest.raises(ValueError, match=r"argument 'bias' of shape \[2, 1, 1\] does not broadcast with the result"):
        tf.fused.mat_mul(tf.ones([2, 3]), tf.ones([3, 4]), bias=tf.ones([2, 1, 1]))


def test_forms_of_arguments() -> None:
    """Numbers and pairs, NumPy's integers, floats without a fraction, None for 1."""
    x, filter = tf.tensor(IMAGE), tf.tensor(FILTER)
    expected = tf.conv2d(x, filter, (2, 2), ((0, 0), (1, 1), (1, 1), (0, 0))).numpy()
    for strides, pad in [
        (2, 1),
        (np.int64(2), np.int32(1)),
        ([2, 2], 1.0),
        ((np.int8(2), 2), [[0, 0], [1, 1], [1, 1], [0, 0]]),
    ]:
        np.testing.assert_array_equal(tf.conv2d(x, filter, strides, pad, dilations=None).numpy(), expected)
        np.testing.assert_array_equal(x.conv2d(filter, strides=strides, pad=pad).numpy(), expected)


def test_production_mode_leaves_complaints_to_the_kernel() -> None:
    try:
        tf.enable_prod_mode()
        assert called("conv2d").shape == (1, 3, 3, 1)
        assert called("max_pool").shape == (1, 3, 3, 2)
        assert called("pool", dilations=2).shape == (1, 2, 2, 2)
        with pytest.raises(ValueError, match="filter"):
            called("conv2d", {1: np.ones((2, 2, 3, 1), np.float32)})
    finally:
        tf.env().reset()


@pytest.mark.parametrize("name", ["conv2d", "depthwise_conv2d"])
def test_gradients_of_gradients(name: str) -> None:
    """The gradient's own derivative along a direction, against the difference of two gradients."""
    x, filter = (tf.tensor(a.astype(np.float64), dtype="float64") for a in (IMAGE / 32, FILTER))
    weights = np.random.default_rng(0).uniform(size=FILTER.shape)
    direction = tf.tensor(weights, dtype="float64")

    def slope(x: tf.Tensor, filter: tf.Tensor) -> tf.Tensor:
        in_x, in_filter = tf.grads(lambda a, b: find_op(name)(a, b, 1, "same").square())([x, filter])
        return in_x.square().sum().add(in_filter.mul(direction).sum())

    found = tf.grads(slope)([x, filter])
    for place, given in enumerate((x, filter)):
        values = np.random.default_rng(1).uniform(size=given.shape)
        step = 1e-5

        def moved(by: float, place: int = place, given: tf.Tensor = given, values: np.ndarray = values) -> float:
            inputs = [x, filter]
            inputs[place] = tf.tensor(given.numpy() + by * values, dtype="float64")
            return slope(*inputs).item()

        expected = (moved(step) - moved(-step)) / (2 * step)
        assert float((found[place].numpy() * values).sum()) == pytest.approx(expected, rel=1e-6)
