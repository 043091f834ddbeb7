"""The kernels of a convolution, over any number of axes: shape rules, definitions, and each other's gradients.

A convolution is one of groups: each run of the input's channels meets filters of its own. An ordinary convolution has
one group, a depthwise one as many as there are channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tenfold.codegen.compute import Array, compute, modulo, quotient, simplify, sum_over
from tenfold.codegen.expr import Expr
from tenfold.codegen.reductions import reduce_axes
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.core.windows import ConvInfo, VolumeInfo
from tenfold.ops.window_positions import all_sights, guarded, inside, positions, sights

Thunks = Sequence[Callable[[], Tensor] | None]

Sizes = Callable[[Shape, Shape, Attributes], ConvInfo | VolumeInfo]


class _Geometry:
    """Which pixels, taps and channels of a convolution meet.

    Attributes:
        out_shape: the output's shape.
        axes: the windows along each axis.
        taps: how many there are along each axis.
        inputs: the channels of the input that an output's channel sums.
        outputs: the channels of the output that an input's channel goes to.
    """

    def __init__(self, info: ConvInfo | VolumeInfo, depthwise: bool) -> None:
        image = info.plane if isinstance(info, VolumeInfo) else info
        self.out_shape = info.out_shape
        self.axes = info.axes
        self.taps = [axis.window for axis in info.axes]
        self.inputs = 1 if depthwise else image.in_channels // image.groups
        self.outputs = image.multiplier if depthwise else image.out_channels // image.groups
        self._depthwise = depthwise
        self._channels_first = image.data_format == "NCHW"

    def split(self, at: Sequence[Expr]) -> tuple[Expr, list[Expr], Expr]:
        """Of the indices of a pixel: batch, position, channel."""
        batch, *rest = at
        return (batch, rest[1:], rest[0]) if self._channels_first else (batch, rest[:-1], rest[-1])

    def pixel(self, images: Array, batch: Expr, at: Sequence[Expr], channel: Expr) -> Expr:
        """The pixel of a batch, position and channel."""
        return images[[batch, channel, *at]] if self._channels_first else images[[batch, *at, channel]]

    def seen(self, x: Array, batch: Expr, windows: Sequence[Expr], taps: Sequence[Expr], channel: Expr) -> Expr:
        """What a tap of a window sees; zero in the padding."""
        at = positions(self.axes, windows, taps)
        return guarded(inside(self.axes, at), self.pixel(x, batch, at, channel), 0)

    def weight(self, filter: Array, taps: Sequence[Expr], number: Expr, output: Expr) -> Expr:
        """What the input's channel of that number in its group contributes to the output's channel at a tap."""
        if self._depthwise:
            return filter[[*taps, quotient(output, self.outputs), modulo(output, self.outputs)]]
        return filter[[*taps, number, output]]

    def meeting(self, number: Expr, output: Expr) -> tuple[Expr, Expr]:
        """The channels of input and output that the weight at the filter's last two indices is for."""
        if self._depthwise:
            return number, simplify(number * self.outputs + output)
        return self.input(number, output), output

    def input(self, number: Expr, output: Expr) -> Expr:
        """The input's channel of that number among those that an output's channel sums."""
        return simplify(quotient(output, self.outputs) * self.inputs + number)

    def output(self, channel: Expr, number: Expr) -> Expr:
        """The output's channel of that number among those that an input's channel goes to."""
        return simplify(quotient(channel, self.inputs) * self.outputs + number)


def _forward(geometry: _Geometry, x: Array, filter: Array) -> Array:
    def element(*at: Expr) -> Expr:
        batch, windows, channel = geometry.split(at)

        def product(*over: Expr) -> Expr:
            *taps, number = over
            pixel = geometry.seen(x, batch, windows, taps, geometry.input(number, channel))
            return pixel * geometry.weight(filter, taps, number, channel)

        return sum_over([*geometry.taps, geometry.inputs], product)

    return compute(geometry.out_shape, element)


def _back_to_input(geometry: _Geometry, dy: Array, filter: Array, shape: Shape) -> Array:
    def element(*at: Expr) -> Expr:
        batch, here, channel = geometry.split(at)

        def product(*over: Expr) -> Expr:
            *numbers, number = over
            windows, taps, exist = all_sights(geometry.axes, here, numbers)
            output = geometry.output(channel, number)
            weight = geometry.weight(filter, taps, modulo(channel, geometry.inputs), output)
            return guarded(exist, geometry.pixel(dy, batch, windows, output) * weight, 0)

        return sum_over([*map(sights, geometry.axes), geometry.outputs], product)

    return compute(shape, element)


def _back_to_filter(geometry: _Geometry, x: Array, dy: Array, shape: Shape) -> Array:
    rank = len(shape)

    def product(*at: Expr) -> Expr:
        (*taps, number, output), (batch, *windows) = at[:rank], at[rank:]
        of_input, of_output = geometry.meeting(number, output)
        pixel = geometry.seen(x, batch, windows, taps, of_input)
        return pixel * geometry.pixel(dy, batch, windows, of_output)

    over = [x.shape[0], *(axis.out for axis in geometry.axes)]
    return reduce_axes("sum", [*shape, *over], range(rank, rank + len(over)), product)


def define_convolution(
    forward: str,
    back_input: str,
    back_filter: str,
    sizes: Sizes,
    windows: Callable[[Attributes], dict[str, Any]],
    depthwise: bool = False,
) -> None:
    """Define a convolution and its two gradients, and the gradients of all three by each other.

    Args:
        forward: name of the convolution, of inputs x and filter.
        back_input: name of the gradient with respect to x, of inputs dy and filter.
        back_filter: name of the gradient with respect to the filter, of inputs x and dy.
        sizes: what the shapes of x and filter and the attributes make.
        windows: the attributes that the three kernels have in common.
        depthwise: whether each input channel has filters of its own.
    """

    def forward_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
        x, filter = specs
        return TensorSpec(sizes(x.shape, filter.shape, attributes).out_shape, x.dtype)

    def input_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
        dy, filter = specs
        input_shape = tuple(attributes["input_shape"])
        check_dy(dy.shape, sizes(input_shape, filter.shape, attributes).out_shape)
        return TensorSpec(input_shape, dy.dtype)

    def filter_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
        x, dy = specs
        filter_shape = tuple(attributes["filter_shape"])
        check_dy(dy.shape, sizes(x.shape, filter_shape, attributes).out_shape)
        return TensorSpec(filter_shape, dy.dtype)

    def forward_definition(x: Array, filter: Array, **attributes: Any) -> Array:
        return _forward(_Geometry(sizes(x.shape, filter.shape, attributes), depthwise), x, filter)

    def input_definition(dy: Array, filter: Array, *, input_shape: Shape, **attributes: Any) -> Array:
        geometry = _Geometry(sizes(input_shape, filter.shape, attributes), depthwise)
        return _back_to_input(geometry, dy, filter, input_shape)

    def filter_definition(x: Array, dy: Array, *, filter_shape: Shape, **attributes: Any) -> Array:
        geometry = _Geometry(sizes(x.shape, filter_shape, attributes), depthwise)
        return _back_to_filter(geometry, x, dy, filter_shape)

    define_kernel(Kernel(forward, ("x", "filter"), forward_infer, definition=forward_definition))
    define_kernel(Kernel(back_input, ("dy", "filter"), input_infer, definition=input_definition))
    define_kernel(Kernel(back_filter, ("x", "dy"), filter_infer, definition=filter_definition))
    _register_gradients(forward, back_input, back_filter, windows)


def _register_gradients(
    forward: str, back_input: str, back_filter: str, windows: Callable[[Attributes], dict[str, Any]]
) -> None:
    def convolve(x: Tensor, filter: Tensor, attributes: Attributes) -> Tensor:
        return ENGINE.run_kernel(forward, (x, filter), windows(attributes))

    def for_input(dy: Tensor, filter: Tensor, shape: Shape, attributes: Attributes) -> Tensor:
        return ENGINE.run_kernel(back_input, (dy, filter), {**windows(attributes), "input_shape": shape})

    def for_filter(x: Tensor, dy: Tensor, shape: Shape, attributes: Attributes) -> Tensor:
        return ENGINE.run_kernel(back_filter, (x, dy), {**windows(attributes), "filter_shape": shape})

    def forward_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
        x, filter = saved
        return [
            lambda: for_input(dy, filter, x.shape, attributes),
            lambda: for_filter(x, dy, filter.shape, attributes),
        ]

    def input_gradient(ddx: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
        dy, filter = saved
        return [
            lambda: convolve(ddx, filter, attributes),
            lambda: for_filter(ddx, dy, filter.shape, attributes),
        ]

    def filter_gradient(ddf: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
        x, dy = saved
        return [
            lambda: for_input(dy, ddf, x.shape, attributes),
            lambda: convolve(x, ddf, attributes),
        ]

    register_gradient(forward, forward_gradient, inputs_to_save=["x", "filter"])
    register_gradient(back_input, input_gradient, inputs_to_save=["dy", "filter"])
    register_gradient(back_filter, filter_gradient, inputs_to_save=["x", "dy"])


def check_dy(given: Shape, wanted: Shape) -> None:
    """Raise if what comes back from a convolution has not the shape of its output.

    Raises:
        ValueError: naming both shapes.
    """
    if given != wanted:
        raise ValueError(f"windows over the output shape make {list(wanted)}, but the tensor given is {list(given)}.")
