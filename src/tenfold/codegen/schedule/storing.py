"""How what was computed comes into memory: whole vectors where elements are neighbours, else lane by lane."""

from __future__ import annotations

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import ELEMENT_BYTES, Value
from tenfold.codegen.schedule.body import Access
from tenfold.codegen.schedule.lowering import Lowered, Lowering


def store(lowering: Lowering, written: Access, value: Lowered, lanes: int) -> None:
    """Store a value at the current place.

    Args:
        lowering: says where that is.
        written: the access that writes.
        value: a scalar or a vector; two of a complex number.
        lanes: how many lanes of a vector count.
    """
    b = lowering.builder
    address, offset = lowering.address(written)
    step = 1 if lowering.lanes is None else written.step(lowering.lanes)
    if isinstance(value, tuple):
        _store_complex(b, address, offset, value, step, lanes)
    else:
        store_lanes(b, address, offset, value, step * written.size, lanes, ELEMENT_BYTES[written.dtype])


def store_lanes(b: Builder, address: Value, offset: int, value: Value, stride: int, lanes: int, size: int) -> None:
    """Store elements of `size` bytes that lie `stride` bytes apart."""
    width = value.type.lanes
    if width == 1 or (lanes == width and stride == size):
        b.store(address, value, offset)
    elif lanes == width and stride == -size:
        b.store(address, b.shuffle(value, value, range(width - 1, -1, -1)), offset + (width - 1) * stride)
    else:
        for lane in range(lanes):
            b.store(address, b.lane(value, lane), offset + lane * stride)


def _store_complex(b: Builder, address: Value, offset: int, parts: tuple[Value, Value], step: int, lanes: int) -> None:
    width = b.width
    if step != 1 or parts[0].type.lanes == 1 or lanes < width:
        store_lanes(b, address, offset, parts[0], step * 8, lanes, 4)
        store_lanes(b, address, offset + 4, parts[1], step * 8, lanes, 4)
        return
    for half in (0, 1):
        order = [lane + side * width for lane in range(half * width // 2, (half + 1) * width // 2) for side in (0, 1)]
        b.store(address, b.shuffle(*parts, order), offset + half * width * 4)
