"""Broadcasting: the shape rule of elementwise ops, and its inverse for their gradients."""

from __future__ import annotations

from tenfold.core.engine import ENGINE
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape to which all `shapes` broadcast: aligned at the last axis, lengths equal or 1.

    Raises:
        ValueError: if they do not.
    """
    rank = max(map(len, shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for axis, length in enumerate(shape, start=rank - len(shape)):
            if length != 1:
                if result[axis] not in (1, length):
                    given = " and ".join(str(list(s)) for s in shapes)
                    raise ValueError(f"Operands could not be broadcast together with shapes {given}.")
                result[axis] = length
    return tuple(result)


def sum_to_shape(gradient: Tensor, shape: Shape) -> Tensor:
    """The gradient for an operand of `shape` that was broadcast: summed over the axes that it lacked."""
    if gradient.shape == shape:
        return gradient
    lead = gradient.rank - len(shape)
    axes = [
        axis for axis in range(gradient.rank) if axis < lead or (shape[axis - lead] == 1 and gradient.shape[axis] != 1)
    ]
    if axes:
        gradient = ENGINE.run_kernel("Sum", (gradient,), {"axis": tuple(axes), "keep_dims": False})
    return ENGINE.run_kernel("Reshape", (gradient,), {"shape": shape})
