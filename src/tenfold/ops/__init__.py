"""The ops, one file a family, each op whole: kernel, gradient and public function stand together."""

from __future__ import annotations

from tenfold.ops import (  # noqa: F401
    arithmetic,
    convolution,
    creation,
    matrices,
    operators,
    pooling,
    transformations,
)
