"""Several threads at once: ops, scopes, gradients, and tensors that become unreachable meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tenfold as tf
from tests.core.conftest import Counts


@pytest.fixture(autouse=True)
def _frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _work(number: int) -> None:
    for _ in range(60):
        x = tf.fill([10], number)
        with tf.tidy():
            total = (x * 2 + 1).reshape([2, 5]).sum()
            assert total.array_sync() == 20 * number + 10
        gradient = tf.grad(lambda v: (v * v).sum())(x)
        np.testing.assert_array_equal(gradient, np.full(10, 2 * number, np.float32))


def test_threads_share_the_engine(counts: Counts) -> None:
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(_work, number) for number in range(6)]:
            done.result()
    assert counts.tensors == 0
    assert counts.buffers == 0
    assert counts.bytes == 0
