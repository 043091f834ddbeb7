"""The arithmetic of slices: which elements a slice, a strided slice or a split takes.

Plain integers, no arrays. Shape rules in `ops`, gradients and the kernels of every backend read the same records, so
that there is one rule for defaults, negative positions and masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

Shape = tuple[int, ...]


class SliceExtent(NamedTuple):
    """What a slice takes: for each axis where it begins and how many elements it has."""

    begin: Shape
    size: Shape


def slice_extent(shape: Shape, begin: int | Sequence[int], size: int | Sequence[int] | None = None) -> SliceExtent:
    """The extent of `Slice`, with all that was left out filled in.

    Args:
        shape: of the tensor.
        begin: first position along each axis; 0 along the axes that are left out.
        size: number of elements along each axis; -1, or left out, for all up to the end.

    Raises:
        ValueError: if the tensor is a scalar, or positions lie outside of it.
    """
    if not shape:
        raise ValueError("slice: a scalar cannot be sliced.")
    begins = _filled(begin, 0, shape, "begin")
    sizes = _filled(() if size is None else size, -1, shape, "size")
    if any(b < 0 for b in begins):
        raise ValueError(f"slice: argument 'begin' must hold non-negative positions, got {list(begins)}.")
    if any(s < -1 for s in sizes):
        raise ValueError(f"slice: argument 'size' must hold lengths, or -1 for all up to the end, got {list(sizes)}.")
    whole = tuple(length - b if s == -1 else s for length, b, s in zip(shape, begins, sizes, strict=True))
    for axis, (length, b, s) in enumerate(zip(shape, begins, whole, strict=True)):
        if s < 0 or b + s > length:
            raise ValueError(
                f"slice: {s} elements from position {b} do not lie within axis {axis} of the shape {list(shape)}."
            )
    return SliceExtent(begins, whole)


def _filled(given: int | Sequence[int], missing: int, shape: Shape, argument: str) -> Shape:
    values = (given,) if isinstance(given, int) else tuple(int(value) for value in given)
    if len(values) > len(shape):
        raise ValueError(
            f"slice: argument '{argument}' has {len(values)} entries, more than the shape {list(shape)} has axes."
        )
    return values + (missing,) * (len(shape) - len(values))


class StridedSliceInfo(NamedTuple):
    """What a strided slice takes of each axis of its input, and the shape in which the result is seen.

    Attributes:
        starts: the first position along each axis of the input.
        steps: how far it is to the next one; negative to go backwards.
        lengths: how many there are.
        shape: `lengths` with axes of length one put in and others left out.
    """

    starts: Shape
    steps: Shape
    lengths: Shape
    shape: Shape

    @property
    def key(self) -> tuple[slice, ...]:
        """The same as an index that NumPy understands, without the change of shape."""
        return tuple(
            slice(start, end if end >= 0 else None, step)
            for start, step, length in zip(self.starts, self.steps, self.lengths, strict=True)
            for end in (start + step * length,)
        )


def strided_slice_info(
    shape: Shape,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int] | None = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> StridedSliceInfo:
    """Read the arguments of `StridedSlice`.

    Entry i of `begin`, `end` and `strides` speaks of the next axis of the input, unless bit i of a mask says
    something else; where masks disagree, the ellipsis wins over a new axis and that over shrinking. Axes behind the
    last entry are taken whole.

    Args:
        shape: of the tensor.
        begin: where each range begins; negative positions count from the end.
        end: the position that each range does not reach any more.
        strides: the steps; all 1 if None.
        begin_mask: bits of entries whose range begins at the edge, whatever `begin` says.
        end_mask: bits of entries whose range goes to the edge.
        ellipsis_mask: at most one bit, of the entry that stands for as many whole axes as are left.
        new_axis_mask: bits of entries that put in an axis of length one.
        shrink_axis_mask: bits of entries that take the one position `begin` and drop the axis.

    Raises:
        ValueError: if the arguments contradict each other or the shape.
    """
    positions = tuple(begin), tuple(end), (1,) * len(begin) if strides is None else tuple(strides)
    masks = begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask
    return _read_entries(tuple(shape), *positions, *masks)


@lru_cache(maxsize=256)
def _read_entries(
    shape: Shape,
    begin: Shape,
    end: Shape,
    strides: Shape,
    begin_mask: int,
    end_mask: int,
    ellipsis_mask: int,
    new_axis_mask: int,
    shrink_axis_mask: int,
) -> StridedSliceInfo:
    """What `strided_slice_info` says; remembered, since the op, its kernel and its gradient all ask."""
    count = len(begin)
    if len(end) != count or len(strides) != count:
        raise ValueError(
            f"strided_slice: begin, end and strides must have equally many entries, got {count}, {len(end)} and "
            f"{len(strides)}."
        )
    kinds = _entry_kinds(count, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    left = len(shape) - sum(kind in ("range", "single") for kind in kinds)
    if left < 0:
        raise ValueError(f"strided_slice: {len(shape) - left} ranges are too many for the shape {list(shape)}.")
    if "ellipsis" not in kinds:
        kinds.append("ellipsis")

    taken: list[tuple[int, int, int]] = []
    result: list[int] = []
    for entry, kind in enumerate(kinds):
        if kind == "ellipsis":
            whole = shape[len(taken) : len(taken) + left]
            taken += [(0, 1, length) for length in whole]
            result += whole
        elif kind == "new":
            result.append(1)
        elif kind == "single":
            taken.append((_single(begin[entry], strides[entry], shape, len(taken)), 1, 1))
        else:
            first = None if begin_mask >> entry & 1 else begin[entry]
            last = None if end_mask >> entry & 1 else end[entry]
            taken.append(_range(first, last, strides[entry], shape[len(taken)]))
            result.append(taken[-1][2])
    starts, steps, lengths = zip(*taken, strict=True) if taken else ((), (), ())
    return StridedSliceInfo(starts, steps, lengths, tuple(result))


def _entry_kinds(count: int, ellipsis_mask: int, new_axis_mask: int, shrink_axis_mask: int) -> list[str]:
    ellipses = [entry for entry in range(count) if ellipsis_mask >> entry & 1]
    if len(ellipses) > 1:
        raise ValueError("strided_slice: argument 'ellipsis_mask' must not have more than one bit.")
    kinds = ["range"] * count
    for entry in range(count):
        if entry in ellipses:
            kinds[entry] = "ellipsis"
        elif new_axis_mask >> entry & 1:
            kinds[entry] = "new"
        elif shrink_axis_mask >> entry & 1:
            kinds[entry] = "single"
    return kinds


def _single(position: int, step: int, shape: Shape, axis: int) -> int:
    if step <= 0:
        raise ValueError("strided_slice: an entry that shrinks its axis must have a positive stride.")
    length = shape[axis]
    if not -length <= position < length:
        raise ValueError(f"strided_slice: position {position} is out of range for axis {axis} of {list(shape)}.")
    return position + length if position < 0 else position


def _range(first: int | None, last: int | None, step: int, length: int) -> tuple[int, int, int]:
    """Start, step and count, by Python's rule for slices."""
    if step == 0:
        raise ValueError("strided_slice: argument 'strides' must not hold 0.")
    positions = range(*slice(first, last, step).indices(length))
    return (positions.start if positions else 0, step, len(positions))


def split_sizes(length: int, num_or_size_splits: int | Sequence[int]) -> Shape:
    """The lengths of the parts into which `SplitV` cuts an axis of `length`.

    Args:
        length: of the axis.
        num_or_size_splits: how many equal parts, or the length of each; one may be -1 and gets the rest.

    Raises:
        ValueError: if the parts do not make up the axis.
    """
    if isinstance(num_or_size_splits, int):
        count = num_or_size_splits
        if count < 1 or length % count:
            raise ValueError(f"split: {count} equal parts do not make up an axis of length {length}.")
        return (length // count,) * count
    sizes = tuple(int(size) for size in num_or_size_splits)
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes):
        raise ValueError(f"split: the sizes {list(sizes)} must not be negative, except one -1 for the rest.")
    rest = length - sum(size for size in sizes if size != -1)
    if rest < 0 or (rest and -1 not in sizes):
        raise ValueError(f"split: parts of {list(sizes)} do not make up an axis of length {length}.")
    return tuple(rest if size == -1 else size for size in sizes)
