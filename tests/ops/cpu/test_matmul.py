"""Matrix products of the cpu backend."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.backends.cpu.matmul import batch_mat_mul
from tests.ops.cpu.reference import Recorder, numbers, relative_error

batches = st.sampled_from(
    [((), ()), ((3,), (3,)), ((3,), ()), ((), (3,)), ((2, 1), (3,)), ((2, 3), (1, 1)), ((3,), (1, 1)), ((0,), ())]
)
lengths = st.integers(0, 6)


@settings(max_examples=150, deadline=None)
@given(batches, lengths, lengths, lengths, st.booleans(), st.booleans(), st.sampled_from([np.float32, np.int32]))
def test_products_of_batches(batch, rows, terms, columns, transpose_a, transpose_b, dtype):
    a = numbers((*batch[0], *((terms, rows) if transpose_a else (rows, terms))), dtype=dtype)
    b = numbers((*batch[1], *((columns, terms) if transpose_b else (terms, columns))), 1, dtype)
    left = np.swapaxes(a, -1, -2) if transpose_a else a
    right = np.swapaxes(b, -1, -2) if transpose_b else b
    want = (left[..., :, :, None].astype(np.float64) * right[..., None, :, :]).sum(axis=-2)
    epilogue = Recorder()
    got = batch_mat_mul(a, b, transpose_a=transpose_a, transpose_b=transpose_b, epilogue=epilogue)
    assert epilogue.each_element_once()
    assert got.dtype == dtype
    assert got.flags.c_contiguous
    assert relative_error(got, want + 1) < 1e-6


@pytest.mark.parametrize("scale", [1, 50_000, 4_000_001, 40_000_000])
def test_int32_is_exact_and_wraps_around(scale):
    a = numbers((7, 9), dtype=np.int32) * np.int32(scale)
    b = numbers((9, 5), 1, np.int32) * np.int32(scale)
    want = (a.astype(object) @ b.astype(object) + 2**31) % 2**32 - 2**31
    got = batch_mat_mul(a, b)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want.astype(np.int64))


def test_the_least_int32_has_no_opposite():
    a = np.array([[-(2**31)]], np.int32)
    np.testing.assert_array_equal(batch_mat_mul(a, a), [[0]])


def test_no_terms_make_zeros():
    np.testing.assert_array_equal(batch_mat_mul(np.ones((2, 3, 0)), np.ones((0, 4))), np.zeros((2, 3, 4)))
