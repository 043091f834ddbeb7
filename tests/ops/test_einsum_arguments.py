"""Equations that `einsum` refuses, and dtypes."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf

SQUARE = tf.ones([2, 2])


@pytest.mark.parametrize(
    ("equation", "tensors", "message"),
    [
        ("", [SQUARE], "must have one arrow"),
        ("ij", [SQUARE], "must have one arrow"),
        ("ij,jk>ik", [SQUARE, SQUARE], "must have one arrow"),
        ("ij->i->j", [SQUARE], "must have one arrow"),
        (3, [SQUARE], "must have one arrow"),
        ("...j->j", [SQUARE], "ellipsis"),
        ("i1->i", [SQUARE], "must be letters"),
        ("ii->i", [SQUARE], "must not name an axis twice"),
        ("ij->ii", [SQUARE], "must not name an axis twice"),
        ("ij->k", [SQUARE], "'k' of the result is not among"),
        ("ij->ji", [SQUARE, SQUARE], "names 1 tensors, but 2 are given"),
        ("ij->ji", [], "names 1 tensors, but 0 are given"),
        ("i->i", [SQUARE], "names 1 axes of tensor 0"),
        ("ij,jk->ik", [SQUARE, tf.ones([3, 2])], "the axes 'j' must be of one length"),
    ],
)
def test_refuses_equations(equation: Any, tensors: list[tf.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=f"einsum: argument 'equation': .*{message}"):
        tf.einsum(equation, *tensors)


def test_refuses_what_is_no_number() -> None:
    with pytest.raises(TypeError, match=r"einsum: argument 'tensors\[1\]'"):
        tf.einsum("i,j->ij", [1.0], "text")


def test_keeps_complex_numbers() -> None:
    assert tf.einsum("i,i->", tf.tensor([1j, 2j]), [2.0, 1.0]).array_sync() == 4j


def test_integers_wrap() -> None:
    big = tf.tensor([[2**31 - 1, 1]], dtype="int32")
    assert tf.einsum("ij->i", big).array_sync() == [-(2**31)]
