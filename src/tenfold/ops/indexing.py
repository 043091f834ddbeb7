"""Python's `x[...]` on tensors.

Ranges, positions, `None` and `...` become one strided slice, as views of NumPy would be cut; a list or tensor of
positions gathers along its axis, and a mask of bools selects. At most one such list or mask may stand in a key, and
positions beside it drop their axes first.
"""

from __future__ import annotations

from operator import index
from typing import Any, NamedTuple

import numpy as np

from tenfold.core.conversion import infer_dtype, make_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.tensor import Tensor
from tenfold.core.tensor_methods import attach
from tenfold.ops import gathering
from tenfold.ops.axes import resolve_axis


class _Entry(NamedTuple):
    """One entry of a strided slice; a kind of mask has a bit for it where it is not a plain range."""

    begin: int = 0
    end: int = 0
    stride: int = 1
    masks: tuple[str, ...] = ()


_WHOLE = _Entry(masks=("begin_mask", "end_mask"))
_ELLIPSIS = _Entry(masks=("ellipsis_mask",))
_NEW_AXIS = _Entry(masks=("new_axis_mask",))


def get_item(x: Tensor, key: Any) -> Tensor:
    """`x[key]`; see the module.

    Raises:
        IndexError: if the key holds what is no index, or reaches outside of the tensor.
    """
    try:
        return _item(x, key)
    except ValueError as error:
        raise IndexError(f"x[...]: {error}") from None


def _item(x: Tensor, key: Any) -> Tensor:
    entries: list[_Entry] = []
    chosen: Tensor | None = None
    place = 0
    for item in key if isinstance(key, tuple) else (key,):
        entry = _entry(item)
        if entry is not None:
            entries.append(entry)
            continue
        if chosen is not None:
            raise IndexError("A key may hold one list of positions or mask; use tf.gather_nd for several.")
        chosen, place = _positions_or_mask(item), len(entries)
        entries += [_WHOLE] * (chosen.rank if chosen.dtype == "bool" else 1)
    if chosen is None:
        return _cut(x, entries)
    # Axes in front of the list that are left out by "..." show in the cut result only: count from the side without it.
    width = chosen.rank if chosen.dtype == "bool" else 1
    behind = entries[place + width :]
    cut = _cut(x, entries)
    counted_from_end = _ELLIPSIS in entries[:place]
    axis = cut.rank - _kept(behind) - width if counted_from_end else _kept(entries[:place])
    axis = resolve_axis(axis, cut.rank, "x[...]")
    if chosen.dtype == "bool":
        return gathering.selected(cut, chosen.numpy(), axis)
    return gathering.gather(cut, _from_front(chosen, cut.shape[axis]), axis)


def _entry(item: Any) -> _Entry | None:
    if item is None:
        return _NEW_AXIS
    if item is Ellipsis:
        return _ELLIPSIS
    if isinstance(item, slice):
        return _range(item)
    is_array = isinstance(item, (Tensor, np.ndarray))
    if isinstance(item, list) or (is_array and item.ndim):
        return None
    if isinstance(item, (bool, np.bool_)) or (is_array and item.dtype == "bool"):
        return _refuse(item)
    return _position(item)


def _range(item: slice) -> _Entry:
    begin, end, step = (None if part is None else index(part) for part in (item.start, item.stop, item.step))
    masks = [name for name, given in (("begin_mask", begin), ("end_mask", end)) if given is None]
    return _Entry(begin or 0, end or 0, 1 if step is None else step, tuple(masks))


def _position(item: Any) -> _Entry:
    try:
        position = index(item)
    except TypeError:
        return _refuse(item)
    return _Entry(position, position + 1, 1, ("shrink_axis_mask",))


def _refuse(item: Any) -> _Entry:
    raise IndexError(
        "A tensor is indexed by integers, slices, `...`, None, a list or int32 tensor of positions, or a mask of "
        f"bools; not by {item!r}."
    )


def _positions_or_mask(item: Any) -> Tensor:
    listed = isinstance(item, list)
    dtype = ("int32" if not item else infer_dtype(np.asarray(item))) if listed else infer_dtype(item)
    if dtype not in ("int32", "bool"):
        _refuse(item)
    return item if isinstance(item, Tensor) else make_tensor(item, None, dtype, "x[...]")


def _cut(x: Tensor, entries: list[_Entry]) -> Tensor:
    attributes: dict[str, Any] = dict.fromkeys(
        ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0
    )
    for number, entry in enumerate(entries):
        for mask in entry.masks:
            attributes[mask] |= 1 << number
    attributes["begin"] = tuple(entry.begin for entry in entries)
    attributes["end"] = tuple(entry.end for entry in entries)
    attributes["strides"] = tuple(entry.stride for entry in entries)
    cut: Tensor = ENGINE.run_kernel("StridedSlice", (x,), attributes)
    return cut


def _kept(entries: list[_Entry]) -> int:
    """How many axes of the result stand for these entries."""
    return sum("shrink_axis_mask" not in entry.masks for entry in entries)


def _from_front(positions: Tensor, length: int) -> Tensor:
    """Positions of which negative ones counted from the end."""
    values = positions.numpy()
    if not values.size or values.min() >= 0:
        return positions
    return make_tensor(np.where(values < 0, values + length, values), None, "int32", "x[...]")


attach("__getitem__", get_item)
