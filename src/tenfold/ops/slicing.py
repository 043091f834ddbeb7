"""Parts of a tensor that positions along its axes describe: slices, strided slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tenfold.codegen.compute import Array, compute, flatten, unflatten
from tenfold.codegen.expr import Expr
from tenfold.core.arguments import integers
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.slices import StridedSliceInfo, slice_extent, strided_slice_info
from tenfold.core.tensor import Tensor

# --- slice -------------------------------------------------------------------------------------------------


def _slice_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x = specs[0]
    return TensorSpec(slice_extent(x.shape, attributes["begin"], attributes["size"]).size, x.dtype)


def _slice_definition(x: Array, *, begin: Sequence[int], size: Sequence[int]) -> Array:
    extent = slice_extent(x.shape, begin, size)
    return compute(extent.size, lambda *i: x[[b + k for b, k in zip(extent.begin, i, strict=True)]])


SLICE = define_kernel(Kernel("Slice", ("x",), _slice_infer, definition=_slice_definition))


def _slice_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> list[Callable[[], Tensor]]:
    x = saved[0]
    extent = slice_extent(x.shape, attributes["begin"], attributes["size"])
    border = [(b, n - b - s) for n, b, s in zip(x.shape, extent.begin, extent.size, strict=True)]
    return [lambda: dy.pad(border)]


register_gradient("Slice", _slice_gradient, inputs_to_save=["x"])


@op(method=True)
def slice_(x: TensorLike, begin: int | Sequence[int], size: int | Sequence[int] | None = None) -> Tensor:
    """Cut a box out of a tensor.

    Args:
        x: tensor of any dtype, of rank 1 at least.
        begin: the first position along each axis, 0 along those that are left out.
        size: how many elements along each axis; -1, or left out, for all up to the end.

    Returns:
        Tensor of the same rank and dtype.

    Raises:
        TypeError: if positions are no integers.
        ValueError: if the box does not lie within the tensor, or the tensor is a scalar.

    Source: TensorFlow's `Slice`.

    Example:
        >>> import tenfold as tf
        >>> tf.slice([[1, 2], [3, 4]], [1, 0], [1, 2]).array_sync()
        [[3.0, 4.0]]
        >>> tf.tensor([1, 2, 3, 4]).slice(2).array_sync()
        [3.0, 4.0]
    """
    return _sliced(x, begin, size, "slice")


def _sliced(x: TensorLike, begin: int | Sequence[int], size: int | Sequence[int] | None, name: str) -> Tensor:
    tensor = convert_to_tensor(x, "x", name, "string_or_numeric")
    begins = integers(begin if isinstance(begin, (list, tuple)) else (begin,), "begin", name)
    if size is not None:
        size = integers(size if isinstance(size, (list, tuple)) else (size,), "size", name)
    extent = slice_extent(tensor.shape, begins, size)
    return ENGINE.run_kernel(SLICE.name, (tensor,), {"begin": extent.begin, "size": extent.size})


def _slice_of_rank(x: TensorLike, begin: int | Sequence[int], size: int | Sequence[int] | None, rank: int) -> Tensor:
    name = f"slice{rank}d"
    tensor = convert_to_tensor(x, "x", name, "string_or_numeric")
    if len(tensor.shape) != rank:
        raise ValueError(f"{name}: expects a tensor of rank {rank}, but got the shape {list(tensor.shape)}.")
    return _sliced(tensor, begin, size, name)


@op()
def slice1d(x: TensorLike, begin: int, size: int | None = None) -> Tensor:
    """Cut a range out of a tensor of rank 1; see `slice`.

    Example:
        >>> import tenfold as tf
        >>> tf.slice1d([1, 2, 3, 4], 1, 2).array_sync()
        [2.0, 3.0]
    """
    return _slice_of_rank(x, begin, size, 1)


@op()
def slice2d(x: TensorLike, begin: Sequence[int], size: Sequence[int] | None = None) -> Tensor:
    """Cut a rectangle out of a tensor of rank 2; see `slice`.

    Example:
        >>> import tenfold as tf
        >>> tf.slice2d([[1, 2], [3, 4]], [0, 1], [2, 1]).array_sync()
        [[2.0], [4.0]]
    """
    return _slice_of_rank(x, begin, size, 2)


@op()
def slice3d(x: TensorLike, begin: Sequence[int], size: Sequence[int] | None = None) -> Tensor:
    """Cut a box out of a tensor of rank 3; see `slice`.

    Example:
        >>> import tenfold as tf
        >>> tf.slice3d([[[1, 2], [3, 4]]], [0, 1, 0]).array_sync()
        [[[3.0, 4.0]]]
    """
    return _slice_of_rank(x, begin, size, 3)


@op()
def slice4d(x: TensorLike, begin: Sequence[int], size: Sequence[int] | None = None) -> Tensor:
    """Cut a box out of a tensor of rank 4; see `slice`.

    Example:
        >>> import tenfold as tf
        >>> tf.slice4d([[[[1, 2], [3, 4]]]], [0, 0, 0, 1]).array_sync()
        [[[[2.0], [4.0]]]]
    """
    return _slice_of_rank(x, begin, size, 4)


# --- strided_slice -----------------------------------------------------------------------------------------


def _strided_slice_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x = specs[0]
    return TensorSpec(strided_slice_info(x.shape, **attributes).shape, x.dtype)


def _strided_slice_definition(x: Array, **attributes: Any) -> Array:
    info = strided_slice_info(x.shape, **attributes)

    def element(*i: Expr) -> Expr:
        # The axes of length 1 that were put in or left out do not change the position.
        numbers = unflatten(flatten(i, info.shape), info.lengths)
        return x[[start + k * step for start, step, k in zip(info.starts, info.steps, numbers, strict=True)]]

    return compute(info.shape, element)


STRIDED_SLICE = define_kernel(
    Kernel("StridedSlice", ("x",), _strided_slice_infer, definition=_strided_slice_definition)
)


def _strided_slice_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> list[Callable[[], Tensor]]:
    x = saved[0]
    info = strided_slice_info(x.shape, **attributes)
    return [lambda: _put_back(dy.reshape(info.lengths), info, x.shape)]


def _put_back(taken: Tensor, info: StridedSliceInfo, shape: tuple[int, ...]) -> Tensor:
    """Zeros of `shape` with what a strided slice took at its places.

    Steps backwards are turned round, and steps over elements are filled with zeros: an axis of n elements is seen as
    n rows of one, each row is padded to the step, and the rows are joined again.
    """
    backwards = [axis for axis, step in enumerate(info.steps) if step < 0 and info.lengths[axis]]
    if backwards:
        taken = taken.reverse(backwards)
    border = []
    for axis, (start, step, count) in enumerate(zip(info.starts, info.steps, info.lengths, strict=True)):
        step, start = (step, start) if step > 0 else (-step, start + step * (count - 1))
        if step > 1 and count > 1:
            before, after = taken.shape[:axis], taken.shape[axis + 1 :]
            rows = taken.reshape((*before, count, 1, *after))
            spread = rows.pad([(0, step - 1) if i == axis + 1 else (0, 0) for i in range(rows.rank)])
            joined = spread.reshape((*before, count * step, *after))
            taken = joined.slice([0] * joined.rank, [*before, (count - 1) * step + 1, *after])
        length = (count - 1) * step + 1 if count else 0
        first = start if count else 0
        border.append((first, shape[axis] - first - length))
    return taken.pad(border) if border else taken


register_gradient("StridedSlice", _strided_slice_gradient, inputs_to_save=["x"])


@op(method=True)
def strided_slice(
    x: TensorLike,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int] | None = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Tensor:
    """Take every n-th element of ranges along the axes of a tensor; Python's `x[1:-1:2, ..., None, 0]` as numbers.

    Bit i of a mask speaks of entry i of `begin`, `end` and `strides`. Axes behind the last entry are taken whole.

    Args:
        x: tensor of any dtype.
        begin: where each range begins; negative positions count from the end.
        end: the position that each range does not reach any more.
        strides: the steps, 1 if None; negative ones go backwards.
        begin_mask: entries whose range begins at the edge, whatever `begin` says.
        end_mask: entries whose range goes to the edge, whatever `end` says.
        ellipsis_mask: at most one entry, which stands for as many whole axes as are left.
        new_axis_mask: entries that put in an axis of length 1.
        shrink_axis_mask: entries that take the one position `begin` and drop the axis.

    Returns:
        Tensor of the same dtype.

    Raises:
        TypeError: if positions are no integers.
        ValueError: if the entries contradict each other or the shape.

    Source: TensorFlow's `StridedSlice`.

    Example:
        >>> import tenfold as tf
        >>> tf.strided_slice([1, 2, 3, 4, 5], [0], [5], [2]).array_sync()
        [1.0, 3.0, 5.0]
        >>> tf.strided_slice([[1, 2], [3, 4]], [1, -1], [2, -3], [1, -1]).array_sync()
        [[4.0, 3.0]]
    """
    tensor = convert_to_tensor(x, "x", "strided_slice", "string_or_numeric")
    attributes = {
        "begin": integers(begin, "begin", "strided_slice"),
        "end": integers(end, "end", "strided_slice"),
        "strides": (1,) * len(begin) if strides is None else integers(strides, "strides", "strided_slice"),
        "begin_mask": begin_mask,
        "end_mask": end_mask,
        "ellipsis_mask": ellipsis_mask,
        "new_axis_mask": new_axis_mask,
        "shrink_axis_mask": shrink_axis_mask,
    }
    strided_slice_info(tensor.shape, **attributes)  # type: ignore[arg-type]
    return ENGINE.run_kernel(STRIDED_SLICE.name, (tensor,), attributes)
