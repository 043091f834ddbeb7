"""Checklist section 7: filtering the tape and walking it backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tenfold as tf
from tenfold.core.autodiff import TapeInput, TapeNode, back_propagate, filter_nodes_x_to_y
from tenfold.core.kernel import Gradient, TensorSpec


def of(tensor: tf.Tensor) -> TapeInput:
    return TapeInput(tensor.id, TensorSpec(tensor.shape, tensor.dtype))


def node(
    name: str, inputs: list[tf.Tensor], outputs: list[tf.Tensor], gradient: Callable[..., Any] | None = None
) -> TapeNode:
    rule = None if gradient is None else Gradient(gradient)
    return TapeNode(name, tuple(map(of, inputs)), tuple(map(of, outputs)), (), rule, (), {})


@pytest.fixture
def t() -> list[tf.Tensor]:
    return [tf.scalar(float(i)) for i in range(8)]


def test_tap_01_no_path_gives_nothing(t: list[tf.Tensor]) -> None:
    x, y = t[0], t[1]
    assert filter_nodes_x_to_y([], [x], y) == []
    assert filter_nodes_x_to_y([node("a", [t[2]], [y])], [x], y) == []
    only = node("a", [x], [y])
    assert filter_nodes_x_to_y([only], [x], y) == [only]
    chain = [node("a", [x], [t[2]]), node("b", [t[2]], [y])]
    assert filter_nodes_x_to_y(chain, [x], y) == chain


def test_tap_02_unreachable_inputs_are_dropped(t: list[tf.Tensor]) -> None:
    x, other, y = t[0], t[1], t[2]
    (kept,) = filter_nodes_x_to_y([node("a", [x, other], [y])], [x], y)
    assert kept.inputs == (of(x), None)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_tap_03_one_of_several_outputs(t: list[tf.Tensor], which: int) -> None:
    x, outputs = t[0], t[1:4]
    split = node("split", [x], outputs)
    assert filter_nodes_x_to_y([split], [x], outputs[which]) == [split]


def test_tap_04_side_branches_are_dropped(t: list[tf.Tensor]) -> None:
    x, y, middle, orphan, source = t[:5]
    main = [node("a", [x], [middle]), node("b", [middle, source], [y])]
    tape = [main[0], node("to orphan", [x], [orphan]), node("from orphan", [t[5]], [source]), main[1]]
    kept = filter_nodes_x_to_y(tape, [x], y)
    assert [n.name for n in kept] == ["a", "b"]
    assert kept[1].inputs == (of(middle), None)


def test_tap_05_last_to_first_and_sums(t: list[tf.Tensor]) -> None:
    x, middle, y = t[0], t[1], t[2]
    order: list[tuple[str, float]] = []

    def rule(name: str, factors: list[float]) -> Callable[..., Any]:
        def gradient(dy: tf.Tensor, saved: Any, attributes: Any) -> Any:
            order.append((name, dy.array_sync()))
            return [lambda f=f: dy.mul(f) for f in factors]

        return gradient

    tape = [
        node("first", [x], [middle], rule("first", [3.0])),
        node("second", [middle, x], [y], rule("second", [2, 5])),
    ]
    gradients = {y.id: tf.scalar(1.0)}
    back_propagate(gradients, tape)
    assert order == [("second", 1), ("first", 2)]
    assert gradients[x.id].array_sync() == 5 + 2 * 3


def test_tap_06_outputs_without_gradient_get_zeros(t: list[tf.Tensor]) -> None:
    x, y = t[0], t[1]
    other = tf.zeros([2, 3])
    seen: list[Any] = []

    def gradient(dys: list[tf.Tensor], saved: Any, attributes: Any) -> Any:
        seen.extend(dy.array_sync() for dy in dys)
        return [lambda: dys[0]]

    back_propagate({y.id: tf.scalar(4.0)}, [node("two", [x], [y, other], gradient)])
    assert seen == [4, [[0, 0, 0], [0, 0, 0]]]


def test_tap_07_a_node_without_gradient(t: list[tf.Tensor]) -> None:
    with pytest.raises(tf.GradientNotFoundError, match="'opaque' has none registered"):
        back_propagate({t[1].id: tf.scalar(1.0)}, [node("opaque", [t[0]], [t[1]])])
