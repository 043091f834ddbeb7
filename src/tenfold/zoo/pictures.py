"""Pictures as people have them (files, Pillow images, arrays, tensors) and as models want them."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tenfold as tf

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 150_000_000
"""Larger pictures are refused before they are decoded."""


def read_picture(picture: Any) -> np.ndarray:
    """The pixels of a picture, upright.

    Args:
        picture: a path, a Pillow image, or an array or tensor `[height, width]` or `[height, width, channels]`
            with 1, 3 or 4 channels: integers from 0 to 255, or floats from 0 to 1. Alpha is dropped.

    Returns:
        uint8 array `[height, width, 3]`, red, green, blue.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no picture, is empty or too large, or its shape or values are others.
        TypeError: if it is something else.

    Example:
        >>> read_picture(np.zeros([4, 5])).shape
        (4, 5, 3)
    """
    if isinstance(picture, (str, os.PathLike)):
        return _read_file(Path(picture))
    if hasattr(picture, "convert") and hasattr(picture, "size"):
        return _to_rgb(picture)
    if isinstance(picture, tf.Tensor):
        picture = picture.numpy()
    if not isinstance(picture, np.ndarray):
        raise TypeError(f"picture must be a path, a Pillow image, an array or a tensor, got {type(picture).__name__}.")
    return _from_array(picture)


def _read_file(path: Path) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.exists():
        raise FileNotFoundError(f"There is no picture {path}.")
    too_large = f"{path} is too large a picture; those of up to {MAX_PIXELS:,} pixels are read."
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures at half the size at which it refuses them.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(too_large)
                return _to_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise ValueError(too_large) from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{path} is no picture that Pillow can read: {error}") from None


def _to_rgb(image: Image) -> np.ndarray:
    if image.mode.startswith("I"):
        # Sixteen bits of grey, which Pillow would cut off at 255.
        grey = np.asarray(image)
        image = to_pillow((grey >> 8 if grey.max(initial=0) > 255 else grey).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise ValueError(
            "A picture has the shape [height, width] or [height, width, channels] with 1, 3 or 4 channels and at "
            f"least one pixel, got {list(array.shape)}."
        )
    array = array[:, :, :3]
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ValueError("A picture of floats has values from 0 to 1; give integers for values from 0 to 255.")
        array = np.rint(array * 255)
    elif array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
        raise ValueError(f"A picture has integers from 0 to 255 or floats from 0 to 1, got {array.dtype}.")
    return np.ascontiguousarray(np.broadcast_to(array.astype(np.uint8), (*array.shape[:2], 3)))


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture was fitted into a square: scaled by one factor, centred, the rest black.

    Attributes:
        scale: side lengths in the square over those in the picture.
        left: empty columns of the square before the picture.
        top: empty rows before it.
    """

    scale: float
    left: float
    top: float

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Points `[..., (x, y)]` of the square, in pixels of the picture."""
        return (points - np.array([self.left, self.top])) / self.scale


def fit_into_square(pixels: np.ndarray, side: int) -> tuple[tf.Tensor, Letterbox]:
    """Scale a picture to fit a square and centre it.

    Args:
        pixels: uint8 `[height, width, 3]`.
        side: length of the square in pixels.

    Returns:
        float32 tensor `[1, side, side, 3]` with values from 0 to 255, and how the picture lies in it.
    """
    height, width, _ = pixels.shape
    scale = side / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (side - rows) // 2, (side - columns) // 2
    with tf.tidy() as scope:
        picture = tf.tensor(pixels, dtype="float32").expand_dims(0)
        resized = tf.image.resize_bilinear(picture, [rows, columns], half_pixel_centers=True)
        paddings = [[0, 0], [top, side - rows - top], [left, side - columns - left], [0, 0]]
        return scope.give(tf.pad(resized, paddings)), Letterbox(scale, left, top)


def to_pillow(pixels: np.ndarray) -> Image:
    """A Pillow image of uint8 pixels `[height, width]` or `[height, width, 3]`."""
    from PIL import Image

    return Image.fromarray(pixels)
