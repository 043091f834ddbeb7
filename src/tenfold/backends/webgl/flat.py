"""The flat layout: how the values of a tensor lie in a texture that every kernel accepts.

Four consecutive elements make a texel, texels fill the rows of one layer. Float32 values are stored as floats (as
halves in the f16 mode), int32 and bool ones as integers; complex64 ones are pairs of floats. The size of a texture
follows from the number of its texels alone, so that programs know it beforehand.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from tenfold.codegen.glsl.layouts import FLAT
from tenfold.core.dtypes import DType, numpy_dtype
from tenfold.core.storage import Shape
from tenfold.devices.gl.interface import FLOAT32, INT32, Format, Texture

FLOATS_PER_ELEMENT: Final = {"float32": 1, "complex64": 2}
INTEGERS: Final = ("int32", "bool")


def element_count(shape: Shape) -> int:
    """How many elements an array of a shape has."""
    count = 1
    for length in shape:
        count *= length
    return count


def components(count: int, dtype: DType) -> int:
    """How many numbers `count` elements are in a texture.

    Raises:
        TypeError: for dtypes that textures cannot hold.
    """
    if dtype in INTEGERS:
        return count
    if dtype in FLOATS_PER_ELEMENT:
        return count * FLOATS_PER_ELEMENT[dtype]
    raise TypeError(f"The backend 'webgl' holds no {dtype} values in textures; use the backend 'cpu' for them.")


def format_of(dtype: DType, floats: Format = FLOAT32) -> Format:
    """The format of the textures of a dtype; `floats` is that of float32."""
    return INT32 if dtype in INTEGERS else floats


@lru_cache(maxsize=4096)
def flat_size(numbers: int, limit: int) -> tuple[int, int]:
    """Width and height of the texture that holds so many numbers.

    Args:
        numbers: what `components` gives.
        limit: most texels along a side.

    Raises:
        ValueError: if no texture can be that large.
    """
    texels = max(1, (numbers + 3) // 4)
    if texels > limit * limit:
        raise ValueError(
            f"A tensor of {texels * FLOAT32.bytes} bytes does not fit into a texture of this device, whose sides have "
            f"at most {limit} texels ({limit**2 * FLOAT32.bytes} bytes). Split the tensor, or use the backend 'cpu'."
        )
    # Shaders split positions by shift and mask: the rule stands with the renderer.
    extent = FLAT.extent((numbers,), "float32")
    return extent.width, extent.height


def to_texels(values: np.ndarray, dtype: DType, texture: Texture) -> np.ndarray:
    """Values as the texels `[layer, row, column, component]` of a texture; unused ones are zero."""
    flat = np.ascontiguousarray(values).reshape(-1)
    if dtype == "complex64":
        flat = flat.view(np.float32)
    shape = (1, texture.height, texture.width, 4)
    room = texture.height * texture.width * 4
    if flat.size == room and flat.dtype == texture.format.dtype:
        return flat.reshape(shape)
    padded = np.zeros(room, texture.format.dtype)
    padded[: flat.size] = flat
    return padded.reshape(shape)


def from_texels(texels: np.ndarray, shape: Shape, dtype: DType) -> np.ndarray:
    """The values of a tensor out of the texels of its texture."""
    numbers = texels.reshape(-1)[: components(element_count(shape), dtype)]
    if dtype == "complex64":
        numbers = numbers.view(np.complex64)
    return numbers.astype(numpy_dtype(dtype), copy=False).reshape(shape)
