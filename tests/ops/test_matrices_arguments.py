"""Arguments of matrix products, transposition and norms; the operator `@`."""

from __future__ import annotations

import numpy as np
import pytest

import tenfold as tf


def test_mat_mul() -> None:
    a = tf.ones([2, 3])
    for b, transposes in [
        ([2, 3], (False, False)),
        ([3, 2], (False, True)),
        ([3, 2], (True, False)),
        ([2, 3], (True, True)),
    ]:
        with pytest.raises(ValueError, match="mat_mul: the inner lengths"):
            tf.mat_mul(a, tf.ones(b), *transposes)
    with pytest.raises(ValueError, match=r"mat_mul: .* rank 2 or more.* dot takes vectors"):
        tf.mat_mul(a, tf.ones([3]))
    with pytest.raises(ValueError, match=r"mat_mul: .*broadcast.*\[2\] and \[3\]"):
        tf.mat_mul(tf.ones([2, 2, 3]), tf.ones([3, 3, 2]))
    with pytest.raises(TypeError, match="mat_mul: argument 'b'"):
        tf.mat_mul(a, {})
    with pytest.raises(TypeError, match="mat_mul: argument 'a' must be a numeric tensor"):
        tf.mat_mul("text", a)


def test_dot_and_outer_product() -> None:
    with pytest.raises(TypeError, match="dot: argument 't1'"):
        tf.dot("a", "b")
    with pytest.raises(ValueError, match=r"dot: argument 't2' must have rank 1 or 2, got shape \[1, 1, 2\]"):
        tf.dot([1, 2], [[[1, 2]]])
    with pytest.raises(ValueError, match="dot: the last axis of 't1' and the first of 't2'"):
        tf.dot([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="outer_product: argument 'v1' must have rank 1"):
        tf.outer_product([[1]], [1])


def test_transpose() -> None:
    x = tf.ones([2, 3])
    for perm in ([0], [0, 0], [0, 2], [0, 1, 2], [-3, 1]):
        with pytest.raises(
            ValueError, match="transpose: argument 'perm' must name each axis of a tensor of rank 2 once"
        ):
            tf.transpose(x, perm)
    with pytest.raises(TypeError, match="transpose: argument 'x'"):
        tf.transpose({})
    assert tf.transpose([["a", "b"]]).array_sync() == [["a"], ["b"]]


def test_norm() -> None:
    x = tf.ones([2, 3, 4])
    with pytest.raises(ValueError, match=r"norm: argument 'ord' of vectors .* got 3"):
        tf.norm(x, 3)
    with pytest.raises(ValueError, match=r"norm: argument 'ord' of matrices .* got 2"):
        tf.norm(x, 2, [0, 1])
    for axis in ([0, 1, 2], [], [0, -3]):
        with pytest.raises(ValueError, match="norm: argument 'axis' must be None, one axis or two"):
            tf.norm(x, 1, axis)
    with pytest.raises(ValueError, match="norm: argument 'axis' must be between -3 and 2"):
        tf.norm(x, 1, 3)


def test_the_operator_takes_vectors_as_numpy_does() -> None:
    shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3,)), ((3,), (4, 3, 2)), ((4, 2, 3), (3, 5))]
    for a, b in shapes:
        left, right = (np.random.default_rng(0).uniform(size=shape).astype(np.float32) for shape in (a, b))
        np.testing.assert_allclose((tf.tensor(left) @ tf.tensor(right)).numpy(), left @ right, rtol=1e-5)
        np.testing.assert_allclose((left.tolist() @ tf.tensor(right)).numpy(), left @ right, rtol=1e-5)
    for operand in (2, tf.scalar(2)):
        with pytest.raises(ValueError, match="@: both operands must have rank 1 or more"):
            tf.ones([2]) @ operand


def test_products_leave_one_tensor() -> None:
    """MEM-22, for mat_mul."""
    a, b = tf.ones([2, 2, 3]), tf.ones([2, 3, 2])
    before = tf.memory().num_tensors
    first, second = tf.mat_mul(a, b), tf.mat_mul(a, b)
    assert tf.memory().num_tensors == before + 2
    first.dispose()
    second.dispose()
    assert tf.memory().num_tensors == before
