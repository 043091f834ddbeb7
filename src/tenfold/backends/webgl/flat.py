"""The textures of tensors in the flat layout, which every kernel accepts: their size, format and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tenfold.codegen.glsl.layouts import FLAT, fits
from tenfold.devices.gl.interface import INT32, Format, Texture

if TYPE_CHECKING:
    from tenfold.core.dtypes import DType
    from tenfold.core.storage import Shape
    from tenfold.devices.gl.interface import Limits

ON_DEVICE: Final = ("float32", "int32", "bool", "complex64")
"""The dtypes that textures hold."""


INTEGERS: Final = ("int32", "bool")
"""Those that are stored as integers."""


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
    texture = Texture(0, extent.width, extent.height, 1, INT32 if dtype in INTEGERS else floats)
    if not fits(extent, limits.texture_size, limits.array_layers):
        raise ValueError(
            f"A {dtype} tensor of shape {list(shape)} takes a texture of {extent.width} x {extent.height} texels "
            f"({texture.bytes} bytes); those of this device ({limits.renderer}) have sides of at most "
            f"{limits.texture_size}. Split the tensor along an axis, or use the backend 'cpu' for it."
        )
    return texture


def number_count(shape: Shape, dtype: DType) -> int:
    """How many numbers a tensor is in its texture: complex ones count twice."""
    return element_count(shape) * (2 if dtype == "complex64" else 1)


def to_numbers(values: np.ndarray) -> np.ndarray:
    """Values as the numbers of a flat texture."""
    if values.dtype == np.complex64:
        return np.ascontiguousarray(values).reshape(-1).view(np.float32)
    return values.astype(np.int32) if values.dtype == np.bool_ else values


def from_numbers(numbers: np.ndarray, shape: Shape, dtype: DType) -> np.ndarray:
    """The values of a tensor out of the numbers of its flat texture."""
    if dtype == "complex64":
        return numbers.view(np.complex64).reshape(shape)
    return (numbers != 0 if dtype == "bool" else numbers).reshape(shape)
