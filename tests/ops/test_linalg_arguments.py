"""Arguments of linear algebra, and matrices that have no full rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf

MATRIX = tf.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (({}, 0, 0), TypeError, "argument 'a' must be a tensor"),
        (([1.0], 0, 0), ValueError, r"argument 'a' must have rank 2 or more, got shape \[1\]"),
        ((MATRIX, 1.5, 0), TypeError, "argument 'num_lower' must be an integer, got 1.5"),
        ((MATRIX, 0, "1"), TypeError, "argument 'num_upper' must be an integer"),
        ((MATRIX, 3, 0), ValueError, r"argument 'num_lower' must be at most the number of rows \(2\), got 3"),
        ((MATRIX, 0, 4), ValueError, r"argument 'num_upper' must be at most the number of columns \(3\), got 4"),
        ((MATRIX, tf.scalar(1.0), 0), TypeError, "argument 'num_lower' must be a int32 tensor"),
    ],
)
def test_band_part(args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"band_part: {message}"):
        tf.linalg.band_part(*args)


@pytest.mark.parametrize(("lower", "upper"), [(0, 1), (-1, 0), (9, -1)])
def test_band_part_takes_tensors(lower: int, upper: int) -> None:
    widths = [tf.scalar(width, "int32") for width in (lower, upper)]
    band = tf.linalg.band_part(MATRIX, *widths)
    assert band.array_sync() == tf.linalg.band_part(MATRIX, min(lower, 2), min(upper, 3)).array_sync()


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        ({}, TypeError, "argument 'xs'"),
        (["text"], TypeError, "argument 'xs"),
        ([], ValueError, "must be one vector or more"),
        ([[[1.0]]], ValueError, "of one length, got shapes"),
        ([[1.0, 2.0], [1.0]], ValueError, r"of one length, got shapes \[\[2\], \[1\]\]"),
        (tf.ones([2]), ValueError, r"must be vectors or have rank 2, got shape \[2\]"),
        (tf.ones([3, 2]), ValueError, r"no more vectors than they are long \(2\), got 3"),
        (tf.zeros([0, 2]), ValueError, "must be one vector or more"),
    ],
)
def test_gram_schmidt(vectors: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"gram_schmidt: .*{message}"):
        tf.linalg.gram_schmidt(vectors)


def test_qr() -> None:
    with pytest.raises(TypeError, match="qr: argument 'x' must be real"):
        tf.linalg.qr(tf.tensor([[1j]]))
    with pytest.raises(TypeError, match="qr: argument 'x'"):
        tf.linalg.qr("text")
    with pytest.raises(ValueError, match=r"qr: argument 'x' must have rank 2 or more, got shape \[1\]"):
        tf.linalg.qr([12.0])


@pytest.mark.parametrize("matrix", [np.zeros((3, 2)), np.ones((3, 3)), np.diag([0.0, 1.0, 0.0])])
def test_qr_without_full_rank(matrix: np.ndarray) -> None:
    q, r = tf.linalg.qr(matrix, True)
    np.testing.assert_allclose(q.numpy() @ r.numpy(), matrix, atol=1e-6)
    np.testing.assert_allclose(q.numpy().T @ q.numpy(), np.eye(3), atol=1e-6)
    assert np.isfinite(tf.grad(lambda x: tf.linalg.qr(x)[1].sum())(tf.tensor(np.zeros((3, 2)))).numpy()).all()


def test_qr_of_nothing() -> None:
    q, r = tf.linalg.qr(tf.zeros([2, 0, 3]))
    assert q.shape == (2, 0, 0)
    assert r.shape == (2, 0, 3)


def test_qr_leaves_its_two_results() -> None:
    before = tf.memory().num_tensors
    results = tf.linalg.qr(MATRIX)
    assert tf.memory().num_tensors == before + 2
    tf.dispose(results)
    assert tf.memory().num_tensors == before
