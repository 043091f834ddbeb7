"""Resizing of images, and the gradients of it. In the namespace `image`.

Images are `[batch, height, width, channels]`. Where a wanted pixel lies among the given ones is a fraction of whole
numbers, so that nothing is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import index
from typing import TypeAlias

from tenfold.codegen.compute import Array, both, compute, in_range, modulo, quotient, simplify, sum_over
from tenfold.codegen.expr import Expr, call, cast
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import is_floating
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands, windowing
from tenfold.ops.window_positions import guarded

Thunks = Sequence[Callable[[], Tensor] | None]

Sampler: TypeAlias = Callable[[Callable[[Expr], Expr]], Expr]
"""From a function that gives the pixels of a line to the one that is wanted."""

# --- where pixels lie --------------------------------------------------------------------------------------


class _Scale:
    """One axis: wanted pixel i lies at `(factor * i + offset) / divisor` among the given ones.

    Attributes:
        size: how many pixels are given.
        wanted: how many are wanted.
        below: a given pixel goes to the wanted ones that lie from so far before it,
        above: to so far behind it, both in parts of the divisor.
    """

    def __init__(self, size: int, wanted: int, fraction: tuple[int, int, int], below: int, above: int) -> None:
        self.size, self.wanted = size, wanted
        self.factor, self.offset, self.divisor = fraction
        self.below, self.above = below, above

    def reached(self) -> int:
        """How many wanted pixels a given one goes to, at most."""
        if self.factor <= 0:  # All lie at one place.
            return self.wanted
        return min(self.wanted, (self.below + self.above) // self.factor + 1)

    def wanted_pixel(self, given: Expr, number: Expr) -> Expr:
        """The wanted pixel of that number among them; it may lie beyond the edge."""
        if self.reached() == self.wanted:
            return number
        least = given * self.divisor - (self.below + self.offset) + (self.factor - 1)
        return simplify(quotient(least, self.factor) + number)


class _Mixing(_Scale):
    """Each wanted pixel is mixed of the two between which it lies."""

    def __init__(self, size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> None:
        fraction = _fraction(size, wanted, align_corners, half_pixel_centers)
        super().__init__(size, wanted, fraction, fraction[2] - 1, fraction[2] - 1)

    def _place(self, wanted: Expr) -> Expr:
        """`divisor` times where a wanted pixel lies, at most at the outermost of the given ones."""
        place = call("maximum", wanted * self.factor + self.offset, 0)
        return simplify(call("minimum", place, (self.size - 1) * self.divisor))

    def sampler(self, wanted: Expr, dtype: str) -> Sampler:
        """What makes a wanted pixel of the given ones of its line."""
        place = self._place(wanted)
        low = quotient(place, self.divisor)
        if self.divisor == 1:
            return lambda pixel: pixel(low)
        high = quotient(place + (self.divisor - 1), self.divisor)
        share = cast(modulo(place, self.divisor), dtype) / self.divisor

        def mixture(pixel: Callable[[Expr], Expr]) -> Expr:
            first = pixel(low)
            return first + (pixel(high) - first) * share

        return mixture

    def returned(self, wanted: Expr, given: Expr, value: Expr) -> Expr:
        """What of the gradient of a wanted pixel comes back to a given one."""
        distance = call("absolute", simplify(self._place(wanted) - given * self.divisor))
        part = call("maximum", self.divisor - distance, 0)
        return value * (cast(part, value.dtype) / self.divisor)


class _Copying(_Scale):
    """Each wanted pixel is a copy of the nearest one; without a mode, of the one before it."""

    def __init__(self, size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> None:
        fraction = _fraction(size, wanted, align_corners, half_pixel_centers)
        if align_corners or half_pixel_centers:
            factor, offset, divisor = fraction
            fraction = _reduced(2 * factor, 2 * offset + divisor, 2 * divisor)
        super().__init__(size, wanted, fraction, 0, fraction[2] - 1)

    def _nearest(self, wanted: Expr) -> Expr:
        return quotient(wanted * self.factor + self.offset, self.divisor)

    def sampler(self, wanted: Expr, dtype: str) -> Sampler:
        """What makes a wanted pixel of the given ones of its line."""
        nearest = self._nearest(wanted)
        return lambda pixel: pixel(nearest)

    def returned(self, wanted: Expr, given: Expr, value: Expr) -> Expr:
        """What of the gradient of a wanted pixel comes back to a given one."""
        nearest = self._nearest(wanted)
        return value if nearest is given else guarded(call("equal", nearest, given), value, 0)


def _fraction(size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> tuple[int, int, int]:
    """Factor, offset and divisor of an axis."""
    if align_corners and wanted > 1:
        return _reduced(size - 1, 0, wanted - 1)
    if half_pixel_centers:
        return _reduced(2 * size, size - wanted, 2 * max(wanted, 1))
    return _reduced(size, 0, max(wanted, 1))


def _reduced(factor: int, offset: int, divisor: int) -> tuple[int, int, int]:
    shared = math.gcd(factor, offset, divisor)
    return factor // shared, offset // shared, divisor // shared


def _scales(
    kind: type[_Mixing] | type[_Copying], given: Sequence[int], wanted: Sequence[int], modes: Attributes
) -> list[_Mixing | _Copying]:
    """The scales of height and width."""
    align_corners, half_pixel_centers = (modes.get(name, False) for name in ("align_corners", "half_pixel_centers"))
    return [kind(*lengths, align_corners, half_pixel_centers) for lengths in zip(given, wanted, strict=True)]


# --- kernels -----------------------------------------------------------------------------------------------


def _resized(spec: TensorSpec, attributes: Attributes) -> tuple[int, int, int, int]:
    batch, _, _, channels = spec.shape
    height, width = attributes["size"]
    return batch, height, width, channels


def _bilinear_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    (images,) = specs
    return TensorSpec(_resized(images, attributes), images.dtype if is_floating(images.dtype) else "float32")


def _nearest_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec(_resized(specs[0], attributes), specs[0].dtype)


def _gradient_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    images, dy = specs
    return TensorSpec(images.shape, dy.dtype)


def _resize_definition(kind: type[_Mixing] | type[_Copying]) -> Callable[..., Array]:
    def definition(images: Array, *, size: Sequence[int], **modes: bool) -> Array:
        batch, *lengths, channels = images.shape
        rows, columns = _scales(kind, lengths, size, modes)
        dtype = "float32" if kind is _Mixing and not is_floating(images.dtype) else images.dtype

        def element(number: Expr, i: Expr, j: Expr, channel: Expr) -> Expr:
            row_of, column_of = rows.sampler(i, dtype), columns.sampler(j, dtype)
            return row_of(lambda row: column_of(lambda column: cast(images[number, row, column, channel], dtype)))

        return compute((batch, *size, channels), element)

    return definition


def _gradient_definition(kind: type[_Mixing] | type[_Copying]) -> Callable[..., Array]:
    def definition(images: Array, dy: Array, **modes: bool) -> Array:
        rows, columns = _scales(kind, images.shape[1:3], dy.shape[1:3], modes)

        def element(batch: Expr, row: Expr, column: Expr, channel: Expr) -> Expr:
            def share(above: Expr, before: Expr) -> Expr:
                i, j = rows.wanted_pixel(row, above), columns.wanted_pixel(column, before)
                value = rows.returned(i, row, columns.returned(j, column, dy[batch, i, j, channel]))
                return guarded(both(in_range(i, rows.wanted), in_range(j, columns.wanted)), value, 0)

            return sum_over([rows.reached(), columns.reached()], share)

        return compute(images.shape, element)

    return definition


RESIZE_BILINEAR = define_kernel(
    Kernel("ResizeBilinear", ("images",), _bilinear_infer, definition=_resize_definition(_Mixing))
)
RESIZE_NEAREST_NEIGHBOR = define_kernel(
    Kernel("ResizeNearestNeighbor", ("images",), _nearest_infer, definition=_resize_definition(_Copying))
)


def _define_gradient(kernel: Kernel, definition: Callable[..., Array]) -> None:
    backwards = define_kernel(Kernel(f"{kernel.name}Grad", ("images", "dy"), _gradient_infer, definition=definition))

    def gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
        modes = {name: attributes.get(name, False) for name in ("align_corners", "half_pixel_centers")}
        return [lambda: ENGINE.run_kernel(backwards.name, (saved[0], dy), modes)]

    register_gradient(kernel.name, gradient, inputs_to_save=["images"])


_define_gradient(RESIZE_BILINEAR, _gradient_definition(_Mixing))
_define_gradient(RESIZE_NEAREST_NEIGHBOR, _gradient_definition(_Copying))

# --- resize_bilinear, resize_nearest_neighbor --------------------------------------------------------------


def _resize(
    kernel: Kernel, name: str, images: Tensor, size: Sequence[int], align_corners: bool, half_pixel_centers: bool
) -> Tensor:
    batch = windowing.as_batch(images, name, "images")
    wanted = height_and_width(size, "size", name, 0)
    if not ENV.is_true("PROD"):
        if align_corners and half_pixel_centers:
            raise ValueError(f"{name}: arguments 'align_corners' and 'half_pixel_centers' cannot both be true.")
        if 0 in batch.shape[1:3] and 0 not in wanted:
            raise ValueError(f"{name}: argument 'images' of shape {list(images.shape)} has no pixels to enlarge.")
    attributes = {
        "size": wanted,
        "align_corners": bool(align_corners),
        "half_pixel_centers": bool(half_pixel_centers),
    }
    return windowing.like_given(ENGINE.run_kernel(kernel.name, (batch,), attributes), images)


def height_and_width(size: Sequence[int], argument: str, op: str, least: int) -> tuple[int, int]:
    """The two lengths of an argument.

    Raises:
        ValueError: if they are not two whole numbers, or less than `least`.
    """
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
