"""Normalisations of the cpu backend against their formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tenfold.backends.cpu.normalization import fused_batch_norm, log_softmax, softmax
from tests.ops.cpu.reference import Recorder, numbers, relative_error


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("with_offset", [False, True])
@pytest.mark.parametrize("with_scale", [False, True])
def test_batch_normalisation(whole, with_offset, with_scale):
    x = numbers((2, 3, 4, 5)) + 100
    shape = x.shape if whole else (5,)
    mean, variance = numbers(shape, 1) + 100, np.abs(numbers(shape, 2))
    offset = numbers(shape, 3) if with_offset else None
    scale = numbers(shape, 4) if with_scale else None
    epilogue = Recorder()
    got = fused_batch_norm(x, mean, variance, offset, scale, variance_epsilon=0.01, epilogue=epilogue)
    want = (x.astype(np.float64) - mean) / np.sqrt(variance.astype(np.float64) + 0.01)
    want = want * (1 if scale is None else scale) + (0 if offset is None else offset)
    assert epilogue.each_element_once()
    assert got.dtype == np.float32
    assert relative_error(got, want + 1) < 1e-6


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_and_its_logarithm(axis):
    logits = numbers((3, 4, 5)) * 30 + 500
    exps = np.exp(logits.astype(np.float64) - 500)
    want = exps / exps.sum(axis=axis, keepdims=True)
    got = softmax(logits, dim=axis)
    assert got.dtype == np.float32
    assert relative_error(got, want) < 1e-5
    got = log_softmax(logits, axis=axis)
    assert got.dtype == np.float32
    assert relative_error(got, np.log(want)) < 1e-5


def test_softmax_of_nothing_is_nothing():
    assert softmax(np.ones((2, 0), np.float32)).shape == (2, 0)
    assert log_softmax(np.ones((0, 3), np.float32)).shape == (0, 3)
