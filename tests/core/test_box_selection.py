"""Non-maximum suppression of many boxes against the greedy algorithm as it is written in a textbook."""

from __future__ import annotations

import numpy as np
import pytest

from tenfold.core.box_selection import select_boxes


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """The intersection of two boxes over their union."""
    sides = [np.sort(box.reshape(2, 2).astype(np.float64), axis=0) for box in (one, other)]
    low, high = np.maximum(sides[0][0], sides[1][0]), np.minimum(sides[0][1], sides[1][1])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = [float(np.prod(side[1] - side[0])) for side in sides]
    return shared / (sum(areas) - shared) if min(areas) > 0 else 0.0


def greedily(
    boxes: np.ndarray, scores: np.ndarray, most: int, iou_threshold: float, score_threshold: float
) -> list[int]:
    """The boxes to keep, each held against all that were kept before it."""
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda i: -scores[i]):
        apart = all(overlap(boxes[index], boxes[k]) < iou_threshold for k in kept)
        if apart and scores[index] > score_threshold and len(kept) < most:
            kept.append(index)
    return kept


# More boxes than are sorted at once, and than are compared at once.
@pytest.mark.parametrize("most", [0, 1, 40, 5000])
@pytest.mark.parametrize("iou_threshold", [0.0, 0.3])
def test_boxes_are_selected_as_if_one_by_one(most: int, iou_threshold: float) -> None:
    random = np.random.default_rng(4)
    centre, size = random.uniform(0, 1, (1300, 2)), random.uniform(0, 0.5, (1300, 2))
    size[::50] = 0
    boxes = np.concatenate([centre - size, centre + size], 1).astype(np.float32)
    boxes[::3] = boxes[::3][:, [2, 1, 0, 3]]
    scores = random.uniform(0, 1, 1300).astype(np.float32).round(2)  # some are equal
    selected = select_boxes(boxes, scores, most, iou_threshold, 0.1)
    assert selected.indices.tolist() == greedily(boxes, scores, most, iou_threshold, 0.1)
    np.testing.assert_array_equal(selected.scores, scores[selected.indices])


def test_soft_suppression_of_boxes_far_apart_is_the_plain_one() -> None:
    boxes = np.array([[i, i, i + 1, i + 1] for i in range(700)], np.float32)
    scores = np.random.default_rng(5).uniform(0, 1, 700).astype(np.float32)
    soft, hard = (select_boxes(boxes, scores, 600, 0.5, float("-inf"), sigma) for sigma in (0.5, 0.0))
    np.testing.assert_array_equal(soft.indices, hard.indices)
    np.testing.assert_array_equal(soft.scores, hard.scores)
