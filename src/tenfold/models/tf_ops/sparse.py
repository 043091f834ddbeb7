"""Sparse tensors, as the places and the values of their entries."""

from __future__ import annotations

from tenfold.models.tf_ops.row import Row

_FILLED = ("output_indices", "output_values", "empty_row_indicator", "reverse_index_map")

ROWS = (
    Row("SparseFillEmptyRows", "SparseFillEmptyRows", (0, 1, 2, 3), outputs=4, output_names=_FILLED),
    Row(
        "SparseReshape",
        "SparseReshape",
        (0, 1, 2),
        outputs=2,
        output_names=("output_indices", "output_shape"),
    ),
    Row("SparseSegmentMean", "SparseSegmentMean", (0, 1, 2)),
    Row("SparseSegmentSum", "SparseSegmentSum", (0, 1, 2)),
)
