"""Images on the cpu backend: crops, mirrors, rotations, and the choice among overlapping boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.box_selection import pad_selection, select_boxes

_CROP_ELEMENTS = 1 << 20
"""Numbers of crops made at a time: what four neighbours of them take stays far below the memory of any machine."""


_OPAQUE = 255
"""What the fourth channel of a colour is filled with."""


@cpu_kernel("CropAndResize")
def crop_and_resize(
    image: np.ndarray,
    boxes: np.ndarray,
    box_ind: np.ndarray,
    *,
    crop_size: Sequence[int],
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
) -> np.ndarray:
    """Pieces of images `[batch, height, width, channels]` at one size; zeros where there is no such image."""
    batch, height, width, channels = image.shape
    pixels = image if image.dtype.kind == "f" else image.astype(np.float32)
    crops = np.zeros((boxes.shape[0], *crop_size, channels), pixels.dtype)
    existing = np.flatnonzero((box_ind >= 0) & (box_ind < batch))
    if not height or not width:
        crops[existing] = extrapolation_value
        return crops
    step = max(1, _CROP_ELEMENTS // max(1, math.prod(crops.shape[1:])))
    for first in range(0, existing.size, step):
        places = existing[first : first + step]
        y1, x1, y2, x2 = boxes[places].astype(np.float64).T
        rows = _sample_positions(y1, y2, height, crop_size[0])
        columns = _sample_positions(x1, x2, width, crop_size[1])
        # A NaN is inside nothing.
        inside = ((rows >= 0) & (rows <= height - 1))[:, :, None] & ((columns >= 0) & (columns <= width - 1))[:, None]
        rows = np.clip(np.nan_to_num(rows), 0, height - 1)[:, :, None]
        columns = np.clip(np.nan_to_num(columns), 0, width - 1)[:, None]
        which = box_ind[places][:, None, None]
        sample = _nearest if method == "nearest" else _bilinear
        crops[places] = np.where(inside[..., None], sample(pixels, which, rows, columns), extrapolation_value)
    return crops


def _sample_positions(start: np.ndarray, end: np.ndarray, size: int, wanted: int) -> np.ndarray:
    """Where each box is sampled along an axis, in pixels: `[boxes, wanted]`, from its start to its end."""
    if wanted == 1:
        return (0.5 * (start + end) * (size - 1))[:, None]
    step = (end - start) * (size - 1) / (wanted - 1)
    positions: np.ndarray = (start * (size - 1))[:, None] + np.arange(wanted) * step[:, None]
    return positions


def _nearest(pixels: np.ndarray, which: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    nearest: np.ndarray = pixels[which, _half_up(rows), _half_up(columns)]
    return nearest


def _bilinear(pixels: np.ndarray, which: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    bottom, right = np.ceil(rows).astype(np.intp), np.ceil(columns).astype(np.intp)
    down = (rows - top).astype(pixels.dtype)[..., None]
    across = (columns - left).astype(pixels.dtype)[..., None]

    def along(row: np.ndarray) -> np.ndarray:
        before = pixels[which, row, left]
        return before + (pixels[which, row, right] - before) * across

    above = along(top)
    return above + (along(bottom) - above) * down


def _half_up(positions: np.ndarray) -> np.ndarray:
    """The nearest whole numbers; of two as near, the greater."""
    return np.floor(positions + 0.5).astype(np.intp)


@cpu_kernel("FlipLeftRight")
def flip_left_right(image: np.ndarray) -> np.ndarray:
    """Images `[batch, height, width, channels]` with their columns in reverse order."""
    return np.array(image[:, :, ::-1], order="C")


@cpu_kernel("RotateWithOffset")
def rotate_with_offset(
    image: np.ndarray,
    *,
    radians: float,
    fill_value: float | Sequence[float] = 0.0,
    center: float | Sequence[float] = 0.5,
) -> np.ndarray:
    """Images `[batch, height, width, channels]` turned counterclockwise, each pixel a copy of the nearest one."""
    _, height, width, channels = image.shape
    across, down = (center, center) if isinstance(center, (int, float)) else center
    x = np.arange(width) - width * across
    y = (np.arange(height) - height * down)[:, None]
    columns = _half_up(x * math.cos(radians) - y * math.sin(radians) + width * across)
    rows = _half_up(x * math.sin(radians) + y * math.cos(radians) + height * down)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    turned = np.empty(image.shape, image.dtype)
    turned[...] = fill_value if isinstance(fill_value, (int, float)) else (*fill_value, _OPAQUE)[:channels]
    turned[:, inside] = image[:, rows[inside], columns[inside]]
    return turned


@cpu_kernel("NonMaxSuppressionV3")
def non_max_suppression(
    boxes: np.ndarray, scores: np.ndarray, *, max_output_size: int, iou_threshold: float, score_threshold: float
) -> np.ndarray:
    """The positions of the boxes to keep."""
    return select_boxes(boxes, scores, max_output_size, iou_threshold, score_threshold).indices


@cpu_kernel("NonMaxSuppressionV4")
def non_max_suppression_padded(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    max_output_size: int,
    iou_threshold: float,
    score_threshold: float,
    pad_to_max_output_size: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the boxes to keep, with zeros up to the greatest number if so wanted, and their number."""
    indices = select_boxes(boxes, scores, max_output_size, iou_threshold, score_threshold).indices
    padded = pad_selection(indices, max_output_size) if pad_to_max_output_size else indices
    return padded, np.array(indices.size, np.int32)


@cpu_kernel("NonMaxSuppressionV5")
def non_max_suppression_with_score(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    max_output_size: int,
    iou_threshold: float,
    score_threshold: float,
    soft_nms_sigma: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the boxes to keep, and their scores."""
    kept = select_boxes(boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma)
    return kept.indices, kept.scores
