"""How a body is computed: which axis is spread over lanes, and what a tile of the output is.

* Lanes run along the innermost axis of the output, if what is read there is contiguous, the same for all, or at least
  no reduction would read it better.
* Else, where a reduction reads its last range in one stride, lanes run along that, and the output is scalar.
* An axis that is shorter than a vector is computed as one, of which only the first lanes are stored.
* Else everything is scalar.
* What stands in strides along the innermost axis, but contiguously along another one, is read in squares, which are
  turned in registers.

A tile is several vectors along the lanes, so that loop overhead is shared and sums have several accumulators, and for
products of rows and columns several rows, so that what is loaded is used more than once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tenfold.codegen.compute import Index
from tenfold.codegen.expr import Expr
from tenfold.codegen.loops.program import CONDITIONS, Target
from tenfold.codegen.schedule.body import Access, Body

ROWS: Final = 4
"""Rows of a tile of products."""


@dataclass(slots=True)
class Arrangement:
    """Which loops there are.

    Attributes:
        axes: loops over the output, from the outermost; those of the tile are the last.
        lanes: the axis that is spread over lanes, if one of the output is.
        rows: the axis along which a tile has several rows, if one is.
        step: by how many elements a tile is wide along each axis.
        turned: whether what is contiguous along the rows is read along them, in squares.
    """

    axes: list[Index]
    lanes: Index | None
    rows: Index | None
    step: dict[int, int]
    turned: bool = False


def arrange(axes: Sequence[Index], body: Body, target: Target) -> Arrangement:
    """The arrangement for a body that runs along merged axes."""
    width = target.width
    last = axes[-1] if axes else None
    reductions = [r for r in body.reductions if id(r) not in body.nested]
    if reductions and not (last is not None and last.length >= width and _suits(last, body, reductions)):
        body.across = {id(r) for r in reductions if _reads_in_stride(r, body, width)}
        if body.across:
            rows = _shared_rows(axes, body, [r for r in reductions if id(r) in body.across])
            return Arrangement(list(axes), None, rows, {} if rows is None else {rows.number: ROWS})
    if last is None or last.length < 2:
        return Arrangement(list(axes), None, None, {})
    if last.length < width:
        if overhangs(last, body, width):
            return Arrangement(list(axes), last, None, {last.number: last.length})
        return Arrangement(list(axes), None, None, {})
    across = _contiguous_rows(axes, body, reductions, width)
    if across is not None:
        ordered = [*(axis for axis in axes if axis is not across and axis is not last), across, last]
        rows_at_once = next(count for count in _TURNED_ROWS if count * width <= across.length) * width
        return Arrangement(ordered, last, across, {last.number: width, across.number: rows_at_once}, turned=True)
    rows = _rows_of_products(axes, body, reductions)
    if rows is None and body.has_conditions and last.length >= CONDITIONS * width and not reductions:
        vectors = CONDITIONS
    else:
        vectors = vectors_of_tile(last.length, width, 2 if rows is not None else most_vectors(body, target))
    step = {last.number: vectors * width}
    if rows is not None:
        step[rows.number] = ROWS
    return Arrangement(list(axes), last, rows, step)


def _suits(axis: Index, body: Body, reductions: Sequence[Expr]) -> bool:
    """Whether reductions read what is contiguous along an axis, or the same."""
    bit = body.bit(axis.number)
    return all(
        access.step(axis.number) in (-1, 0, 1) and not any(body.mask(term) & bit for term, _ in access.opaque)
        for reduction in reductions
        for access in body.accesses_within(reduction)
    )


def suits(axis: Index, body: Body) -> bool:
    """Whether all that a body reads is contiguous along an axis, or the same."""
    bit = body.bit(axis.number)
    return all(
        access.step(axis.number) in (-1, 0, 1) and not any(body.mask(term) & bit for term, _ in access.opaque)
        for access in body.accesses.values()
    )


def overhangs(axis: Index, body: Body, width: int) -> bool:
    """Whether lanes beyond the end of a short axis may be computed and thrown away: what they read is near enough."""
    bit = body.bit(axis.number)
    return all(
        abs(access.step(axis.number)) * width * access.size < body.slack // 2
        and not any(body.mask(term) & bit for term, _ in access.opaque)
        for access in body.accesses.values()
    )


def _reads_in_stride(reduction: Expr, body: Body, width: int) -> bool:
    """Whether a reduction can be spread over lanes along its last range."""
    ranges = body.ranges[id(reduction)]
    if not ranges or ranges[-1].length < width or any(index.length == 0 for index in ranges):
        return False
    last, element = ranges[-1], reduction.arguments[0]
    bit = body.bit(last.number)
    if _contains_reduction(element):
        return False
    return all(
        access.step(last.number) in (0, 1) and not any(body.mask(term) & bit for term, _ in access.opaque)
        for access in body.accesses_within(element)
    )


def _contains_reduction(expr: Expr) -> bool:
    return expr.function == "reduce" or any(map(_contains_reduction, expr.arguments))


def _shared_rows(axes: Sequence[Index], body: Body, reductions: Sequence[Expr]) -> Index | None:
    """The last axis, if reductions read something that is the same along it beside what is not."""
    if not axes or axes[-1].length < ROWS or body.used & body.bit(axes[-1].number):
        return None
    row = body.bit(axes[-1].number)
    depends = [bool(mask & row) for mask in _masks_in_loops(body, reductions)]
    return axes[-1] if any(depends) and not all(depends) else None


def _rows_of_products(axes: Sequence[Index], body: Body, reductions: Sequence[Expr]) -> Index | None:
    """The last axis but one, if reductions read something along it that is the same for all lanes, and the reverse."""
    if len(axes) < 2 or axes[-2].length < ROWS or not reductions:
        return None
    row, lane = body.bit(axes[-2].number), body.bit(axes[-1].number)
    if body.used & row:
        return None
    masks = _masks_in_loops(body, reductions)
    along_row = any(mask & row and not mask & lane for mask in masks)
    along_lane = any(mask & lane and not mask & row for mask in masks)
    return axes[-2] if along_row and along_lane else None


_TURNED_ROWS: Final = (4, 2, 1)
"""Rows that are turned at once, in vectors: the more there are, the more of the line of a cache is used at once."""


def _contiguous_rows(axes: Sequence[Index], body: Body, reductions: Sequence[Expr], width: int) -> Index | None:
    """The axis along which everything is contiguous that is read in strides along the last one."""
    last = axes[-1]
    strided = [access for access in body.accesses.values() if access.step(last.number) not in (-1, 0, 1)]
    if reductions or not strided or any(access.size != 4 for access in strided):
        return None
    for axis in axes[:-1]:
        if axis.length >= width and all(access.step(axis.number) == 1 for access in strided):
            return axis
    return None


def _masks_in_loops(body: Body, reductions: Sequence[Expr]) -> list[int]:
    """What the loads of reductions depend on that are done anew for each element that is combined."""
    masks = []
    for reduction in reductions:
        ranges = 0
        for index in body.ranges[id(reduction)]:
            ranges |= body.bit(index.number)
        masks += [mask for mask in map(body.access_mask, body.accesses_within(reduction.arguments[0])) if mask & ranges]
    return masks


def most_vectors(body: Body, target: Target) -> int:
    """How many vectors along the lanes are computed together, at most."""
    if body.reductions and body.dear > 12:
        return 2
    if body.reductions:
        has_small_sums = all(r.value.kind in ("sum", "prod") and r.dtype != "complex64" for r in body.reductions)
        if has_small_sums and len(body.accesses) <= 2:
            return target.registers // 2
        return 4 if len(body.accesses) <= 8 else 2
    if body.has_conditions and body.dear <= 16:
        return CONDITIONS
    if body.dear <= 4 and len(body.accesses) <= 4:
        return 4
    return 2 if body.dear <= 16 else 1


def vectors_of_tile(length: int, width: int, most: int) -> int:
    """How many vectors make a tile, so that tiles overlap least."""
    needed = -(-length // width)

    def wasted(count: int) -> tuple[int, int]:
        return -(-length // (count * width)) * count - needed, -count

    return min(range(1, min(most, length // width) + 1), key=wasted)


def is_flat(axes: Sequence[Index], body: Body, written: Access) -> bool:
    """Whether elements are computed from those at the same position, all in one stride: any number of them."""
    if len(axes) != 1 or body.reductions:
        return False
    (axis,) = axes
    bit = body.bit(axis.number)
    if body.used & bit or written.step(axis.number) != 1 or written.constant:
        return False
    return all(
        access.step(axis.number) in (0, 1) and not any(body.mask(term) & bit for term, _ in access.opaque)
        for access in body.accesses.values()
    )
