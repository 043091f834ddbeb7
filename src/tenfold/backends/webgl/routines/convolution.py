"""Convolutions of images in columns: a shader computes four channels of neighbouring columns at once.

A weight is fetched once for all columns of a block, and a pixel once for all windows that see it. A column outside the
image is fetched all the same and its value not used; a row outside is passed over. Shapes are uniforms, so that the
layers of a model share few programs: a program knows the window, the layouts and the epilogue.

Fetches cost most. Sampling the nearest texel is a third faster than `texelFetch` on llvmpipe, which checks bounds; so
places are in fractions of a texture's sides, whose inverses stand in the uniform array `floats`. No level of detail is
named, since textures have but one: to see whether four lanes name the same takes SwiftShader a quarter of all its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from tenfold.codegen.compute import Array, both, compute, in_range, modulo, quotient, simplify
from tenfold.codegen.expr import Expr, select
from tenfold.codegen.glsl.epilogues import Epilogue
from tenfold.codegen.glsl.layouts import TEXEL, Columns
from tenfold.codegen.glsl.renderer import divided, store_columns
from tenfold.core.windows import ConvInfo

OWN_SOURCES: Final = 2
"""Textures that these shaders read themselves: the image and the filter."""

SAMPLERS: Final = ("image_source", "filter_source")

_NUMBERS: Final = (
    "groups_in",
    "groups",
    "rows_in",
    "columns_in",
    "rows",
    "columns",
    "top",
    "left",
    "channels",
)
"""The shape, as it stands at the end of the uniform array `ints`."""


class RoutineShader(NamedTuple):
    """A shader that a routine wrote.

    Attributes:
        body: the source, without version and precision.
        samplers: the names of the textures that it reads, in order.
        numbers: what `ints` holds after the placings of the target and of all sources.
    """

    body: str
    samplers: tuple[str, ...]
    numbers: tuple[int, ...]


def can_convolve(info: ConvInfo, depthwise: bool) -> bool:
    """Whether the shaders here compute such a convolution."""
    if info.data_format != "NHWC" or info.groups != 1:
        return False
    taps = info.filter_height * info.filter_width
    return (not depthwise or info.multiplier == 1) and info.filter_width <= WIDEST and taps <= WIDEST**2


WIDEST: Final = 11
"""Windows wider than this would need more registers than there are."""


PACKED: Final = Columns(1)
"""How a packed filter lies in its texture: four output channels a texel."""


def packed_shape(shape: Sequence[int], depthwise: bool) -> tuple[int, int, int, int]:
    """The shape of a filter as the shaders read it: `[1, group * taps + tap, input channel, output channel of group]`.

    That of a depthwise one, `[height, width, channels, 1]`, is `[1, tap, group, channel of group]`.
    """
    height, width, inputs, outputs = shape
    if depthwise:
        return 1, height * width, _groups(inputs), TEXEL
    return 1, _groups(outputs) * height * width, _groups(inputs) * TEXEL, TEXEL


def packed_filter(filter: Array, depthwise: bool) -> Array:
    """A filter as the shaders read it, with zeros for channels that it does not have."""
    height, width, inputs, outputs = filter.shape
    taps = height * width

    def ordinary(_: Expr, row: Expr, channel: Expr, lane: Expr) -> Expr:
        output, tap = simplify(simplify(quotient(row, taps) * TEXEL) + lane), modulo(row, taps)
        value = filter[quotient(tap, width), modulo(tap, width), channel, output]
        return select(both(in_range(channel, inputs), in_range(output, outputs)), value, 0.0)

    def of_each_channel(_: Expr, tap: Expr, group: Expr, lane: Expr) -> Expr:
        channel = simplify(simplify(group * TEXEL) + lane)
        value = filter[quotient(tap, width), modulo(tap, width), channel, 0]
        return select(in_range(channel, inputs), value, 0.0)

    return compute(packed_shape(filter.shape, depthwise), of_each_channel if depthwise else ordinary)


def packed_values(filter: np.ndarray, depthwise: bool) -> np.ndarray:
    """The values of `packed_filter`."""
    height, width, inputs, outputs = filter.shape
    taps, shape = height * width, packed_shape(filter.shape, depthwise)
    if depthwise:
        padded = np.zeros((taps, shape[2] * TEXEL), np.float32)
        padded[:, :inputs] = filter.reshape(taps, inputs)
        return padded.reshape(shape)
    by_tap = np.zeros((taps, shape[2], _groups(outputs) * TEXEL), np.float32)
    by_tap[:, :inputs, :outputs] = filter.reshape(taps, inputs, outputs)
    by_group = by_tap.reshape(taps, shape[2], _groups(outputs), TEXEL).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(by_group).reshape(shape)


def _groups(channels: int) -> int:
    return -(-channels // TEXEL)


def convolution(
    info: ConvInfo, layout_in: Columns, layout: Columns, epilogue: Epilogue, depthwise: bool
) -> RoutineShader:
    """The shader of a convolution.

    Args:
        info: windows and shapes.
        layout_in: how the image lies.
        layout: how the result lies.
        epilogue: what becomes of each texel.
        depthwise: whether each channel has a filter of its own.
    """
    first_number = 1 + OWN_SOURCES + len(epilogue.sources) + len(epilogue.numbers)
    shape = (
        _groups(info.in_channels),
        _groups(info.out_channels),
        info.in_height,
        info.in_width,
        info.out_height,
        info.out_width,
        info.pad_top,
        info.pad_left,
        info.out_channels,
    )
    writer = _Writer(info, layout_in, layout, depthwise)
    lines = [
        f"uniform int ints[{first_number + len(_NUMBERS)}];",
        "uniform float floats[4];",
        *(f"uniform sampler2DArray {name};" for name in SAMPLERS),
        *epilogue.lines,
        *(f"layout(location = {i}) out vec4 result{i};" for i in range(layout.layers)),
        "void main() {",
        *(f"    int {name} = ints[{first_number + i}];" for i, name in enumerate(_NUMBERS)),
        *writer.main(),
        "}",
    ]
    samplers = (*SAMPLERS, *(source.name for source in epilogue.sources))
    return RoutineShader("\n".join(lines) + "\n", samplers, (*epilogue.numbers, *shape))


class _Writer:
    """Writes the body of `main`."""

    def __init__(self, info: ConvInfo, layout_in: Columns, layout: Columns, depthwise: bool) -> None:
        self._info = info
        self._layers_in = layout_in.layers
        self._layers = layout.layers
        self._range = range(layout.layers)
        self._depthwise = depthwise
        self._stride = info.stride_width
        self._dilation = info.dilation_width
        self._taps = info.filter_width
        groups = _groups(info.in_channels)
        # Two groups at once halve how often sums, which SwiftShader has in memory, are added to; wide windows need not.
        self._at_once = range(2 if info.filter_width == 1 and groups % 2 == 0 else 1)
        # Of inputs with up to four channels, only those that exist are multiplied.
        self._channels = range(min(info.in_channels, len(self._at_once) * TEXEL))
        self._one_to_one = (info.filter_height, info.filter_width, *info.strides) == (1, 1, 1, 1) and not any(
            (info.pad_top, info.pad_left, info.pad_bottom, info.pad_right)
        )

    def main(self) -> list[str]:
        return [
            "    int x = int(gl_FragCoord.x), y = int(gl_FragCoord.y) - ints[0];",
            f"    int block = {divided('x', 'groups')}, group = x - block * groups;",
            *self._image_and_row(),
            *(f"    vec4 s{i} = vec4(0.0);" for i in self._range),
            *self._columns(),
            *self._loops(),
            "    prepare(group);",
            *store_columns(
                [f"finish(image, row, block, {j}, group, s{j})" for j in self._range], "columns", "channels"
            ),
        ]

    def _image_and_row(self) -> list[str]:
        if self._info.batch == 1:
            return ["    int image = 0, row = y;"]
        return [f"    int image = {divided('y', 'rows')}, row = y - image * rows;"]

    # -- the columns of the input that a block sees -------------------------------------------------------

    def _seen(self) -> range:
        """Numbers of the input's columns from the first that a block may see, at `-left`."""
        return range((self._layers - 1) * self._stride + (self._taps - 1) * self._dilation + 1)

    def _readers(self, column: int) -> list[tuple[int, int]]:
        """The windows that see a column, as (column of the block, tap)."""
        pairs = ((j, t) for j in range(self._layers) for t in range(self._taps))
        return [(j, t) for j, t in pairs if j * self._stride + t * self._dilation == column]

    def _used(self) -> list[int]:
        return [column for column in self._seen() if self._readers(column)]

    def _is_static(self) -> bool:
        """Whether each column of a block always lies in the same layer."""
        return (self._layers * self._stride) % self._layers_in == 0

    def _surely_inside(self, column: int) -> bool:
        """Whether a column is one of the block itself, beyond whose end there are zeros."""
        same = self._stride == 1 and self._layers == self._layers_in
        return same and 0 <= column - self._info.pad_left < self._layers

    def _columns(self) -> list[str]:
        """Where each column lies, and whether it exists."""
        groups = "groups" if self._depthwise else "groups_in"
        offset = " + group" if self._depthwise else ""
        lines: list[str] = []
        for column in self._used():
            at = column - self._info.pad_left
            if not self._surely_inside(column):
                lines.append(f"    int c{column} = block * {self._layers * self._stride} + {at};")
                lines.append(f"    bool in{column} = c{column} >= 0 && c{column} < columns_in;")
            if self._is_static():
                step = at // self._layers_in
                blocks = self._layers * self._stride // self._layers_in
                place = f"block * {blocks} + {step}" if blocks != 1 else f"block + {step}"
                lines.append(f"    int x{column} = ({place}) * {groups}{offset};")
            else:
                lines.append(f"    int b{column} = max(c{column}, 0) / {self._layers_in};")
                lines.append(f"    int l{column} = max(c{column}, 0) - b{column} * {self._layers_in};")
                lines.append(f"    int x{column} = b{column} * {groups}{offset};")
            lines.append(f"    float u{column} = (float(x{column}) + 0.5) * floats[0];")
        return lines

    def _pixel(self, column: int, further: str) -> str:
        layer = f"{(column - self._info.pad_left) % self._layers_in}.0" if self._is_static() else f"float(l{column})"
        fetched = f"texture(image_source, vec3(u{column}{further}, v, {layer}))"
        return fetched if self._surely_inside(column) else f"mix(vec4(0.0), {fetched}, bvec4(in{column}))"

    # -- sums ---------------------------------------------------------------------------------------------

    def _loops(self) -> list[str]:
        if self._one_to_one:
            return [*_row_place("    ", "row"), *self._row("    ", "0")]
        info = self._info
        return [
            f"    for (int tap = 0; tap < {info.filter_height}; tap++) {{",
            f"        int seen = row * {info.stride_height} + tap * {info.dilation_height} - top;",
            "        if (seen >= 0 && seen < rows_in) {",
            *_row_place(" " * 12, "seen"),
            *self._row(" " * 12, f"tap * {self._taps}"),
            "        }",
            "    }",
        ]

    def _row(self, indent: str, first_tap: str) -> list[str]:
        if self._depthwise:
            return [indent + line for line in self._depthwise_row(first_tap)]
        taps = self._info.filter_height * self._taps
        rows = [_weight_row(tap, f"group * {taps} + {first_tap} + {tap}") for tap in range(self._taps)]
        further = [f"further{n} = float(k + {n}) * floats[0]" for n in self._at_once]
        inner = [
            f"{indent}    float {', '.join(further)}, across = (float(k * 4) + 0.5) * floats[2];",
            f"{indent}    vec4 {', '.join([*self._weights(), *(f'a{n}' for n in self._at_once)])};",
            *(f"{indent}    {line}" for column in self._used() for line in self._products(column)),
        ]
        return [
            *(f"{indent}{row}" for row in rows),
            f"{indent}for (int k = 0; k < groups_in; k += {len(self._at_once)}) {{",
            *inner,
            f"{indent}}}",
        ]

    def _weights(self) -> list[str]:
        return [
            f"w{tap}_{i} = {_weight(f'across + {i}.0 * floats[2]' if i else 'across', tap)}"
            for tap in range(self._taps)
            for i in self._channels
        ]

    def _products(self, column: int) -> list[str]:
        lines = [f"a{n} = {self._pixel(column, f' + further{n}')};" for n in self._at_once]
        for j, tap in self._readers(column):
            terms = " + ".join(f"a{i // TEXEL}.{'xyzw'[i % TEXEL]} * w{tap}_{i}" for i in self._channels)
            lines.append(f"s{j} += {terms};")
        return lines

    def _depthwise_row(self, first_tap: str) -> list[str]:
        lines = [_weight_row(tap, f"{first_tap} + {tap}") for tap in range(self._taps)]
        weights = [f"w{tap} = {_weight('(float(group) + 0.5) * floats[2]', tap)}" for tap in range(self._taps)]
        lines.append(f"vec4 {', '.join(weights)}, a;")
        for column in self._used():
            lines.append(f"a = {self._pixel(column, '')};")
            lines += [f"s{j} += a * w{tap};" for j, tap in self._readers(column)]
        return lines


def _row_place(indent: str, row: str) -> list[str]:
    return [f"{indent}float v = (float(ints[1] + image * rows_in + {row}) + 0.5) * floats[1];"]


def _weight_row(tap: int, row: str) -> str:
    """Where the weights of a tap lie, before the loop: not every compiler moves what stays the same out of it."""
    return f"float down{tap} = (float(ints[2] + {row}) + 0.5) * floats[3];"


def _weight(x: str, tap: int) -> str:
    return f"texture(filter_source, vec3({x}, down{tap}, 0.0))"
