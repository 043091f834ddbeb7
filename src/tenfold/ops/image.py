"""Images: resizing, crops, mirrors, rotation, and grey and coloured ones. The namespace `image`.

Images are `[batch, height, width, channels]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import is_floating
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import matrices, operands, windowing
from tenfold.ops.elementwise import cast_to

Thunks = Sequence[Callable[[], Tensor] | None]

# --- resize_bilinear, resize_nearest_neighbor --------------------------------------------------------------


def _resized(spec: TensorSpec, attributes: Attributes) -> tuple[int, int, int, int]:
    batch, _, _, channels = spec.shape
    height, width = attributes["size"]
    return batch, height, width, channels


def _bilinear_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    (images,) = specs
    return TensorSpec(_resized(images, attributes), images.dtype if is_floating(images.dtype) else "float32")


def _nearest_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec(_resized(specs[0], attributes), specs[0].dtype)


def _resize_gradient_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    images, dy = specs
    return TensorSpec(images.shape, dy.dtype)


RESIZE_BILINEAR = define_kernel(Kernel("ResizeBilinear", ("images",), _bilinear_infer))
RESIZE_NEAREST_NEIGHBOR = define_kernel(Kernel("ResizeNearestNeighbor", ("images",), _nearest_infer))


def _define_resize_gradient(kernel: Kernel) -> None:
    backwards = define_kernel(Kernel(f"{kernel.name}Grad", ("images", "dy"), _resize_gradient_infer))

    def gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
        modes = {name: attributes.get(name, False) for name in ("align_corners", "half_pixel_centers")}
        return [lambda: ENGINE.run_kernel(backwards.name, (saved[0], dy), modes)]

    register_gradient(kernel.name, gradient, inputs_to_save=["images"])


_define_resize_gradient(RESIZE_BILINEAR)
_define_resize_gradient(RESIZE_NEAREST_NEIGHBOR)


def _resize(
    kernel: Kernel, name: str, images: Tensor, size: Sequence[int], align_corners: bool, half_pixel_centers: bool
) -> Tensor:
    batch = windowing.as_batch(images, name, "images")
    height_and_width = _size(size, "size", name, 0)
    if not ENV.is_true("PROD"):
        if align_corners and half_pixel_centers:
            raise ValueError(f"{name}: arguments 'align_corners' and 'half_pixel_centers' cannot both be true.")
        if 0 in batch.shape[1:3] and 0 not in height_and_width:
            raise ValueError(f"{name}: argument 'images' of shape {list(images.shape)} has no pixels to enlarge.")
    attributes = {
        "size": height_and_width,
        "align_corners": bool(align_corners),
        "half_pixel_centers": bool(half_pixel_centers),
    }
    return windowing.like_given(ENGINE.run_kernel(kernel.name, (batch,), attributes), images)


def _size(size: Sequence[int], argument: str, op: str, least: int) -> tuple[int, int]:
    try:
        height, width = (index(length) for length in size)
    except (TypeError, ValueError):
        raise ValueError(f"{op}: argument '{argument}' must be [height, width], got {size!r}.") from None
    if min(height, width) < least:
        raise ValueError(f"{op}: argument '{argument}' must hold lengths of {least} or more, got {size!r}.")
    return height, width


@op(namespace="image", method=True)
def resize_bilinear(
    images: TensorLike, size: Sequence[int], align_corners: bool = False, half_pixel_centers: bool = False
) -> Tensor:
    """Resize images, mixing each pixel of its four neighbours by their distances.

    Args:
        images: tensor `[batch, height, width, channels]` of a real dtype, or without the batch axis.
        size: the new `[height, width]`.
        align_corners: whether the centres of the corner pixels stay corners.
        half_pixel_centers: whether pixels have their centres at halves, as in TensorFlow 2.

    Returns:
        float32 tensor `[batch, new_height, new_width, channels]`, without the batch axis if `images` has none.

    Raises:
        TypeError: if `images` is no tensor-like, or holds strings or complex numbers.
        ValueError: if its rank or `size` is out of range, or both modes are wanted.

    Source: TensorFlow's `ResizeBilinear`.

    Example:
        >>> import tenfold as tf
        >>> tf.image.resize_bilinear([[[1], [3]]], [1, 4]).array_sync()
        [[[1.0], [2.0], [3.0], [3.0]]]
    """
    name = "resize_bilinear"
    tensor = operands.real(images, name, "images")
    return _resize(RESIZE_BILINEAR, name, tensor, size, align_corners, half_pixel_centers)


@op(namespace="image", method=True)
def resize_nearest_neighbor(
    images: TensorLike, size: Sequence[int], align_corners: bool = False, half_pixel_centers: bool = False
) -> Tensor:
    """Resize images, each pixel a copy of the nearest one.

    Args:
        images: float32 or int32 tensor `[batch, height, width, channels]`, or without the batch axis.
        size: the new `[height, width]`.
        align_corners: whether the centres of the corner pixels stay corners.
        half_pixel_centers: whether pixels have their centres at halves, as in TensorFlow 2.

    Returns:
        Tensor `[batch, new_height, new_width, channels]` of the same dtype, without the batch axis if `images`
        has none.

    Raises:
        TypeError: if `images` is no tensor-like, or has another dtype.
        ValueError: if its rank or `size` is out of range, or both modes are wanted.

    Source: TensorFlow's `ResizeNearestNeighbor`.

    Example:
        >>> import tenfold as tf
        >>> tf.image.resize_nearest_neighbor([[[1], [3]]], [1, 4]).array_sync()
        [[[1.0], [1.0], [3.0], [3.0]]]
    """
    name = "resize_nearest_neighbor"
    tensor = convert_to_tensor(images, "images", name)
    if tensor.dtype != "int32":
        tensor = windowing.float_tensor(tensor, "images", name)
    return _resize(RESIZE_NEAREST_NEIGHBOR, name, tensor, size, align_corners, half_pixel_centers)


# --- crop_and_resize ---------------------------------------------------------------------------------------

_METHODS = ("bilinear", "nearest")


def _crop_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    image, boxes, _ = specs
    height, width = attributes["crop_size"]
    dtype = image.dtype if is_floating(image.dtype) else "float32"
    return TensorSpec((boxes.shape[0], height, width, image.shape[3]), dtype)


CROP_AND_RESIZE = define_kernel(Kernel("CropAndResize", ("image", "boxes", "box_ind"), _crop_infer))


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
    size = _size(crop_size, "crop_size", name, 1)
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


FLIP_LEFT_RIGHT = define_kernel(Kernel("FlipLeftRight", ("image",), _same_infer))
register_gradient("FlipLeftRight", lambda dy, saved, _: [lambda: ENGINE.run_kernel(FLIP_LEFT_RIGHT.name, (dy,))])

ROTATE_WITH_OFFSET = define_kernel(Kernel("RotateWithOffset", ("image",), _same_infer))


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
