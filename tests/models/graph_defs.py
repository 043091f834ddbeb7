"""Small TensorFlow graphs as `model.json` spells them, for tests."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from tenfold.core.engine import engine
from tenfold.core.scopes import keep
from tenfold.models.graph_def import LoadedGraph, load_graph
from tenfold.models.graph_model import GraphModel
from tenfold.models.io.weights import encode_weights

JsonObject = dict[str, Any]

TYPES = {
    "f": "DT_FLOAT", "i": "DT_INT32", "b": "DT_BOOL", "O": "DT_STRING", "U": "DT_STRING", "c": "DT_COMPLEX64",
}  # fmt: skip
"""TensorFlow's types by the kinds of NumPy's."""


def s(text: str) -> JsonObject:
    """An attribute that is a text."""
    return {"s": base64.b64encode(text.encode()).decode()}


def i(value: int) -> JsonObject:
    """An attribute that is an integer; the files have them as texts."""
    return {"i": str(value)}


def f(value: float) -> JsonObject:
    """An attribute that is a number."""
    return {"f": value}


def b(value: bool) -> JsonObject:
    """An attribute that is a bool."""
    return {"b": value}


def dtype(name: str) -> JsonObject:
    """An attribute that is a type."""
    return {"type": name}


def shape(lengths: Sequence[int] | None) -> JsonObject:
    """An attribute that is a shape."""
    if lengths is None:
        return {"shape": {"unknownRank": True}}
    return {"shape": {"dim": [{"size": str(n)} for n in lengths]}}


def ints(*values: int) -> JsonObject:
    """An attribute that is a list of integers."""
    return {"list": {"i": [str(value) for value in values]}}


def strings(*values: str) -> JsonObject:
    """An attribute that is a list of texts."""
    return {"list": {"s": [s(value)["s"] for value in values]}}


def function(name: str) -> JsonObject:
    """An attribute that names a function."""
    return {"func": {"name": name}}


def node(name: str, op: str, *inputs: str, **attributes: JsonObject) -> JsonObject:
    """A node."""
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def placeholder(name: str, kind: str = "DT_FLOAT", lengths: Sequence[int] | None = None) -> JsonObject:
    """A placeholder."""
    return node(name, "Placeholder", dtype=dtype(kind), shape=shape(lengths))


class Builder:
    """A graph that grows node by node.

    Attributes:
        nodes: so far.
        weights: the values of the constants.
        functions: of the library.
    """

    def __init__(self) -> None:
        self.nodes: list[JsonObject] = []
        self.weights: dict[str, np.ndarray] = {}
        self.functions: list[JsonObject] = []

    def input(self, name: str, kind: str = "DT_FLOAT", lengths: Sequence[int] | None = None) -> str:
        """Add a placeholder and return its name."""
        self.nodes.append(placeholder(name, kind, lengths))
        return name

    def const(self, name: str, value: Any, *controls: str) -> str:
        """Add a constant and return its name."""
        array = np.asarray(value)
        if array.dtype.kind in "US":
            array = np.array([v.encode() for v in array.ravel().tolist()], object).reshape(array.shape)
        elif array.dtype.kind in "fi":
            array = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
        kind = TYPES[array.dtype.kind]
        tensor = {"tensor": {"dtype": kind, "tensorShape": shape(array.shape)["shape"]}}
        self.nodes.append(node(name, "Const", *controls, dtype=dtype(kind), value=tensor))
        self.weights[name] = array
        return name

    def add(self, name: str, op: str, *inputs: str, **attributes: JsonObject) -> str:
        """Add a node and return its name."""
        self.nodes.append(node(name, op, *inputs, **attributes))
        return name

    def function(
        self, name: str, arguments: Sequence[str], results: Sequence[str], nodes: Sequence[JsonObject]
    ) -> None:
        """Add a function to the library."""
        outputs = [f"out{number}" for number in range(len(results))]
        self.functions.append(
            {
                "signature": {
                    "name": name,
                    "inputArg": [{"name": argument, "type": "DT_FLOAT"} for argument in arguments],
                    "outputArg": [{"name": output, "type": "DT_FLOAT"} for output in outputs],
                },
                "nodeDef": list(nodes),
                "ret": dict(zip(outputs, results, strict=True)),
            }
        )

    @property
    def topology(self) -> JsonObject:
        """The graph as `json.load` would give it."""
        return {"node": self.nodes, "library": {"function": self.functions}, "versions": {"producer": 1}}

    def load(self, outputs: Sequence[str] = (), **options: Any) -> LoadedGraph:
        """Lower the graph."""
        tensors = {
            name: keep(
                engine().make_tensor(
                    value, value.shape, {"f": "float32", "i": "int32", "b": "bool"}.get(value.dtype.kind, "string")
                )
            )
            for name, value in self.weights.items()
        }
        return load_graph(self.topology, self.weights, tensors, signature_of(outputs), **options)

    def artifacts(self, outputs: Sequence[str] = (), **fields: Any) -> JsonObject:
        """The model as artifacts in memory."""
        data, specs = encode_weights(self.weights)
        return {
            "modelTopology": self.topology,
            "format": "graph-model",
            "weightSpecs": [spec.to_json() for spec in specs],
            "weightData": bytes(data),
            **({"signature": signature_of(outputs)} if outputs else {}),
            **fields,
        }

    def model(self, outputs: Sequence[str] = (), **options: Any) -> GraphModel:
        """The model, loaded."""
        model = GraphModel(self.artifacts(outputs), **options)
        model.load_sync()
        return model


def signature_of(outputs: Sequence[str]) -> JsonObject | None:
    """A signature that names outputs only."""
    if not outputs:
        return None
    return {"outputs": {name: {"name": name if ":" in name else f"{name}:0"} for name in outputs}}
