"""Samples of `ops/image.py` and `ops/non_max_suppression.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(14)


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def ints(*shape: int) -> np.ndarray:
    return _rng.integers(0, 256, shape).astype(np.int32)


def _source(i: int, size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> float:
    if align_corners and wanted > 1:
        return i * (size - 1) / (wanted - 1)
    return (i + 0.5) * size / wanted - 0.5 if half_pixel_centers else i * size / wanted


def _mixed(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """The value between four pixels of `[height, width, channels]`."""
    height, width = image.shape[:2]
    value = np.zeros(image.shape[2])
    for i, near_y in ((math.floor(y), 1 - y % 1), (math.ceil(y), y % 1)):
        for j, near_x in ((math.floor(x), 1 - x % 1), (math.ceil(x), x % 1)):
            pixel = image[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
            value += near_y * near_x * pixel.astype(np.float64)
    return value


def _resize(x: np.ndarray, size: Any, *modes: bool, nearest: bool = False) -> np.ndarray:
    align_corners, half_pixel_centers = (*modes, False, False)[:2]
    images = x if x.ndim == 4 else x[None]
    out = np.zeros((len(images), *size, images.shape[3]), x.dtype if nearest else np.float64)
    for b, image in enumerate(images):
        for row in range(size[0]):
            for column in range(size[1]):
                y = _source(row, image.shape[0], size[0], align_corners, half_pixel_centers)
                x_ = _source(column, image.shape[1], size[1], align_corners, half_pixel_centers)
                if nearest:
                    half = 0.5 if align_corners or half_pixel_centers else 0
                    i, j = (math.floor(place + half) for place in (y, x_))
                    out[b, row, column] = image[min(i, image.shape[0] - 1), min(j, image.shape[1] - 1)]
                else:
                    out[b, row, column] = _mixed(image, max(y, 0), max(x_, 0))
    return out if x.ndim == 4 else out[0]


def _nearest(x: np.ndarray, size: Any, *modes: bool) -> np.ndarray:
    return _resize(x, size, *modes, nearest=True)


def _crop(
    image: np.ndarray, boxes: np.ndarray, box_ind: np.ndarray, size: Any, method: str = "bilinear", beyond: float = 0
) -> np.ndarray:
    height, width = image.shape[1:3]
    out = np.zeros((len(boxes), *size, image.shape[3]))

    def position(start: float, end: float, i: int, count: int, length: int) -> float:
        part = (start + end) / 2 if count == 1 else start + (end - start) * i / (count - 1)
        return part * (length - 1)

    for k, ((y1, x1, y2, x2), which) in enumerate(zip(boxes.astype(np.float64), box_ind, strict=True)):
        if not 0 <= which < len(image):
            continue
        for row in range(size[0]):
            for column in range(size[1]):
                y, x = position(y1, y2, row, size[0], height), position(x1, x2, column, size[1], width)
                if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
                    out[k, row, column] = beyond
                elif method == "nearest":
                    out[k, row, column] = image[which, math.floor(y + 0.5), math.floor(x + 0.5)]
                else:
                    out[k, row, column] = _mixed(image[which], y, x)
    return out


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    (top, left), (bottom, right) = np.minimum(a[:2], a[2:]), np.maximum(a[:2], a[2:])
    (above, before), (below, after) = np.minimum(b[:2], b[2:]), np.maximum(b[:2], b[2:])
    areas = (bottom - top) * (right - left), (below - above) * (after - before)
    if min(areas) <= 0:
        return 0.0
    shared = max(0.0, min(bottom, below) - max(top, above)) * max(0.0, min(right, after) - max(left, before))
    return shared / (sum(areas) - shared)


def _suppress(
    boxes: np.ndarray, scores: np.ndarray, most: int, iou: float = 0.5, lowest: float = -np.inf, sigma: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """As the paper has it: take the best that is left, then drop or devalue each of the others."""
    left = {i: float(score) for i, score in enumerate(scores) if score > lowest}
    chosen: list[tuple[int, float]] = []
    while left and len(chosen) < most:
        best = max(left, key=lambda i: (left[i], -i))
        chosen.append((best, left.pop(best)))
        for i in list(left):
            share = _overlap(boxes[best].astype(np.float64), boxes[i].astype(np.float64))
            left[i] *= math.exp(-0.5 / sigma * share * share) if sigma else 1
            if share >= iou or left[i] <= lowest:
                del left[i]
    return np.array([i for i, _ in chosen], np.int32), np.array([score for _, score in chosen], np.float32)


def _padded(
    boxes: np.ndarray, scores: np.ndarray, most: int, iou: float, lowest: float, pad: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    indices, _ = _suppress(boxes, scores, most, iou, lowest)
    length = min(most, len(boxes)) if pad else len(indices)
    return np.pad(indices, (0, length - len(indices))), np.array(len(indices), np.int32)


LATER = ("", "_async")
MODES = [(False, False), (True, False), (False, True)]
SIZES = [((2, 3, 4, 2), (5, 3)), ((1, 6, 5, 1), (3, 7)), ((3, 3, 2), (1, 1)), ((1, 2, 2, 1), (2, 2))]

# What lies halfway between two pixels does so exactly, in float32 as well: which is nearer must not be a matter of
# rounding.
BOXES = np.array([[0, 0, 1, 1], [0.2, 0.1, 0.6, 0.8], [0.9, 0.8, 0.1, 0], [-0.5, 0.5, 0.5, 1.5]], np.float32)
WHICH = np.array([0, 1, 1, 0], np.int32)

CLUSTERS = _rng.integers(0, 3, (40, 1)) * 3 + _rng.uniform(0, 1, (40, 2))
CLUSTERED = np.concatenate([CLUSTERS, CLUSTERS + _rng.uniform(-1, 2, (40, 2))], 1).astype(np.float32)
SCORES = np.round(_rng.uniform(0, 1, 40), 1).astype(np.float32)  # Some are equal.

THREES = np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1]], np.float32)

SAMPLES = [
    *(
        Sample("image.resize_bilinear", (floats(*shape), size, *mode), _resize, differentiable=True)
        for shape, size in SIZES
        for mode in MODES
    ),
    *(
        Sample("image.resize_nearest_neighbor", (floats(*shape), size, *mode), _nearest, differentiable=True)
        for shape, size in SIZES
        for mode in MODES
    ),
    Sample("image.resize_bilinear", (ints(2, 3, 1), (4, 4)), _resize, label="ints"),
    Sample("image.resize_nearest_neighbor", (ints(2, 3, 1), (4, 4)), _nearest, label="ints"),
    Sample("image.resize_bilinear", (floats(0, 2, 2, 1), (3, 3)), _resize, label="no images"),
    Sample("image.resize_bilinear", (floats(1, 2, 2, 1), (0, 3)), _resize, label="no rows wanted"),
    *(
        Sample("image.crop_and_resize", (floats(2, 5, 4, 3), BOXES, WHICH, size, method, -2.0), _crop)
        for size in [(3, 4), (1, 1), (1, 3)]
        for method in ("bilinear", "nearest")
    ),
    Sample("image.crop_and_resize", (ints(2, 3, 3, 1), BOXES, WHICH, (2, 2)), _crop, label="ints"),
    Sample(
        "image.crop_and_resize",
        (floats(2, 3, 3, 1), BOXES, np.array([2, -1, 0, 1], np.int32), (2, 2), "bilinear", 9.0),
        _crop,
        label="images that do not exist",
    ),
    Sample(
        "image.crop_and_resize",
        (floats(1, 3, 3, 1), np.array([[np.nan, 0, 1, 1], [0, 0, np.inf, 1]], np.float32), WHICH[[0, 0]], (2, 2)),
        lambda image, *_: np.array([[0, 0, 0, 0], [0, 0, 0, 0]], np.float32).reshape(2, 2, 2, 1),
        label="boxes of no numbers",
    ),
    Sample("image.crop_and_resize", (floats(1, 3, 3, 1), BOXES[:0], WHICH[:0], (2, 2)), _crop, label="no boxes"),
    Sample("image.flip_left_right", (floats(2, 3, 4, 2),), lambda x: x[:, :, ::-1], differentiable=True),
    Sample(
        "image.rotate_with_offset",
        (floats(2, 3, 3, 4), math.pi / 2, 0, (1 / 3, 1 / 3)),
        lambda x, *_: np.rot90(x, 1, (1, 2)),
        label="quarter",
    ),
    Sample(
        "image.rotate_with_offset",
        (np.ones((1, 2, 2, 4), np.float32), math.pi, (1, 2, 3), (2, 2)),
        lambda x, *_: np.broadcast_to(np.array([1, 2, 3, 255], np.float32), x.shape),
        label="all filled",
    ),
    Sample("image.grayscale_to_rgb", (floats(2, 3, 1),), lambda x: np.concatenate([x, x, x], -1), differentiable=True),
    Sample("image.grayscale_to_rgb", (ints(2, 1),), lambda x: np.concatenate([x, x, x], -1), label="ints"),
    *(
        Sample(
            "image.rgb_to_grayscale",
            (floats(*shape),),
            lambda x: np.sum(x * np.array([0.2989, 0.587, 0.114]), -1, keepdims=True),
            differentiable=True,
        )
        for shape in [(2, 3), (2, 4, 3), (1, 2, 2, 1, 1, 3)]
    ),
    Sample(
        "image.rgb_to_grayscale", (np.array([[1, 2, 3]], np.int32),), lambda x: np.array([[1]], np.int32), label="ints"
    ),
    *(
        Sample(f"image.non_max_suppression{later}", (CLUSTERED, SCORES, most, iou, lowest), lambda *a: _suppress(*a)[0])
        for later in LATER
        for most, iou, lowest in [(100, 0.5, -np.inf), (5, 0.3, 0.0), (100, 0.0, 0.2), (100, 1.0, 0.45), (0, 0.5, 0.0)]
    ),
    *(
        Sample(f"image.non_max_suppression_with_score{later}", (CLUSTERED, SCORES, most, iou, lowest, sigma), _suppress)
        for later in LATER
        for most, iou, lowest, sigma in [(100, 1.0, 0.0, 0.5), (10, 0.6, 0.1, 0.2), (100, 0.5, -np.inf, 0.0)]
    ),
    *(
        Sample(f"image.non_max_suppression_padded{later}", (CLUSTERED, SCORES, most, 0.5, 0.0, pad), _padded)
        for later in LATER
        for most, pad in [(5, False), (30, True), (100, True)]
    ),
    Sample(
        "image.non_max_suppression", (THREES, np.ones(5, np.float32), 10), lambda b, s, n: np.array([0, 3], np.int32)
    ),
    Sample(
        "image.non_max_suppression",
        (THREES, np.array([np.nan, 1, np.nan, 0.5, np.inf], np.float32), 10),
        lambda b, s, n: np.array([4, 1], np.int32),
        label="scores of no numbers",
    ),
    Sample(
        "image.non_max_suppression",
        (THREES[:0], np.zeros(0, np.float32), 10),
        lambda b, s, n: np.zeros(0, np.int32),
        label="no boxes",
    ),
]
