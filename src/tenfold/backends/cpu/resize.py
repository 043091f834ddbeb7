"""Resizing images on the cpu backend, one axis after the other, and the gradients of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("ResizeBilinear")
def resize_bilinear(
    images: np.ndarray, *, size: Sequence[int], align_corners: bool = False, half_pixel_centers: bool = False
) -> np.ndarray:
    """Images `[batch, height, width, channels]` at another size, each pixel mixed of its four neighbours."""
    out = images if images.dtype.kind == "f" else images.astype(np.float32)
    for axis in _cheapest_order(images.shape, size):
        if size[axis - 1] != images.shape[axis]:
            position = _position(images.shape[axis], size[axis - 1], align_corners, half_pixel_centers)
            low, high, share = _neighbours(position, images.shape[axis], axis, out.dtype)
            first = out.take(low, axis)
            second = out.take(high, axis)
            second -= first
            second *= share
            second += first
            out = second
    return out.copy() if out is images else out


@cpu_kernel("ResizeNearestNeighbor")
def resize_nearest_neighbor(
    images: np.ndarray, *, size: Sequence[int], align_corners: bool = False, half_pixel_centers: bool = False
) -> np.ndarray:
    """Images `[batch, height, width, channels]` at another size, each pixel a copy of the nearest one."""
    out = images
    for axis in _cheapest_order(images.shape, size):
        out = out.take(_nearest(images.shape[axis], size[axis - 1], align_corners, half_pixel_centers), axis)
    return out


@cpu_kernel("ResizeBilinearGrad")
def resize_bilinear_grad(
    images: np.ndarray, dy: np.ndarray, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> np.ndarray:
    """The gradient of `resize_bilinear` with respect to the images."""
    for axis in (1, 2):
        position = _position(images.shape[axis], dy.shape[axis], align_corners, half_pixel_centers)
        low, high, share = _neighbours(position, images.shape[axis], axis, dy.dtype)
        second = dy * share
        dy = _sums_at(low, dy - second, images.shape[axis], axis)
        dy += _sums_at(high, second, images.shape[axis], axis)
    return dy


@cpu_kernel("ResizeNearestNeighborGrad")
def resize_nearest_neighbor_grad(
    images: np.ndarray, dy: np.ndarray, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> np.ndarray:
    """The gradient of `resize_nearest_neighbor` with respect to the images."""
    for axis in (1, 2):
        nearest = _nearest(images.shape[axis], dy.shape[axis], align_corners, half_pixel_centers)
        dy = _sums_at(nearest, dy, images.shape[axis], axis)
    return dy


def _cheapest_order(shape: Sequence[int], size: Sequence[int]) -> tuple[int, int]:
    """The axis that shrinks more, or grows less, goes first."""
    return (1, 2) if size[0] * shape[2] <= size[1] * shape[1] else (2, 1)


def _position(size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> np.ndarray:
    """Where each wanted pixel lies between the given ones, in their numbering; never decreasing.

    Quotients of whole numbers: what lies at a given pixel lies there to the last bit.
    """
    number = np.arange(wanted)
    if align_corners and wanted > 1:
        return number * (size - 1) / (wanted - 1)
    if half_pixel_centers:
        return ((2 * number + 1) * size - wanted) / (2 * wanted)
    return number * size / max(wanted, 1)


def _neighbours(
    position: np.ndarray, size: int, axis: int, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels before and after each position, and the second one's share, shaped to multiply images."""
    low = np.clip(np.floor(position), 0, size - 1)
    high = np.clip(np.ceil(position), 0, size - 1)
    share = (position - low).astype(dtype)
    return low.astype(np.intp), high.astype(np.intp), share.reshape(-1, *(1,) * (3 - axis))


def _nearest(size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> np.ndarray:
    position = _position(size, wanted, align_corners, half_pixel_centers)
    if half_pixel_centers or align_corners:
        position = position + 0.5
    nearest: np.ndarray = np.clip(np.floor(position), 0, size - 1)
    return nearest.astype(np.intp)


def _sums_at(index: np.ndarray, values: np.ndarray, size: int, axis: int) -> np.ndarray:
    """For each of `size` places along the axis, the sum of the values with that index (never decreasing)."""
    out = np.zeros((*values.shape[:axis], size, *values.shape[axis + 1 :]), values.dtype)
    if values.size:
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        out[(slice(None),) * axis + (index[starts],)] = np.add.reduceat(values, starts, axis=axis)
    return out
