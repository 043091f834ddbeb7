"""Arguments of `image.transform` and `image.threshold`."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf

IMAGES = tf.ones([2, 3, 3, 1])
MATRIX = [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (({}, MATRIX), TypeError, "argument 'image' must be a tensor"),
        ((tf.ones([1, 2, 2, 1], "int32"), MATRIX), TypeError, "argument 'image' must be a float32 tensor"),
        ((tf.ones([2, 2, 1]), MATRIX), ValueError, r"argument 'image' must have shape \[batch, height"),
        ((IMAGES, tf.tensor(MATRIX, dtype="int32")), TypeError, "argument 'transforms' must be a float32 tensor"),
        ((IMAGES, MATRIX[0]), ValueError, r"argument 'transforms' must have shape \[2, 8\] or \[1, 8\], got \[8\]"),
        ((IMAGES, MATRIX * 3), ValueError, r"argument 'transforms' must have shape .* got \[3, 8\]"),
        ((IMAGES, [[1.0] * 9]), ValueError, r"argument 'transforms' must have shape .* got \[1, 9\]"),
        ((IMAGES, MATRIX, "cubic"), ValueError, "argument 'interpolation' must be one of .* got 'cubic'"),
        ((IMAGES, MATRIX, "nearest", "zero"), ValueError, "argument 'fill_mode' must be one of .* got 'zero'"),
        ((IMAGES, MATRIX, "nearest", "wrap", 0, 3), TypeError, "argument 'output_shape' must be a list of integers"),
        ((IMAGES, MATRIX, "nearest", "wrap", 0, [3]), ValueError, r"argument 'output_shape' must be \[height, width\]"),
    ],
)
def test_transform(args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"transform: {message}"):
        tf.image.transform(*args)


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("text",), TypeError, "argument 'image'"),
        ((tf.ones([2, 2, 1], "bool"),), TypeError, "argument 'image' must be a float32 or int32 tensor, got bool"),
        ((tf.ones([2, 2]),), ValueError, r"argument 'image' must have shape .* got \[2, 2\]"),
        ((tf.ones([2, 2, 2]),), ValueError, r"argument 'image' must have shape .* got \[2, 2, 2\]"),
        ((tf.ones([2, 2, 1]), "mean"), ValueError, "argument 'method' must be 'binary' or 'otsu', got 'mean'"),
    ],
)
def test_threshold(args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"threshold: {message}"):
        tf.image.threshold(*args)


def test_transforms_of_nothing() -> None:
    assert tf.image.transform(tf.zeros([0, 2, 2, 1]), MATRIX).shape == (0, 2, 2, 1)
    assert tf.image.transform(tf.zeros([1, 0, 2, 1]), MATRIX, output_shape=[1, 1]).array_sync() == [[[[0.0]]]]
