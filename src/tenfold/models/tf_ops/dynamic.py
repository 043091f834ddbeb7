"""Ops whose results have shapes that depend on values."""

from __future__ import annotations

from tenfold.models.attr_values import array_float, array_int, attr_bool
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row

_LIMITS = (
    InputAttribute("max_output_size", 2, array_int),
    InputAttribute("iou_threshold", 3, array_float),
)
_SCORE = InputAttribute("score_threshold", 4, array_float)

ROWS = (
    Row("Where", "Where"),
    Row("ListDiff", "ListDiff", (0, 1), outputs=2, output_names=("out", "idx")),
    Row(
        "NonMaxSuppressionV2",
        "NonMaxSuppressionV3",
        (0, 1),
        (),
        _LIMITS,
        {"score_threshold": float("-inf")},
    ),
    Row("NonMaxSuppressionV3", "NonMaxSuppressionV3", (0, 1), (), (*_LIMITS, _SCORE)),
    Row(
        "NonMaxSuppressionV4",
        "NonMaxSuppressionV4",
        (0, 1),
        (Attribute("pad_to_max_output_size", attr_bool, default=False),),
        (*_LIMITS, _SCORE),
        outputs=2,
        output_names=("selected_indices", "valid_outputs"),
    ),
    Row(
        "NonMaxSuppressionV5",
        "NonMaxSuppressionV5",
        (0, 1),
        (),
        (*_LIMITS, _SCORE, InputAttribute("soft_nms_sigma", 5, array_float)),
        outputs=2,
        output_names=("selected_indices", "selected_scores", "valid_outputs"),
    ),
)
