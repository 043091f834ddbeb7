"""Arguments of `dilation2d`, and what becomes of NaN and of ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf

IMAGE = tf.ones([1, 3, 3, 2])
TAPS = tf.zeros([2, 2, 2])


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (({}, TAPS, 1, "valid"), TypeError, "argument 'x' must be a tensor"),
        ((IMAGE, "text", 1, "valid"), TypeError, "argument 'filter' must be a numeric tensor"),
        ((tf.tensor([[[[1j]]]]), TAPS, 1, "valid"), TypeError, "argument 'x' must be real"),
        ((tf.ones([3, 3]), TAPS, 1, "valid"), ValueError, r"argument 'x' must have rank 4, or 3 .*\[3, 3\]"),
        ((IMAGE, tf.zeros([2, 2]), 1, "valid"), ValueError, r"argument 'filter' must have the shape .* got \[2, 2\]"),
        ((IMAGE, tf.zeros([2, 2, 1]), 1, "valid"), ValueError, "argument 'filter' must have the shape"),
        ((IMAGE, TAPS, 0, "valid"), ValueError, "argument 'strides' must be 1 or more"),
        ((IMAGE, TAPS, 1, "SAME"), ValueError, "argument 'pad' must be"),
        ((IMAGE, TAPS, 1, "valid", [1, 0]), ValueError, "argument 'dilations' must be 1 or more"),
        ((IMAGE, TAPS, 1, "valid", 1, "NCHW"), ValueError, "argument 'data_format' must be 'NHWC', got 'NCHW'"),
        ((IMAGE, tf.zeros([5, 1, 2]), 1, "valid"), ValueError, "dilation2d: A window of 5"),
    ],
)
def test_refuses(args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"dilation2d: .*{message}|{message}"):
        tf.dilation2d(*args)


def test_passes_over_nan() -> None:
    image = np.array([[np.nan, 1.0]]).reshape(1, 1, 2, 1)
    assert tf.dilation2d(image, tf.zeros([1, 2, 1]), 1, "valid").array_sync() == [[[[1.0]]]]


def test_the_gradient_goes_to_the_first_of_the_largest() -> None:
    for_image, for_taps = tf.grads(lambda x, taps: tf.dilation2d(x, taps, 1, "valid"))(
        [tf.ones([2, 2, 1]), tf.zeros([2, 2, 1])]
    )
    assert for_image.numpy().ravel().tolist() == for_taps.numpy().ravel().tolist() == [1, 0, 0, 0]
