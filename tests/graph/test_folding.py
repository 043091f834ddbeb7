"""Arithmetic moved into weights: fewer kernels, the same results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tenfold.core.kernel import TensorSpec
from tenfold.graph.folding import fold_pads, fold_scales, lower_batch_norms
from tenfold.graph.graph import Graph, Ref
from tenfold.graph.interpreter import interpret
from tenfold.graph.specialise import SpecialisedGraph, specialise
from tests.graph.builder import GraphBuilder, ops_of, spec, tensor

CONV: dict[str, Any] = {
    "strides": (1, 1),
    "pad": "same",
    "data_format": "NHWC",
    "dilations": (1, 1),
    "dim_rounding_mode": None,
}
IMAGE = spec(2, 5, 6, 3)

rng = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def same_results(given: SpecialisedGraph, before: Graph, shape: TensorSpec = IMAGE) -> bool:
    x = tensor(random(*shape.shape))
    pairs = zip(interpret(before, {"x": x}), interpret(given.graph, {"x": x}), strict=True)
    return all(np.abs(a.numpy() - b.numpy()).max() <= 1e-5 * max(np.abs(a.numpy()).max(), 1e-3) for a, b in pairs)


def linear(b: GraphBuilder, op: str) -> tuple[Ref, TensorSpec]:
    if op == "BatchMatMul":
        attributes = {"transpose_a": False, "transpose_b": False}
        return b.add(op, b.input("x"), b.constant(random(6, 4)), **attributes), spec(5, 6)
    if op == "BatchMatMul transposed":
        attributes = {"transpose_a": False, "transpose_b": True}
        return b.add("BatchMatMul", b.input("x"), b.constant(random(4, 6)), **attributes), spec(5, 6)
    shape = (3, 3, 3, 2) if op == "DepthwiseConv2dNative" else (3, 3, 3, 4)
    return b.add(op, b.input("x"), b.constant(random(*shape)), **CONV), IMAGE


@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative", "BatchMatMul", "BatchMatMul transposed"])
def test_scales_and_shifts_fold_into_one_bias(op: str) -> None:
    b = GraphBuilder()
    y, given_spec = linear(b, op)
    channels = 6 if op == "DepthwiseConv2dNative" else 4
    y = b.add("Add", y, b.constant(random(channels)))
    y = b.add("Multiply", b.constant(random(channels)), y)
    y = b.add("Sub", y, b.constant(random(1)))
    y = b.add("Sub", b.constant(random(channels)), y)
    y = b.add("RealDiv", y, b.constant(random(channels)))
    graph = b.graph(b.add("Relu", y))
    folded = fold_scales(specialise(graph, {"x": given_spec}))
    assert ops_of(folded.graph) == [op.split()[0], "Add", "Relu"]
    assert same_results(folded, graph, given_spec)


def test_a_scale_alone_needs_no_bias() -> None:
    b = GraphBuilder()
    y, _ = linear(b, "Conv2D")
    graph = b.graph(b.add("Multiply", y, b.constant(random(4)), name="scaled"))
    folded = fold_scales(specialise(graph, {"x": IMAGE}))
    assert ops_of(folded.graph) == ["Conv2D"]
    assert folded.graph.outputs == (Ref("scaled"),)
    assert same_results(folded, graph)


def test_what_others_read_stays() -> None:
    b = GraphBuilder()
    y, _ = linear(b, "Conv2D")
    graph = b.graph(b.add("Multiply", y, b.constant(random(4))), y)
    assert ops_of(fold_scales(specialise(graph, {"x": IMAGE})).graph) == ["Conv2D", "Multiply"]


@pytest.mark.parametrize("shape", [(6, 1), (2, 1, 1, 1), (5, 6, 4)])
def test_only_constants_by_channel_fold(shape: tuple[int, ...]) -> None:
    b = GraphBuilder()
    y, _ = linear(b, "Conv2D")
    graph = b.graph(b.add("Multiply", y, b.constant(random(*shape))))
    assert ops_of(fold_scales(specialise(graph, {"x": IMAGE})).graph) == ["Conv2D", "Multiply"]


def test_channels_first() -> None:
    b = GraphBuilder()
    y = b.add("Conv2D", b.input("x"), b.constant(random(3, 3, 3, 4)), **{**CONV, "data_format": "NCHW"})
    y = b.add("Multiply", y, b.constant(random(4, 1, 1)))
    graph = b.graph(b.add("Add", y, b.constant(random(1, 4, 1, 1))))
    given_spec = spec(2, 3, 5, 6)
    folded = fold_scales(specialise(graph, {"x": given_spec}))
    assert ops_of(folded.graph) == ["Conv2D", "Add"]
    assert same_results(folded, graph, given_spec)


def test_what_is_not_finite_stays() -> None:
    b = GraphBuilder()
    y, _ = linear(b, "Conv2D")
    graph = b.graph(b.add("Multiply", y, b.constant([np.inf])))
    assert ops_of(fold_scales(specialise(graph, {"x": IMAGE})).graph) == ["Conv2D", "Multiply"]


def norm(b: GraphBuilder, x: Ref, channels: int, *, optional: bool = True) -> Ref:
    mean, offset, scale = (b.constant(random(channels)) for _ in range(3))
    variance = b.constant(np.abs(random(channels)))
    rest = (offset, scale) if optional else (None, None)
    return b.add("FusedBatchNorm", x, mean, variance, *rest, variance_epsilon=1e-3)


def test_batch_norms_fold_into_convolutions() -> None:
    b = GraphBuilder()
    y, _ = linear(b, "Conv2D")
    graph = b.graph(norm(b, y, 4))
    folded = fold_scales(lower_batch_norms(specialise(graph, {"x": IMAGE})))
    assert ops_of(folded.graph) == ["Conv2D", "Add"]
    assert same_results(folded, graph)


@pytest.mark.parametrize("optional", [True, False])
def test_other_batch_norms_become_a_product_and_a_sum(optional: bool) -> None:
    b = GraphBuilder()
    graph = b.graph(norm(b, b.input("x"), 3, optional=optional))
    lowered = lower_batch_norms(specialise(graph, {"x": IMAGE}))
    assert ops_of(lowered.graph) == ["Multiply", "Add"]
    assert same_results(lowered, graph)


def test_large_means_are_subtracted_first() -> None:
    b = GraphBuilder()
    mean, variance = b.constant([1e4, 0.0, -1e4]), b.constant([1.0, 1.0, 1.0])
    graph = b.graph(b.add("FusedBatchNorm", b.input("x"), mean, variance, None, None, variance_epsilon=1e-3))
    lowered = lower_batch_norms(specialise(graph, {"x": IMAGE}))
    assert ops_of(lowered.graph) == ["Sub", "Multiply", "Add"]
    assert same_results(lowered, graph)


@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative"])
@pytest.mark.parametrize("pad", ["valid", 1, [[0, 0], [0, 1], [2, 0], [0, 0]]])
def test_padding_folds(op: str, pad: Any) -> None:
    b = GraphBuilder()
    padded = b.add("PadV2", b.input("x"), paddings=((0, 0), (1, 2), (0, 1), (0, 0)), constant_value=0)
    shape = (3, 3, 3, 2)
    graph = b.graph(b.add(op, padded, b.constant(random(*shape)), **{**CONV, "pad": pad, "strides": (2, 2)}))
    folded = fold_pads(specialise(graph, {"x": IMAGE}))
    assert ops_of(folded.graph) == [op]
    assert same_results(folded, graph)


@pytest.mark.parametrize(
    ("paddings", "value", "pad"),
    [
        (((0, 0), (1, 1), (1, 1), (0, 0)), 1.0, "valid"),
        (((1, 0), (1, 1), (1, 1), (0, 0)), 0, "valid"),
        (((0, 0), (1, 1), (1, 1), (0, 0)), 0, "same"),
    ],
)
def test_other_padding_stays(paddings: Any, value: float, pad: str) -> None:
    b = GraphBuilder()
    padded = b.add("PadV2", b.input("x"), paddings=paddings, constant_value=value)
    graph = b.graph(b.add("Conv2D", padded, b.constant(random(3, 3, 3, 4)), **{**CONV, "pad": pad}))
    assert ops_of(fold_pads(specialise(graph, {"x": IMAGE})).graph) == ["PadV2", "Conv2D"]
