"""How arrays lie in textures, whose texels have four components.

* `Flat`: row-major order, four consecutive elements a texel (two complex ones), through the rows of one layer. A row
  has a power of two of texels, so that a position splits by shift and mask. Every kernel takes and gives it.
* `Columns`: for images `[batch, height, width, channels]`. A texel holds four channels of a pixel. The columns of the
  image are dealt to the texture's layers, so that one draw with a render target for each layer computes neighbouring
  columns at once, and reads a weight once for all of them. Texel x = (column // layers) * ceil(channels / 4) +
  channel // 4, y = origin + image * height + row, layer = column % layers. What lies past the width or the last
  channel is 0.

Software drivers hand tiles of 64 x 64 texels to their threads: an image of few rows begins at an `origin` that
spreads it over two tiles. They also compile a shader anew for textures with a side that is a power of two, which
heights avoid.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy as np

TEXEL: Final = 4
"""Components of a texel."""

TILE: Final = 64
"""Side of the tiles that software drivers give to their threads."""


class Extent(NamedTuple):
    """The size of a texture, and the part of it that is computed.

    Attributes:
        width: texels along x.
        height: texels along y.
        layers: how many of these.
        origin: the first row that is used.
        rows: how many rows are.
        across: how many texels of a row are.
    """

    width: int
    height: int
    layers: int
    origin: int
    rows: int
    across: int


class Layout(Protocol):
    """Where the elements of an array lie in a texture."""

    def extent(self, shape: tuple[int, ...], dtype: str) -> Extent:
        """The texture that an array takes."""

    def packed(self, values: np.ndarray) -> np.ndarray:
        """The used texels `[layer, row, column, component]` of an array's values."""

    def unpacked(self, texels: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """The values that lie in the used texels."""


class Flat(NamedTuple):
    """Row-major order; see the module's head."""

    def extent(self, shape: tuple[int, ...], dtype: str) -> Extent:
        """The texture that an array takes: about sixteen times as wide as high, and no wider than 1024 if it can."""
        texels = max(1, -(-_size(shape) * (2 if dtype == "complex64" else 1) // TEXEL))
        width = TEXEL
        while width < 1024 and width * width < 16 * texels:
            width *= 2
        while texels > width * HIGHEST:
            width *= 2
        rows = -(-texels // width)
        return Extent(width, _odd_height(rows), 1, 0, rows, width)

    def packed(self, values: np.ndarray) -> np.ndarray:
        """The used texels of an array's values."""
        extent = self.extent(values.shape, str(values.dtype))
        flat = values.ravel().view(np.float32) if values.dtype == np.complex64 else values.ravel()
        texels = np.zeros(extent.width * extent.rows * TEXEL, np.float32 if values.dtype.kind in "fc" else np.int32)
        texels[: flat.size] = flat
        return texels.reshape(1, extent.rows, extent.width, TEXEL)

    def unpacked(self, texels: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """The values that lie in the used texels."""
        size = _size(shape)
        if dtype == "complex64":
            return texels.ravel()[: 2 * size].view(np.complex64).reshape(shape)
        flat = texels.ravel()[:size]
        return (flat != 0 if dtype == "bool" else flat).reshape(shape)


class Columns(NamedTuple):
    """Images with their columns dealt to layers; see the module's head.

    Attributes:
        layers: how many columns lie side by side.
    """

    layers: int

    def blocks(self, width: int) -> int:
        """How many groups of neighbouring columns an image has."""
        return -(-width // self.layers)

    def extent(self, shape: tuple[int, ...], dtype: str) -> Extent:
        """The texture that a batch of images takes."""
        batch, height, width, channels = shape
        rows = batch * height
        across = self.blocks(width) * -(-channels // TEXEL)
        origin = TILE - -(-rows // 8) * TEXEL if rows <= TILE - 8 and across <= 4 * TILE else 0
        width_of_texture = across + _is_power_of_two(across)
        return Extent(width_of_texture, _odd_height(origin + rows), self.layers, origin, rows, across)

    def packed(self, values: np.ndarray) -> np.ndarray:
        """The used texels of a batch of images."""
        batch, height, width, channels = values.shape
        extent, blocks, groups = self.extent(values.shape, "float32"), self.blocks(width), -(-channels // TEXEL)
        padded = np.zeros((batch * height, blocks * self.layers, groups * TEXEL), np.float32)
        padded[:, :width, :channels] = values.reshape(batch * height, width, channels)
        dealt = padded.reshape(batch * height, blocks, self.layers, groups * TEXEL).transpose(2, 0, 1, 3)
        texels = np.zeros((self.layers, batch * height, extent.width, TEXEL), np.float32)
        texels[:, :, : blocks * groups] = dealt.reshape(self.layers, batch * height, blocks * groups, TEXEL)
        return texels

    def unpacked(self, texels: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """The values of a batch of images that lie in the used texels."""
        batch, height, width, channels = shape
        blocks, groups = self.blocks(width), -(-channels // TEXEL)
        dealt = texels[:, :, : blocks * groups].reshape(self.layers, batch * height, blocks, groups * TEXEL)
        pixels = dealt.transpose(1, 2, 0, 3).reshape(batch * height, blocks * self.layers, groups * TEXEL)
        return np.ascontiguousarray(pixels[:, :width, :channels]).reshape(shape)


FLAT: Final = Flat()

HIGHEST: Final = 4096
"""Rows of a flat texture, unless it would be wider than that."""


def fits(extent: Extent, texture_size: int, array_layers: int) -> bool:
    """Whether a driver with these limits can have such a texture."""
    return max(extent.width, extent.height) <= texture_size and extent.layers <= array_layers


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


def _odd_height(rows: int) -> int:
    """A height that is no power of two, and not much more than needed."""
    return 3 if rows <= 2 else rows + _is_power_of_two(rows)
