"""Pictures to tensors and back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tenfold as tf

RGBA = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) * 10


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_from_pixels_takes_the_first_channels(count: int) -> None:
    tensor = tf.browser.from_pixels(RGBA, count)
    assert tensor.dtype == "int32"
    assert tensor.array_sync() == RGBA[:, :, :count].tolist()


@pytest.mark.parametrize(
    "pixels",
    [
        Image.fromarray(RGBA),
        RGBA.astype(np.int64),
        SimpleNamespace(width=3, height=2, data=RGBA.tobytes()),
        {"width": 3, "height": 2, "data": RGBA.ravel().tolist()},
    ],
    ids=["pillow", "array", "object", "dictionary"],
)
def test_from_pixels_of_each_kind_of_picture(pixels: Any) -> None:
    assert tf.browser.from_pixels(pixels).array_sync() == RGBA[:, :, :3].tolist()
    assert asyncio.run(_awaited(tf.browser.from_pixels_async(pixels, 4))).array_sync() == RGBA.tolist()


async def _awaited(pending: Any) -> Any:
    return await pending


@pytest.mark.parametrize(
    "grey", [RGBA[:, :, 0], RGBA[:, :, :1], Image.fromarray(RGBA[:, :, 0])], ids=["plane", "channel", "pillow"]
)
def test_grey_pictures_are_opaque_and_have_equal_channels(grey: Any) -> None:
    channels = tf.browser.from_pixels(grey, 4).numpy()
    assert (channels[:, :, :3] == RGBA[:, :, :1]).all()
    assert (channels[:, :, 3] == 255).all()


@pytest.mark.parametrize(
    ("pixels", "count", "error", "message"),
    [
        (5, 3, TypeError, "argument 'pixels' must be a Pillow image, a NumPy array, .* got int"),
        (None, 3, TypeError, "got NoneType"),
        ({"width": 1}, 3, TypeError, "got dict"),
        ({"width": 1, "height": 1, "data": b"123"}, 3, ValueError, "must have 4 values as its data.* got 3"),
        (np.zeros(3, np.uint8), 3, ValueError, r"argument 'pixels' must have the shape .* got \[3\]"),
        (np.zeros((1, 1, 2), np.uint8), 3, ValueError, r"got \[1, 1, 2\]"),
        (np.zeros((1, 1, 3)), 3, ValueError, "must hold integers from 0 to 255, got float64"),
        (np.full((1, 1), 256), 3, ValueError, "must hold integers from 0 to 255"),
        (np.full((1, 1), -1), 3, ValueError, "must hold integers from 0 to 255"),
        (RGBA, 5, ValueError, r"argument 'num_channels' must be a whole number from 1 to all of them \(4\), got 5"),
        (RGBA, 0, ValueError, "argument 'num_channels'"),
    ],
)
def test_from_pixels_refuses(pixels: Any, count: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"from_pixels: .*{message}"):
        tf.browser.from_pixels(pixels, count)
    with pytest.raises(error, match=message):
        tf.browser.from_pixels_async(pixels, count).result()


@pytest.mark.parametrize(
    ("image", "pixels"),
    [
        (tf.tensor([[0.0, 0.5, 1.0]]), [[0] * 3 + [255], [128] * 3 + [255], [255] * 4]),
        (tf.tensor([[0, 127, 255]], dtype="int32"), [[0] * 3 + [255], [127] * 3 + [255], [255] * 4]),
        ([[7]], [[7, 7, 7, 255]]),
        ([[[7]]], [[7, 7, 7, 255]]),
        (np.array([[[0.1, 0.2, 0.3]]]), [[26, 51, 77, 255]]),
        (np.array([[[1, 2, 3, 4]]]), [[1, 2, 3, 4]]),
    ],
)
def test_to_pixels(image: Any, pixels: list[list[int]]) -> None:
    found = asyncio.run(_awaited(tf.browser.to_pixels(image)))
    assert found.dtype == np.uint8
    assert found.tolist() == [pixels]


def test_to_pixels_leaves_no_tensor() -> None:
    before = tf.memory().num_tensors
    tf.browser.to_pixels([[1, 2], [3, 4]]).result()
    assert tf.memory().num_tensors == before


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ({}, TypeError, "argument '{}' must be a tensor"),
        (tf.tensor([[True]]), TypeError, "argument '{}' must be a float32 or int32 tensor, got bool"),
        (tf.scalar(1.0), ValueError, r"argument '{}' must have the shape .* got \[\]"),
        (tf.tensor([1.0]), ValueError, r"argument '{}' must have the shape .* got \[1\]"),
        (tf.zeros([1, 1, 1, 1]), ValueError, "argument '{}' must have the shape"),
        (tf.zeros([1, 1, 2]), ValueError, "argument '{}' must have the shape"),
        (tf.tensor([[-0.1]]), ValueError, "values of float32 tensors must be from 0 to 1"),
        (tf.tensor([[1.1]]), ValueError, "values of float32 tensors must be from 0 to 1"),
        (tf.tensor([[float("nan")]]), ValueError, "values of float32 tensors must be from 0 to 1"),
        (
            tf.tensor([[256]], dtype="int32"),
            ValueError,
            "values of int32 tensors must be from 0 to 255, got some from 256",
        ),
        (tf.tensor([[-1]], dtype="int32"), ValueError, "values of int32 tensors must be from 0 to 255"),
    ],
)
def test_refuses_what_is_no_picture(image: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match="to_pixels: " + message.format("img")):
        tf.browser.to_pixels(image).result()
    with pytest.raises(error, match="draw: " + message.format("image")):
        tf.browser.draw(image, np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize("channels", [3, 4])
def test_draws_on_arrays_and_pillow_images(channels: int) -> None:
    array = np.zeros((2, 3, channels), np.uint8)
    image = Image.new("RGBA"[:channels], (3, 2))
    picture = tf.browser.from_pixels(RGBA, 4)
    tf.browser.draw(picture, array)
    pixels = tf.browser.to_pixels(picture, image).result()
    assert pixels.tolist() == RGBA.tolist()
    assert array.tolist() == np.asarray(image).tolist() == RGBA[:, :, :channels].tolist()


def test_draws_half_transparent() -> None:
    canvas = np.zeros((1, 1, 4), np.uint8)
    tf.browser.draw([[10]], canvas, 0.5)
    assert canvas.tolist() == [[[10, 10, 10, 128]]]
    with pytest.raises(ValueError, match="draw: argument 'alpha' must be a number from 0 to 1, got 2"):
        tf.browser.draw([[10]], canvas, 2)


@pytest.mark.parametrize(
    ("canvas", "error"),
    [
        ("canvas", TypeError),
        (np.zeros((1, 2, 3), np.uint8), ValueError),
        (np.zeros((1, 1), np.uint8), ValueError),
        (np.zeros((1, 1, 3)), ValueError),
        (Image.new("L", (1, 1)), ValueError),
        (Image.new("RGB", (2, 1)), ValueError),
    ],
)
def test_refuses_canvases(canvas: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="draw: argument 'canvas' must be a Pillow image"):
        tf.browser.draw([[1]], canvas)
    with pytest.raises(error, match="to_pixels: argument 'canvas' must be a Pillow image"):
        tf.browser.to_pixels([[1]], canvas)
