"""Kernels of the cpu backend that repeat, turn round, join, cut and regroup whole tensors."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tenfold.backends.cpu.padding import Paddings, pad
from tenfold.backends.cpu.registry import cpu_kernel
from tenfold.core.slices import split_sizes
from tenfold.core.storage import Shape


@cpu_kernel("BroadcastTo")
def broadcast_to(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    return np.array(np.broadcast_to(x, shape), order="C")


@cpu_kernel("BroadcastArgs")
def broadcast_args(s0: np.ndarray, s1: np.ndarray) -> np.ndarray:
    try:
        return np.array(np.broadcast_shapes(tuple(s0.tolist()), tuple(s1.tolist())), np.int32)
    except ValueError:
        raise ValueError(
            f"broadcast_args: the shapes {s0.tolist()} and {s1.tolist()} do not broadcast to one."
        ) from None


@cpu_kernel("Tile")
def tile(x: np.ndarray, *, reps: Shape) -> np.ndarray:
    return np.tile(x, reps)


@cpu_kernel("Reverse")
def reverse(x: np.ndarray, *, dims: Shape) -> np.ndarray:
    return np.array(np.flip(x, dims), order="C")


@cpu_kernel("Concat")
def concat(*tensors: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate(tensors, axis, dtype=tensors[0].dtype, casting="unsafe")


@cpu_kernel("Pack")
def pack(*tensors: np.ndarray, axis: int) -> np.ndarray:
    return np.stack(tensors, axis)


@cpu_kernel("Unpack")
def unpack(x: np.ndarray, *, axis: int = 0, num: int | None = None) -> tuple[np.ndarray, ...]:
    rows = np.moveaxis(x, axis, 0)
    return tuple(np.array(rows[i : i + 1], order="C").reshape(rows.shape[1:]) for i in range(len(rows)))


@cpu_kernel("SplitV")
def split(x: np.ndarray, *, num_or_size_splits: int | Sequence[int], axis: int) -> tuple[np.ndarray, ...]:
    ends = np.cumsum(split_sizes(x.shape[axis], num_or_size_splits))
    return tuple(np.array(part, order="C") for part in np.split(x, ends[:-1], axis))


@cpu_kernel("SpaceToBatchND")
def space_to_batch_nd(x: np.ndarray, *, block_shape: Shape, paddings: Paddings) -> np.ndarray:
    count = len(block_shape)
    untouched = [(0, 0)] * (x.ndim - 1 - count)
    padded = pad(x, paddings=[(0, 0), *paddings, *untouched], constant_value=0)
    batch, *spatial = padded.shape[: 1 + count]
    rest = padded.shape[1 + count :]
    cut = padded.reshape(batch, *(n for s, b in zip(spatial, block_shape, strict=True) for n in (s // b, b)), *rest)
    within, outside = range(2, 2 * count + 1, 2), range(1, 2 * count, 2)
    moved = cut.transpose(*within, 0, *outside, *range(2 * count + 1, cut.ndim))
    blocks = (s // b for s, b in zip(spatial, block_shape, strict=True))
    return np.array(moved, order="C").reshape(batch * prod(block_shape), *blocks, *rest)


@cpu_kernel("BatchToSpaceND")
def batch_to_space_nd(x: np.ndarray, *, block_shape: Shape, crops: Paddings) -> np.ndarray:
    count = len(block_shape)
    batch = x.shape[0] // prod(block_shape)
    spatial, rest = x.shape[1 : 1 + count], x.shape[1 + count :]
    cut = x.reshape(*block_shape, batch, *spatial, *rest)
    interleaved = (axis for i in range(count) for axis in (count + 1 + i, i))
    moved = cut.transpose(count, *interleaved, *range(2 * count + 1, cut.ndim))
    whole = tuple(s * b for s, b in zip(spatial, block_shape, strict=True))
    kept = (slice(before, n - after) for n, (before, after) in zip(whole, crops, strict=True))
    return np.array(moved.reshape(batch, *whole, *rest)[(slice(None), *kept)], order="C")


@cpu_kernel("DepthToSpace")
def depth_to_space(x: np.ndarray, *, block_size: int, data_format: str = "NHWC") -> np.ndarray:
    if data_format == "NCHW":
        batch, depth, height, width = x.shape
        cut = x.reshape(batch, block_size, block_size, depth // block_size**2, height, width)
        moved = cut.transpose(0, 3, 4, 1, 5, 2)
        shape = (batch, depth // block_size**2, height * block_size, width * block_size)
    else:
        batch, height, width, depth = x.shape
        cut = x.reshape(batch, height, width, block_size, block_size, depth // block_size**2)
        moved = cut.transpose(0, 1, 3, 2, 4, 5)
        shape = (batch, height * block_size, width * block_size, depth // block_size**2)
    return np.array(moved, order="C").reshape(shape)
