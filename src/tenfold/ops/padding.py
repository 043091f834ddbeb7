"""Borders around tensors: constant ones and mirrored ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tenfold.codegen.compute import Array, all_hold, compute, in_range, simplify
from tenfold.codegen.expr import Expr, call, select
from tenfold.core.arguments import integer_pairs, integers, plain_value
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.ops import creation

Paddings = Sequence[Sequence[int]]


def _padded_shape(shape: Shape, paddings: Paddings, op: str) -> Shape:
    if not shape:
        raise ValueError(f"{op}: a scalar has no axes to pad; pass a tensor of rank 1 at least.")
    if len(paddings) != len(shape) or any(n < 0 for pair in paddings for n in pair):
        raise ValueError(
            f"{op}: argument 'paddings' must hold a pair [before, after] of non-negative numbers for each axis of the "
            f"shape {list(shape)}, got {[list(pair) for pair in paddings]}."
        )
    return tuple(n + before + after for n, (before, after) in zip(shape, paddings, strict=True))


# --- pad ---------------------------------------------------------------------------------------------------


def _pad_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec(_padded_shape(specs[0].shape, attributes["paddings"], "pad"), specs[0].dtype)


def _pad_definition(x: Array, *, paddings: Paddings, constant_value: Any) -> Array:
    value = creation.as_constant(constant_value, x.dtype)

    def element(*i: Expr) -> Expr:
        at = [k - before for k, (before, _) in zip(i, paddings, strict=True)]
        inside = all_hold(in_range(k, length) for k, length in zip(at, x.shape, strict=True))
        return select(inside, x[at], value)

    return compute(_padded_shape(x.shape, paddings, "pad"), element)


PAD = define_kernel(Kernel("PadV2", ("x",), _pad_infer, definition=_pad_definition))


def _pad_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> list[Callable[[], Tensor]]:
    begin = [before for before, _ in attributes["paddings"]]
    return [lambda: dy.slice(begin, saved[0].shape)]


register_gradient("PadV2", _pad_gradient, inputs_to_save=["x"])


@op(method=True)
def pad(x: TensorLike, paddings: Paddings, constant_value: float = 0) -> Tensor:
    """Put a border of one value around a tensor.

    Args:
        x: numeric tensor of rank 1 at least.
        paddings: for each axis how many elements to put `[before, after]` it.
        constant_value: the value of the border.

    Returns:
        Tensor of the same rank and dtype.

    Raises:
        TypeError: if `paddings` does not hold integers.
        ValueError: if it has not one pair for each axis, or a negative number, or `x` is a scalar.

    Source: TensorFlow's `PadV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.pad([1, 2], [[1, 2]]).array_sync()
        [0.0, 1.0, 2.0, 0.0, 0.0]
    """
    return _padded(x, integer_pairs(paddings, "paddings", "pad"), constant_value, "pad")


def _padded(x: TensorLike, paddings: Paddings, constant_value: Any, name: str) -> Tensor:
    tensor = convert_to_tensor(x, "x", name)
    _padded_shape(tensor.shape, paddings, name)
    attributes = {"paddings": paddings, "constant_value": plain_value(constant_value)}
    return ENGINE.run_kernel(PAD.name, (tensor,), attributes)


@op()
def pad1d(x: TensorLike, paddings: Sequence[int], constant_value: float = 0) -> Tensor:
    """Put a border around a tensor of rank 1; see `pad`.

    Args:
        x: numeric tensor of rank 1.
        paddings: how many elements to put `[before, after]` it.
        constant_value: the value of the border.

    Example:
        >>> import tenfold as tf
        >>> tf.pad1d([1, 2], [1, 1], 9).array_sync()
        [9.0, 1.0, 2.0, 9.0]
    """
    pair = integers(paddings, "paddings", "pad1d")
    return _padded(x, integer_pairs([pair], "paddings", "pad1d"), constant_value, "pad1d")


@op()
def pad2d(x: TensorLike, paddings: Paddings, constant_value: float = 0) -> Tensor:
    """Put a border around a tensor of rank 2; see `pad`.

    Example:
        >>> import tenfold as tf
        >>> tf.pad2d([[1, 2]], [[0, 1], [1, 0]]).array_sync()
        [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    """
    return _padded_of_rank(x, paddings, constant_value, 2)


@op()
def pad3d(x: TensorLike, paddings: Paddings, constant_value: float = 0) -> Tensor:
    """Put a border around a tensor of rank 3; see `pad`.

    Example:
        >>> import tenfold as tf
        >>> tf.pad3d([[[1, 2]]], [[0, 0], [0, 0], [1, 0]]).array_sync()
        [[[0.0, 1.0, 2.0]]]
    """
    return _padded_of_rank(x, paddings, constant_value, 3)


@op()
def pad4d(x: TensorLike, paddings: Paddings, constant_value: float = 0) -> Tensor:
    """Put a border around a tensor of rank 4; see `pad`.

    Example:
        >>> import tenfold as tf
        >>> tf.pad4d([[[[1, 2]]]], [[0, 0], [0, 0], [0, 0], [1, 0]]).array_sync()
        [[[[0.0, 1.0, 2.0]]]]
    """
    return _padded_of_rank(x, paddings, constant_value, 4)


def _padded_of_rank(x: TensorLike, paddings: Paddings, constant_value: float, rank: int) -> Tensor:
    name = f"pad{rank}d"
    pairs = integer_pairs(paddings, "paddings", name)
    if len(pairs) != rank:
        raise ValueError(f"{name}: argument 'paddings' must hold {rank} pairs [before, after], got {len(pairs)}.")
    return _padded(x, pairs, constant_value, name)


# --- mirror_pad --------------------------------------------------------------------------------------------


def _mirror_pad_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape, paddings, mode = specs[0].shape, attributes["paddings"], attributes["mode"]
    padded = _padded_shape(shape, paddings, "mirror_pad")
    if mode not in ("reflect", "symmetric"):
        raise ValueError(f"mirror_pad: argument 'mode' must be 'reflect' or 'symmetric', got {mode!r}.")
    for axis, (length, pair) in enumerate(zip(shape, paddings, strict=True)):
        most = max(length - _edge(mode), 0)
        if max(pair) > most:
            raise ValueError(
                f"mirror_pad: axis {axis} of length {length} can be padded by {most} at most in mode '{mode}', got "
                f"{list(pair)}."
            )
    return TensorSpec(padded, specs[0].dtype)


def _edge(mode: str) -> int:
    """How many elements at the edge the mirror leaves out."""
    return 1 if mode == "reflect" else 0


def _mirror_pad_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> list[Callable[[], Tensor]]:
    """Axis by axis, what the mirrored borders got is turned round and added to where it came from."""

    def for_x() -> Tensor:
        gradient, edge = dy, _edge(attributes["mode"])
        for axis, (before, after) in enumerate(attributes["paddings"]):
            length = saved[0].shape[axis]
            inside = _part(gradient, axis, before, length)
            for start, count, place in (
                (0, before, edge),
                (before + length, after, length - after - edge),
            ):
                if count:
                    mirrored = _part(gradient, axis, start, count).reverse(axis)
                    inside = inside.add(_placed(mirrored, axis, place, length))
            gradient = inside
        return gradient

    return [for_x]


def _part(x: Tensor, axis: int, start: int, count: int) -> Tensor:
    size = [-1] * x.rank
    size[axis] = count
    return x.slice([start if i == axis else 0 for i in range(x.rank)], size)


def _placed(x: Tensor, axis: int, start: int, length: int) -> Tensor:
    border = (start, length - start - x.shape[axis])
    return x.pad([border if i == axis else (0, 0) for i in range(x.rank)])


def _mirror_pad_definition(x: Array, *, paddings: Paddings, mode: str) -> Array:
    edge = _edge(mode)

    def source(index: Expr, axis: int) -> Expr:
        (before, after), length = paddings[axis], x.shape[axis]
        place = simplify(index - before)
        if before:
            place = simplify(call("maximum", place, (edge - 1) - place))
        if after:
            place = simplify(call("minimum", place, (2 * length - 1 - edge) - place))
        return place

    padded = _padded_shape(x.shape, paddings, "mirror_pad")
    return compute(padded, lambda *i: x[[source(k, axis) for axis, k in enumerate(i)]])


MIRROR_PAD = define_kernel(Kernel("MirrorPad", ("x",), _mirror_pad_infer, definition=_mirror_pad_definition))
register_gradient("MirrorPad", _mirror_pad_gradient, inputs_to_save=["x"])


@op(method=True)
def mirror_pad(x: TensorLike, paddings: Paddings, mode: str) -> Tensor:
    """Put a border around a tensor in which its own values are mirrored.

    Args:
        x: numeric tensor of rank 1 at least.
        paddings: for each axis how many elements to put `[before, after]` it.
        mode: `"reflect"` mirrors at the outermost elements without repeating them (so an axis can be padded by its
            length - 1 at most), `"symmetric"` repeats them (by its length at most).

    Returns:
        Tensor of the same rank and dtype.

    Raises:
        TypeError: if `paddings` does not hold integers.
        ValueError: if it does not fit the shape, or the mode is unknown.

    Source: TensorFlow's `MirrorPad`.

    Example:
        >>> import tenfold as tf
        >>> tf.mirror_pad([1, 2, 3], [[2, 2]], "reflect").array_sync()
        [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]
        >>> tf.mirror_pad([1, 2, 3], [[2, 2]], "symmetric").array_sync()
        [2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0]
    """
    tensor = convert_to_tensor(x, "x", "mirror_pad")
    attributes = {"paddings": integer_pairs(paddings, "paddings", "mirror_pad"), "mode": mode}
    _mirror_pad_infer((TensorSpec(tensor.shape, tensor.dtype),), attributes)
    return ENGINE.run_kernel(MIRROR_PAD.name, (tensor,), attributes)
