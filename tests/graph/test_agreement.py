"""Programs agree with the interpreter on random graphs, to 1e-4 of scale, and leave no memory behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tenfold as tf
from tenfold.graph.graph import Graph, Ref
from tenfold.graph.interpreter import interpret
from tenfold.graph.program import Program
from tests.graph.builder import GraphBuilder, tensor

Shape = tuple[int, int, int, int]
Value = tuple[Ref, Shape]

CONV = {"data_format": "NHWC", "dilations": (1, 1), "dim_rounding_mode": None}


class RandomGraph:
    """Grows a graph over images, one random node after the other."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 1000)))
        self.builder = GraphBuilder()
        shape = (draw(st.integers(1, 2)), *(draw(st.integers(1, 5)) for _ in range(2)), draw(st.integers(1, 4)))
        self.x_shape: Shape = shape
        self.values: list[Value] = [(self.builder.input("x"), shape)]

    def grow(self) -> None:
        make: Callable[[Ref, Shape], Value] = self.draw(
            st.sampled_from(
                [
                    self.unary,
                    self.binary,
                    self.with_constant,
                    self.with_constant,
                    self.conv,
                    self.depthwise,
                    self.padded,
                    self.reshaped,
                    self.mean,
                    self.product,
                    self.identity,
                ]
            )
        )
        # Recent values more often, so that there are chains; but any, so that there are branches.
        self.values.append(make(*self.draw(st.sampled_from([*self.values, *self.values[-1:] * 3]))))

    def graph(self) -> Graph:
        refs = [ref for ref, _ in self.values]
        more = self.draw(st.lists(st.sampled_from(refs), max_size=2))
        return self.builder.graph(refs[-1], *more)

    def constant(self, *shape: int) -> Ref:
        fan = max(1, int(np.prod(shape[:-1])))
        return self.builder.constant((self.rng.standard_normal(shape) / np.sqrt(fan)).astype(np.float32))

    def unary(self, x: Ref, shape: Shape) -> Value:
        op = self.draw(st.sampled_from(["Relu", "Neg", "Sigmoid", "Tanh", "Abs"]))
        return self.builder.add(op, x), shape

    def binary(self, x: Ref, shape: Shape) -> Value:
        op = self.draw(st.sampled_from(["Add", "Sub", "Maximum", "Multiply"]))
        same = [ref for ref, other in self.values if other == shape]
        y = self.draw(st.sampled_from(same))
        return self.builder.add(op, x, self.builder.add("Tanh", y)), shape

    def with_constant(self, x: Ref, shape: Shape) -> Value:
        op = self.draw(st.sampled_from(["Add", "Sub", "Multiply"]))
        lengths = self.draw(st.sampled_from([(), shape[3:], shape[1:], (1, 1, 1, shape[3])]))
        pair = [x, self.constant(*lengths)]
        if self.draw(st.booleans()):
            pair.reverse()
        return self.builder.add(op, *pair), shape

    def conv(self, x: Ref, shape: Shape) -> Value:
        channels, size = self.draw(st.integers(1, 4)), self.draw(st.integers(1, 3))
        weights = self.constant(size, size, shape[3], channels)
        y = self.builder.add("Conv2D", x, weights, strides=(1, 1), pad="same", **CONV)
        return y, (*shape[:3], channels)

    def depthwise(self, x: Ref, shape: Shape) -> Value:
        stride = self.draw(st.integers(1, 2))
        weights = self.constant(3, 3, shape[3], 1)
        y = self.builder.add("DepthwiseConv2dNative", x, weights, strides=(stride,) * 2, pad="same", **CONV)
        n, h, w, c = shape
        return y, (n, -(-h // stride), -(-w // stride), c)

    def padded(self, x: Ref, shape: Shape) -> Value:
        """A padded convolution: the padding may fold, if nobody else reads it."""
        paddings = ((0, 0), (1, 1), (0, 2), (0, 0))
        y = self.builder.add("PadV2", x, paddings=paddings, constant_value=0)
        padded = (shape[0], shape[1] + 2, shape[2] + 2, shape[3])
        self.values.append((y, padded))
        weights = self.constant(2, 2, shape[3], 3)
        y = self.builder.add("Conv2D", y, weights, strides=(1, 1), pad="valid", **CONV)
        return y, (padded[0], padded[1] - 1, padded[2] - 1, 3)

    def reshaped(self, x: Ref, shape: Shape) -> Value:
        n, h, w, c = shape
        y = self.builder.add("Reshape", x, shape=(n, -1, c))
        return self.builder.add("Reshape", y, shape=(n, w, h, c)), (n, w, h, c)

    def mean(self, x: Ref, shape: Shape) -> Value:
        n, _, _, c = shape
        return self.builder.add("Mean", x, axis=(1, 2), keep_dims=True), (n, 1, 1, c)

    def product(self, x: Ref, shape: Shape) -> Value:
        n, h, w, c = shape
        rows = self.builder.add("Reshape", x, shape=(n * h * w, c))
        weights = self.constant(c, 3)
        y = self.builder.add("BatchMatMul", rows, weights, transpose_a=False, transpose_b=False)
        return self.builder.add("Reshape", y, shape=(n, h, w, 3)), (n, h, w, 3)

    def identity(self, x: Ref, shape: Shape) -> Value:
        return self.builder.add("Identity", x), shape


@st.composite
def random_graphs(draw: st.DrawFn) -> tuple[Graph, Any]:
    grown = RandomGraph(draw)
    for _ in range(draw(st.integers(1, 12))):
        grown.grow()
    return grown.graph(), grown.rng.standard_normal(grown.x_shape).astype(np.float32)


@settings(max_examples=150)
@given(random_graphs())
def test_programs_agree_with_the_interpreter(drawn: tuple[Graph, Any]) -> None:
    graph, values = drawn
    x = tensor(values)
    program = Program(graph)
    expected = [y.numpy().copy() for y in interpret(graph, {"x": x})]
    for _ in range(2):
        for y, want in zip(program.run({"x": x}), expected, strict=True):
            assert y.shape == want.shape
            scale = max(np.abs(want).max(initial=0), 1e-3)
            assert np.abs(y.numpy() - want).max(initial=0) <= 1e-4 * scale
    before = tf.memory()
    tf.dispose(program.run({"x": x}))
    assert tf.memory() == before
