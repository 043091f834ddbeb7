"""Texels on their way into a texture: how they are stored, in which form they are handed over, where flat numbers go.

Halves are rounded on the host, since drivers disagree about what is too large for them (infinity by IEEE 754, but NaN
for one of them).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tenfold.devices.gl import library as gl
from tenfold.devices.gl.interface import FLOAT16, FLOAT32, INT32, Texture

STORAGE: Final = {FLOAT32.name: gl.RGBA32F, FLOAT16.name: gl.RGBA16F, INT32.name: gl.RGBA32I}
"""The internal format of a texture, by format."""

UPLOAD_AS: Final = {
    FLOAT32.name: (gl.RGBA, gl.FLOAT, "float32"),
    FLOAT16.name: (gl.RGBA, gl.HALF_FLOAT, "float16"),
    INT32.name: (gl.RGBA_INTEGER, gl.INT, "int32"),
}
"""Layout and type of texels that are uploaded, and NumPy's name of that type, by format."""

PADDED: Final = 4096
"""Up to so many numbers, a copy that fills its last row costs less than a second call for that row."""


def check_flat(texture: Texture, count: int) -> None:
    """Refuse numbers that a flat texture does not have.

    Raises:
        ValueError: if there are too many, or if the texture has several layers.
    """
    room = texture.width * texture.height * 4
    if texture.layers != 1:
        raise ValueError(f"Numbers lie flat in textures of one layer only; this one has {texture.layers}.")
    if not 0 <= count <= room:
        raise ValueError(f"The texture has room for {room} numbers, not for {count}.")


def rows_of(flat: np.ndarray, width: int) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """The rectangles that numbers fill in a flat texture: first row, width, height and components of each.

    The full rows are a view of the array; the last row is copied where it ends within a texel.
    """
    rows, rest = divmod(flat.size, width * 4)
    if rows and rest and flat.size <= PADDED:
        yield 0, width, rows + 1, _padded(flat, (rows + 1) * width * 4)
        return
    if rows:
        yield 0, width, rows, flat[: flat.size - rest]
    if rest:
        texels = (rest + 3) // 4
        yield rows, texels, 1, _padded(flat[flat.size - rest :], texels * 4)


def _padded(numbers: np.ndarray, size: int) -> np.ndarray:
    """The numbers with zeros behind, as many as `size` together."""
    if numbers.size == size:
        return numbers
    padded = np.zeros(size, numbers.dtype)
    padded[: numbers.size] = numbers
    return padded
