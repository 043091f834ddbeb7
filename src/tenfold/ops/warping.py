"""Projective transforms of images. In the namespace `image`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.codegen.compute import Array, both, compute
from tenfold.codegen.expr import Expr, cast, constant, function, select
from tenfold.core.arguments import integers
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import windowing

_INTERPOLATIONS = ("nearest", "bilinear")
_FILL_MODES = ("constant", "reflect", "wrap", "nearest")


def _transform_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    image = specs[0]
    batch, *size, channels = image.shape
    height, width = attributes.get("output_shape") or size
    return TensorSpec((batch, height, width, channels), image.dtype)


_floor, _is_finite = function("floor"), function("isfinite")
_maximum, _minimum = function("maximum"), function("minimum")


def _mirrored(place: Expr, size: int) -> Expr:
    """As if the image were mirrored at its edges, again and again."""
    if size <= 1:
        return constant(0, place.dtype)
    period = 2 * size
    before = place + _floor(-place / period) * period
    before = select(before < -size, before + period, -before - 1)
    behind = place - _floor(place / period) * period
    behind = select(behind >= size, period - behind - 1, behind)
    return _at_the_edge(select(place < 0, before, select(place > size - 1, behind, place)), size)


def _repeated(place: Expr, size: int) -> Expr:
    """As if the image were repeated beyond its edges."""
    if size <= 1:
        return constant(0, place.dtype)
    last = size - 1
    before = place + (_floor(-place / last) + 1) * size
    behind = place - _floor(place / last) * size
    return _at_the_edge(select(place < 0, before, select(place > last, behind, place)), size)


def _at_the_edge(place: Expr, size: int) -> Expr:
    return _minimum(_maximum(place, 0), max(size - 1, 0))


_SEEN_BEYOND: dict[str, Callable[[Expr, int], Expr]] = {
    "constant": lambda place, size: place,
    "reflect": _mirrored,
    "wrap": _repeated,
    "nearest": _at_the_edge,
}
"""How places beyond the edges become places in the image, for each fill mode."""


def _transform(
    image: Array,
    transforms: Array,
    *,
    interpolation: str = "nearest",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    output_shape: Sequence[int] | None = None,
) -> Array:
    batch, height, width, channels = image.shape
    rows, columns = output_shape or (height, width)
    into = _SEEN_BEYOND[fill_mode]

    def element(number: Expr, i: Expr, j: Expr, channel: Expr) -> Expr:
        a, b, c, d, e, f, g, h = (transforms[number if transforms.shape[0] > 1 else 0, k] for k in range(8))
        column, row = cast(j, a.dtype), cast(i, a.dtype)
        depth = g * column + h * row + 1
        x, y = (a * column + b * row + c) / depth, (d * column + e * row + f) / depth

        def pixel(row: Expr, column: Expr) -> Expr:
            inside = both(both(row >= 0, row < height), both(column >= 0, column < width))
            return select(inside, image[number, cast(row, "int32"), cast(column, "int32"), channel], fill_value)

        sample = _bilinear if interpolation == "bilinear" else _nearest
        return select(both(_is_finite(x), _is_finite(y)), sample(pixel, into(y, height), into(x, width)), fill_value)

    return compute((batch, rows, columns, channels), element)


def _nearest(pixel: Callable[[Expr, Expr], Expr], y: Expr, x: Expr) -> Expr:
    return pixel(_floor(y + 0.5), _floor(x + 0.5))


def _bilinear(pixel: Callable[[Expr, Expr], Expr], y: Expr, x: Expr) -> Expr:
    above, left = _floor(y), _floor(x)

    def along(row: Expr) -> Expr:
        first, second = pixel(row, left), pixel(row, left + 1)
        share = cast(x - left, first.dtype)
        return (1 - share) * first + share * second

    top, bottom = along(above), along(above + 1)
    share = cast(y - above, top.dtype)
    return (1 - share) * top + share * bottom


TRANSFORM = define_kernel(Kernel("Transform", ("image", "transforms"), _transform_infer, definition=_transform))


@op(namespace="image")
def transform(
    image: TensorLike,
    transforms: TensorLike,
    interpolation: str = "nearest",
    fill_mode: str = "constant",
    fill_value: float = 0,
    output_shape: Sequence[int] | None = None,
) -> Tensor:
    """Move, turn, scale, shear or project images.

    A transform `[a, b, c, d, e, f, g, h]` says where each pixel `(x, y)` of the result stands in the image: at
    `((a x + b y + c) / k, (d x + e y + f) / k)` with `k = g x + h y + 1`.

    Args:
        image: float32 tensor `[batch, height, width, channels]`.
        transforms: float32 tensor `[batch, 8]`, or `[1, 8]` for all images.
        interpolation: `"nearest"` takes the nearest pixel, `"bilinear"` mixes four by their distances.
        fill_mode: what is seen beyond the edges: `"constant"`, `fill_value`; `"reflect"`, the image mirrored;
            `"wrap"`, the image repeated; `"nearest"`, its edge.
        fill_value: a number.
        output_shape: `[height, width]` of the result; None for those of the image.

    Returns:
        float32 tensor `[batch, out_height, out_width, channels]`.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or there is no such interpolation or fill mode.

    Source: TensorFlow's `ImageProjectiveTransformV3`.

    Example:
        >>> import tenfold as tf
        >>> left = [[1, 0, 1, 0, 1, 0, 0, 0]]
        >>> tf.image.transform([[[[1], [2], [3]]]], left).array_sync()
        [[[[2.0], [3.0], [0.0]]]]
    """
    name = "transform"
    picture = windowing.float_tensor(image, "image", name)
    matrices = convert_to_tensor(transforms, "transforms", name, "float32")
    shape = None if output_shape is None else integers(output_shape, "output_shape", name)
    if not ENV.is_true("PROD"):
        _check(picture, matrices, shape)
        for argument, given, accepted in (
            ("interpolation", interpolation, _INTERPOLATIONS),
            ("fill_mode", fill_mode, _FILL_MODES),
        ):
            if given not in accepted:
                raise ValueError(f"{name}: argument '{argument}' must be one of {', '.join(accepted)}, got {given!r}.")
    attributes = {
        "interpolation": interpolation,
        "fill_mode": fill_mode,
        "fill_value": float(fill_value),
        "output_shape": shape,
    }
    return ENGINE.run_kernel(TRANSFORM.name, (picture, matrices), attributes)


def _check(image: Tensor, transforms: Tensor, output_shape: tuple[int, ...] | None) -> None:
    if image.rank != 4:
        raise ValueError(
            f"transform: argument 'image' must have shape [batch, height, width, channels], got {list(image.shape)}."
        )
    batch = image.shape[0]
    if transforms.rank != 2 or transforms.shape[1] != 8 or transforms.shape[0] not in (1, batch):
        raise ValueError(
            f"transform: argument 'transforms' must have shape [{batch}, 8] or [1, 8], got {list(transforms.shape)}."
        )
    if output_shape is not None and (len(output_shape) != 2 or min(output_shape) < 0):
        raise ValueError(f"transform: argument 'output_shape' must be [height, width], got {list(output_shape)}.")
