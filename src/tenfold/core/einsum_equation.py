"""Einstein's summation convention: what an equation such as `"ij,jk->ik"` says of shapes.

Shape inference in `ops` and the kernels of every backend read the same record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tenfold.core.storage import Shape


class EinsumEquation(NamedTuple):
    """An equation and the shapes that it was read for.

    Attributes:
        inputs: the labels of each operand's axes, a letter each.
        output: those of the result's; what is not among them is summed over.
        lengths: the length of each label's axis.
    """

    inputs: tuple[str, ...]
    output: str
    lengths: dict[str, int]

    @property
    def out_shape(self) -> Shape:
        """The shape of the result."""
        return self.shape_of(self.output)

    def shape_of(self, labels: str) -> Shape:
        """The lengths of some labels."""
        return tuple(self.lengths[label] for label in labels)


def read_equation(equation: str, shapes: Sequence[Shape]) -> EinsumEquation:
    """Read an equation for operands of some shapes.

    Raises:
        ValueError: if it is malformed, names another number of operands or axes, or one label stands for axes of
            different lengths.
    """
    inputs, output = _sides(equation)
    if len(inputs) != len(shapes):
        raise ValueError(f"the equation {equation!r} names {len(inputs)} tensors, but {len(shapes)} are given.")
    lengths: dict[str, int] = {}
    for number, (labels, shape) in enumerate(zip(inputs, shapes, strict=True)):
        if len(labels) != len(shape):
            raise ValueError(
                f"the equation {equation!r} names {len(labels)} axes of tensor {number}, which has the shape "
                f"{list(shape)}."
            )
        for label, length in zip(labels, shape, strict=True):
            if lengths.setdefault(label, length) != length:
                raise ValueError(
                    f"in the equation {equation!r} the axes {label!r} must be of one length, but tensor {number} of "
                    f"shape {list(shape)} has {length}, another {lengths[label]}."
                )
    return EinsumEquation(inputs, output, lengths)


def _sides(equation: str) -> tuple[tuple[str, ...], str]:
    """The labels of the operands and of the result."""
    if not isinstance(equation, str) or equation.count("->") != 1:
        raise ValueError(f"the equation must have one arrow, as in 'ij,jk->ik'; given {equation!r}.")
    if "." in equation:
        raise ValueError(f"an ellipsis in the equation is not supported, name every axis; given {equation!r}.")
    left, output = "".join(equation.split()).split("->")
    inputs = tuple(left.split(","))
    for labels in (*inputs, output):
        if not all(label.isascii() and label.isalpha() for label in labels):
            raise ValueError(f"the axes in the equation must be letters, operands apart by commas; given {equation!r}.")
        if len(set(labels)) < len(labels):
            raise ValueError(f"the equation must not name an axis twice in one tensor; given {equation!r}.")
    for label in output:
        if label not in left:
            raise ValueError(f"the axis {label!r} of the result is not among those of the tensors in {equation!r}.")
    return inputs, output
