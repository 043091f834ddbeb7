"""The kernels that this backend computes on the host by nature, each with its reason."""

from __future__ import annotations

from typing import Final

_SHAPE: Final = "the shape of the result depends on the values"
_TEXT: Final = "text has no place in a texture"
_RANDOM: Final = "random numbers come from the host's generator, so that seeds mean the same on every backend"

HOST_KERNELS: Final[dict[str, str]] = {
    **dict.fromkeys(
        [
            "NonMaxSuppressionV3",
            "NonMaxSuppressionV4",
            "NonMaxSuppressionV5",
            "RaggedGather",
            "RaggedRange",
            "RaggedTensorToTensor",
            "SparseFillEmptyRows",
            "SparseReshape",
            "SparseSegmentMean",
            "SparseSegmentSum",
            "Unique",
            "Where",
        ],
        _SHAPE,
    ),
    **dict.fromkeys(["StaticRegexReplace", "StringNGrams", "StringSplit", "StringToHashBucketFast"], _TEXT),
    "Multinomial": _RANDOM,
}
