"""The ops of TensorFlow that graph models may use, each a row of how it is written; by category, as data."""

from __future__ import annotations

from tenfold.models.tf_ops import (
    arithmetic,
    basic_math,
    control,
    convolution,
    creation,
    dynamic,
    evaluation,
    graph,
    hash_table,
    image,
    logical,
    matrices,
    normalization,
    ragged,
    reduction,
    slice_join,
    sparse,
    spectral,
    string,
    transformation,
)
from tenfold.models.tf_ops.row import Row

CATEGORIES = {
    "arithmetic": arithmetic.ROWS,
    "basic_math": basic_math.ROWS,
    "control": control.ROWS,
    "convolution": convolution.ROWS,
    "creation": creation.ROWS,
    "dynamic": dynamic.ROWS,
    "evaluation": evaluation.ROWS,
    "graph": graph.ROWS,
    "hash_table": hash_table.ROWS,
    "image": image.ROWS,
    "logical": logical.ROWS,
    "matrices": matrices.ROWS,
    "normalization": normalization.ROWS,
    "ragged": ragged.ROWS,
    "reduction": reduction.ROWS,
    "slice_join": slice_join.ROWS,
    "sparse": sparse.ROWS,
    "spectral": spectral.ROWS,
    "string": string.ROWS,
    "transformation": transformation.ROWS,
}

ROWS: dict[str, Row] = {row.op: row for rows in CATEGORIES.values() for row in rows}
"""All rows by the op's name in TensorFlow."""
