"""From a model's topology, weights and signature to a graph with named inputs and outputs.

The topology is a TensorFlow `GraphDef` in JSON. It and the signature come from files that are not trusted:
whatever is wrong with them is a `ModelFormatError` that names the node or the entry and the field, and ops
that Tenfold does not have are named all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.core.errors import ModelFormatError
from tenfold.graph.graph import Graph, Ref
from tenfold.models.attr_values import dtype_name, tensor_shape
from tenfold.models.lowering import Lowering, unsupported
from tenfold.models.node_def import Region, parse_graph_def, split_reference

if TYPE_CHECKING:
    import numpy as np

    from tenfold.core.tensor import Tensor

_NO_RESULT = frozenset(("NoOp", "Assert", "Placeholder"))
_TABLE_IMPORTS = frozenset(("LookupTableImport", "LookupTableImportV2", "InitializeTable", "InitializeTableV2"))


class ModelTensor(NamedTuple):
    """An input or output of a model.

    Attributes:
        name: of the node in the model's graph; with `:1` and so on for further outputs of one node.
        shape: with -1 for lengths that may be anything, or None if not even the rank is known.
        dtype: of its elements, or None if not known.
        key: its name in the signature, or "" if it has none.
        resource: the number by which an initializer's result is handed to it, or None.
    """

    name: str
    shape: tuple[int, ...] | None
    dtype: str | None
    key: str = ""
    resource: int | None = None


class LoadedGraph(NamedTuple):
    """A model's graph, and what its inputs and outputs are called.

    Attributes:
        graph: what runs; its outputs are those of the model.
        inputs: in the order of the signature, or of the file where there is none.
        outputs: in the order of the signature, or of the file where there is none.
    """

    graph: Graph
    inputs: tuple[ModelTensor, ...]
    outputs: tuple[ModelTensor, ...]


def load_graph(
    topology: object,
    arrays: Mapping[str, np.ndarray],
    constants: Mapping[str, Tensor],
    signature: object = None,
    *,
    allow_unknown_ops: bool = False,
) -> LoadedGraph:
    """Make a graph of a model's topology.

    Args:
        topology: the GraphDef, as `json.load` gives it.
        arrays: the values of the weights, by name.
        constants: tensors of the same weights, which the graph keeps.
        signature: names, dtypes and shapes of inputs and outputs, as `json.load` gives it; None for the
            placeholders and the nodes that nobody reads.
        allow_unknown_ops: let a model be loaded that uses unknown ops; to run them is an error then.

    Raises:
        ModelFormatError: if something is malformed.
        UnsupportedOpError: if ops are unknown; it names all of them.
    """
    parsed = parse_graph_def(topology)
    signature_inputs = _entries(signature, "inputs")
    signature_outputs = _entries(signature, "outputs")
    outputs = _outputs(parsed.main, signature_outputs)
    lowering = Lowering(parsed.functions, arrays, constants)
    graph = lowering.lower(parsed.main, [split_reference(output.name)[0] for output in outputs])
    if lowering.unknown and not allow_unknown_ops:
        raise unsupported(lowering.unknown)
    inputs = _inputs(graph, signature_inputs)
    graph = replace(graph, inputs=tuple(tensor.name for tensor in inputs))
    return LoadedGraph(graph, inputs, outputs)


def load_initializer(
    topology: object, arrays: Mapping[str, np.ndarray], constants: Mapping[str, Tensor], signature: object
) -> tuple[Graph, dict[int, Ref]]:
    """Make a graph of what fills a model's hash tables.

    Returns:
        The graph, whose outputs are all that has to run, and the outputs by the numbers under which the
        model's inputs ask for them.
    """
    parsed = parse_graph_def(topology)
    entries = _entries(signature, "outputs")
    resources = {}
    for output in _outputs(parsed.main, entries) if entries else ():
        if output.resource is not None:
            resources[output.resource] = split_reference(output.name)[0]
    imports = [Ref(node.name) for node in parsed.main.nodes.values() if node.op in _TABLE_IMPORTS]
    lowering = Lowering(parsed.functions, arrays, constants)
    graph = lowering.lower(parsed.main, [*resources.values(), *imports])
    if lowering.unknown:
        raise unsupported(lowering.unknown)
    return graph, resources


def _entries(signature: object, kind: str) -> dict[str, ModelTensor]:
    """The inputs or outputs that a signature states, by key."""
    if signature is None:
        return {}
    stated = signature.get(kind) if isinstance(signature, Mapping) else signature
    if stated is None:
        return {}
    if not isinstance(stated, Mapping):
        raise ModelFormatError(f"signature.{kind}: must be an object, got {type(stated).__name__}.")
    return {key: _entry(key, entry, f"signature.{kind}[{key!r}]") for key, entry in stated.items()}


def _entry(key: str, entry: Any, where: str) -> ModelTensor:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name", key), str):
        raise ModelFormatError(f"{where}: must be an object with a name.")
    ref, _ = split_reference(entry.get("name") or key)
    try:
        dtype = dtype_name(entry["dtype"]) if "dtype" in entry else None
        shape = tensor_shape(entry["tensorShape"]) if "tensorShape" in entry else None
    except ValueError as error:
        raise ModelFormatError(f"{where}: {error}.") from error
    resource = entry.get("resourceId")
    if resource is not None and (isinstance(resource, bool) or not isinstance(resource, (int, str))):
        raise ModelFormatError(f"{where}.resourceId: must be an integer, got {resource!r}.")
    number = int(resource) if resource is not None and str(resource).isdigit() else None
    return ModelTensor(_output_name(ref), shape, dtype, key, number)


def _output_name(ref: Ref) -> str:
    return f"{ref.node}:{ref.output}" if ref.output else ref.node


def _outputs(region: Region, stated: Mapping[str, ModelTensor]) -> tuple[ModelTensor, ...]:
    for output in stated.values():
        node = split_reference(output.name)[0].node
        if node not in region.nodes:
            raise ModelFormatError(f"signature.outputs[{output.key!r}]: the graph has no node {node!r}.")
    if stated:
        return tuple(stated.values())
    read = {ref.node for node in region.nodes.values() for ref in node.inputs}
    read.update(control for node in region.nodes.values() for control in node.controls)
    leaves = [node for node in region.nodes.values() if node.name not in read]
    results = [node for node in leaves if node.op not in _NO_RESULT and node.op != "Const"] or leaves
    return tuple(ModelTensor(node.name, None, None) for node in results)


def _inputs(graph: Graph, stated: Mapping[str, ModelTensor]) -> tuple[ModelTensor, ...]:
    placeholders = {name: node for name, node in graph.nodes.items() if node.op == "Placeholder"}
    by_node = {split_reference(entry.name)[0].node: entry for entry in stated.values()}
    names = [name for name in by_node if name in graph.nodes]
    names += [name for name in placeholders if name not in by_node]
    inputs = []
    for name in names:
        entry = by_node.get(name, ModelTensor(name, None, None))
        attributes = graph.nodes[name].attributes if name in placeholders else {}
        dtype = attributes.get("dtype") or entry.dtype
        shape = attributes.get("shape")
        inputs.append(ModelTensor(name, entry.shape if shape is None else shape, dtype, entry.key, entry.resource))
    return tuple(inputs)
