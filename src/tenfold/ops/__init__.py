"""The ops, one file a family, each op whole: kernel, gradient and public function stand together."""

from __future__ import annotations

from tenfold.ops import (  # noqa: F401
    activations,
    arithmetic,
    basic_math,
    convolution,
    creation,
    evaluation,
    logical,
    matrices,
    normalization,
    operators,
    pooling,
    powers,
    reduction,
    scan,
    transformations,
    trigonometry,
)
