"""Checklist section 6: the gradient functions."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf
from tenfold.core.engine import INTERCEPTORS
from tests.core.conftest import Counts


def close(tensor: tf.Tensor, expected: Any) -> None:
    assert tensor.array_sync() == pytest.approx(expected, rel=1e-5)


def test_grd_01_grad() -> None:
    x = tf.tensor([[1.0, 2.0], [3.0, 4.0]])
    found = tf.grad(lambda x: x.square())(x)
    assert (found.shape, found.dtype) == ((2, 2), "float32")
    assert found.array_sync() == [[2, 4], [6, 8]]
    assert tf.grad(lambda x: x.square())(x, tf.tensor([[1.0, 0.0], [0.0, 2.0]])).array_sync() == [[2, 0], [0, 16]]


def test_grd_02_grads() -> None:
    a, b = tf.tensor([2.0, 3.0]), tf.tensor([5.0, 7.0])
    da, db = tf.grads(lambda a, b: a.mul(b))([a, b], tf.tensor([1.0, 10.0]))
    assert (da.array_sync(), db.array_sync()) == ([5, 70], [2, 30])


def test_grd_03_values_too() -> None:
    x = tf.scalar(3.0)
    result = tf.value_and_grad(lambda x: x.square())(x)
    assert (result.value.array_sync(), result.grad.array_sync()) == (9, 6)
    several = tf.value_and_grads(lambda a, b: a.sub(b))([x, tf.scalar(1.0)])
    assert several.value.array_sync() == 2
    assert [g.array_sync() for g in several.grads] == [1, -1]
    for wrong in (3.0, [1.0]):
        with pytest.raises(TypeError, match="must be tensors"):
            tf.value_and_grad(lambda x: x)(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="must be tensors"):
            tf.value_and_grads(lambda x: x)([wrong])  # type: ignore[list-item]
    assert tf.grad(lambda x: x.square())(3.0).array_sync() == 6
    assert tf.grads(lambda x: x.square())([[1.0, 2.0]])[0].array_sync() == [2, 4]


def test_grd_04_called_several_times() -> None:
    derivative = tf.grad(lambda x: x.mul(x).mul(x))
    assert [derivative(tf.scalar(float(v))).array_sync() for v in (1, 2, 3)] == [3, 12, 27]


def test_grd_05_wrong_arguments() -> None:
    x = tf.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape of dy.*\[3\] for \[2\]"):
        tf.grad(lambda x: x.square())(x, tf.ones([3]))
    for function in (tf.grad, tf.grads, tf.value_and_grad, tf.value_and_grads, tf.variable_grads, tf.custom_grad):
        with pytest.raises(TypeError, match="must be a function"):
            function(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="xs must be a list"):
        tf.grads(lambda x: x)(x)
    with pytest.raises(TypeError, match="xs must be a list"):
        tf.value_and_grads(lambda x: x)(x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must return a tensor"):
        tf.grad(lambda x: 3)(x)  # type: ignore[arg-type, return-value]


def test_grd_06_errors_turn_the_tape_off() -> None:
    def fail(x: tf.Tensor) -> tf.Tensor:
        raise KeyError("forward")

    with pytest.raises(KeyError, match="forward"):
        tf.grad(fail)(tf.scalar(1.0))
    assert INTERCEPTORS.get() == ()

    @tf.custom_grad
    def fails_backward(x: tf.Tensor, save: Any) -> Any:
        def gradient(dy: tf.Tensor, saved: Any) -> tf.Tensor:
            raise KeyError("backward")

        return x.square(), gradient

    with pytest.raises(KeyError, match="backward"):
        tf.grad(fails_backward)(tf.scalar(1.0))
    assert INTERCEPTORS.get() == ()


def test_grd_07_no_dependence() -> None:
    x = tf.tensor([1.0, 2.0])
    y = x.reshape([2, 1])
    with pytest.raises(ValueError, match=r"Cannot compute gradient of y=f\(x\)"):
        tf.grad(lambda _: y.square())(x)
    with pytest.raises(ValueError, match="does not depend on input 1"):
        tf.grads(lambda a, b: a.square())([x, x.clone()])


def test_grd_08_ops_without_gradient_matter_on_the_path_only() -> None:
    x = tf.tensor([0.5, 1.5])

    def off_path(x: tf.Tensor) -> tf.Tensor:
        tf.search_sorted(x, x)
        return x.square()

    assert tf.grad(off_path)(x).array_sync() == [1, 3]
    with pytest.raises(tf.GradientNotFoundError, match="SearchSorted"):
        tf.grad(lambda x: tf.search_sorted(x, x).cast("float32"))(x)


def test_grd_09_through_reshape_and_cast() -> None:
    x = tf.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert tf.grad(lambda x: x.flatten().square())(x).array_sync() == [[2, 4], [6, 8]]
    ints = tf.tensor([1, 2], dtype="int32")
    found = tf.grad(lambda x: x.cast("float32").square())(ints)
    assert (found.dtype, found.array_sync()) == ("float32", [2, 4])


def test_grd_10_second_derivatives(counts: Counts) -> None:
    x = tf.scalar(2.0)
    cube_by_mul = tf.grad(tf.grad(lambda x: x.mul(x).mul(x)))(x)
    assert cube_by_mul.array_sync() == 12
    assert counts.tensors == 2
    cube_by_pow = tf.grad(tf.grad(lambda x: x.pow(tf.scalar(3.0))))(x)
    close(cube_by_pow, 12)
    square = tf.grad(tf.grad(lambda x: x.square()))(x)
    assert square.array_sync() == 2
    assert counts.tensors == 4
    third = tf.grad(tf.grad(tf.grad(lambda x: x.mul(x).mul(x))))(x)
    assert third.array_sync() == 6
    several = tf.grads(lambda x: tf.grads(lambda x: x.mul(x).mul(x))([x])[0])([x])[0]
    assert several.array_sync() == 12


def test_grd_11_inner_tidy() -> None:
    def f(x: tf.Tensor) -> tf.Tensor:
        return tf.tidy(lambda: x.square().mul(x))

    assert tf.grad(f)(tf.scalar(2.0)).array_sync() == 12


def test_grd_12_disposed_intermediates() -> None:
    def f(x: tf.Tensor) -> tf.Tensor:
        squared = x.square()
        result = squared.mul(x)
        squared.dispose()
        return result

    assert tf.grad(f)(tf.scalar(2.0)).array_sync() == 12


def test_grd_13_custom_gradient() -> None:
    f = tf.custom_grad(lambda x, save: (x.square(), lambda dy, saved: dy.mul(tf.scalar(100.0))))
    assert f(tf.scalar(3.0)).array_sync() == 9
    assert tf.grad(f)(tf.scalar(3.0)).array_sync() == 100
    two = tf.custom_grad(lambda a, b, save: (a.mul(b), lambda dy, saved: [dy.mul(2.0), dy.mul(3.0)]))
    assert [g.array_sync() for g in tf.grads(two)([tf.scalar(1.0), tf.scalar(1.0)])] == [2, 3]


def test_grd_14_saved_tensors_and_second_derivatives(counts: Counts) -> None:
    def f(x: tf.Tensor, save: Any) -> Any:
        save([x])
        return x.pow(tf.scalar(2, "int32")), lambda dy, saved: dy.mul(saved[0].mul(saved[0]))

    x = tf.scalar(3.0)
    first = tf.grad(tf.custom_grad(f))(x)
    assert first.array_sync() == 9
    second = tf.grad(tf.grad(tf.custom_grad(f)))(x)
    assert second.array_sync() == 6
    assert counts.tensors == 3


def test_grd_15_differentiated_repeatedly() -> None:
    f = tf.custom_grad(lambda x, save: (x.square(), lambda dy, saved: dy.mul(7.0)))
    derivative = tf.grad(f)
    assert [derivative(tf.scalar(1.0)).array_sync() for _ in range(3)] == [7, 7, 7]


def test_custom_gradient_checks() -> None:
    x = tf.scalar(1.0)
    with pytest.raises(TypeError, match="must return \\(value, gradient\\)"):
        tf.custom_grad(lambda x, save: x)(x)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="must return a function as the second"):
        tf.custom_grad(lambda x, save: (x, 3))(x)  # type: ignore[arg-type, return-value]
    f = tf.custom_grad(lambda a, b, save: (a.mul(b), lambda dy, saved: [dy]))
    with pytest.raises(ValueError, match="for each of the 2 inputs, but gave 1"):
        tf.grads(f)([x, x.clone()])


def test_grd_16_variable_grads() -> None:
    a = tf.variable(tf.tensor([2.0, 3.0]), name="a")
    b = tf.variable(tf.tensor([4.0, 5.0]), name="b")
    fixed = tf.variable(tf.tensor([1.0, 1.0]), trainable=False, name="fixed")
    unused = tf.variable(tf.scalar(1.0), name="unused")

    def f() -> tf.Tensor:
        return a.mul(b).mul(fixed).sum()

    result = tf.variable_grads(f)
    assert result.value.array_sync() == 23
    assert {k: g.array_sync() for k, g in result.grads.items()} == {"a": [4, 5], "b": [2, 3]}
    some = tf.variable_grads(f, [b, fixed])
    assert some.grads["b"].array_sync() == [2, 3]
    assert some.grads["fixed"] is None
    with pytest.raises(ValueError, match="must return a scalar"):
        tf.variable_grads(lambda: a.mul(b))
    for none_trainable in ([], [fixed]):
        with pytest.raises(ValueError, match="at least one of the input variables to be trainable"):
            tf.variable_grads(f, none_trainable)
    with pytest.raises(TypeError, match="must hold variables"):
        tf.variable_grads(f, [tf.scalar(1.0)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="Cannot find a connection"):
        tf.variable_grads(f, [unused])
    tf.dispose([a, b, fixed, unused])


@pytest.mark.parametrize("values", [[1, 2], [True, False]])
def test_grd_17_dy_is_a_float(values: Any) -> None:
    x = tf.tensor(values, dtype="int32" if values == [1, 2] else "bool")
    found = tf.grad(lambda x: x.clone())(x, tf.tensor([5.0, 6.0]))
    assert (found.dtype, found.array_sync()) == ("float32", [5, 6])
    for dtype in ("int32", "bool"):
        with pytest.raises(TypeError, match="dy must have dtype float32"):
            tf.grad(lambda x: x.clone())(x, tf.tensor([1, 0], dtype=dtype))


def test_grd_17_strings() -> None:
    x = tf.tensor(["a", "b"])
    found = tf.grad(lambda x: x.clone())(x, tf.tensor([5.0, 6.0]))
    assert (found.dtype, found.array_sync()) == ("float32", [5, 6])
    with pytest.raises(TypeError, match="numeric"):
        tf.grad(lambda x: x.clone())(x, tf.tensor(["a", "b"]))


def test_gradient_of_the_input_itself() -> None:
    assert tf.grad(lambda x: x)(tf.tensor([1.0, 2.0])).array_sync() == [1, 1]


def test_nothing_is_left_over(counts: Counts) -> None:
    x = tf.tensor([1.0, 2.0])
    for _ in range(3):
        tf.grad(lambda x: x.square().mul(x).sum())(x).dispose()
    assert (counts.tensors, counts.buffers, counts.data_ids) == (1, 1, 1)
