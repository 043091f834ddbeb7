"""The textures of tensors in the flat layout, which every kernel accepts: their size, format and texels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tenfold.codegen.glsl.layouts import FLAT, TEXEL, fits
from tenfold.devices.gl.interface import INT32, Format, Texture

if TYPE_CHECKING:
    from tenfold.core.dtypes import DType
    from tenfold.core.storage import Shape
    from tenfold.devices.gl.interface import Limits

ON_DEVICE: Final = ("float32", "int32", "bool", "complex64")
"""The dtypes that textures hold."""


def element_count(shape: Shape) -> int:
    """How many elements an array of a shape has."""
    count = 1
    for length in shape:
        count *= length
    return count


def placed(shape: Shape, dtype: DType, floats: Format, limits: Limits) -> Texture:
    """A texture as a tensor takes it, which need not exist: its handle is 0.

    Args:
        shape: of the tensor.
        dtype: of its elements.
        floats: the format of floats.
        limits: of the device.

    Raises:
        TypeError: for a dtype that no texture holds.
        ValueError: if the device has no textures as large as that.
    """
    if dtype not in ON_DEVICE:
        raise TypeError(f"The backend 'webgl' holds no {dtype} values in textures; use the backend 'cpu' for them.")
    extent = FLAT.extent(shape, dtype)
    format = INT32 if dtype in ("int32", "bool") else floats
    texture = Texture(0, extent.width, extent.height, 1, format)
    if not fits(extent, limits.texture_size, limits.array_layers):
        raise ValueError(
            f"A {dtype} tensor of shape {list(shape)} takes a texture of {extent.width} x {extent.height} texels "
            f"({texture.bytes} bytes); this device ({limits.renderer}) has none with a side of more than "
            f"{limits.texture_size}. Split the tensor along an axis, or use the backend 'cpu' for it."
        )
    return texture


def to_texels(values: np.ndarray, texture: Texture) -> np.ndarray:
    """Values as the texels `[layer, row, column, component]` of a texture; unused ones are zero."""
    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.dtype == np.complex64:
        flat = flat.view(np.float32)
    shape = (1, texture.height, texture.width, TEXEL)
    room = texture.height * texture.width * TEXEL
    if flat.size == room and flat.dtype == texture.format.dtype:
        return flat.reshape(shape)
    padded = np.zeros(room, texture.format.dtype)
    padded[: flat.size] = flat
    return padded.reshape(shape)


def from_texels(texels: np.ndarray, shape: Shape, dtype: DType) -> np.ndarray:
    """The values of a tensor out of the texels of its texture."""
    return FLAT.unpacked(texels, shape, dtype)
