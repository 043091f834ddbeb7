"""`tenfold summary`: what is in a model's files, without running it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.text import Text

import tenfold as tf
from tenfold.cli.models import Model, load
from tenfold.cli.terminal import heading, pairs, results, shape_text, size, table
from tenfold.models.graph_def import ModelTensor
from tenfold.models.graph_model import GraphModel
from tenfold.models.io.artifacts import ModelArtifacts

CONSTANT = "Const"


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a model.

    Attributes:
        count: how many arrays.
        parameters: floating-point numbers in them.
        constants: other elements: axes, shapes, indices, text.
        file_bytes: what they take in the files.
        memory_bytes: what they take once loaded.
        stored: arrays by how they are stored: a dtype, or `float16 → float32` for quantised ones.
    """

    count: int
    parameters: int
    constants: int
    file_bytes: int
    memory_bytes: int
    stored: dict[str, int]


@dataclass(frozen=True, slots=True)
class Op:
    """A kind of node: its name in TensorFlow, how often it is used, and whether Tenfold can run it."""

    name: str
    count: int
    supported: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that the command shows.

    Attributes:
        files: what is said about the files: format, converter, shards and so on.
        inputs: name, dtype and shape.
        outputs: name, dtype and shape.
        weights: how many, and how large.
        ops: the kinds of nodes, the most frequent first; constants are not counted.
    """

    files: dict[str, str]
    inputs: list[ModelTensor]
    outputs: list[ModelTensor]
    weights: Weights
    ops: list[Op]


def summary(
    model: Model,
    ops: Annotated[bool, typer.Option("--ops", help="List every node of the graph.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write it as JSON.")] = False,
) -> None:
    """Show a model's inputs, outputs, ops, parameters, quantisation and files.

    Models with ops that Tenfold does not have are shown, too; those ops are marked.

    \b
    Examples:
      tenfold summary models/model.json
      tenfold summary npm:@vladmandic/human@3.3.6/models/facemesh.json --ops
    """
    missing: tuple[str, ...] = ()
    try:
        loaded = load(model)
    except tf.UnsupportedOpError as error:
        missing = error.ops
        loaded = load(model, allow_unknown_ops=True)
    found = summarise(loaded, missing)
    if as_json:
        nodes = {"nodes": list(_nodes(loaded.artifacts))} if ops else {}
        typer.echo(json.dumps(_document(found) | nodes, indent=2))
        return
    _show(found)
    if ops:
        _show_nodes(loaded.artifacts)


def summarise(model: GraphModel, missing: Collection[str] = ()) -> Summary:
    """Look at a loaded model.

    Args:
        model: the model.
        missing: the ops that Tenfold does not have.
    """
    artifacts = model.artifacts
    used = Counter(node["op"] for node in _nodes(artifacts) if node["op"] != CONSTANT)
    return Summary(
        files=_files(model),
        inputs=list(model.inputs),
        outputs=list(model.outputs),
        weights=_weights(artifacts, model),
        ops=[Op(name, count, name not in missing) for name, count in used.most_common()],
    )


def _files(model: GraphModel) -> dict[str, str]:
    artifacts = model.artifacts
    groups = artifacts.manifest or ()
    sizes = [n for group in groups for n in group.shard_sizes]
    described = {
        "format": artifacts.format or "not said; a graph",
        "converted by": artifacts.converted_by,
        "made by": artifacts.generated_by and _maker(artifacts.generated_by),
        "graph version": model.model_version,
        "weight files": f"{len(sizes)} of {size(sum(sizes))} in {len(groups)} group{'s' * (len(groups) != 1)}",
        "signature": "yes" if model.model_signature else "none; inputs and outputs are those of the graph",
        "metadata": ", ".join(str(key) for key in model.metadata or () if key != "signature"),
        "initializer": "yes, of hash tables" if artifacts.model_initializer else None,
    }
    return {name: text for name, text in described.items() if text}


def _maker(generated_by: str) -> str:
    """TensorFlow writes no more than its version."""
    return f"TensorFlow {generated_by}" if generated_by[:1].isdigit() else generated_by


def _weights(artifacts: ModelArtifacts, model: GraphModel) -> Weights:
    specs = artifacts.weight_specs
    parameters = sum(spec.size for spec in specs if spec.dtype in ("float32", "complex64"))
    stored = Counter(f"{spec.quantization.dtype} → {spec.dtype}" if spec.quantization else spec.dtype for spec in specs)
    return Weights(
        count=len(specs),
        parameters=parameters,
        constants=sum(spec.size for spec in specs) - parameters,
        file_bytes=sum(n for group in artifacts.manifest or () for n in group.shard_sizes),
        memory_bytes=sum(tensor.storage.nbytes for tensor in model.weights.values()),
        stored=dict(stored.most_common()),
    )


def _nodes(artifacts: ModelArtifacts) -> Iterator[dict[str, Any]]:
    """The nodes as the file has them, those of functions included: name, op, inputs, function."""
    topology: Mapping[str, Any] = artifacts.model_topology or {}
    yield from _nodes_of(topology.get("node") or (), "")
    for function in (topology.get("library") or {}).get("function") or ():
        yield from _nodes_of(function.get("nodeDef") or (), function["signature"]["name"])


def _nodes_of(nodes: Iterable[Mapping[str, Any]], function: str) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield {
            "name": node["name"],
            "op": node["op"],
            "inputs": list(node.get("input") or ()),
            "function": function,
        }


def _document(found: Summary) -> dict[str, Any]:
    tensors = {
        kind: [{"name": t.name, "dtype": t.dtype, "shape": t.shape, "key": t.key} for t in getattr(found, kind)]
        for kind in ("inputs", "outputs")
    }
    return asdict(found) | tensors


def _show(found: Summary) -> None:
    console = results()
    console.print(heading("Files"))
    console.print(pairs(found.files.items()))
    for title, tensors in (("Inputs", found.inputs), ("Outputs", found.outputs)):
        console.print()
        console.print(heading(title))
        rows = [(t.name, t.dtype or "any", shape_text(t.shape), t.key) for t in tensors]
        console.print(table(["name", "dtype", "shape", "name in the signature"], rows))
    console.print()
    weights = found.weights
    console.print(heading("Weights"))
    console.print(
        pairs(
            [
                (
                    "parameters",
                    f"{weights.parameters:,} in {weights.count} arrays with {weights.constants:,} constants",
                ),
                ("bytes", f"{size(weights.file_bytes)} in files, {size(weights.memory_bytes)} in memory"),
                ("stored as", ", ".join(f"{dtype} × {count}" for dtype, count in weights.stored.items()) or "–"),
            ]
        )
    )
    console.print()
    console.print(heading(f"Ops ({sum(op.count for op in found.ops)} nodes of {len(found.ops)} kinds)"))
    console.print(
        table(
            ["op", "count", ""],
            [
                (op.name, op.count, "" if op.supported else Text("Tenfold does not have it", style="red"))
                for op in found.ops
            ],
            right=["count"],
        )
    )


def _show_nodes(artifacts: ModelArtifacts) -> None:
    console = results()
    console.print()
    console.print(heading("Nodes"))
    nodes = list(_nodes(artifacts))
    has_functions = any(node["function"] for node in nodes)
    columns = ["name", "op", "inputs", *(["function"] if has_functions else [])]
    rows = [
        (node["name"], node["op"], ", ".join(node["inputs"]), *([node["function"]] if has_functions else []))
        for node in nodes
    ]
    console.print(table(columns, rows))
