"""Definitions of kernels that rank and search, on rows of any length with many equal elements, NaN and infinities."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.test_window_definitions import check, odd

RNG = np.random.default_rng(47)


def ranked(dtype: str, *shape: int) -> np.ndarray:
    if dtype == "float32":
        return odd(*shape)
    if dtype == "bool":
        return RNG.uniform(size=shape) > 0.5
    some = RNG.integers(-3, 4, shape)
    return np.where(some == 3, 2**31 - 1, np.where(some == -3, -(2**31), some)).astype(np.int32)


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
@pytest.mark.parametrize("length", [1, 5, 16, 17, 40, 300, 1025])
def test_top_k(length: int, dtype: str, is_sorted: bool) -> None:
    for rows in ((), (3,), (0, 2)):
        x = ranked(dtype, *rows, length)
        for k in sorted({0, 1, min(5, length), length - 1, length}):
            check("TopK", [x], {"k": k, "sorted": is_sorted})


def test_top_k_of_nothing() -> None:
    check("TopK", [np.zeros((2, 0), np.float32)], {"k": 0})
    check("TopK", [np.full((2, 50), np.nan, np.float32)], {"k": 7})
    check("TopK", [np.full((2, 50), np.nan, np.float32)], {"k": 7, "sorted": False})


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 8, 100])
def test_search_sorted(length: int, dtype: str, side: str) -> None:
    sequence = np.sort(ranked(dtype, 3, length), axis=1)
    for count in (0, 1, 20):
        check("SearchSorted", [sequence, ranked(dtype, 3, count)], {"side": side})
