"""What the tests of the command line share: a way to call it, and a model that needs no files of anybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import tenfold as tf
from tenfold.cli import terminal
from tenfold.cli.app import app
from tenfold.models.io import encode_weights

Tenfold = Callable[..., Result]


@pytest.fixture
def tenfold(monkeypatch: pytest.MonkeyPatch) -> Tenfold:
    """Runs the command in this process; on however busy a machine, it reports no progress."""
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 600)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("TENFOLD_FLAGS", raising=False)
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: object, **options: Any) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)

    return run


def node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    """A node of a GraphDef."""
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def placeholder(name: str, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """An input of a GraphDef."""
    sizes = [{"size": str(length)} for length in shape]
    return node(name, "Placeholder", dtype={"type": dtype}, shape={"shape": {"dim": sizes}})


def save_model(
    folder: Path, nodes: list[dict[str, Any]], weights: dict[str, np.ndarray] | None = None, **fields: Any
) -> Path:
    """Write a graph model into a folder; its model.json."""
    data, specs = encode_weights(weights or {})
    model = {
        "format": "graph-model",
        "modelTopology": {"node": nodes, "versions": {"producer": 987}},
        "weightSpecs": [spec.to_json() for spec in specs],
        "weightData": bytes(data),
        **fields,
    }
    tf.load_graph_model_sync(model, allow_unknown_ops=True).save_sync(str(folder))
    return folder / "model.json"


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """A model that takes `x`, `[?, 3]`, and gives `twice` as much and its `softmax`."""
    nodes = [
        placeholder("x", "DT_FLOAT", (-1, 3)),
        node("two", "Const", dtype={"type": "DT_FLOAT"}),
        node("twice", "Mul", "x", "two"),
        node("softmax", "Softmax", "x"),
    ]
    return save_model(
        tmp_path / "doubler",
        nodes,
        {"two": np.array(2, np.float32)},
        generatedBy="2.15.0",
        convertedBy="hand",
        userDefinedMetadata={"author": "nobody"},
    )


@pytest.fixture
def adder(tmp_path: Path) -> Path:
    """A model that adds `left` and `right`, `[2]`, of which the first is int32."""
    nodes = [
        placeholder("left", "DT_INT32", (2,)),
        placeholder("right", "DT_FLOAT", (2,)),
        node("cast", "Cast", "left", SrcT={"type": "DT_INT32"}, DstT={"type": "DT_FLOAT"}),
        node("sum", "AddV2", "cast", "right"),
    ]
    return save_model(tmp_path / "adder", nodes)
