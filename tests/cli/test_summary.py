"""`tenfold summary`: what is in a model's files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.cli.conftest import Tenfold, node, placeholder, save_model
from tests.shared import human_models, shared_path


def test_what_is_shown(doubler: Path, tenfold: Tenfold) -> None:
    result = tenfold("summary", doubler)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    for line in (
        "format graph-model",
        "converted by hand",
        "made by TensorFlow 2.15.0",
        "graph version 987.0",
        "weight files 1 of 4 bytes in 1 group",
        "signature none; inputs and outputs are those of the graph",
        "metadata author",
        "x float32 [?, 3]",
        "parameters 1 in 1 arrays with 0 constants",
        "bytes 4 bytes in files, 4 bytes in memory",
        "stored as float32 × 1",
        "Ops (3 nodes of 3 kinds)",
        "Mul 1",
    ):
        assert line.split() in lines, line


def test_json_of_a_quantised_model(tenfold: Tenfold) -> None:
    document = json.loads(tenfold("summary", shared_path("models", "nsfw_mobilenet_v2_mid"), "--json").stdout)
    assert document["inputs"] == [{"name": "input", "dtype": "float32", "shape": [-1, 224, 224, 3], "key": "input:0"}]
    assert document["outputs"][0]["shape"] == [-1, 5]
    weights = document["weights"]
    assert weights["parameters"] == weights["file_bytes"] == 4_300_775
    assert weights["memory_bytes"] == 4 * 4_300_775
    assert weights["stored"] == {"uint8 → float32": 108}
    assert document["files"]["weight files"] == "2 of 4.3 MB in 1 group"
    ops = {op["name"]: op["count"] for op in document["ops"]}
    assert ops["FusedDepthwiseConv2dNative"] == 17
    assert "Const" not in ops
    assert all(op["supported"] for op in document["ops"])


def test_constants_are_no_parameters(tmp_path: Path, tenfold: Tenfold) -> None:
    nodes = [
        placeholder("x", "DT_FLOAT", (6,)),
        node("shape", "Const", dtype={"type": "DT_INT32"}),
        node("y", "Reshape", "x", "shape"),
    ]
    model = save_model(tmp_path, nodes, {"shape": np.array([2, 3], np.int32)})
    weights = json.loads(tenfold("summary", model, "--json").stdout)["weights"]
    assert (weights["count"], weights["parameters"], weights["constants"]) == (1, 0, 2)


def test_every_node(doubler: Path, tenfold: Tenfold) -> None:
    shown = tenfold("summary", doubler, "--ops").stdout
    lines = [line.split() for line in shown[shown.index("Nodes") :].splitlines()]
    assert ["twice", "Mul", "x,", "two"] in lines
    assert ["two", "Const"] in lines
    nodes = json.loads(tenfold("summary", doubler, "--ops", "--json").stdout)["nodes"]
    assert {"name": "twice", "op": "Mul", "inputs": ["x", "two"], "function": ""} in nodes


def test_unknown_ops_are_marked(tmp_path: Path, tenfold: Tenfold) -> None:
    nodes = [placeholder("x", "DT_FLOAT", (2,)), node("y", "Frobnicate", "x"), node("z", "Sqrt", "y")]
    model = save_model(tmp_path, nodes)
    result = tenfold("summary", model)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["Frobnicate", "1", "Tenfold", "does", "not", "have", "it"] in lines
    assert ["Sqrt", "1"] in lines
    ops = json.loads(tenfold("summary", model, "--json").stdout)["ops"]
    assert {op["name"]: op["supported"] for op in ops} == {"Placeholder": True, "Frobnicate": False, "Sqrt": True}


def test_nodes_of_functions_are_listed(tmp_path: Path, tenfold: Tenfold) -> None:
    nodes = [placeholder("x", "DT_FLOAT", (2,)), node("y", "Sqrt", "x")]
    model = save_model(tmp_path, nodes)
    document = json.loads(model.read_text())
    argument = {"name": "a", "type": "DT_FLOAT"}
    function = {
        "signature": {"name": "inner", "inputArg": [argument], "outputArg": [{"name": "o", "type": "DT_FLOAT"}]},
        "nodeDef": [node("n", "Neg", "a")],
        "ret": {"o": "n:y:0"},
    }
    document["modelTopology"]["library"] = {"function": [function]}
    model.write_text(json.dumps(document))
    shown = tenfold("summary", model, "--ops").stdout
    assert ["n", "Neg", "a", "inner"] in [line.split() for line in shown.splitlines()]


def test_control_flow_models(tenfold: Tenfold) -> None:
    result = tenfold("summary", human_models() / "models" / "handtrack.json")
    assert result.exit_code == 0
    assert "NextIteration" in result.stdout


def test_models_of_the_zoo_have_names(tenfold: Tenfold, monkeypatch: object) -> None:
    from tenfold.cli.models import source_of
    from tenfold.zoo.blazeface import DEFAULT_MODEL

    assert source_of("blazeface") == DEFAULT_MODEL
    assert source_of("./blazeface") == "./blazeface"
