"""One row of the mapping: how a TensorFlow op is written as a kernel or a host op.

The families beside this module are tables of such rows. A row says which inputs of the node are tensors for
the kernel and which are attributes in disguise, how the attributes in the file are called, read and
defaulted, and how many outputs there are. Ops that are several kernels in a row (the fused ones) have
functions instead; see `fused.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tenfold.models.attr_values import Convert, ConvertArray
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

REQUIRED: Any = object()
"""Default of an attribute that the file must state."""


class Attribute(NamedTuple):
    """An attribute that the file states.

    Attributes:
        name: as the kernel calls it.
        convert: how it is read.
        source: as the file calls it, where that differs.
        default: what holds where the file does not state it.
    """

    name: str
    convert: Convert
    source: str = ""
    default: Any = REQUIRED


class InputAttribute(NamedTuple):
    """An attribute of the kernel that TensorFlow passes as a tensor.

    Attributes:
        name: as the kernel calls it.
        position: which input of the node; negative ones count from the end.
        convert: how it is read where it is a constant.
        default: what holds where the node has no such input.
    """

    name: str
    position: int
    convert: ConvertArray
    default: Any = REQUIRED


Outputs = int | str | Callable[["NodeDef"], int]
"""How many outputs a node has: a number, or the name of the attribute that says so, or a function."""


class Row(NamedTuple):
    """How one TensorFlow op is written.

    Attributes:
        op: TensorFlow's name.
        target: the kernel or host op.
        inputs: positions of the tensor inputs in the kernel's order, or a slice of all of the node's inputs.
        attributes: those that the file states.
        input_attributes: those that are inputs.
        fixed: attributes that are always the same.
        optional: how many of the last `inputs` may be absent.
        outputs: how many outputs the node has.
        output_names: TensorFlow's names of the outputs, where there are several single ones.
        lower: writes the node as several; the fields above except `outputs` do not count then.
    """

    op: str
    target: str
    inputs: tuple[int, ...] | slice = (0,)
    attributes: tuple[Attribute, ...] = ()
    input_attributes: tuple[InputAttribute, ...] = ()
    fixed: Mapping[str, Any] = {}
    optional: int = 0
    outputs: Outputs = 1
    output_names: tuple[str, ...] = ()
    lower: Callable[[NodeDef, Emitter], None] | None = None


def unary(op: str, target: str = "") -> Row:
    """A kernel of one input without attributes."""
    return Row(op, target or op)


def binary(op: str, target: str = "") -> Row:
    """A kernel of two inputs without attributes."""
    return Row(op, target or op, (0, 1))
