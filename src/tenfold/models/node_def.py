"""The nodes of a model's file as it spells them, checked as far as their structure goes.

A `model.json` of the graph kind holds a TensorFlow `GraphDef` in JSON. This module turns it into `Region`s of
`NodeDef`s: the main graph and one for each function of the library. Attributes stay as they are in the file
and are converted, and checked, by whoever needs them (`attr_values`); names of inputs become `Ref`s. The
file is not trusted: everything wrong with it is a `ModelFormatError` that names the node and the field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tenfold.core.errors import ModelFormatError
from tenfold.graph.graph import Ref

RawAttributes = Mapping[str, Any]

_NONE: Mapping[str, Any] = {}

MAX_NODES = 100_000
"""More nodes than any real model has, functions included."""


class NodeDef(NamedTuple):
    """One node as the file has it.

    Attributes:
        name: unique in its region.
        op: TensorFlow's name of the op.
        inputs: what it reads, in order.
        output_names: for each input the name of the output that it reads, where the file gives one (in
            functions, `node:output:index`), else an empty text.
        attributes: by name, each still a dictionary with one key for its kind, such as `{"i": 3}`.
        controls: names of nodes that must run before it.
        regions: graphs inside the node, by attribute name; control flow of version 1 puts them there.
        weight: the name of a `Const` node's weight, where that is not the node's own.
    """

    name: str
    op: str
    inputs: tuple[Ref, ...] = ()
    output_names: tuple[str, ...] = ()
    attributes: RawAttributes = _NONE
    controls: tuple[str, ...] = ()
    regions: Mapping[str, Region] = _NONE
    weight: str = ""


class Region(NamedTuple):
    """A graph of nodes as the file has them: the main graph, a function, or the body of a loop.

    Attributes:
        nodes: by name, in the order of the file.
        inputs: names of the `Placeholder` nodes that stand for the arguments, in order.
        outputs: the results, in order; empty for the main graph.
        output_names: like `NodeDef.output_names`, for the results.
    """

    nodes: dict[str, NodeDef]
    inputs: tuple[str, ...] = ()
    outputs: tuple[Ref, ...] = ()
    output_names: tuple[str, ...] = ()


class GraphDef(NamedTuple):
    """A file's graph and its functions by name."""

    main: Region
    functions: Mapping[str, Region]


def parse_graph_def(topology: object) -> GraphDef:
    """Check the structure of a GraphDef in JSON and resolve the names of inputs.

    Raises:
        ModelFormatError: naming the node and the field.
    """
    graph = _mapping(topology, "modelTopology")
    main = _parse_region(_sequence(graph.get("node"), "modelTopology.node"), "modelTopology.node", {})
    functions: dict[str, Region] = {}
    library = _mapping(graph.get("library") or {}, "modelTopology.library")
    entries = _sequence(library.get("function") or [], "modelTopology.library.function")
    for number, entry in enumerate(entries):
        where = f"modelTopology.library.function[{number}]"
        name, region = _parse_function(_mapping(entry, where), where)
        if name in functions:
            raise ModelFormatError(f"{where}: there are two functions named {name!r}.")
        functions[name] = region
    if len(main.nodes) + sum(len(function.nodes) for function in functions.values()) > MAX_NODES:
        raise ModelFormatError(f"modelTopology: more than {MAX_NODES} nodes.")
    return GraphDef(main, functions)


def split_reference(text: str) -> tuple[Ref, str]:
    """Read `name`, `name:1` or, in functions, `name:output:1`; the output's name is empty where not given."""
    name, *rest = text.split(":")
    if not rest:
        return Ref(name), ""
    if not name or len(rest) > 2 or not (rest[-1].isascii() and rest[-1].isdigit() and len(rest[-1]) < 7):
        raise ModelFormatError(f"{text!r} does not name an output; use 'node', 'node:index' or 'node:output:index'.")
    return Ref(name, int(rest[-1])), rest[0] if len(rest) == 2 else ""


def run_order(nodes: Mapping[str, NodeDef], *, controls: bool = False) -> list[str]:
    """The nodes' names, each after those that it reads; the loops of control flow version 1 stay open.

    Args:
        nodes: what to put into an order.
        controls: whether to put each node also after those that must run before it.

    Raises:
        ModelFormatError: if nodes read each other in a circle.
    """
    readers: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    order = []
    for name, node in nodes.items():
        sources = {ref.node for ref in node.inputs}
        if node.op == "Merge":
            sources = {source for source in sources if nodes[source].op != "NextIteration"}
        if controls:
            sources.update(node.controls)
        if not sources:
            order.append(name)
            continue
        waiting[name] = len(sources)
        for source in sources:
            readers.setdefault(source, []).append(name)
    for name in order:  # grows while it is walked
        for reader in readers.get(name, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                del waiting[reader]
                order.append(reader)
    if waiting:
        name = min(waiting, key=list(nodes).index)
        raise ModelFormatError(f"node {name!r} ({nodes[name].op}): it reads, through others, its own result.")
    return order


def _parse_function(entry: Mapping[str, Any], where: str) -> tuple[str, Region]:
    signature = _mapping(entry.get("signature"), f"{where}.signature")
    name = _text(signature.get("name"), f"{where}.signature.name")
    where = f"function {name!r}"
    arguments: dict[str, NodeDef] = {}
    for argument in _sequence(signature.get("inputArg") or [], f"{where}: signature.inputArg"):
        argument_name = _text(_mapping(argument, f"{where}: inputArg").get("name"), f"{where}: inputArg.name")
        if argument_name in arguments:
            raise ModelFormatError(f"{where}: two arguments are named {argument_name!r}.")
        dtype = {"dtype": {"type": argument["type"]}} if "type" in argument else {}
        arguments[argument_name] = NodeDef(argument_name, "Placeholder", attributes=dtype)
    results = _mapping(entry.get("ret") or {}, f"{where}: ret")
    references = []
    for result in _sequence(signature.get("outputArg") or [], f"{where}: signature.outputArg"):
        result_name = _text(_mapping(result, f"{where}: outputArg").get("name"), f"{where}: outputArg.name")
        if result_name not in results:
            raise ModelFormatError(f"{where}: ret has no entry for the result {result_name!r}.")
        references.append(split_reference(_text(results[result_name], f"{where}: ret[{result_name!r}]")))
    nodes = _sequence(entry.get("nodeDef") or [], f"{where}: nodeDef")
    region = _parse_region(nodes, f"{where}: nodeDef", arguments)
    for ref, _ in references:
        if ref.node not in region.nodes:
            raise ModelFormatError(f"{where}: ret names {ref.node!r}, which is not in the function.")
    return name, region._replace(
        inputs=tuple(arguments),
        outputs=tuple(ref for ref, _ in references),
        output_names=tuple(output for _, output in references),
    )


def _parse_region(entries: Sequence[Any], where: str, arguments: dict[str, NodeDef]) -> Region:
    nodes = dict(arguments)
    for number, entry in enumerate(entries):
        node = _parse_node(entry, where, number)
        if node.name in nodes:
            raise ModelFormatError(f"{where}[{number}]: there are two nodes named {node.name!r}.")
        nodes[node.name] = node
    for node in nodes.values():
        for name in (*[ref.node for ref in node.inputs], *node.controls):
            if name not in nodes:
                raise ModelFormatError(f"node {node.name!r} ({node.op}), input: {name!r} is not a node of the graph.")
    return Region(nodes)


def _parse_node(entry: object, where: str, number: int) -> NodeDef:
    # Models have thousands of nodes: what to say of a bad one is put into words only when it is met.
    fields = entry if isinstance(entry, dict) else _mapping(entry, f"{where}[{number}]")
    name, op = fields.get("name"), fields.get("op")
    if not (isinstance(name, str) and name):
        raise ModelFormatError(f"{where}[{number}].name: must be a text that is not empty, got {_kind(name)}.")
    if not (isinstance(op, str) and op):
        raise ModelFormatError(f"{where}[{number}] ({name!r}).op: must be a text that is not empty, got {_kind(op)}.")
    inputs: list[Ref] = []
    output_names: list[str] = []
    controls: list[str] = []
    texts = fields.get("input") or ()
    if not isinstance(texts, (list, tuple)):
        raise ModelFormatError(f"node {name!r} ({op}), input: must be a list, got {_kind(texts)}.")
    for text in texts:
        if type(text) is not str:
            raise ModelFormatError(f"node {name!r} ({op}), input: must be texts, got {_kind(text)}.")
        if text.startswith("^"):
            controls.append(text[1:])
            continue
        ref, output_name = split_reference(text) if ":" in text else (Ref(text), "")
        inputs.append(ref)
        output_names.append(output_name)
    attributes = fields.get("attr") or _NONE
    if not isinstance(attributes, Mapping):
        raise ModelFormatError(f"node {name!r} ({op}), attr: must be an object, got {_kind(attributes)}.")
    return NodeDef(name, op, tuple(inputs), tuple(output_names), attributes, tuple(controls))


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ModelFormatError(f"{where}: must be an object, got {_kind(value)}.")
    return value


def _sequence(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise ModelFormatError(f"{where}: must be a list, got {_kind(value)}.")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ModelFormatError(f"{where}: must be a text that is not empty, got {_kind(value)}.")
    return value


def _kind(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
