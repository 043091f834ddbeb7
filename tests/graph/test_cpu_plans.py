"""Plans on the cpu backend: arrays only, blocks in cache, kernels from outside, storages at the ends."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.cpu import plans
from tenfold.core.kernel import as_infos
from tenfold.graph.graph import Graph
from tenfold.graph.interpreter import interpret
from tenfold.graph.program import Program
from tests.graph.builder import GraphBuilder, tensor


def image_chain() -> Graph:
    """An elementwise chain whose operands broadcast along every axis."""
    b = GraphBuilder()
    y = b.add("Multiply", b.input("x"), b.constant(np.arange(5, dtype=np.float32)))
    y = b.add("Add", y, b.input("whole"))
    y = b.add("Sub", b.constant(np.arange(7, dtype=np.float32).reshape(7, 1, 1)), y)
    y = b.add("Maximum", y, b.constant(np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)))
    return b.graph(b.add("Add", y, b.constant(1.0)))


@pytest.fixture(params=[1 << 18, 100, 1])
def _block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("_block_bytes")
@pytest.mark.parametrize("shape", [(3, 7, 6, 5), (1, 7, 6, 5)])
def test_chains_by_blocks(shape: tuple[int, ...]) -> None:
    graph = image_chain()
    rng = np.random.default_rng(0)
    feeds = {name: tensor(rng.standard_normal(shape).astype(np.float32)) for name in graph.inputs}
    (want,) = interpret(graph, feeds)
    (got,) = Program(graph).run(feeds)
    np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.usefixtures("_block_bytes")
def test_chains_of_vectors_and_scalars() -> None:
    b = GraphBuilder()
    graph = b.graph(b.add("Neg", b.add("Add", b.input("x"), b.input("y"))))
    program = Program(graph)
    for shape in ((), (1,), (1000,), (0,), (1, 0, 2)):
        x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        (got,) = program.run({"x": tensor(x), "y": tensor(x)})
        np.testing.assert_array_equal(got.numpy(), -2 * x)


@contextmanager
def doubled(kernel_name: str) -> Iterator[None]:
    """A kernel of the cpu backend that gives twice as much, and its input where that is zero."""
    original = tf.backend().kernel_function(kernel_name)

    def replacement(inputs: Sequence[Any], attributes: Any, backend: Any) -> tf.TensorInfo:
        info = as_infos(original(inputs, attributes, backend))[0]
        if not info.storage.data.any():
            backend.dispose_data(info.storage)
            return tf.TensorInfo(inputs[0].storage, inputs[0].shape, inputs[0].dtype)
        storage = backend.write(2 * info.storage.data, info.shape, info.dtype)
        backend.dispose_data(info.storage)
        return tf.TensorInfo(storage, storage.shape, storage.dtype)

    tf.unregister_kernel(kernel_name, "cpu")
    tf.register_kernel(kernel_name, "cpu", replacement)
    try:
        yield
    finally:
        tf.unregister_kernel(kernel_name, "cpu")
        tf.register_kernel(kernel_name, "cpu", original)


@pytest.mark.parametrize("replaced", ["Square", "Neg", "Relu"])
def test_kernels_registered_from_outside_are_used(replaced: str) -> None:
    """As the head of a chain, as a stage, and alone; and the cpu's own again when they are gone."""
    b = GraphBuilder()
    squared = b.add("Add", b.add("Neg", b.add("Square", b.input("x"))), b.constant(20.0))
    program = Program(b.graph(squared, b.add("Relu", squared)))
    x = tensor([3.0, 0.0])
    feeds = {"x": x}
    assert [y.array_sync() for y in program.run(feeds)] == [[11, 20], [11, 20]]
    with doubled(replaced):
        wanted = [y.array_sync() for y in interpret(program.graph, feeds)]
        assert wanted != [[11, 20], [11, 20]]
        assert [y.array_sync() for y in program.run(feeds)] == wanted
        before, ids = tf.memory(), tf.backend().num_data_ids()
        tf.dispose(program.run(feeds))
        assert (tf.memory(), tf.backend().num_data_ids()) == (before, ids)
    assert [y.array_sync() for y in program.run(feeds)] == [[11, 20], [11, 20]]
    assert x.array_sync() == [3, 0]


def test_reshapes_share_storage() -> None:
    b = GraphBuilder()
    negated = b.add("Neg", b.input("x"))
    seen = b.add("Reshape", negated, shape=(2, 2))
    program = Program(b.graph(negated, seen, b.add("Reshape", b.input("y"), shape=(4, 1))))
    x, y = tensor([1.0, 2.0, 3.0, 4.0]), tensor([5.0, 6.0, 7.0, 8.0])
    before = tf.memory()
    first, second, third = program.run({"x": x, "y": y})
    assert first.storage is second.storage
    assert third.storage is y.storage
    assert tf.memory().num_bytes == before.num_bytes + 16
    first.dispose()
    assert second.array_sync() == [[-1, -2], [-3, -4]]
    assert third.array_sync() == [[5], [6], [7], [8]]


def test_intermediates_are_freed_at_their_last_use() -> None:
    """Of twenty steps with a megabyte each, at most three are alive at once."""
    b = GraphBuilder()
    y = b.input("x")
    for _ in range(20):
        y = b.add("Transpose", y, perm=(1, 0))
        y = b.add("Neg", y)
    program = Program(b.graph(y))
    x = tensor(np.ones((256, 1024), np.float32))
    tf.dispose(program.run({"x": x}))
    tracemalloc.start()
    try:
        tf.dispose(program.run({"x": x}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3.5 * (1 << 20)
