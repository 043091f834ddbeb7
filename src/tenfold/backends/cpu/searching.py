"""Kernels of the cpu backend that look for values: distinct ones, and places in sorted rows."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

import numpy as np

from tenfold.backends.cpu.registry import cpu_kernel


@cpu_kernel("Unique")
def unique(x: np.ndarray, *, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    moved = np.moveaxis(x, axis, 0)
    firsts, numbers = _distinct(moved.reshape(len(moved), prod(moved.shape[1:])))
    return np.array(np.moveaxis(moved[firsts], 0, axis), order="C"), numbers.astype(np.int32)


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places at which distinct rows first stand, and for each row the number of its distinct one."""
    if rows.dtype.kind == "O" or rows.shape[1] == 0:
        return _distinct_in_order([tuple(row) for row in rows.tolist()])
    plain = np.where(np.isnan(rows), np.nan, rows + 0) if rows.dtype.kind in "fc" else rows
    # Rows are compared byte by byte, once all NaNs and both zeros have one representation.
    wide = np.ascontiguousarray(plain).view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()
    _, firsts, numbers = np.unique(wide, return_index=True, return_inverse=True)
    by_place = np.argsort(firsts)
    rank = np.empty(len(firsts), np.int64)
    rank[by_place] = np.arange(len(firsts))
    return firsts[by_place], rank[numbers.ravel()]


def _distinct_in_order(keys: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    number_of: dict[Any, int] = {}
    firsts: list[int] = []
    numbers = np.empty(len(keys), np.int64)
    for place, key in enumerate(keys):
        if key not in number_of:
            number_of[key] = len(firsts)
            firsts.append(place)
        numbers[place] = number_of[key]
    return np.array(firsts, np.int64), numbers


@cpu_kernel("SearchSorted")
def search_sorted(
    sorted_sequence: np.ndarray, values: np.ndarray, *, side: Literal["left", "right"] = "left"
) -> np.ndarray:
    places = np.empty(values.shape, np.int32)
    for row, (sequence, wanted) in enumerate(zip(sorted_sequence, values, strict=True)):
        places[row] = np.searchsorted(sequence, wanted, side)
    return places
