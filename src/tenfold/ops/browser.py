"""Pictures to tensors and back: Pillow images, NumPy arrays, pixel data as browsers have it. The namespace `browser`.

Pillow is not needed for any of it: an image brings it along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.after_reading import after_reading
from tenfold.ops.elementwise import cast_to

_OPAQUE = 255

# --- from_pixels -------------------------------------------------------------------------------------------


@op(namespace="browser")
def from_pixels(pixels: Any, num_channels: int = 3) -> Tensor:
    """A tensor of a picture.

    Args:
        pixels: a Pillow image; a NumPy array `[height, width]` or `[height, width, channels]` of one channel (grey),
            three (red, green, blue) or four (and alpha), with whole numbers from 0 to 255; or pixel data, an object
            or a dictionary of `width`, `height` and `data`, four bytes a pixel.
        num_channels: how many channels of red, green, blue and alpha to take, from 1 to 4.

    Returns:
        int32 tensor `[height, width, num_channels]` of values from 0 to 255.

    Raises:
        TypeError: if `pixels` is no picture.
        ValueError: if its shape or values are others, or `num_channels` is out of range.

    Source: TensorFlow.js's `browser.fromPixels`.

    Example:
        >>> import numpy as np
        >>> import tenfold as tf
        >>> tf.browser.from_pixels(np.array([[[10, 20, 30]]], np.uint8)).array_sync()
        [[[10, 20, 30]]]
    """
    count = operands.whole_number(num_channels, "from_pixels", "num_channels", 1, 4, "all of them")
    picture = np.array(_rgba(pixels)[:, :, :count], np.int32, order="C")
    return ENGINE.make_tensor(picture, picture.shape, "int32")


@op(namespace="browser")
def from_pixels_async(pixels: Any, num_channels: int = 3) -> Pending[Tensor]:
    """A tensor of a picture, for pictures that may have to be waited for.

    Args:
        pixels: see `from_pixels`.
        num_channels: how many channels to take, from 1 to 4.

    Returns:
        To be awaited: int32 tensor `[height, width, num_channels]`.

    Raises:
        TypeError: when awaited, if `pixels` is no picture.
        ValueError: when awaited, if its shape or values are others, or `num_channels` is out of range.

    Source: TensorFlow.js's `browser.fromPixelsAsync`.

    Example:
        >>> import numpy as np
        >>> import tenfold as tf
        >>> tf.browser.from_pixels_async(np.array([[7]]), 1).result().array_sync()
        [[[7]]]
    """
    return Pending.of(lambda: from_pixels(pixels, num_channels))


def _rgba(pixels: Any) -> np.ndarray:
    """The pixels of a picture, `[height, width, 4]`."""
    if hasattr(pixels, "convert") and hasattr(pixels, "size"):
        return np.asarray(pixels.convert("RGBA"))
    if isinstance(pixels, np.ndarray):
        return _with_four_channels(pixels)
    width, height, data = (
        pixels.get(name) if isinstance(pixels, Mapping) else getattr(pixels, name, None)
        for name in ("width", "height", "data")
    )
    if width is None or height is None or data is None:
        raise TypeError(
            "from_pixels: argument 'pixels' must be a Pillow image, a NumPy array, or an object with width, height and "
            f"data, got {type(pixels).__name__}."
        )
    values = np.frombuffer(data, np.uint8) if isinstance(data, (bytes, bytearray, memoryview)) else np.asarray(data)
    if values.size != width * height * 4:
        raise ValueError(
            f"from_pixels: argument 'pixels' of width {width} and height {height} must have {width * height * 4} "
            f"values as its data, four a pixel, got {values.size}."
        )
    return _with_four_channels(values.reshape(height, width, 4))


def _with_four_channels(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4):
        raise ValueError(
            "from_pixels: argument 'pixels' must have the shape [height, width] or [height, width, channels] with 1, 3 "
            f"or 4 channels, got {list(picture.shape)}."
        )
    if picture.dtype.kind not in "iu" or (picture.size and (picture.min() < 0 or picture.max() > _OPAQUE)):
        raise ValueError(
            f"from_pixels: argument 'pixels' must hold integers from 0 to 255, got {picture.dtype}; make a tensor of "
            "other numbers by tf.tensor."
        )
    rgba = np.full((*picture.shape[:2], 4), _OPAQUE, np.uint8)
    rgba[:, :, : max(picture.shape[2], 3)] = picture
    return rgba


# --- to_pixels, draw ---------------------------------------------------------------------------------------


@op(namespace="browser")
def to_pixels(img: TensorLike, canvas: Any = None) -> Pending[np.ndarray]:
    """The pixels of a tensor, for showing it as a picture.

    Args:
        img: tensor `[height, width]` (grey) or `[height, width, channels]` of one channel (grey), three (red,
            green, blue) or four (and alpha): float32 from 0 to 1, or int32 from 0 to 255. Lists of numbers are read
            as int32.
        canvas: what to draw it on as well; see `draw`.

    Returns:
        To be awaited: uint8 array `[height, width, 4]` of red, green, blue and alpha.

    Raises:
        TypeError: if `img` is no tensor-like, or has another dtype, or `canvas` is none.
        ValueError: if a shape is another, or when awaited, if a value is out of range.

    Source: TensorFlow.js's `browser.toPixels`.

    Example:
        >>> import tenfold as tf
        >>> tf.browser.to_pixels(tf.tensor([[0.0, 1.0]])).result().tolist()
        [[[0, 0, 0, 255], [255, 255, 255, 255]]]
    """
    image = _drawable(img, "img", "to_pixels")
    if canvas is not None:
        _check_canvas(canvas, image, "to_pixels")

    def finish(values: np.ndarray) -> np.ndarray:
        pixels = _pixels(values.reshape(image.shape), "to_pixels", 1.0)
        if canvas is not None:
            _put(pixels, canvas)
        return pixels

    return after_reading([image], finish)


@op(namespace="browser")
def draw(image: TensorLike, canvas: Any, alpha: float = 1.0) -> None:
    """Draw a tensor on a canvas.

    Args:
        image: tensor as `to_pixels` takes it.
        canvas: a Pillow image of the mode RGB or RGBA, or a uint8 array `[height, width, 3]` or
            `[height, width, 4]`, of the tensor's height and width.
        alpha: how opaque to make a picture that does not say so itself, from 0 to 1.

    Raises:
        TypeError: if `image` is no tensor-like, or has another dtype, or `canvas` is none.
        ValueError: if a shape is another, or a value is out of range.

    Source: TensorFlow.js's `browser.draw`.

    Example:
        >>> import numpy as np
        >>> import tenfold as tf
        >>> canvas = np.zeros([1, 2, 3], np.uint8)
        >>> tf.browser.draw([[7, 8]], canvas)
        >>> canvas.tolist()
        [[[7, 7, 7], [8, 8, 8]]]
    """
    picture = _drawable(image, "image", "draw")
    _check_canvas(canvas, picture, "draw")
    if not 0 <= alpha <= 1:
        raise ValueError(f"draw: argument 'alpha' must be a number from 0 to 1, got {alpha!r}.")
    _put(_pixels(picture.data_sync().reshape(picture.shape), "draw", alpha), canvas)


def _drawable(image: TensorLike, argument: str, op: str) -> Tensor:
    tensor = convert_to_tensor(image, argument, op)
    if not isinstance(image, (Tensor, np.ndarray)):
        tensor = cast_to(tensor, "int32")
    if tensor.dtype not in ("float32", "int32"):
        raise TypeError(f"{op}: argument '{argument}' must be a float32 or int32 tensor, got {tensor.dtype}.")
    if tensor.rank not in (2, 3) or (tensor.rank == 3 and tensor.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"{op}: argument '{argument}' must have the shape [height, width] or [height, width, channels] with 1, 3 "
            f"or 4 channels, got {list(tensor.shape)}."
        )
    return tensor


def _pixels(values: np.ndarray, op: str, alpha: float) -> np.ndarray:
    """Red, green, blue and alpha of an image's values, `[height, width, 4]`."""
    most = 1 if values.dtype.kind == "f" else 255
    if values.size and not (values.min() >= 0 and values.max() <= most):
        raise ValueError(
            f"{op}: values of {values.dtype} tensors must be from 0 to {most}, got some from {values.min()} to "
            f"{values.max()}."
        )
    channels = values if values.ndim == 3 else values[:, :, None]
    scale = _OPAQUE if values.dtype.kind == "f" else 1
    pixels = np.empty((*channels.shape[:2], 4), np.uint8)
    pixels[:, :, 3] = int(_OPAQUE * alpha + 0.5)
    pixels[:, :, : max(channels.shape[2], 3)] = np.floor(channels.astype(np.float64) * scale + 0.5)
    return pixels


def _check_canvas(canvas: Any, image: Tensor, op: str) -> None:
    if isinstance(canvas, np.ndarray):
        height, width = canvas.shape[:2] if canvas.ndim == 3 and canvas.shape[2] in (3, 4) else (-1, -1)
        accepted = canvas.dtype == np.uint8 and canvas.flags.writeable
    elif hasattr(canvas, "frombytes") and hasattr(canvas, "size"):
        width, height = canvas.size
        accepted = canvas.mode in ("RGB", "RGBA")
    else:
        raise TypeError(
            f"{op}: argument 'canvas' must be a Pillow image or a NumPy array, got {type(canvas).__name__}."
        )
    if not accepted or (height, width) != image.shape[:2]:
        raise ValueError(
            f"{op}: argument 'canvas' must be a Pillow image of the mode RGB or RGBA or a writable uint8 array of "
            f"three or four channels, {image.shape[0]} high and {image.shape[1]} wide."
        )


def _put(pixels: np.ndarray, canvas: Any) -> None:
    if isinstance(canvas, np.ndarray):
        canvas[...] = pixels[:, :, : canvas.shape[2]]
    else:
        canvas.frombytes(pixels[:, :, : len(canvas.mode)].tobytes())
