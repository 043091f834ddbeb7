"""Projective transforms of images on the cpu backend: each pixel of the result is looked up in the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("Transform")
def transform(
    image: np.ndarray,
    transforms: np.ndarray,
    *,
    interpolation: str = "nearest",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    output_shape: Sequence[int] | None = None,
) -> np.ndarray:
    """Images `[batch, height, width, channels]` seen through `transforms`, one or one for each."""
    batch, height, width, channels = image.shape
    rows, columns = (height, width) if output_shape is None else output_shape
    sample = _bilinear if interpolation == "bilinear" else _nearest
    into = _FILL_MODES[fill_mode]
    out = np.full((batch, rows, columns, channels), fill_value, image.dtype)
    x, y = np.arange(columns), np.arange(rows)[:, None]
    for number in range(batch):
        a, b, c, d, e, f, g, h = transforms[number % len(transforms)].astype(np.float64)
        depth = g * x + h * y + 1
        across, down = (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
        seen = np.isfinite(across) & np.isfinite(down)
        across, down = into(across[seen], width), into(down[seen], height)
        out[number, seen] = sample(image[number], across, down, fill_value)
    return out


def _nearest(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, fill: float) -> np.ndarray:
    return _read(pixels, np.floor(x + 0.5), np.floor(y + 0.5), fill)


def _bilinear(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, fill: float) -> np.ndarray:
    left, above = np.floor(x), np.floor(y)
    across, down = (x - left)[:, None], (y - above)[:, None]

    def along(row: np.ndarray) -> np.ndarray:
        return (1 - across) * _read(pixels, left, row, fill) + across * _read(pixels, left + 1, row, fill)

    mixed: np.ndarray = (1 - down) * along(above) + down * along(above + 1)
    return mixed


def _read(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, fill: float) -> np.ndarray:
    """The pixels at whole coordinates, `[points, channels]`; `fill` beyond the edges."""
    height, width, channels = pixels.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    values = np.full((len(x), channels), fill, pixels.dtype)
    values[inside] = pixels[y[inside].astype(np.intp), x[inside].astype(np.intp)]
    return values


def _kept(position: np.ndarray, size: int) -> np.ndarray:
    return position


def _mirrored(position: np.ndarray, size: int) -> np.ndarray:
    """As if the image were mirrored at its edges, again and again."""
    if size <= 1:
        return np.zeros_like(position)
    period = 2 * size
    below = position + period * np.trunc(-position / period)
    below = np.where(below < -size, below + period, -below - 1)
    above = position - period * np.trunc(position / period)
    above = np.where(above >= size, period - above - 1, above)
    return _at_the_edge(_beyond(position, size, below, above), size)


def _repeated(position: np.ndarray, size: int) -> np.ndarray:
    """As if the image were repeated beyond its edges."""
    if size <= 1:
        return np.zeros_like(position)
    last = size - 1
    below = position + size * (np.trunc(-position / last) + 1)
    above = position - size * np.trunc(position / last)
    return _at_the_edge(_beyond(position, size, below, above), size)


def _at_the_edge(position: np.ndarray, size: int) -> np.ndarray:
    return np.clip(position, 0, max(size - 1, 0))


def _beyond(position: np.ndarray, size: int, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Positions inside as they are, those before and after the image as given."""
    return np.where(position < 0, below, np.where(position > size - 1, above, position))


_FILL_MODES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "constant": _kept,
    "reflect": _mirrored,
    "wrap": _repeated,
    "nearest": _at_the_edge,
}
"""How positions beyond the edges become positions in the image."""
