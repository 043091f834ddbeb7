"""The ops, one file a family, each op whole: kernel, gradient and public function stand together."""

from __future__ import annotations

from tenfold.ops import (  # noqa: F401
    activations,
    arithmetic,
    basic_math,
    complex_numbers,
    convolution,
    creation,
    evaluation,
    fused,
    gathering,
    image,
    indexing,
    joining,
    logical,
    matrices,
    non_max_suppression,
    normalization,
    operators,
    padding,
    pooling,
    powers,
    random,
    reduction,
    scan,
    searching,
    slicing,
    space_batch,
    transformations,
    trigonometry,
)
