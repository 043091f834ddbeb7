"""Which calls this backend computes on the host by nature, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tenfold.backends.webgl.flat import ON_DEVICE

if TYPE_CHECKING:
    from tenfold.backends.webgl.settings import Settings
    from tenfold.core.kernel import Attributes, Kernel, TensorSpec

_SHAPE: Final = "the shape of its result depends on values"
_TEXT: Final = "text has no place in a texture"
_RANDOM: Final = "random numbers come from the host's generator, so that a seed means the same on every backend"

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
    "BroadcastArgs": "its values are shapes, which must be looked at to see whether they fit",
}
"""The kernels that are computed there whatever they are called with."""


FOLLOW_FLAGS: Final = ("TopK",)
"""Kernels of which flags say where they are computed."""


def host_reason(
    kernel: Kernel,
    inputs: Sequence[TensorSpec | None],
    outputs: Sequence[TensorSpec],
    attributes: Attributes,
    settings: Settings,
) -> str | None:
    """Why a call is computed on the host; None if it is not."""
    if kernel.name in HOST_KERNELS:
        return HOST_KERNELS[kernel.name]
    for spec in (*inputs, *outputs):
        if spec is not None and spec.dtype not in ON_DEVICE:
            return _TEXT if spec.dtype == "string" else f"no texture holds {spec.dtype} values"
    if kernel.name == "TopK" and inputs[0] is not None and settings.forward:
        return _top_k_reason(inputs[0].shape[-1], attributes["k"], settings)
    return None


def _top_k_reason(length: int, k: int, settings: Settings) -> str | None:
    if length < settings.top_k_rows_below:
        return "its rows are shorter than TOPK_LAST_DIM_CPU_HANDOFF_SIZE_THRESHOLD"
    if k > settings.top_k_above:
        return "k is more than TOPK_K_CPU_HANDOFF_THRESHOLD"
    return None
