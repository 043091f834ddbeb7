"""Einstein sums: products of tensors along named axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tenfold.codegen.compute import Array
from tenfold.codegen.expr import Expr
from tenfold.codegen.reductions import reduce_axes
from tenfold.core.conversion import TensorLike
from tenfold.core.einsum_equation import EinsumEquation, read_equation
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.elementwise import cast_to, match_types

Thunks = Sequence[Callable[[], Tensor] | None]


def _einsum_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    read = read_equation(attributes["equation"], [spec.shape for spec in specs])
    return TensorSpec(read.out_shape, specs[0].dtype)


class _Labelled(NamedTuple):
    """An array and the labels of its axes."""

    array: Array
    labels: str

    def element(self, at: Mapping[str, Expr]) -> Expr:
        """The element at the indices that labels have."""
        return self.array[[at[label] for label in self.labels]]


def _einsum_definition(*inputs: Array, equation: str) -> Array:
    """Pair after pair of operands from left to right, each summed at once over what nothing after it needs."""
    read = read_equation(equation, [array.shape for array in inputs])
    operands = [_Labelled(*pair) for pair in zip(inputs, read.inputs, strict=True)]
    product, *others = operands
    for number, other in enumerate(others, start=2):
        needed = read.output + "".join(read.inputs[number:])
        pair = [_summed(product, other.labels + needed, read), _summed(other, product.labels + needed, read)]
        labels = product.labels + other.labels
        product = _product(pair, "".join(dict.fromkeys(label for label in needed if label in labels)), read)
    return product.array if others else _product(operands, read.output, read).array


def _summed(operand: _Labelled, kept: str, read: EinsumEquation) -> _Labelled:
    """An operand without the axes whose labels are not kept."""
    labels = "".join(label for label in operand.labels if label in kept)
    return operand if labels == operand.labels else _product([operand], labels, read)


def _product(operands: Sequence[_Labelled], kept: str, read: EinsumEquation) -> _Labelled:
    """The products of operands, summed over the axes whose labels are not kept."""
    over = dict.fromkeys(label for operand in operands for label in operand.labels if label not in kept)
    labels = kept + "".join(over)

    def element(*i: Expr) -> Expr:
        at = dict(zip(labels, i, strict=True))
        value, *others = (operand.element(at) for operand in operands)
        for other in others:
            value = value * other
        return value

    return _Labelled(reduce_axes("sum", read.shape_of(labels), range(len(kept), len(labels)), element), kept)


EINSUM = define_kernel(Kernel("Einsum", ("*inputs",), _einsum_infer, definition=_einsum_definition))


def _einsum_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    """For each operand the sum of products of `dy` and the others, alike for all that it was summed over alone."""
    read = read_equation(attributes["equation"], [tensor.shape for tensor in saved])

    def for_operand(number: int) -> Tensor:
        others = [tensor for k, tensor in enumerate(saved) if k != number]
        labels = [read.output, *(labels for k, labels in enumerate(read.inputs) if k != number)]
        wanted = read.inputs[number]
        known = "".join(label for label in wanted if any(label in each for each in labels))
        equation = f"{','.join(labels)}->{known}"
        operands = (dy, *(cast_to(other, dy.dtype) for other in others))
        gradient = ENGINE.run_kernel(EINSUM.name, operands, {"equation": equation})
        shape = read.shape_of(wanted)
        if known == wanted:
            return gradient
        spread: Tensor = gradient.reshape(
            tuple(length if label in known else 1 for label, length in zip(wanted, shape, strict=True))
        )
        return spread.broadcast_to(shape)

    return [lambda number=number: for_operand(number) for number in range(len(saved))]  # type: ignore[misc]


register_gradient("Einsum", _einsum_gradient, save_all_inputs=True)


@op()
def einsum(equation: str, *tensors: TensorLike) -> Tensor:
    """Multiply tensors along named axes, and sum over those that the result does not have.

    `"ij,jk->ik"` is the product of two matrices, `"bij,bjk->bik"` that of batches of them, `"ij->ji"` a
    transposition, `"ij->"` the sum of all elements, `"i,j->ij"` an outer product.

    Args:
        equation: letters for the axes of each tensor, apart by commas; an arrow; those of the result. Spaces
            count for nothing. A letter stands for one length, and at most once in each tensor.
        *tensors: tensors of any numeric dtype, as many as the equation names.

    Returns:
        Tensor of the widest dtype (int32 for bools), of the shape that the equation says.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings.
        ValueError: if the equation is malformed, or does not fit the tensors.

    Source: TensorFlow's `einsum`.

    Example:
        >>> import tenfold as tf
        >>> tf.einsum("ij,j->i", [[1, 2], [3, 4]], [10, 1]).array_sync()
        [12.0, 34.0]
    """
    inputs = [operands.number(tensor, "einsum", f"tensors[{number}]") for number, tensor in enumerate(tensors)]
    if not ENV.is_true("PROD"):
        try:
            read_equation(equation, [tensor.shape for tensor in inputs])
        except ValueError as error:
            raise ValueError(f"einsum: argument 'equation': {error}") from None
    for other in inputs[1:]:
        inputs[0], _ = match_types(inputs[0], other)
    inputs[1:] = [cast_to(other, inputs[0].dtype) for other in inputs[1:]]
    return ENGINE.run_kernel(EINSUM.name, inputs, {"equation": equation})
