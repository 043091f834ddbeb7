"""Joining tensors to one, cutting one into several, and repeating or turning round its axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from tenfold.codegen.compute import MOST_SOURCES, Array, compute, modulo
from tenfold.codegen.expr import Expr, cast, select
from tenfold.core.arguments import integer, integers
from tenfold.core.conversion import TensorLike, convert_to_tensor, convert_to_tensor_array
from tenfold.core.dtypes import upcast_type
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.slices import split_sizes
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.core.tensor_methods import attach
from tenfold.ops.axes import resolve_axes, resolve_axis
from tenfold.ops.elementwise import cast_to

Thunks = Sequence[Callable[[], Tensor] | None]

# --- concat ------------------------------------------------------------------------------------------------


def _concat_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shapes = [spec.shape for spec in specs]
    axis = resolve_axis(attributes["axis"], len(shapes[0]), "concat")
    _check_joinable(shapes, axis)
    return TensorSpec((*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]), specs[0].dtype)


def _check_joinable(shapes: Sequence[Shape], axis: int) -> None:
    first = shapes[0]
    for number, shape in enumerate(shapes):
        if shape[:axis] != first[:axis] or shape[axis + 1 :] != first[axis + 1 :] or len(shape) != len(first):
            raise ValueError(
                f"concat: the shapes must agree but for axis {axis}; 'tensors[{number}]' has {list(shape)}, the first "
                f"{list(first)}."
            )


def _concat_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    axis = resolve_axis(attributes["axis"], dy.rank, "concat")
    parts = split(dy, [tensor.shape[axis] for tensor in saved], axis)
    return [lambda part=part: part for part in parts]  # type: ignore[misc]


def _concat_definition(*tensors: Array, axis: int) -> Array:
    first = tensors[0]
    axis = resolve_axis(axis, first.rank, "concat")
    parts = [tensor for tensor in tensors if tensor.shape[axis]] or [first]
    while len(parts) > MOST_SOURCES:
        parts = [_concat_definition(*some, axis=axis) for some in _in_runs(parts)]
    ends = list(accumulate(part.shape[axis] for part in parts))

    def element(*i: Expr) -> Expr:
        def of_part(number: int) -> Expr:
            start = ends[number] - parts[number].shape[axis]
            return cast(parts[number][*i[:axis], i[axis] - start, *i[axis + 1 :]], first.dtype)

        return _chosen(i[axis], ends, of_part)

    return compute((*first.shape[:axis], ends[-1], *first.shape[axis + 1 :]), element)


def _in_runs(arrays: Sequence[Array]) -> list[Sequence[Array]]:
    """As many of some arrays as one stage may load from, and so on."""
    return [arrays[start : start + MOST_SOURCES] for start in range(0, len(arrays), MOST_SOURCES)]


def _chosen(index: Expr, ends: Sequence[int], value: Callable[[int], Expr]) -> Expr:
    """The value of the part in which an index lies; parts are halved, so that few comparisons find it."""

    def among(first: int, last: int) -> Expr:
        if first == last:
            return value(first)
        middle = (first + last) // 2
        return select(index < ends[middle], among(first, middle), among(middle + 1, last))

    return among(0, len(ends) - 1)


CONCAT = define_kernel(Kernel("Concat", ("*tensors",), _concat_infer, definition=_concat_definition))
register_gradient("Concat", _concat_gradient, save_all_inputs=True)


@op()
def concat(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors along an axis.

    Args:
        tensors: at least one; their shapes agree but for the axis. Real dtypes are cast to the widest of them.
        axis: the axis to join along; negative ones count from the end.

    Returns:
        Tensor of the same rank.

    Raises:
        TypeError: if it is no list of tensor-likes.
        ValueError: if the list is empty, shapes do not fit, or only some are complex or strings.

    Source: TensorFlow's `ConcatV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.concat([[1, 2], [3]]).array_sync()
        [1.0, 2.0, 3.0]
        >>> tf.concat([[[1], [2]], [[3], [4]]], 1).array_sync()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    return _joined(tensors, axis, "concat")


def _joined(tensors: Sequence[TensorLike], axis: int, name: str) -> Tensor:
    converted = convert_to_tensor_array(tensors, "tensors", name, "string_or_numeric")
    if not converted:
        raise ValueError(f"{name}: must pass at least one tensor, got an empty list.")
    dtype = converted[0].dtype
    for number, tensor in enumerate(converted):
        if tensor.dtype != dtype:
            if "complex64" in (tensor.dtype, dtype) or "string" in (tensor.dtype, dtype):
                raise ValueError(f"{name}: cannot join {dtype} with {tensor.dtype}, the dtype of 'tensors[{number}]'.")
            dtype = upcast_type(dtype, tensor.dtype)
    axis = resolve_axis(axis, converted[0].rank, name)
    _check_joinable([tensor.shape for tensor in converted], axis)
    if len(converted) == 1:
        return converted[0].clone()
    return ENGINE.run_kernel(CONCAT.name, [cast_to(tensor, dtype) for tensor in converted], {"axis": axis})


def _joined_of_rank(tensors: Sequence[TensorLike], axis: int, rank: int) -> Tensor:
    name = f"concat{rank}d"
    converted = convert_to_tensor_array(tensors, "tensors", name, "string_or_numeric")
    for number, tensor in enumerate(converted):
        if tensor.rank != rank:
            raise ValueError(
                f"{name}: expects tensors of rank {rank}, but 'tensors[{number}]' has the shape {list(tensor.shape)}."
            )
    return _joined(converted, axis, name)


@op()
def concat1d(tensors: Sequence[TensorLike]) -> Tensor:
    """Join tensors of rank 1; see `concat`.

    Example:
        >>> import tenfold as tf
        >>> tf.concat1d([[1, 2], [3]]).array_sync()
        [1.0, 2.0, 3.0]
    """
    return _joined_of_rank(tensors, 0, 1)


@op()
def concat2d(tensors: Sequence[TensorLike], axis: int) -> Tensor:
    """Join tensors of rank 2 along an axis; see `concat`.

    Example:
        >>> import tenfold as tf
        >>> tf.concat2d([[[1, 2]], [[3, 4]]], 0).array_sync()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    return _joined_of_rank(tensors, axis, 2)


@op()
def concat3d(tensors: Sequence[TensorLike], axis: int) -> Tensor:
    """Join tensors of rank 3 along an axis; see `concat`.

    Example:
        >>> import tenfold as tf
        >>> tf.concat3d([tf.zeros([1, 2, 3]), tf.zeros([1, 2, 1])], 2).shape
        (1, 2, 4)
    """
    return _joined_of_rank(tensors, axis, 3)


@op()
def concat4d(tensors: Sequence[TensorLike], axis: int) -> Tensor:
    """Join tensors of rank 4 along an axis; see `concat`.

    Example:
        >>> import tenfold as tf
        >>> tf.concat4d([tf.zeros([1, 2, 3, 4]), tf.zeros([1, 2, 3, 1])], 3).shape
        (1, 2, 3, 5)
    """
    return _joined_of_rank(tensors, axis, 4)


def _concat_method(self: Tensor, tensors: TensorLike | Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join this tensor and another, or several others, along an axis; see `concat`."""
    return concat([self, *_others(tensors)], axis)


def _others(tensors: TensorLike | Sequence[TensorLike]) -> Sequence[TensorLike]:
    return [tensors] if isinstance(tensors, Tensor) else tensors  # type: ignore[return-value]


attach("concat", _concat_method)

# --- stack, unstack ----------------------------------------------------------------------------------------


def _pack_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    first = specs[0]
    axis = resolve_axis(attributes.get("axis", 0), len(first.shape) + 1, "stack")
    for number, spec in enumerate(specs):
        if spec != first:
            raise ValueError(
                f"stack: all tensors must have one shape and dtype; 'tensors[{number}]' is {spec.dtype} of shape "
                f"{list(spec.shape)}, the first {first.dtype} of {list(first.shape)}."
            )
    return TensorSpec((*first.shape[:axis], len(specs), *first.shape[axis:]), first.dtype)


def _pack_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    parts = unstack(dy, attributes.get("axis", 0))
    return [lambda part=part: part for part in parts]  # type: ignore[misc]


def _pack_definition(*tensors: Array, axis: int = 0) -> Array:
    shape, count = tensors[0].shape, len(tensors)
    axis = resolve_axis(axis, len(shape) + 1, "stack")
    if count > MOST_SOURCES:
        return _concat_definition(*(_pack_definition(*some, axis=axis) for some in _in_runs(tensors)), axis=axis)

    def element(*i: Expr) -> Expr:
        return _chosen(i[axis], range(1, count + 1), lambda number: tensors[number][*i[:axis], *i[axis + 1 :]])

    return compute((*shape[:axis], count, *shape[axis:]), element)


PACK = define_kernel(Kernel("Pack", ("*tensors",), _pack_infer, definition=_pack_definition))
register_gradient("Pack", _pack_gradient)


@op()
def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Put tensors of one shape side by side along a new axis.

    Args:
        tensors: at least one, all of one shape and dtype.
        axis: where the new axis stands in the result; negative ones count from the end.

    Returns:
        Tensor of one rank more.

    Raises:
        TypeError: if it is no list of tensor-likes.
        ValueError: if the list is empty, or shapes or dtypes differ.

    Source: TensorFlow's `Pack`.

    Example:
        >>> import tenfold as tf
        >>> tf.stack([[1, 2], [3, 4]], 1).array_sync()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    converted = convert_to_tensor_array(tensors, "tensors", "stack", "string_or_numeric")
    if not converted:
        raise ValueError("stack: must pass at least one tensor, got an empty list.")
    axis = resolve_axis(axis, converted[0].rank + 1, "stack")
    _pack_infer([TensorSpec(tensor.shape, tensor.dtype) for tensor in converted], {"axis": axis})
    return ENGINE.run_kernel(PACK.name, converted, {"axis": axis})


def _stack_method(self: Tensor, tensors: TensorLike | Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Put this tensor and another, or several others, side by side along a new axis; see `stack`."""
    return stack([self, *_others(tensors)], axis)


attach("stack", _stack_method)


def _unpack_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> list[TensorSpec]:
    x = specs[0]
    axis = resolve_axis(attributes.get("axis", 0), len(x.shape), "unstack")
    number = attributes.get("num")
    if number is not None and number != x.shape[axis]:
        raise ValueError(f"unstack: axis {axis} of the shape {list(x.shape)} does not have {number} entries.")
    return [TensorSpec(x.shape[:axis] + x.shape[axis + 1 :], x.dtype)] * x.shape[axis]


def _unpack_gradient(dy: Tensor | list[Tensor], saved: list[Tensor], attributes: Attributes) -> Thunks:
    return [lambda: stack(dy if isinstance(dy, list) else [dy], attributes.get("axis", 0))]


def _unpack_definition(x: Array, *, axis: int = 0, num: int | None = None) -> tuple[Array, ...]:
    axis = resolve_axis(axis, x.rank, "unstack")
    shape = x.shape[:axis] + x.shape[axis + 1 :]

    def row(number: int) -> Array:
        return compute(shape, lambda *i: x[*i[:axis], number, *i[axis:]])

    return tuple(row(number) for number in range(x.shape[axis]))


UNPACK = define_kernel(Kernel("Unpack", ("x",), _unpack_infer, definition=_unpack_definition))
register_gradient("Unpack", _unpack_gradient)


@op(method=True)
def unstack(x: TensorLike, axis: int = 0) -> list[Tensor]:
    """Take a tensor apart along an axis.

    Args:
        x: tensor of any dtype, of rank 1 at least.
        axis: the axis; negative ones count from the end.

    Returns:
        As many tensors of one rank less as the axis is long.

    Raises:
        ValueError: if there is no such axis.

    Source: TensorFlow's `Unpack`.

    Example:
        >>> import tenfold as tf
        >>> [row.array_sync() for row in tf.unstack([[1, 2], [3, 4]])]
        [[1.0, 2.0], [3.0, 4.0]]
    """
    tensor = convert_to_tensor(x, "x", "unstack", "string_or_numeric")
    axis = resolve_axis(axis, tensor.rank, "unstack")
    return ENGINE.run_kernel(UNPACK.name, (tensor,), {"axis": axis})


# --- split -------------------------------------------------------------------------------------------------


def _split_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> list[TensorSpec]:
    x = specs[0]
    axis = resolve_axis(attributes["axis"], len(x.shape), "split")
    sizes = split_sizes(x.shape[axis], attributes["num_or_size_splits"])
    return [TensorSpec((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype) for size in sizes]


def _split_gradient(dy: Tensor | list[Tensor], saved: list[Tensor], attributes: Attributes) -> Thunks:
    return [lambda: concat(dy, attributes["axis"]) if isinstance(dy, list) else dy]


def _split_definition(x: Array, *, num_or_size_splits: int | Sequence[int], axis: int) -> tuple[Array, ...]:
    axis = resolve_axis(axis, x.rank, "split")
    sizes = split_sizes(x.shape[axis], num_or_size_splits)

    def part(size: int, end: int) -> Array:
        shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        return compute(shape, lambda *i: x[*i[:axis], i[axis] + (end - size), *i[axis + 1 :]])

    return tuple(part(size, end) for size, end in zip(sizes, accumulate(sizes), strict=True))


SPLIT = define_kernel(Kernel("SplitV", ("x",), _split_infer, definition=_split_definition))
register_gradient("SplitV", _split_gradient)


@op(method=True)
def split(x: TensorLike, num_or_size_splits: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut a tensor into consecutive parts along an axis.

    Args:
        x: tensor of any dtype, of rank 1 at least.
        num_or_size_splits: how many equal parts, or the length of each; one may be -1 and gets the rest.
        axis: the axis; negative ones count from the end.

    Returns:
        The parts in order.

    Raises:
        ValueError: if the parts do not make up the axis, or there is no such axis.

    Source: TensorFlow's `SplitV`.

    Example:
        >>> import tenfold as tf
        >>> [part.array_sync() for part in tf.split([1, 2, 3, 4], [1, 3])]
        [[1.0], [2.0, 3.0, 4.0]]
    """
    tensor = convert_to_tensor(x, "x", "split", "string_or_numeric")
    axis = resolve_axis(axis, tensor.rank, "split")
    given = num_or_size_splits
    parts = (
        integers(given, "num_or_size_splits", "split")
        if isinstance(given, (list, tuple))
        else integer(given, "num_or_size_splits", "split")
    )
    sizes = split_sizes(tensor.shape[axis], parts)
    return ENGINE.run_kernel(SPLIT.name, (tensor,), {"num_or_size_splits": sizes, "axis": axis})


# --- tile, reverse -----------------------------------------------------------------------------------------


def _tile_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x, reps = specs[0], attributes["reps"]
    if len(reps) != len(x.shape) or any(rep < 0 for rep in reps):
        raise ValueError(
            f"tile: argument 'reps' must hold a non-negative number for each axis of the shape {list(x.shape)}, got "
            f"{list(reps)}."
        )
    return TensorSpec(tuple(n * rep for n, rep in zip(x.shape, reps, strict=True)), x.dtype)


def _tile_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    """Repeated axes are seen as [times, length], and the times are summed."""
    x, reps = saved[0], attributes["reps"]
    lengths: list[int] = []
    times: list[int] = []
    for length, rep in zip(x.shape, reps, strict=True):
        if rep != 1:
            times.append(len(lengths))
            lengths.append(rep)
        lengths.append(length)
    return [lambda: dy.reshape(lengths).sum(times) if times else dy.clone()]


def _tile_definition(x: Array, *, reps: Shape) -> Array:
    shape = [n * rep for n, rep in zip(x.shape, reps, strict=True)]
    return compute(shape, lambda *i: x[[modulo(k, max(n, 1)) for k, n in zip(i, x.shape, strict=True)]])


TILE = define_kernel(Kernel("Tile", ("x",), _tile_infer, definition=_tile_definition))
register_gradient("Tile", _tile_gradient, inputs_to_save=["x"])


@op(method=True)
def tile(x: TensorLike, reps: Sequence[int]) -> Tensor:
    """Repeat a tensor along its axes.

    Args:
        x: tensor of any dtype.
        reps: how many times along each axis.

    Returns:
        Tensor whose axes are as many times longer.

    Raises:
        TypeError: if `reps` is no list of integers.
        ValueError: if `reps` has not one number for each axis.

    Source: TensorFlow's `Tile`.

    Example:
        >>> import tenfold as tf
        >>> tf.tile([[1, 2]], [2, 2]).array_sync()
        [[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]
    """
    tensor = convert_to_tensor(x, "x", "tile", "string_or_numeric")
    attributes = {"reps": integers(reps, "reps", "tile")}
    _tile_infer((TensorSpec(tensor.shape, tensor.dtype),), attributes)
    return ENGINE.run_kernel(TILE.name, (tensor,), attributes)


def _reverse_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    resolve_axes(attributes["dims"], len(specs[0].shape), "reverse")
    return specs[0]


def _reverse_definition(x: Array, *, dims: Shape) -> Array:
    turned = resolve_axes(dims, x.rank, "reverse")
    return compute(x.shape, lambda *i: x[[x.shape[a] - 1 - k if a in turned else k for a, k in enumerate(i)]])


REVERSE = define_kernel(Kernel("Reverse", ("x",), _reverse_infer, definition=_reverse_definition))
register_gradient("Reverse", lambda dy, saved, attributes: [lambda: dy.reverse(attributes["dims"])])


@op(method=True)
def reverse(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Turn a tensor round along axes.

    Args:
        x: tensor of any dtype.
        axis: one axis or several; negative ones count from the end. All if None.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        TypeError: if an axis is no integer.
        ValueError: if there is no such axis.

    Source: TensorFlow's `ReverseV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.reverse([1, 2, 3]).array_sync()
        [3.0, 2.0, 1.0]
        >>> tf.reverse([[1, 2], [3, 4]], 0).array_sync()
        [[3.0, 4.0], [1.0, 2.0]]
    """
    tensor = convert_to_tensor(x, "x", "reverse", "string_or_numeric")
    dims = resolve_axes(axis, tensor.rank, "reverse")
    return ENGINE.run_kernel(REVERSE.name, (tensor,), {"dims": dims})


def _reversed_of_rank(x: TensorLike, axis: int | Sequence[int] | None, rank: int) -> Tensor:
    name = f"reverse{rank}d"
    tensor = convert_to_tensor(x, "x", name, "string_or_numeric")
    if tensor.rank != rank:
        raise ValueError(f"{name}: argument 'x' must have rank {rank}, got the shape {list(tensor.shape)}.")
    return ENGINE.run_kernel(REVERSE.name, (tensor,), {"dims": resolve_axes(axis, rank, name)})


@op()
def reverse1d(x: TensorLike) -> Tensor:
    """Turn a tensor of rank 1 round; see `reverse`.

    Example:
        >>> import tenfold as tf
        >>> tf.reverse1d([1, 2, 3]).array_sync()
        [3.0, 2.0, 1.0]
    """
    return _reversed_of_rank(x, 0, 1)


@op()
def reverse2d(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Turn a tensor of rank 2 round along axes, along both if None; see `reverse`.

    Example:
        >>> import tenfold as tf
        >>> tf.reverse2d([[1, 2], [3, 4]], 1).array_sync()
        [[2.0, 1.0], [4.0, 3.0]]
    """
    return _reversed_of_rank(x, axis, 2)


@op()
def reverse3d(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Turn a tensor of rank 3 round along axes, along all if None; see `reverse`.

    Example:
        >>> import tenfold as tf
        >>> tf.reverse3d([[[1, 2], [3, 4]]]).array_sync()
        [[[4.0, 3.0], [2.0, 1.0]]]
    """
    return _reversed_of_rank(x, axis, 3)


@op()
def reverse4d(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Turn a tensor of rank 4 round along axes, along all if None; see `reverse`.

    Example:
        >>> import tenfold as tf
        >>> tf.reverse4d([[[[1, 2], [3, 4]]]], -1).array_sync()
        [[[[2.0, 1.0], [4.0, 3.0]]]]
    """
    return _reversed_of_rank(x, axis, 4)


# --- meshgrid ----------------------------------------------------------------------------------------------


@op()
def meshgrid(*coordinates: TensorLike, indexing: str = "xy") -> list[Tensor]:
    """Grids of the coordinates along each axis, such as x and y of every point of a plane.

    Args:
        coordinates: tensors of rank 1 (others are seen as such), one for each axis.
        indexing: `"xy"` puts the second tensor along the first axis of the grids, as pictures have it; `"ij"` keeps
            the order of the tensors.

    Returns:
        A grid for each tensor, of its dtype; nothing for nothing.

    Raises:
        ValueError: if `indexing` is neither.

    Source: TensorFlow's `tf.meshgrid`.

    Example:
        >>> import tenfold as tf
        >>> x, y = tf.meshgrid([1, 2, 3], [4, 5])
        >>> x.array_sync(), y.array_sync()
        ([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], [[4.0, 4.0, 4.0], [5.0, 5.0, 5.0]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: argument 'indexing' must be 'xy' or 'ij', got {indexing!r}.")
    vectors = [convert_to_tensor(x, f"coordinates[{i}]", "meshgrid") for i, x in enumerate(coordinates)]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        order[:2] = [1, 0]
    shape = tuple(vectors[number].size for number in order)
    grids = []
    for number, vector in enumerate(vectors):
        along = tuple(vector.size if axis == order.index(number) else 1 for axis in range(len(order)))
        grids.append(vector.reshape(along).broadcast_to(shape))
    return grids
