"""Non-maximum suppression: which of many overlapping boxes to keep.

NumPy on the host, because each choice depends on the one before it. The kernels of every backend and the
asynchronous ops, which read boxes and scores first, run this one algorithm.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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
    left = scores[candidates].astype(np.float64)
    order = np.argsort(-left, kind="stable")
    candidates, left = candidates[order], left[order]
    corners = _Corners.of(boxes[candidates])
    decay = -0.5 / soft_nms_sigma if soft_nms_sigma > 0 else 0.0
    chosen: list[int] = []
    chosen_scores: list[float] = []
    while len(chosen) < max_output_size and candidates.size:
        # Sorted by score until soft suppression lowers some of them.
        best = int(np.argmax(left)) if decay else 0
        chosen.append(int(candidates[best]))
        chosen_scores.append(float(left[best]))
        overlap = corners.overlaps(best)
        if decay:
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

    def where(self, keep: np.ndarray) -> _Corners:
        return _Corners(*(side[keep] for side in self))

    def overlaps(self, box: int) -> np.ndarray:
        """The intersection of one box with each, over their union; 0 for those without area."""
        height = np.minimum(self.bottom, self.bottom[box]) - np.maximum(self.top, self.top[box])
        width = np.minimum(self.right, self.right[box]) - np.maximum(self.left, self.left[box])
        shared = np.maximum(height, 0) * np.maximum(width, 0)
        union = self.area + self.area[box] - shared
        real = (self.area > 0) & (self.area[box] > 0)
        return np.divide(shared, union, out=np.zeros_like(shared), where=real)


def pad_selection(indices: np.ndarray, length: int) -> np.ndarray:
    """Indices followed by zeros up to a length."""
    return np.pad(indices, (0, max(0, length - indices.size)))
