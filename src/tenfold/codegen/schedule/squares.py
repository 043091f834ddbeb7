"""Squares of as many vectors as each has lanes, in registers."""

from __future__ import annotations

from collections.abc import Sequence

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import Value


def transposed(b: Builder, rows: Sequence[Value]) -> list[Value]:
    """A square of vectors, its columns as vectors."""
    width = len(rows)
    half = width // 2
    low, high = range(half), range(half, width)
    columns = list(rows)
    for _ in range(width.bit_length() - 1):
        # Each step moves one bit of the number of a lane to the number of a vector.
        columns = [
            b.shuffle(columns[i], columns[i + half], [lane + side * width for lane in part for side in (0, 1)])
            for i in range(half)
            for part in (low, high)
        ]
    return columns
