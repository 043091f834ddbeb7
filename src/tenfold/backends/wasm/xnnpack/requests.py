"""How kernels are asked of TensorFlow.js's WebAssembly: which function, with which arguments; or why not.

The library trusts its caller: it computes sizes from what it is told and writes as much. Whatever it does not do, or
does differently, is declined here, and runs as generated code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Final, NamedTuple

from tenfold.core.kernel import Attributes, TensorSpec
from tenfold.core.storage import Shape
from tenfold.core.windows import Axis, ConvInfo, conv2d_attributes, conv2d_info, pool2d_info

FLOAT32: Final = 0
"""Its number for the dtype."""

MOST_AXES: Final = 6


class Operand(NamedTuple):
    """An argument: the number of a tensor.

    Attributes:
        position: which input of the kernel it is; `OUTPUT` for what is computed.
        shape: the shape in which it is used, where the library keeps what it made of it without regard to that.
    """

    position: int
    shape: Shape | None = None


class Lengths(NamedTuple):
    """An argument: the address of the lengths of axes."""

    shape: Shape


OUTPUT: Final = -1
RESULT: Final = Operand(OUTPUT)

Argument = int | float | Operand | Lengths


class Request(NamedTuple):
    """A call of the library.

    Attributes:
        function: its name.
        arguments: what it takes.
    """

    function: str
    arguments: tuple[Argument, ...]


class Fusion(NamedTuple):
    """What is done to the result of a convolution or product before it is stored.

    Attributes:
        bias: the input that is added to each channel.
        activation: a number of `ACTIVATIONS`.
        slopes: the input with the slopes of Prelu.
        slope: that of LeakyRelu.
    """

    bias: Operand | int = 0
    activation: int = 0
    slopes: Operand | int = 0
    slope: float = 0.0


ACTIVATIONS: Final = {"Relu": 1, "Relu6": 2, "Prelu": 3, "LeakyRelu": 4, "Sigmoid": 5, "Elu": 6}
"""Kernels that can follow a convolution or product, and the library's numbers for them."""

PLAIN: Final = Fusion()

Specs = Sequence[TensorSpec | None]


class DeclinedError(Exception):
    """The library is not asked for this call; the message says why."""


def make_request(kernel_name: str, specs: Specs, attributes: Attributes, fusion: Fusion = PLAIN) -> Request:
    """What to ask for.

    Args:
        kernel_name: one of `KERNELS`.
        specs: the kernel's inputs, and after them those of the fusion.
        attributes: the kernel's.
        fusion: what to do to the result, for kernels in `FUSING`.

    Raises:
        DeclinedError: the library does not do it.
    """
    given: list[TensorSpec] = []
    for spec in specs:
        if spec is None or spec.dtype != "float32":
            raise DeclinedError(f"it computes with float32, not with {'nothing' if spec is None else spec.dtype}")
        if not prod(spec.shape):
            raise DeclinedError("there are no elements")
        if len(spec.shape) > MOST_AXES:
            raise DeclinedError(f"it knows {MOST_AXES} axes, not {len(spec.shape)}")
        given.append(spec)
    if kernel_name in FUSING:
        return FUSING[kernel_name]([spec.shape for spec in given], attributes, fusion)
    return _OTHERS[kernel_name]([spec.shape for spec in given], attributes)


# -- convolutions and products ------------------------------------------------------------------------------


def _convolution(function: str, depthwise: bool) -> Callable[[Sequence[Shape], Attributes, Fusion], Request]:
    def request(shapes: Sequence[Shape], attributes: Attributes, fusion: Fusion) -> Request:
        info = conv2d_info(shapes[0], shapes[1], **conv2d_attributes(attributes), depthwise=depthwise)
        if info.data_format != "NHWC":
            raise DeclinedError(f"it knows images as NHWC, not as {info.data_format}")
        if info.groups != 1:
            raise DeclinedError("it knows no groups of channels")
        _check_sizes(info)
        return Request(
            function,
            (
                *_image(info),
                Operand(1),
                info.filter_height,
                info.filter_width,
                fusion.bias,
                *_padding(info),
                0,  # padding is given, not "same"
                *info.dilations,
                *info.strides,
                info.in_channels,
                info.out_channels,
                fusion.activation,
                fusion.slopes,
                fusion.slope,
                RESULT,
            ),
        )

    return request


def _product(shapes: Sequence[Shape], attributes: Attributes, fusion: Fusion) -> Request:
    a, b = shapes[:2]
    if attributes.get("transpose_a", False) or attributes.get("transpose_b", False):
        raise DeclinedError("its products of transposed matrices are plain loops")
    if prod(b[:-2]) != 1:
        raise DeclinedError("its products of several matrices are plain loops")
    rows = (1, prod(a[:-1]), a[-1])
    columns = (1, *b[-2:])
    return Request(
        "_FusedMatMul",
        (
            *(Operand(0), Lengths(rows), 3),
            *(Operand(1, columns), Lengths(columns), 3),
            *(0, 0),  # nothing is transposed
            fusion.activation,
            fusion.bias,
            fusion.slopes,
            fusion.slope,
            RESULT,
        ),
    )


def _image(info: ConvInfo) -> tuple[Argument, ...]:
    return (Operand(0), info.batch, info.in_height, info.in_width)


def _padding(info: ConvInfo) -> tuple[int, int, int, int]:
    return info.pad_top, info.pad_right, info.pad_bottom, info.pad_left


def _check_sizes(info: ConvInfo) -> None:
    """The library computes the size of the result on its own; it must come to ours."""
    for axis in info.axes:
        if axis.out < 1 or _windows(axis) != axis.out:
            raise DeclinedError("its number of windows would be another one")


def _windows(axis: Axis) -> int:
    reach = (axis.window - 1) * axis.dilation + 1
    return (axis.before + axis.size + axis.after - reach) // axis.stride + 1


# -- pools, resizing, rows ----------------------------------------------------------------------------------


def _pool_info(shapes: Sequence[Shape], attributes: Attributes) -> ConvInfo:
    info = pool2d_info(
        shapes[0],
        attributes["filter_size"],
        attributes["strides"],
        attributes["pad"],
        attributes.get("dim_rounding_mode"),
    )
    _check_sizes(info)
    if info.filter_height == info.filter_width == 1:
        raise DeclinedError("it knows no windows of one pixel")
    if any(axis.before >= axis.window or (axis.out - 1) * axis.stride - axis.before >= axis.size for axis in info.axes):
        raise DeclinedError("there are windows that see no pixel")
    return info


def _max_pool(shapes: Sequence[Shape], attributes: Attributes) -> Request:
    info = _pool_info(shapes, attributes)
    window = (info.filter_height, info.filter_width, *_padding(info), *info.dilations, *info.strides)
    return Request("MaxPool", (*_image(info), *window, info.in_channels, info.out_channels, RESULT))


def _avg_pool(shapes: Sequence[Shape], attributes: Attributes) -> Request:
    info = _pool_info(shapes, attributes)
    window = (info.filter_height, info.filter_width, *_padding(info), *info.strides)
    return Request("AvgPool", (*_image(info), *window, info.in_channels, RESULT))


def _resize_bilinear(shapes: Sequence[Shape], attributes: Attributes) -> Request:
    corners, centers = attributes.get("align_corners", False), attributes.get("half_pixel_centers", False)
    if corners and centers:
        raise DeclinedError("it aligns either corners or centers")
    size = tuple(attributes["size"])
    if not all(size):
        raise DeclinedError("there are no elements")
    return Request("ResizeBilinear", (Operand(0), *shapes[0], *size, int(corners), int(centers), RESULT))


def _softmax(shapes: Sequence[Shape], attributes: Attributes) -> Request:
    (shape,) = shapes
    dim = attributes.get("dim", -1)
    if dim not in (-1, len(shape) - 1):
        raise DeclinedError("it knows the last axis only")
    return Request("Softmax", (Operand(0), RESULT, shape[-1], prod(shape[:-1])))


def _prelu(shapes: Sequence[Shape], attributes: Attributes) -> Request:
    x, slopes = shapes
    if not is_trailing(slopes, x):
        raise DeclinedError("it knows slopes of the last axes only")
    return Request("Prelu", (Operand(0), Operand(1), RESULT))


def is_trailing(part: Shape, whole: Shape) -> bool:
    """Whether a shape, less leading ones, is the end of another, so that its elements repeat in order."""
    lengths = list(part)
    while lengths and lengths[0] == 1:
        del lengths[0]
    return len(lengths) <= len(whole) and tuple(lengths) == whole[len(whole) - len(lengths) :]


# -- elementwise --------------------------------------------------------------------------------------------


def _binary(function: str) -> Callable[[Sequence[Shape], Attributes], Request]:
    def request(shapes: Sequence[Shape], attributes: Attributes) -> Request:
        a, b = (shape or (1,) for shape in shapes)
        arguments = (Operand(0), Lengths(a), len(a), Operand(1), Lengths(b), len(b), FLOAT32, RESULT)
        return Request(function, arguments)

    return request


def _unary(function: str) -> Callable[[Sequence[Shape], Attributes], Request]:
    return lambda shapes, attributes: Request(function, (Operand(0), FLOAT32, RESULT))


def _sigmoid(shapes: Sequence[Shape], attributes: Attributes) -> Request:
    return Request("Sigmoid", (Operand(0), RESULT))


def _leaky_relu(shapes: Sequence[Shape], attributes: Attributes) -> Request:
    return Request("LeakyRelu", (Operand(0), FLOAT32, attributes["alpha"], RESULT))


FUSING: Final[dict[str, Callable[[Sequence[Shape], Attributes, Fusion], Request]]] = {
    "BatchMatMul": _product,
    "Conv2D": _convolution("FusedConv2D", depthwise=False),
    "DepthwiseConv2dNative": _convolution("FusedDepthwiseConv2D", depthwise=True),
}
"""Kernels whose results can be worked on before they are stored."""

# Its bounds (ClipByValue, Maximum, Minimum, Relu6 on its own) take NaN for a number, so they are not asked for.
_BINARY: Final = ("Add", "Multiply", "RealDiv", "SquaredDifference", "Sub")

_OTHERS: Final[dict[str, Callable[[Sequence[Shape], Attributes], Request]]] = {
    "AvgPool": _avg_pool,
    "Elu": _unary("Elu"),
    "LeakyRelu": _leaky_relu,
    "MaxPool": _max_pool,
    "Prelu": _prelu,
    "Relu": _unary("Relu"),
    "ResizeBilinear": _resize_bilinear,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    **{name: _binary(name) for name in _BINARY},
}

KERNELS: Final = frozenset({*FUSING, *_OTHERS})
"""The kernels that run there."""
