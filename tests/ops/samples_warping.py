"""Samples of `ops/warping.py` and `ops/thresholding.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(36)


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def _into(position: float, size: int, mode: str) -> float:
    """A position beyond the edges as one in the image."""
    last = size - 1
    if mode == "constant" or 0 <= position <= last:
        return position
    if mode == "nearest" or size == 1:
        return min(max(position, 0), last)
    if mode == "reflect":
        # The mirrored image has a period of twice its size; pixels reach half a pixel beyond their centres.
        turned = position % (2 * size) if position > 0 else (-position - 1) % (2 * size)
        return min(max(2 * size - 1 - turned if turned >= size else turned, 0), last)
    if position < 0:
        return min(max(position + size * (int(-position / last) + 1), 0), last)
    return min(max(position - size * int(position / last), 0), last)


def _transform(
    image: np.ndarray,
    transforms: np.ndarray,
    interpolation: str = "nearest",
    fill_mode: str = "constant",
    fill_value: float = 0,
    output_shape: Any = None,
) -> np.ndarray:
    """Pixel by pixel."""
    batch, height, width, channels = image.shape
    rows, columns = output_shape or (height, width)

    def read(number: int, y: float, x: float) -> np.ndarray:
        if 0 <= y < height and 0 <= x < width:
            return image[number, int(y), int(x)].astype(np.float64)
        return np.full(channels, fill_value, np.float64)

    out = np.full((batch, rows, columns, channels), fill_value, np.float64)
    for number, row, column in np.ndindex(batch, rows, columns):
        a, b, c, d, e, f, g, h = map(float, transforms[number % len(transforms)])
        k = g * column + h * row + 1
        if k == 0:
            continue
        x = _into((a * column + b * row + c) / k, width, fill_mode)
        y = _into((d * column + e * row + f) / k, height, fill_mode)
        if interpolation == "nearest":
            out[number, row, column] = read(number, math.floor(y + 0.5), math.floor(x + 0.5))
            continue
        top, left = math.floor(y), math.floor(x)
        out[number, row, column] = sum(
            (1 - abs(y - top - i)) * (1 - abs(x - left - j)) * read(number, top + i, left + j)
            for i in (0, 1)
            for j in (0, 1)
        )
    return out.astype(np.float32)


def _threshold(image: np.ndarray, method: str = "binary", inverted: bool = False, value: float = 0.5) -> np.ndarray:
    picture = image.astype(np.float32)
    grey = picture if image.shape[2] == 1 else picture @ np.array([[0.2989], [0.587], [0.114]])
    level = value * 255 if method == "binary" else _otsu(np.rint(grey).astype(int).ravel())
    return np.where((grey > level) != inverted, 255, 0).astype(np.int32)


def _otsu(grey: np.ndarray) -> int:
    best, found = 0.0, -1
    for level in range(256):
        dark, bright = grey[grey <= level], grey[grey > level]
        if dark.size and bright.size:
            variance = dark.size * bright.size * (dark.mean() - bright.mean()) ** 2
            # The same split by another level is no better.
            if variance > best * (1 + 1e-9):
                best, found = variance, level
    return found


TRANSFORMS: dict[str, list[float]] = {
    "identity": [1, 0, 0, 0, 1, 0, 0, 0],
    "moved": [1, 0, -1.4, 0, 1, 2.3, 0, 0],
    "turned": [0.8, -0.6, 1.23, 0.6, 0.8, -2.33, 0, 0],  # Nothing falls halfway, where float32 may round otherwise.
    "far": [5.3, 0, -17.7, 0, -4.1, 9.2, 0, 0],
    "projected": [0.9, 0.2, 0.3, -0.1, 1.1, 0.4, 0.11, -0.07],
    "recorded": [0, 0.5, 1, -1, 2, 3, 0, 0],
}

SAMPLES = [
    *(
        Sample(
            "image.transform",
            (floats(1, 4, 5, 2), np.array([matrix], np.float32), interpolation, mode, 0.5),
            _transform,
            label=f"{name} {interpolation} {mode}",
        )
        for name, matrix in TRANSFORMS.items()
        for interpolation in ("nearest", "bilinear")
        for mode in ("constant", "reflect", "wrap", "nearest")
    ),
    Sample(
        "image.transform",
        (floats(2, 3, 4, 1), np.array([TRANSFORMS["moved"], TRANSFORMS["turned"]], np.float32), "bilinear"),
        _transform,
        label="one each",
    ),
    *(
        Sample(
            "image.transform",
            (floats(2, 3, 1, 1), np.array([TRANSFORMS["moved"]], np.float32), "bilinear", mode, 0.25, (2, 5)),
            _transform,
            label=f"narrow {mode}",
        )
        for mode in ("constant", "reflect", "wrap", "nearest")
    ),
    Sample(
        "image.transform",
        (floats(1, 2, 4, 1), np.array([[1, 0, 0, 0, 1, 0, -0.5, 0]], np.float32), "nearest", "reflect", 7.0),
        _transform,
        label="horizon",
    ),
    *(
        Sample("image.threshold", (pixels, "binary", inverted, value), _threshold)
        for pixels in (_rng.integers(0, 256, (3, 4, 1)).astype(np.int32), _rng.uniform(0, 255, (4, 3, 3)))
        for inverted in (False, True)
        for value in (0.25, 0.5)
    ),
    *(
        Sample("image.threshold", (pixels.astype(np.float32), "otsu", inverted), _threshold, label=f"otsu {inverted}")
        for pixels in (
            _rng.integers(0, 256, (3, 4, 1)),
            _rng.integers(0, 256, (4, 3, 3)),
            _rng.normal(np.repeat([60, 190], 8)[:, None, None], 5, (16, 5, 1)).round(),
        )
        for inverted in (False, True)
    ),
    Sample("image.threshold", (np.full((2, 2, 1), 9, np.int32), "otsu"), _threshold, label="of one colour"),
]
