"""The attributes of windows that slide over a picture: strides, dilations, sizes and padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenfold.models.attr_values import attr_data_format, attr_ints, attr_word
from tenfold.models.tf_ops.row import REQUIRED, Attribute

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

DATA_FORMAT = Attribute("data_format", attr_data_format, default="NHWC")
_VOLUME_FORMAT = Attribute("data_format", attr_word, default="ndhwc")
_PADDING = Attribute("padding", attr_word)
_EXPLICIT = Attribute("explicit_paddings", attr_ints, default=())


def convolution_attributes(node: NodeDef, emit: Emitter) -> dict[str, Any]:
    """What the kernels of convolutions take."""
    data_format = emit.attribute(node, DATA_FORMAT)
    return {
        "strides": spatial(node, emit, "strides", data_format),
        "pad": padding(node, emit),
        "data_format": data_format,
        "dilations": spatial(node, emit, "dilations", data_format, (1, 1, 1, 1)),
        "dim_rounding_mode": None,
    }


def volume_attributes(node: NodeDef, emit: Emitter, *names: str) -> dict[str, Any]:
    """The strides and the padding of windows in three dimensions, and further attributes like the strides."""
    if emit.attribute(node, _VOLUME_FORMAT) != "ndhwc":
        raise emit.error(node, "attribute 'data_format': must be NDHWC")
    pad = padding(node, emit)
    if not isinstance(pad, str):
        raise emit.error(node, "attribute 'padding': must be SAME or VALID in three dimensions")
    attributes = {
        name: spatial(node, emit, name, "NDHWC", (1,) * 5 if name == "dilations" else REQUIRED, rank=5)
        for name in ("strides", *names)
    }
    return {**attributes, "pad": pad}


def spatial(
    node: NodeDef, emit: Emitter, name: str, data_format: str, default: Any = REQUIRED, rank: int = 4
) -> tuple[int, ...]:
    """The entries for height and width (in three dimensions: depth, height and width) of an attribute.

    It has one entry for each axis of the input, of which there are `rank`.
    """
    values = emit.attribute(node, Attribute(name, attr_ints, default=default))
    if len(values) != rank:
        raise emit.error(node, f"attribute {name!r}: must have {rank} entries, got {list(values)}")
    channels_last = data_format.endswith("C")
    lengths = values[1:-1] if channels_last else values[2:]
    others = (values[0], values[-1] if channels_last else values[1])
    if others != (1, 1) or min(lengths) < 1:
        raise emit.error(
            node,
            f"attribute {name!r}: must be positive, and 1 for batch and channels, got {list(values)}",
        )
    return lengths


def padding(node: NodeDef, emit: Emitter) -> str | tuple[tuple[int, int], ...]:
    """`same`, `valid`, or pairs (before, after) for the four axes in the order of the data format."""
    kind = emit.attribute(node, _PADDING)
    if kind in ("same", "valid"):
        return str(kind)
    if kind != "explicit":
        raise emit.error(node, f"attribute 'padding': must be SAME, VALID or EXPLICIT, got {kind!r}")
    values = emit.attribute(node, _EXPLICIT)
    if len(values) != 8 or any(value < 0 for value in values):
        raise emit.error(node, f"attribute 'explicit_paddings': must be 8 numbers of 0 or more, got {list(values)}")
    return tuple((values[i], values[i + 1]) for i in range(0, 8, 2))
