"""Images: crops, mirrors, rotation, and grey and coloured ones. In the namespace `image`.

Images are `[batch, height, width, channels]`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tenfold.codegen.compute import Array, both, compute, in_range
from tenfold.codegen.expr import Expr, call, cast, constant, function, select
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import is_floating
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import matrices, operands, windowing
from tenfold.ops.elementwise import cast_to
from tenfold.ops.resizing import height_and_width

# --- crop_and_resize ---------------------------------------------------------------------------------------

_METHODS = ("bilinear", "nearest")


def _crop_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    image, boxes, _ = specs
    height, width = attributes["crop_size"]
    dtype = image.dtype if is_floating(image.dtype) else "float32"
    return TensorSpec((boxes.shape[0], height, width, image.shape[3]), dtype)


def _place(start: Expr, end: Expr, i: Expr, count: int, size: int) -> Expr:
    """Where in an axis of pixels the sample i of `count` lies, from the start of a box to its end.

    Whole and fractional pixels are told apart, so that the first sample lies exactly at the start, the last one at
    the end, and none of a box that ends at the edge beyond it.
    """
    if count == 1:
        return (start + end) * (0.5 * (size - 1))

    def along(steps: Expr) -> Expr:
        pixels = steps * (size - 1)
        whole, rest = call("floor_divide", pixels, count - 1), call("remainder", pixels, count - 1)
        return cast(whole, start.dtype) + cast(rest, start.dtype) / (count - 1)

    return start * along(count - 1 - i) + end * along(i)


def _crop(
    image: Array,
    boxes: Array,
    box_ind: Array,
    *,
    crop_size: Sequence[int],
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
) -> Array:
    batch, height, width, channels = image.shape
    rows, columns = crop_size

    def element(box: Expr, i: Expr, j: Expr, channel: Expr) -> Expr:
        which = box_ind[box]
        y = _place(boxes[box, 0], boxes[box, 2], i, rows, height)
        x = _place(boxes[box, 1], boxes[box, 3], j, columns, width)

        def pixel(row: Expr, column: Expr) -> Expr:
            value = image[which, cast(row, "int32"), cast(column, "int32"), channel]
            return value if is_floating(value.dtype) else cast(value, "float32")

        # A NaN is inside nothing; what is inside is not negative, so that a cast rounds down.
        inside = both(both(y >= 0, y <= height - 1), both(x >= 0, x <= width - 1))
        value = pixel(y + 0.5, x + 0.5) if method == "nearest" else _mixed(pixel, y, x)
        return select(in_range(which, batch), select(inside, value, extrapolation_value), 0)

    return compute((boxes.shape[0], rows, columns, channels), element)


def _mixed(pixel: Callable[[Expr, Expr], Expr], y: Expr, x: Expr) -> Expr:
    """The mixture of the four pixels around a place."""
    bottom, right = function("ceil")(y), function("ceil")(x)

    def share(place: Expr, dtype: str) -> Expr:
        return cast(place - function("floor")(place), dtype)

    def of_row(row: Expr) -> Expr:
        left = pixel(row, x)
        return left + (pixel(row, right) - left) * share(x, left.dtype)

    top = of_row(y)
    return top + (of_row(bottom) - top) * share(y, top.dtype)


CROP_AND_RESIZE = define_kernel(Kernel("CropAndResize", ("image", "boxes", "box_ind"), _crop_infer, definition=_crop))


@op(namespace="image")
def crop_and_resize(
    image: TensorLike,
    boxes: TensorLike,
    box_ind: TensorLike,
    crop_size: Sequence[int],
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
) -> Tensor:
    """Cut boxes out of images and bring them to one size.

    Args:
        image: tensor `[batch, height, width, channels]` of a real dtype.
        boxes: float32 tensor `[boxes, 4]` of corners `(y1, x1, y2, x2)`, where 0 is the centre of the first
            pixel and 1 that of the last. A box with y1 > y2 or x1 > x2 is mirrored.
        box_ind: int32 tensor `[boxes]`: which image each box is cut out of. A box of an image that does not
            exist gives zeros.
        crop_size: `[crop_height, crop_width]`.
        method: `"bilinear"` or `"nearest"`.
        extrapolation_value: what stands beyond the edges of an image.

    Returns:
        float32 tensor `[boxes, crop_height, crop_width, channels]`.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `CropAndResize`.

    Example:
        >>> import tenfold as tf
        >>> image = tf.reshape([1, 2, 3, 4], [1, 2, 2, 1])
        >>> tf.image.crop_and_resize(image, [[0, 0, 1, 1]], [0], [1, 1]).array_sync()
        [[[[2.5]]]]
    """
    name = "crop_and_resize"
    picture = operands.real(image, name, "image")
    corners = convert_to_tensor(boxes, "boxes", name, "float32")
    which = convert_to_tensor(box_ind, "box_ind", name, "int32")
    size = height_and_width(crop_size, "crop_size", name, 1)
    if not ENV.is_true("PROD"):
        _check_rank4(picture, name)
        if corners.rank != 2 or corners.shape[1] != 4:
            raise ValueError(f"{name}: argument 'boxes' must have shape [boxes, 4], got {list(corners.shape)}.")
        if which.shape != corners.shape[:1]:
            raise ValueError(
                f"{name}: argument 'box_ind' must have shape [{corners.shape[0]}], one number for each of the boxes, "
                f"got {list(which.shape)}."
            )
        if method not in _METHODS:
            raise ValueError(f"{name}: argument 'method' must be 'bilinear' or 'nearest', got {method!r}.")
    attributes = {"crop_size": size, "method": method, "extrapolation_value": float(extrapolation_value)}
    return ENGINE.run_kernel(CROP_AND_RESIZE.name, (picture, corners, which), attributes)


def _check_rank4(image: Tensor, op: str) -> None:
    if image.rank != 4:
        raise ValueError(
            f"{op}: argument 'image' must have shape [batch, height, width, channels], got {list(image.shape)}."
        )


# --- flip_left_right, rotate_with_offset -------------------------------------------------------------------


def _same_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return specs[0]


def _flip(image: Array) -> Array:
    last = image.shape[2] - 1
    return compute(image.shape, lambda batch, row, column, channel: image[batch, row, last - column, channel])


FLIP_LEFT_RIGHT = define_kernel(Kernel("FlipLeftRight", ("image",), _same_infer, definition=_flip))
register_gradient("FlipLeftRight", lambda dy, saved, _: [lambda: ENGINE.run_kernel(FLIP_LEFT_RIGHT.name, (dy,))])

_OPAQUE = 255
"""What the fourth channel of a colour is filled with."""


def _rotate(
    image: Array,
    *,
    radians: float,
    fill_value: float | Sequence[float] = 0.0,
    center: float | Sequence[float] = 0.5,
) -> Array:
    _, height, width, _ = image.shape
    across, down = center if isinstance(center, Sequence) else (center, center)
    across, down = width * across, height * down
    fill = [*fill_value, _OPAQUE] if isinstance(fill_value, Sequence) else [fill_value]

    def element(batch: Expr, i: Expr, j: Expr, channel: Expr) -> Expr:
        x, y = cast(j, "float32") - across, cast(i, "float32") - down
        row = _half_up(x * math.sin(radians) + y * math.cos(radians) + down)
        column = _half_up(x * math.cos(radians) - y * math.sin(radians) + across)
        filled = constant(fill[-1], image.dtype)
        for number, value in reversed(list(enumerate(fill[:-1]))):
            filled = select(call("equal", channel, number), value, filled)
        return select(both(in_range(row, height), in_range(column, width)), image[batch, row, column, channel], filled)

    return compute(image.shape, element)


def _half_up(place: Expr) -> Expr:
    """The nearest whole number; of two as near, the greater."""
    return cast(function("floor")(place + 0.5), "int32")


ROTATE_WITH_OFFSET = define_kernel(Kernel("RotateWithOffset", ("image",), _same_infer, definition=_rotate))


@op(namespace="image")
def flip_left_right(image: TensorLike) -> Tensor:
    """Mirror images, left to right.

    Args:
        image: float32 tensor `[batch, height, width, channels]`.

    Returns:
        Tensor of the same shape.

    Raises:
        TypeError: if `image` is no tensor-like, or has another dtype.
        ValueError: if its rank is not 4.

    Source: TensorFlow's `image.flip_left_right`.

    Example:
        >>> import tenfold as tf
        >>> tf.image.flip_left_right([[[[1], [2], [3]]]]).array_sync()
        [[[[3.0], [2.0], [1.0]]]]
    """
    picture = windowing.float_tensor(image, "image", "flip_left_right")
    _check_rank4(picture, "flip_left_right")
    return ENGINE.run_kernel(FLIP_LEFT_RIGHT.name, (picture,))


@op(namespace="image")
def rotate_with_offset(
    image: TensorLike,
    radians: float,
    fill_value: float | Sequence[float] = 0,
    center: float | Sequence[float] = 0.5,
) -> Tensor:
    """Turn images counterclockwise, each pixel a copy of the nearest one.

    Args:
        image: float32 tensor `[batch, height, width, channels]`, of four channels at the most.
        radians: the angle.
        fill_value: what stands where the turned image does not reach: one number for all channels, or three
            for red, green and blue, beside which a fourth channel gets 255.
        center: what the image turns about, in parts of width and height: one number for both, or `(x, y)`.

    Returns:
        Tensor of the same shape.

    Raises:
        TypeError: if `image` is no tensor-like, or has another dtype.
        ValueError: if its shape, `fill_value` or `center` is none of these.

    Source: TensorFlow.js's `RotateWithOffset`.

    Example:
        >>> import math
        >>> import tenfold as tf
        >>> tf.image.rotate_with_offset([[[[1], [2]], [[3], [4]]]], math.pi, 0, [0.25, 0.25]).array_sync()
        [[[[4.0], [3.0]], [[2.0], [1.0]]]]
    """
    name = "rotate_with_offset"
    picture = windowing.float_tensor(image, "image", name)
    _check_rank4(picture, name)
    fill = _numbers(fill_value, 3, "fill_value", name)
    if isinstance(fill, tuple) and picture.shape[3] > 4:
        raise ValueError(
            f"{name}: argument 'fill_value' must be one number for an image of {picture.shape[3]} channels, "
            f"got {fill_value!r}."
        )
    attributes = {"radians": float(radians), "fill_value": fill, "center": _numbers(center, 2, "center", name)}
    return ENGINE.run_kernel(ROTATE_WITH_OFFSET.name, (picture,), attributes)


def _numbers(value: float | Sequence[float], count: int, argument: str, op: str) -> float | tuple[float, ...]:
    if not isinstance(value, Sequence):
        return float(value)
    if len(value) != count:
        raise ValueError(f"{op}: argument '{argument}' must be one number or {count}, got {value!r}.")
    return tuple(float(number) for number in value)


# --- grayscale_to_rgb, rgb_to_grayscale --------------------------------------------------------------------

_LUMINANCE = ((0.2989,), (0.587,), (0.114,))
"""What red, green and blue contribute to brightness (Rec. ITU-R BT.601)."""


def _check_channels(image: Tensor, channels: int, op: str) -> None:
    if image.rank < 2 or image.shape[-1] != channels:
        raise ValueError(
            f"{op}: argument 'image' must have rank 2 or more and {channels} channel{'s'[: channels - 1]} in the last "
            f"axis, got shape {list(image.shape)}."
        )


@op(namespace="image")
def grayscale_to_rgb(image: TensorLike) -> Tensor:
    """Give grey images three equal channels.

    Args:
        image: tensor `[..., 1]` of a numeric dtype and rank 2 or more.

    Returns:
        Tensor `[..., 3]` of the same dtype.

    Raises:
        TypeError: if `image` is no tensor-like, or holds strings.
        ValueError: if its rank is less than 2, or it has more than one channel.

    Source: TensorFlow's `image.grayscale_to_rgb`.

    Example:
        >>> import tenfold as tf
        >>> tf.image.grayscale_to_rgb([[[191], [3]]]).array_sync()
        [[[191.0, 191.0, 191.0], [3.0, 3.0, 3.0]]]
    """
    picture = convert_to_tensor(image, "image", "grayscale_to_rgb")
    _check_channels(picture, 1, "grayscale_to_rgb")
    return picture.tile((1,) * (picture.rank - 1) + (3,))


@op(namespace="image")
def rgb_to_grayscale(image: TensorLike) -> Tensor:
    """The brightness of coloured images.

    Args:
        image: tensor `[..., 3]` of a real dtype and rank 2 or more.

    Returns:
        Tensor `[..., 1]` of the same dtype, for int32 without the fraction.

    Raises:
        TypeError: if `image` is no tensor-like, or holds strings or complex numbers.
        ValueError: if its rank is less than 2, or it has not three channels.

    Source: TensorFlow's `image.rgb_to_grayscale`.

    Example:
        >>> import tenfold as tf
        >>> tf.image.rgb_to_grayscale(tf.tensor([[100, 200, 50]], dtype="int32")).array_sync()
        [[152]]
    """
    picture = operands.real(image, "rgb_to_grayscale", "image")
    _check_channels(picture, 3, "rgb_to_grayscale")
    floats = picture if is_floating(picture.dtype) else cast_to(picture, "float32")
    weights = cast_to(convert_to_tensor(_LUMINANCE, "weights", "rgb_to_grayscale"), floats.dtype)
    return cast_to(matrices.product(floats, weights), picture.dtype)
