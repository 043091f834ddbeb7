"""Non-maximum suppression: which of many overlapping boxes to keep. In the namespace `image`.

The number of boxes that are kept depends on the values, so that each function exists twice: the synchronous one
runs a kernel, the other reads boxes and scores without blocking the event loop, and selects on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tenfold.core.box_selection import SelectedBoxes, pad_selection, select_boxes
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.pending import Pending
from tenfold.core.tensor import Tensor
from tenfold.ops.after_reading import after_reading

T = TypeVar("T")

_LOWEST = float("-inf")


class BoxesWithScores(NamedTuple):
    """Boxes that were kept.

    Attributes:
        selected_indices: int32 tensor `[kept]`, their positions, best first.
        selected_scores: float32 tensor `[kept]`, their scores after suppression.
    """

    selected_indices: Tensor
    selected_scores: Tensor


class PaddedBoxes(NamedTuple):
    """Boxes that were kept, in a tensor of a length known before.

    Attributes:
        selected_indices: int32 tensor `[max_output_size]`, their positions, best first, then zeros.
        valid_outputs: int32 scalar, how many were kept.
    """

    selected_indices: Tensor
    valid_outputs: Tensor


def _indices_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec((-1,), "int32")


def _padded_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> list[TensorSpec]:
    length = attributes["max_output_size"] if attributes.get("pad_to_max_output_size", False) else -1
    return [TensorSpec((length,), "int32"), TensorSpec((), "int32")]


def _scored_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> list[TensorSpec]:
    return [TensorSpec((-1,), "int32"), TensorSpec((-1,), specs[1].dtype)]


# How many boxes are kept depends on their values: computed on the host, no definitions.
_INPUTS = ("boxes", "scores")
PLAIN = define_kernel(Kernel("NonMaxSuppressionV3", _INPUTS, _indices_infer, data_dependent=True))
PADDED = define_kernel(Kernel("NonMaxSuppressionV4", _INPUTS, _padded_infer, data_dependent=True))
SCORED = define_kernel(Kernel("NonMaxSuppressionV5", _INPUTS, _scored_infer, data_dependent=True))


class _Arguments(NamedTuple):
    """What all the functions take, checked and in the form of the kernels."""

    boxes: Tensor
    scores: Tensor
    attributes: dict[str, Any]


def _arguments(
    op: str,
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: int,
    iou_threshold: float | None,
    score_threshold: float | None,
) -> _Arguments:
    corners = convert_to_tensor(boxes, "boxes", op, "float32")
    values = convert_to_tensor(scores, "scores", op, "float32")
    iou = 0.5 if iou_threshold is None else float(iou_threshold)
    size = index(max_output_size)
    if not ENV.is_true("PROD"):
        if corners.rank != 2 or corners.shape[1] != 4:
            raise ValueError(f"{op}: argument 'boxes' must have shape [boxes, 4], got {list(corners.shape)}.")
        if values.shape != corners.shape[:1]:
            raise ValueError(
                f"{op}: argument 'scores' must have shape [{corners.shape[0]}], one number for each of the boxes, got "
                f"{list(values.shape)}."
            )
        if size < 0:
            raise ValueError(f"{op}: argument 'max_output_size' must be 0 or more, got {size}.")
        if not 0 <= iou <= 1:
            raise ValueError(f"{op}: argument 'iou_threshold' must be between 0 and 1, got {iou}.")
    attributes = {
        "max_output_size": min(size, corners.shape[0]),
        "iou_threshold": iou,
        "score_threshold": _LOWEST if score_threshold is None else float(score_threshold),
    }
    return _Arguments(corners, values, attributes)


def _sigma(op: str, soft_nms_sigma: float | None) -> float:
    sigma = 0.0 if soft_nms_sigma is None else float(soft_nms_sigma)
    if not 0 <= sigma <= 1:
        raise ValueError(f"{op}: argument 'soft_nms_sigma' must be between 0 and 1, got {sigma}.")
    return sigma


def _selected(given: _Arguments, finish: Callable[[SelectedBoxes], T], sigma: float = 0.0) -> Pending[T]:
    """What `finish` makes of the selection, once boxes and scores have been read."""

    def select(boxes: np.ndarray, scores: np.ndarray) -> T:
        return finish(select_boxes(boxes.reshape(-1, 4), scores, **given.attributes, soft_nms_sigma=sigma))

    return after_reading([given.boxes, given.scores], select)


def _vector(values: np.ndarray, dtype: str) -> Tensor:
    return ENGINE.make_tensor(values, values.shape, dtype)


# --- non_max_suppression -----------------------------------------------------------------------------------


@op(namespace="image")
def non_max_suppression(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: int,
    iou_threshold: float | None = 0.5,
    score_threshold: float | None = _LOWEST,
) -> Tensor:
    """Keep the boxes of the highest scores that do not overlap each other much.

    Args:
        boxes: float32 tensor `[boxes, 4]`, two opposite corners `(y1, x1, y2, x2)` of each, in any unit.
        scores: float32 tensor `[boxes]`.
        max_output_size: how many to keep at the most.
        iou_threshold: a box is dropped if it shares this part, or more, of its union with one that is kept;
            between 0 and 1.
        score_threshold: only boxes with a higher score are kept.

    Returns:
        int32 tensor `[kept]`: the positions of the boxes, best first.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `NonMaxSuppressionV3`.

    Example:
        >>> import tenfold as tf
        >>> boxes = [[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3]]
        >>> tf.image.non_max_suppression(boxes, [0.9, 0.8, 0.7], 10).array_sync()
        [0, 2]
    """
    given = _arguments("non_max_suppression", boxes, scores, max_output_size, iou_threshold, score_threshold)
    return ENGINE.run_kernel(PLAIN.name, (given.boxes, given.scores), given.attributes)


@op(namespace="image")
def non_max_suppression_async(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: int,
    iou_threshold: float | None = 0.5,
    score_threshold: float | None = _LOWEST,
) -> Pending[Tensor]:
    """Like `non_max_suppression`, without blocking the event loop.

    Args:
        boxes: float32 tensor `[boxes, 4]` of corners `(y1, x1, y2, x2)`.
        scores: float32 tensor `[boxes]`.
        max_output_size: how many to keep at the most.
        iou_threshold: see `non_max_suppression`.
        score_threshold: only boxes with a higher score are kept.

    Returns:
        To be awaited: int32 tensor `[kept]`, the positions of the boxes, best first.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `NonMaxSuppressionV3`.

    Example:
        >>> import tenfold as tf
        >>> tf.image.non_max_suppression_async([[0, 0, 1, 1], [0, 2, 1, 3]], [0.7, 0.8], 10).result().array_sync()
        [1, 0]
    """
    given = _arguments("non_max_suppression_async", boxes, scores, max_output_size, iou_threshold, score_threshold)
    return _selected(given, lambda kept: _vector(kept.indices, "int32"))


# --- non_max_suppression_with_score ------------------------------------------------------------------------


@op(namespace="image")
def non_max_suppression_with_score(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: int,
    iou_threshold: float | None = 0.5,
    score_threshold: float | None = _LOWEST,
    soft_nms_sigma: float | None = 0.0,
) -> BoxesWithScores:
    """Keep the boxes of the highest scores, and lower the scores of those that overlap them.

    Args:
        boxes: float32 tensor `[boxes, 4]` of corners `(y1, x1, y2, x2)`.
        scores: float32 tensor `[boxes]`.
        max_output_size: how many to keep at the most.
        iou_threshold: see `non_max_suppression`.
        score_threshold: only boxes with a higher score, after lowering, are kept.
        soft_nms_sigma: if not 0, scores are multiplied by exp(-iou² / (2 sigma)) for each kept box that they
            overlap; between 0 and 1.

    Returns:
        `selected_indices`, int32 `[kept]`, and `selected_scores`, float32 `[kept]`.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `NonMaxSuppressionV5`; N. Bodla et al., Soft-NMS, ICCV 2017, arXiv:1704.04503.

    Example:
        >>> import tenfold as tf
        >>> boxes = [[0, 0, 1, 1], [0, 0, 1, 1]]
        >>> kept = tf.image.non_max_suppression_with_score(boxes, [0.5, 1], 10, 1.0, 0.0, 0.5)
        >>> kept.selected_indices.array_sync()
        [1]
    """
    name = "non_max_suppression_with_score"
    given = _arguments(name, boxes, scores, max_output_size, iou_threshold, score_threshold)
    attributes = {**given.attributes, "soft_nms_sigma": _sigma(name, soft_nms_sigma)}
    return BoxesWithScores(*ENGINE.run_kernel(SCORED.name, (given.boxes, given.scores), attributes))


@op(namespace="image")
def non_max_suppression_with_score_async(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: int,
    iou_threshold: float | None = 0.5,
    score_threshold: float | None = _LOWEST,
    soft_nms_sigma: float | None = 0.0,
) -> Pending[BoxesWithScores]:
    """Like `non_max_suppression_with_score`, without blocking the event loop.

    Args:
        boxes: float32 tensor `[boxes, 4]` of corners `(y1, x1, y2, x2)`.
        scores: float32 tensor `[boxes]`.
        max_output_size: how many to keep at the most.
        iou_threshold: see `non_max_suppression`.
        score_threshold: only boxes with a higher score, after lowering, are kept.
        soft_nms_sigma: see `non_max_suppression_with_score`.

    Returns:
        To be awaited: `selected_indices`, int32 `[kept]`, and `selected_scores`, float32 `[kept]`.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `NonMaxSuppressionV5`.

    Example:
        >>> import tenfold as tf
        >>> kept = tf.image.non_max_suppression_with_score_async([[0, 0, 1, 1]], [0.5], 10).result()
        >>> kept.selected_scores.array_sync()
        [0.5]
    """
    name = "non_max_suppression_with_score_async"
    given = _arguments(name, boxes, scores, max_output_size, iou_threshold, score_threshold)

    def finish(kept: SelectedBoxes) -> BoxesWithScores:
        return BoxesWithScores(_vector(kept.indices, "int32"), _vector(kept.scores, "float32"))

    return _selected(given, finish, _sigma(name, soft_nms_sigma))


# --- non_max_suppression_padded ----------------------------------------------------------------------------


@op(namespace="image")
def non_max_suppression_padded(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: int,
    iou_threshold: float | None = 0.5,
    score_threshold: float | None = _LOWEST,
    pad_to_max_output_size: bool = False,
) -> PaddedBoxes:
    """Like `non_max_suppression`, with a result of a length known before, if so wanted.

    Args:
        boxes: float32 tensor `[boxes, 4]` of corners `(y1, x1, y2, x2)`.
        scores: float32 tensor `[boxes]`.
        max_output_size: how many to keep at the most.
        iou_threshold: see `non_max_suppression`.
        score_threshold: only boxes with a higher score are kept.
        pad_to_max_output_size: whether zeros follow the positions, up to `max_output_size` or the number of
            boxes, whichever is less.

    Returns:
        `selected_indices`, an int32 vector, and `valid_outputs`, an int32 scalar: how many boxes were kept.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `NonMaxSuppressionV4`.

    Example:
        >>> import tenfold as tf
        >>> boxes = [[0, 0, 1, 1], [0, 0, 1, 1]]
        >>> kept = tf.image.non_max_suppression_padded(boxes, [0.5, 1], 10, pad_to_max_output_size=True)
        >>> kept.selected_indices.array_sync(), kept.valid_outputs.array_sync()
        ([1, 0], 1)
    """
    name = "non_max_suppression_padded"
    given = _arguments(name, boxes, scores, max_output_size, iou_threshold, score_threshold)
    attributes = {**given.attributes, "pad_to_max_output_size": bool(pad_to_max_output_size)}
    return PaddedBoxes(*ENGINE.run_kernel(PADDED.name, (given.boxes, given.scores), attributes))


@op(namespace="image")
def non_max_suppression_padded_async(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: int,
    iou_threshold: float | None = 0.5,
    score_threshold: float | None = _LOWEST,
    pad_to_max_output_size: bool = False,
) -> Pending[PaddedBoxes]:
    """Like `non_max_suppression_padded`, without blocking the event loop.

    Args:
        boxes: float32 tensor `[boxes, 4]` of corners `(y1, x1, y2, x2)`.
        scores: float32 tensor `[boxes]`.
        max_output_size: how many to keep at the most.
        iou_threshold: see `non_max_suppression`.
        score_threshold: only boxes with a higher score are kept.
        pad_to_max_output_size: see `non_max_suppression_padded`.

    Returns:
        To be awaited: `selected_indices`, an int32 vector, and `valid_outputs`, an int32 scalar.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `NonMaxSuppressionV4`.

    Example:
        >>> import tenfold as tf
        >>> tf.image.non_max_suppression_padded_async([[0, 0, 1, 1]], [0.5], 10).result().valid_outputs.array_sync()
        1
    """
    name = "non_max_suppression_padded_async"
    given = _arguments(name, boxes, scores, max_output_size, iou_threshold, score_threshold)
    length = given.attributes["max_output_size"] if pad_to_max_output_size else 0

    def finish(kept: SelectedBoxes) -> PaddedBoxes:
        padded = pad_selection(kept.indices, length)
        return PaddedBoxes(_vector(padded, "int32"), _vector(np.array(kept.indices.size, np.int32), "int32"))

    return _selected(given, finish)
