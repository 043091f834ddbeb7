"""Non-maximum suppression: which of many overlapping boxes to keep.

NumPy on the host, because each choice depends on the one before it. The kernels of every backend and the
asynchronous ops, which read boxes and scores first, run this one algorithm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_HEAD = 512
_BLOCK = 128


class SelectedBoxes(NamedTuple):
    """What was kept, best score first.

    Attributes:
        indices: int32, positions of the boxes.
        scores: their scores, lowered for overlaps if so wanted.
    """

    indices: np.ndarray
    scores: np.ndarray


@np.errstate(all="ignore")
def select_boxes(
    boxes: np.ndarray,
    scores: np.ndarray,
    max_output_size: int,
    iou_threshold: float,
    score_threshold: float,
    soft_nms_sigma: float = 0.0,
) -> SelectedBoxes:
    """Choose the box of the highest score, drop or devalue those that overlap it, and so on.

    Of boxes with equal scores the first comes first. A score of NaN is never chosen.

    Args:
        boxes: `[boxes, 4]`, two opposite corners `(y1, x1, y2, x2)` in any unit.
        scores: `[boxes]`.
        max_output_size: how many to choose at the most.
        iou_threshold: boxes that share this part, or more, of their union with a chosen one are dropped.
        score_threshold: only boxes with a higher score are chosen.
        soft_nms_sigma: if positive, scores of the remaining boxes are multiplied by exp(-iou² / (2 sigma)).

    Source: N. Bodla et al., Soft-NMS, ICCV 2017, arXiv:1704.04503; TensorFlow's `NonMaxSuppressionV5`.
    """
    candidates = np.flatnonzero(scores > score_threshold)
    if soft_nms_sigma > 0:
        return _select_softly(
            boxes, scores, candidates, max_output_size, iou_threshold, score_threshold, soft_nms_sigma
        )
    chosen = np.empty(0, np.int32)
    for block in _best_first(scores, candidates):
        room = max_output_size - chosen.size
        if room <= 0:
            break
        corners = _Corners.of(boxes[block])
        free = np.all(_Corners.of(boxes[chosen]).overlaps(corners) < iou_threshold, axis=0)
        kept = _spread_out(corners.where(free), iou_threshold, room)
        chosen = np.concatenate([chosen, block[free][kept]], dtype=np.int32)
    return SelectedBoxes(chosen, scores[chosen])


def _best_first(scores: np.ndarray, candidates: np.ndarray) -> Iterator[np.ndarray]:
    """The candidates in blocks, best score first.

    Most of many candidates are never looked at, and are therefore not sorted unless they are.
    """
    parts = [candidates]
    if candidates.size > 2 * _HEAD:
        limit = np.partition(scores[candidates], candidates.size - _HEAD)[candidates.size - _HEAD]
        in_head = scores[candidates] >= limit
        parts = [candidates[in_head], candidates[~in_head]]
    for part in parts:
        ordered = part[np.argsort(-scores[part].astype(np.float64), kind="stable")]
        for start in range(0, ordered.size, _BLOCK):
            yield ordered[start : start + _BLOCK]


def _spread_out(corners: _Corners, iou_threshold: float, room: int) -> list[int]:
    """Positions of the first box, the first of those that do not overlap it, and so on."""
    apart = corners.overlaps(corners) < iou_threshold
    free = np.ones(len(apart), np.bool_)
    kept: list[int] = []
    while len(kept) < room and free.any():
        best = int(free.argmax())
        kept.append(best)
        free &= apart[best]
        free[best] = False
    return kept


def _select_softly(
    boxes: np.ndarray,
    scores: np.ndarray,
    candidates: np.ndarray,
    max_output_size: int,
    iou_threshold: float,
    score_threshold: float,
    soft_nms_sigma: float,
) -> SelectedBoxes:
    left = scores[candidates].astype(np.float64)
    corners = _Corners.of(boxes[candidates])
    decay = -0.5 / soft_nms_sigma
    chosen: list[int] = []
    chosen_scores: list[float] = []
    while len(chosen) < max_output_size and candidates.size:
        best = int(np.argmax(left))
        chosen.append(int(candidates[best]))
        chosen_scores.append(float(left[best]))
        overlap = corners.where(slice(best, best + 1)).overlaps(corners)[0]
        left = left * np.exp(decay * overlap * overlap)
        remaining = (overlap < iou_threshold) & (left > score_threshold)
        remaining[best] = False
        candidates, left, corners = candidates[remaining], left[remaining], corners.where(remaining)
    return SelectedBoxes(np.array(chosen, np.int32), np.array(chosen_scores, scores.dtype))


class _Corners(NamedTuple):
    """Boxes as their sides and areas, in double precision."""

    top: np.ndarray
    left: np.ndarray
    bottom: np.ndarray
    right: np.ndarray
    area: np.ndarray

    @classmethod
    def of(cls, boxes: np.ndarray) -> _Corners:
        y1, x1, y2, x2 = boxes.astype(np.float64).T
        top, bottom = np.minimum(y1, y2), np.maximum(y1, y2)
        left, right = np.minimum(x1, x2), np.maximum(x1, x2)
        return cls(top, left, bottom, right, (bottom - top) * (right - left))

    def where(self, keep: np.ndarray | slice) -> _Corners:
        return _Corners(*(side[keep] for side in self))

    def overlaps(self, others: _Corners) -> np.ndarray:
        """The intersections `[boxes, others]` over the unions; 0 with a box without area."""
        top, left, bottom, right, area = (side[:, None] for side in self)
        height = np.minimum(bottom, others.bottom) - np.maximum(top, others.top)
        width = np.minimum(right, others.right) - np.maximum(left, others.left)
        shared = np.maximum(height, 0) * np.maximum(width, 0)
        real = (area > 0) & (others.area > 0)
        return np.divide(shared, area + others.area - shared, out=np.zeros_like(shared), where=real)


def pad_selection(indices: np.ndarray, length: int) -> np.ndarray:
    """Indices followed by zeros up to a length."""
    return np.pad(indices, (0, max(0, length - indices.size)))
