"""Linear algebra: bands of matrices, and orthonormal bases. The namespace `linalg`.

Matrices stand in the last two axes. All are compositions of other ops, so that they run on every backend and have their
gradients from them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenfold.core.arguments import integer
from tenfold.core.conversion import TensorLike, convert_to_tensor, convert_to_tensor_array
from tenfold.core.dtypes import numpy_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import joining, logical, matrices, operands
from tenfold.ops.elementwise import cast_to, scalar_like

# --- band_part ---------------------------------------------------------------------------------------------


@op(namespace="linalg")
def band_part(a: TensorLike, num_lower: int | Tensor, num_upper: int | Tensor) -> Tensor:
    """Keep a band of matrices about the diagonal, and put zeros elsewhere.

    Args:
        a: tensor of any numeric dtype and shape `[..., rows, columns]`.
        num_lower: how many diagonals below the main one to keep; negative for all. An integer or an int32 scalar.
        num_upper: how many above it, likewise.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        TypeError: if an argument is no tensor-like, or `num_lower` or `num_upper` is no integer.
        ValueError: if the rank is less than 2, or more diagonals are wanted than there are rows or columns.

    Source: TensorFlow's `MatrixBandPart`.

    Example:
        >>> import tenfold as tf
        >>> tf.linalg.band_part([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 0, 1).array_sync()
        [[1.0, 2.0, 0.0], [0.0, 5.0, 6.0], [0.0, 0.0, 9.0]]
    """
    tensor = convert_to_tensor(a, "a", "band_part")
    if tensor.rank < 2:
        raise ValueError(f"band_part: argument 'a' must have rank 2 or more, got shape {list(tensor.shape)}.")
    rows, columns = tensor.shape[-2:]
    lower = _width(num_lower, rows, "num_lower", "rows")
    upper = _width(num_upper, columns, "num_upper", "columns")
    below = np.subtract.outer(np.arange(rows, dtype=np.int32), np.arange(columns, dtype=np.int32))
    distance = ENGINE.make_tensor(below, below.shape, "int32")
    band = distance.less_equal(lower).logical_and(distance.neg().less_equal(upper))
    return logical.where(band, tensor, ENGINE.zeros((), tensor.dtype))


def _width(value: int | Tensor, most: int, argument: str, what: str) -> Tensor:
    """How many diagonals on one side of the main one belong to the band, as an int32 scalar."""
    if isinstance(value, Tensor):
        given = convert_to_tensor(value, argument, "band_part", "int32")
        return logical.where(given.less(scalar_like(0, given)), scalar_like(most, given), given)
    number = integer(value, argument, "band_part")
    if number > most:
        raise ValueError(
            f"band_part: argument '{argument}' must be at most the number of {what} ({most}), got {number}."
        )
    return ENGINE.make_tensor(np.asarray(most if number < 0 else number, np.int32), (), "int32")


# --- gram_schmidt ------------------------------------------------------------------------------------------


@op(namespace="linalg")
def gram_schmidt(xs: TensorLike | Sequence[TensorLike]) -> Tensor | list[Tensor]:
    """Make vectors orthonormal by the Gram-Schmidt process: each is freed of its part along those before it.

    Args:
        xs: list of vectors of one length, or a tensor `[vectors, length]`; no more vectors than they are long.

    Returns:
        As given, a list of vectors or a tensor of the same shape. What depends on the vectors before it gives NaN, or
        the direction of rounding errors.

    Raises:
        TypeError: if an argument is no tensor-like, or is not real.
        ValueError: if there are no vectors, too many, or of different lengths.

    Source: TensorFlow.js's `linalg.gramSchmidt`.

    Example:
        >>> import tenfold as tf
        >>> tf.linalg.gram_schmidt([[3, 0], [1, 2]])[1].array_sync()
        [0.0, 1.0]
    """
    name = "gram_schmidt"
    stacked = isinstance(xs, (Tensor, np.ndarray))
    if stacked:
        matrix = operands.real_float(xs, name, "xs")
        if matrix.rank != 2:
            raise ValueError(f"{name}: argument 'xs' must be vectors or have rank 2, got shape {list(matrix.shape)}.")
        vectors = joining.unstack(matrix) if matrix.shape[0] else []
    else:
        vectors = [operands.real_float(x, name, "xs") for x in convert_to_tensor_array(xs, "xs", name)]
    _check_vectors(vectors)
    basis: list[Tensor] = []
    for vector in vectors:
        rest = vector
        for other in basis:
            rest = rest.sub(other.mul(rest.mul(other).sum()))
        basis.append(rest.div(rest.norm()))
    return joining.stack(basis) if stacked else basis


def _check_vectors(vectors: list[Tensor]) -> None:
    shapes = [list(vector.shape) for vector in vectors]
    if not shapes or len(shapes[0]) != 1 or any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"gram_schmidt: argument 'xs' must be one vector or more, of one length, got shapes {shapes}.")
    if len(shapes) > shapes[0][0]:
        raise ValueError(
            f"gram_schmidt: argument 'xs' must have no more vectors than they are long ({shapes[0][0]}), "
            f"got {len(shapes)}."
        )


# --- qr ----------------------------------------------------------------------------------------------------


@op(namespace="linalg")
def qr(x: TensorLike, full_matrices: bool = False) -> tuple[Tensor, Tensor]:
    """Write matrices as products of an orthogonal and an upper triangular one, by Householder's reflections.

    Args:
        x: tensor of a real dtype and shape `[..., rows, columns]`.
        full_matrices: whether `q` is square although there are more rows than columns.

    Returns:
        `q` of shape `[..., rows, rank]` and `r` of shape `[..., rank, columns]`, where rank is the lesser of rows and
        columns; with `full_matrices` `[..., rows, rows]` and `[..., rows, columns]`. Elements on the diagonal of
        `r` have the sign that TensorFlow.js gives them.

    Raises:
        TypeError: if `x` is no tensor-like, or is not real.
        ValueError: if the rank is less than 2.

    Source: TensorFlow's `Qr`; A. S. Householder, Unitary Triangularization of a Nonsymmetric Matrix, 1958.

    Example:
        >>> import tenfold as tf
        >>> q, r = tf.linalg.qr([[3, 1], [4, 2]])
        >>> tf.mat_mul(q, r).round().array_sync()
        [[3.0, 1.0], [4.0, 2.0]]
    """
    matrix = operands.real_float(x, "qr")
    if matrix.rank < 2:
        raise ValueError(f"qr: argument 'x' must have rank 2 or more, got shape {list(matrix.shape)}.")
    *batch, rows, columns = matrix.shape
    rank = min(rows, columns)
    r = matrix.reshape((int(np.prod(batch)), rows, columns))
    unit = ENGINE.make_tensor(np.eye(rows, dtype=numpy_dtype(matrix.dtype))[None], (1, rows, rows), matrix.dtype)
    q = unit.tile((r.shape[0], 1, 1))
    for place in range(rank):
        direction, weight = _reflection(r, place)
        scaled = direction.mul(weight)
        r = r.sub(matrices.product(scaled, matrices.product(direction, r, True)))
        q = q.sub(matrices.product(matrices.product(q, direction), scaled, False, True))
    if not full_matrices and rows > columns:
        q, r = q.slice((0, 0, 0), (-1, rows, rank)), r.slice((0, 0, 0), (-1, rank, columns))
    # What is left below the diagonal is rounding errors.
    r = band_part(r, 0, -1)
    return q.reshape((*batch, *q.shape[1:])), r.reshape((*batch, *r.shape[1:]))


def _reflection(r: Tensor, place: int) -> tuple[Tensor, Tensor]:
    """What clears a column below the diagonal.

    It is `1 - weight * direction * direction^T`, of shapes `[batch, 1, 1]` and `[batch, rows, 1]`; a column of zeros,
    and only that, is left alone.
    """
    batches, rows, _ = r.shape
    column = r.slice((0, place, place), (batches, rows - place, 1))
    squares = column.square().sum(1, True)
    empty = squares.equal(scalar_like(0, squares))
    length = logical.where(empty, scalar_like(1, squares), squares).sqrt()
    first = column.slice((0, 0, 0), (batches, 1, 1))
    sign = cast_to(first.greater(scalar_like(0, first)), r.dtype).mul(-2).add(1)
    # Of the two images of the column on the axis the farther one, lest digits cancel.
    pivot = first.sub(sign.mul(length))
    weight = logical.where(empty, scalar_like(0, pivot), sign.mul(pivot).div(length).neg())
    below = column.slice((0, 1, 0), (batches, rows - place - 1, 1)).div(pivot)
    above = ENGINE.zeros((batches, place, 1), r.dtype)
    return joining.concat([above, ENGINE.ones((batches, 1, 1), r.dtype), below], 1), weight
