"""Bad arguments of the arithmetic family: each error names op and argument."""

from __future__ import annotations

import pytest

import tenfold as tf

BINARY = [
    "add",
    "sub",
    "mul",
    "div",
    "div_no_nan",
    "floor_div",
    "mod",
    "maximum",
    "minimum",
    "squared_difference",
    "atan2",
]


@pytest.mark.parametrize("name", BINARY)
def test_refuses_what_is_no_tensor(name: str) -> None:
    function = getattr(tf, name)
    with pytest.raises(TypeError, match=rf"{name}: argument 'a' .*dict"):
        function({}, tf.scalar(1))
    with pytest.raises(TypeError, match=rf"{name}: argument 'b'"):
        function(tf.scalar(1), "text")


@pytest.mark.parametrize("name", BINARY)
def test_refuses_shapes_that_do_not_broadcast(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: .*\[2\] and \[3\]"):
        getattr(tf, name)(tf.zeros([2]), tf.zeros([3]))


def test_add_n() -> None:
    with pytest.raises(ValueError, match="add_n: must pass at least one"):
        tf.add_n([])
    with pytest.raises(TypeError, match="add_n: argument 'tensors' must be a list"):
        tf.add_n(tf.scalar(1))
    with pytest.raises(ValueError, match="one dtype"):
        tf.add_n([tf.zeros([2]), tf.zeros([2], "int32")])
    with pytest.raises(ValueError, match="one shape"):
        tf.add_n([tf.zeros([2]), tf.zeros([3])])


@pytest.mark.parametrize("name", ["floor_div", "mod", "maximum", "minimum", "atan2"])
def test_complex_numbers_have_no_order_and_no_floor(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}: argument 'b' must be real, got complex64"):
        getattr(tf, name)(tf.tensor([1.0]), tf.tensor([1j]))
