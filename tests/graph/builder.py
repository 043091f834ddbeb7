"""Graphs written by hand, for the tests of everything that works on graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import tenfold as tf
from tenfold.core.engine import engine
from tenfold.core.kernel import TensorSpec
from tenfold.core.tensor import Tensor
from tenfold.graph.graph import Graph, Node, Ref

_DTYPES = {"f": "float32", "i": "int32", "b": "bool"}


def tensor(values: Any) -> Tensor:
    """A tensor of NumPy's idea of the values: float32, int32 or bool."""
    array = np.asarray(values)
    dtype = _DTYPES[array.dtype.kind]
    return engine().make_tensor(np.array(array, dtype), array.shape, dtype)


class GraphBuilder:
    """Collects nodes; every method that adds one gives the reference to its first output."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._inputs: list[str] = []
        self._constants: dict[str, Tensor] = {}

    def input(self, name: str) -> Ref:
        self._inputs.append(name)
        return self._add(Node(name, "Placeholder"))

    def constant(self, values: Any, name: str = "") -> Ref:
        name = name or self._name("const")
        self._constants[name] = tf.keep(tensor(values))
        return self._add(Node(name, "Const"))

    def add(
        self,
        op: str,
        *inputs: Ref | None,
        name: str = "",
        outputs: int = 1,
        dynamic: Mapping[str, Ref] | None = None,
        **attributes: Any,
    ) -> Ref:
        name = name or self._name(op.lower())
        return self._add(Node(name, op, inputs, attributes, dynamic or {}, op, outputs))

    def graph(self, *outputs: Ref) -> Graph:
        return Graph(dict(self._nodes), tuple(self._inputs), outputs, dict(self._constants))

    def _add(self, node: Node) -> Ref:
        assert node.name not in self._nodes
        self._nodes[node.name] = node
        return Ref(node.name)

    def _name(self, stem: str) -> str:
        return f"{stem}_{len(self._nodes)}"


def spec(*shape: int, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(shape, dtype)


def ops_of(graph: Graph) -> list[str]:
    """What is left to compute: the ops that are not constants and inputs, in order."""
    return [node.op for node in graph.nodes.values() if node.op not in ("Const", "Placeholder")]
