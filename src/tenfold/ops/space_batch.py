"""Blocks of space moved into other axes and back: into the batch, or out of the depth."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tenfold.codegen.compute import Array, all_hold, compute, flatten, in_range, modulo, quotient, unflatten
from tenfold.codegen.expr import Expr, select
from tenfold.core.arguments import integer, integer_pairs, integers
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor

# --- space_to_batch_nd, batch_to_space_nd ------------------------------------------------------------------


def _check_blocks(shape: Shape, blocks: Shape, pairs: Sequence[Sequence[int]], op: str, argument: str) -> None:
    if len(shape) <= len(blocks):
        raise ValueError(f"{op}: 'x' must have more axes than the {len(blocks)} blocks, got the shape {list(shape)}.")
    if len(pairs) != len(blocks):
        raise ValueError(
            f"{op}: argument '{argument}' must hold a pair for each of the {len(blocks)} blocks, got {len(pairs)}."
        )
    if any(block < 1 for block in blocks) or any(n < 0 for pair in pairs for n in pair):
        raise ValueError(
            f"{op}: argument 'block_shape' must hold positive numbers and '{argument}' non-negative ones, got "
            f"{list(blocks)} and {[list(pair) for pair in pairs]}."
        )


def _space_to_batch_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape, blocks, paddings = specs[0].shape, attributes["block_shape"], attributes["paddings"]
    _check_blocks(shape, blocks, paddings, "space_to_batch_nd", "paddings")
    space = []
    for length, block, (before, after) in zip(shape[1:], blocks, paddings, strict=False):
        if (length + before + after) % block:
            raise ValueError(
                f"space_to_batch_nd: blocks of {block} do not divide an axis of {length} + {before} + {after}."
            )
        space.append((length + before + after) // block)
    return TensorSpec((shape[0] * prod(blocks), *space, *shape[1 + len(blocks) :]), specs[0].dtype)


def _space_to_batch_definition(x: Array, *, block_shape: Shape, paddings: Sequence[Sequence[int]]) -> Array:
    count, batch = len(block_shape), x.shape[0]
    padded = [n + before + after for n, (before, after) in zip(x.shape[1:], paddings, strict=False)]
    space = [n // block for n, block in zip(padded, block_shape, strict=True)]

    def element(row: Expr, *i: Expr) -> Expr:
        *offsets, entry = unflatten(row, (*block_shape, batch))
        at = [
            k * block + offset - before
            for k, block, offset, (before, _) in zip(i, block_shape, offsets, paddings, strict=False)
        ]
        inside = all_hold(in_range(k, n) for k, n in zip(at, x.shape[1:], strict=False))
        return select(inside, x[entry, *at, *i[count:]], 0)

    return compute((batch * prod(block_shape), *space, *x.shape[1 + count :]), element)


SPACE_TO_BATCH_ND = define_kernel(
    Kernel("SpaceToBatchND", ("x",), _space_to_batch_infer, definition=_space_to_batch_definition)
)
register_gradient(
    "SpaceToBatchND",
    lambda dy, saved, attributes: [lambda: dy.batch_to_space_nd(attributes["block_shape"], attributes["paddings"])],
)


@op(method=True)
def space_to_batch_nd(x: TensorLike, block_shape: Sequence[int], paddings: Sequence[Sequence[int]]) -> Tensor:
    """Pad the spatial axes of a tensor and move its blocks into the batch.

    Args:
        x: tensor `[batch, *space, *rest]` with as many axes of space as there are blocks.
        block_shape: how many neighbours along each axis of space go to different entries of the batch.
        paddings: for each axis of space how many zeros to put `[before, after]` it first; the blocks must divide the
            padded lengths.

    Returns:
        Tensor `[batch * product of the blocks, *(padded space / block), *rest]` of the same dtype.

    Raises:
        TypeError: if numbers are no integers.
        ValueError: if they do not fit the shape.

    Source: TensorFlow's `SpaceToBatchND`.

    Example:
        >>> import tenfold as tf
        >>> tf.space_to_batch_nd([[1, 2, 3, 4]], [2], [[0, 0]]).array_sync()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    name = "space_to_batch_nd"
    tensor = convert_to_tensor(x, "x", name)
    blocks = integers(block_shape, "block_shape", name)
    attributes = {"block_shape": blocks, "paddings": integer_pairs(paddings, "paddings", name)}
    _space_to_batch_infer((TensorSpec(tensor.shape, tensor.dtype),), attributes)
    return ENGINE.run_kernel(SPACE_TO_BATCH_ND.name, (tensor,), attributes)


def _batch_to_space_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape, blocks, crops = specs[0].shape, attributes["block_shape"], attributes["crops"]
    _check_blocks(shape, blocks, crops, "batch_to_space_nd", "crops")
    if shape[0] % prod(blocks):
        raise ValueError(
            f"batch_to_space_nd: the batch {shape[0]} must be divisible by the product of the blocks, {prod(blocks)}."
        )
    space = [n * b - before - after for n, b, (before, after) in zip(shape[1:], blocks, crops, strict=False)]
    if any(length < 0 for length in space):
        raise ValueError(
            f"batch_to_space_nd: argument 'crops' {[list(pair) for pair in crops]} takes away more than there is of "
            f"the shape {list(shape)}."
        )
    return TensorSpec((shape[0] // prod(blocks), *space, *shape[1 + len(blocks) :]), specs[0].dtype)


def _batch_to_space_definition(x: Array, *, block_shape: Shape, crops: Sequence[Sequence[int]]) -> Array:
    count, batch = len(block_shape), x.shape[0] // prod(block_shape)
    space = [n * b - before - after for n, b, (before, after) in zip(x.shape[1:], block_shape, crops, strict=False)]

    def element(entry: Expr, *i: Expr) -> Expr:
        whole = [k + before for k, (before, _) in zip(i, crops, strict=False)]
        offsets = [modulo(k, block) for k, block in zip(whole, block_shape, strict=True)]
        at = [quotient(k, block) for k, block in zip(whole, block_shape, strict=True)]
        return x[flatten((*offsets, entry), (*block_shape, batch)), *at, *i[count:]]

    return compute((batch, *space, *x.shape[1 + count :]), element)


BATCH_TO_SPACE_ND = define_kernel(
    Kernel("BatchToSpaceND", ("x",), _batch_to_space_infer, definition=_batch_to_space_definition)
)
register_gradient(
    "BatchToSpaceND",
    lambda dy, saved, attributes: [lambda: dy.space_to_batch_nd(attributes["block_shape"], attributes["crops"])],
)


@op(method=True)
def batch_to_space_nd(x: TensorLike, block_shape: Sequence[int], crops: Sequence[Sequence[int]]) -> Tensor:
    """Move entries of the batch back into blocks of space, and crop; the inverse of `space_to_batch_nd`.

    Args:
        x: tensor `[batch, *space, *rest]` with as many axes of space as there are blocks.
        block_shape: how many neighbours along each axis of space come from different entries of the batch.
        crops: for each axis of space how many elements to cut off `[before, after]` it in the end.

    Returns:
        Tensor `[batch / product of the blocks, *(space * block - crops), *rest]` of the same dtype.

    Raises:
        TypeError: if numbers are no integers.
        ValueError: if they do not fit the shape.

    Source: TensorFlow's `BatchToSpaceND`.

    Example:
        >>> import tenfold as tf
        >>> tf.batch_to_space_nd([[1, 3], [2, 4]], [2], [[0, 1]]).array_sync()
        [[1.0, 2.0, 3.0]]
    """
    name = "batch_to_space_nd"
    tensor = convert_to_tensor(x, "x", name)
    blocks = integers(block_shape, "block_shape", name)
    attributes = {"block_shape": blocks, "crops": integer_pairs(crops, "crops", name)}
    _batch_to_space_infer((TensorSpec(tensor.shape, tensor.dtype),), attributes)
    return ENGINE.run_kernel(BATCH_TO_SPACE_ND.name, (tensor,), attributes)


# --- depth_to_space ----------------------------------------------------------------------------------------


def _depth_to_space_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    shape, block = specs[0].shape, attributes["block_size"]
    data_format = attributes.get("data_format", "NHWC")
    if len(shape) != 4 or data_format not in ("NHWC", "NCHW"):
        raise ValueError(
            f"depth_to_space: 'x' must have rank 4 and 'data_format' be 'NHWC' or 'NCHW', got the shape {list(shape)} "
            f"and {data_format!r}."
        )
    if block < 1:
        raise ValueError(f"depth_to_space: argument 'block_size' must be positive, got {block}.")
    batch, height, width, depth = shape if data_format == "NHWC" else (shape[0], *shape[2:], shape[1])
    if depth % block**2:
        raise ValueError(
            f"depth_to_space: the depth {depth} of the shape {list(shape)} must be divisible by the square of the "
            f"block, {block**2}."
        )
    height, width, depth = height * block, width * block, depth // block**2
    return TensorSpec(
        (batch, height, width, depth) if data_format == "NHWC" else (batch, depth, height, width), specs[0].dtype
    )


def _space_to_depth(dy: Tensor, attributes: Attributes) -> Tensor:
    block = attributes["block_size"]
    if attributes.get("data_format", "NHWC") == "NHWC":
        batch, height, width, depth = dy.shape
        cut = dy.reshape((batch, height // block, block, width // block, block, depth))
        moved = cut.transpose([0, 1, 3, 2, 4, 5])
        return moved.reshape((batch, height // block, width // block, depth * block**2))
    batch, depth, height, width = dy.shape
    cut = dy.reshape((batch, depth, height // block, block, width // block, block))
    return cut.transpose([0, 3, 5, 1, 2, 4]).reshape((batch, depth * block**2, height // block, width // block))


def _depth_to_space_definition(x: Array, *, block_size: int, data_format: str = "NHWC") -> Array:
    last = data_format == "NHWC"
    batch, height, width, depth = x.shape if last else (x.shape[0], *x.shape[2:], x.shape[1])
    height, width, depth = height * block_size, width * block_size, depth // block_size**2

    def element(entry: Expr, *i: Expr) -> Expr:
        row, column, channel = i if last else (*i[1:], i[0])
        within = flatten(
            (modulo(row, block_size), modulo(column, block_size), channel), (block_size, block_size, depth)
        )
        at = quotient(row, block_size), quotient(column, block_size)
        return x[entry, *at, within] if last else x[entry, within, *at]

    return compute((batch, height, width, depth) if last else (batch, depth, height, width), element)


DEPTH_TO_SPACE = define_kernel(
    Kernel("DepthToSpace", ("x",), _depth_to_space_infer, definition=_depth_to_space_definition)
)
register_gradient(
    "DepthToSpace",
    lambda dy, saved, attributes: [lambda: _space_to_depth(dy, attributes)],
)


@op(method=True)
def depth_to_space(x: TensorLike, block_size: int, data_format: str = "NHWC") -> Tensor:
    """Lay the channels of each pixel out as a block of pixels.

    Args:
        x: tensor `[batch, height, width, depth]`, or `[batch, depth, height, width]` for `"NCHW"`.
        block_size: the side of the blocks, 2 at least; its square must divide the depth.
        data_format: `"NHWC"` or `"NCHW"`.

    Returns:
        Tensor with height and width `block_size` times longer, and a depth divided by its square.

    Raises:
        TypeError: if `block_size` is no integer.
        ValueError: if the arguments do not fit the shape.

    Source: TensorFlow's `DepthToSpace`.

    Example:
        >>> import tenfold as tf
        >>> tf.depth_to_space([[[[1, 2, 3, 4]]]], 2).array_sync()
        [[[[1.0], [2.0]], [[3.0], [4.0]]]]
    """
    tensor = convert_to_tensor(x, "x", "depth_to_space")
    block = integer(block_size, "block_size", "depth_to_space")
    if block < 2:
        raise ValueError(f"depth_to_space: argument 'block_size' must be 2 at least, got {block}.")
    attributes = {"block_size": block, "data_format": data_format}
    _depth_to_space_infer((TensorSpec(tensor.shape, tensor.dtype),), attributes)
    return ENGINE.run_kernel(DEPTH_TO_SPACE.name, (tensor,), attributes)
