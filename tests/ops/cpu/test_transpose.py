"""Transposition of the cpu backend against NumPy's, by blocks and without."""

from __future__ import annotations

import numpy as np
import pytest

from tenfold.backends.cpu.transpose import transpose


@pytest.mark.parametrize(
    ("shape", "perm"),
    [
        ((1100, 40), (1, 0)),
        ((2, 33, 37, 32), (0, 3, 1, 2)),
        ((2, 16, 20, 30), (0, 2, 3, 1)),
        ((30, 40, 6, 6), (2, 3, 0, 1)),
        ((1100, 3), (1, 0)),
        ((3, 1100), (1, 0)),
        ((4, 5, 6), (2, 1, 0)),
        ((4, 5, 6), (0, 1, 2)),
        ((0, 1100, 40), (0, 2, 1)),
        ((), ()),
    ],
)
def test_transposes_as_numpy_does(shape: tuple[int, ...], perm: tuple[int, ...]) -> None:
    x = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    got = transpose(x, perm=perm)
    np.testing.assert_array_equal(got, x.transpose(perm))
    assert got.flags.c_contiguous
    assert not np.shares_memory(got, x)
