"""How passes change a graph: some nodes replaced, some constants added, some values read from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tenfold.core.kernel import TensorSpec
from tenfold.core.tensor import Tensor
from tenfold.graph.graph import Graph, Node, Ref
from tenfold.graph.specialise import SpecialisedGraph, constant_spec, prune


def use_counts(graph: Graph) -> Counter[Ref]:
    """How many nodes and outputs of the graph read each value."""
    counts = Counter(graph.outputs)
    for node in graph.nodes.values():
        counts.update(set(node.references()))
    return counts


def only_reader(graph: Graph) -> dict[Ref, Node]:
    """The node that reads a value, for values that one node and no output reads."""
    counts = use_counts(graph)
    readers = ((ref, node) for node in graph.nodes.values() for ref in node.references())
    outputs = set(graph.outputs)
    return {ref: node for ref, node in readers if counts[ref] == 1 and ref not in outputs}


def rewritten(
    given: SpecialisedGraph,
    *,
    renamed: Mapping[Ref, Ref] | None = None,
    replaced: Mapping[str, Node | Iterable[Node]] | None = None,
    constants: Mapping[str, Tensor] | None = None,
    specs: Mapping[Ref, TensorSpec] | None = None,
) -> SpecialisedGraph:
    """The graph after a pass.

    Args:
        given: the graph before.
        renamed: values to read from elsewhere.
        replaced: what stands in the place of a node: one node, or several in order.
        constants: values of new `Const` nodes, which come first.
        specs: of values that are new.
    """
    if not renamed and not replaced and not constants:
        return given
    renamed, replaced, constants = renamed or {}, replaced or {}, constants or {}

    def now(ref: Ref) -> Ref:
        while ref in renamed:
            ref = renamed[ref]
        return ref

    nodes = {name: Node(name, "Const") for name in constants}
    for node in given.graph.nodes.values():
        instead = replaced.get(node.name, node)
        for new in (instead,) if isinstance(instead, Node) else instead:
            nodes[new.name] = new.reading(now)
    graph = Graph(
        nodes,
        given.graph.inputs,
        tuple(now(ref) for ref in given.graph.outputs),
        {**given.graph.constants, **constants},
    )
    known = {**given.specs, **(specs or {})}
    known.update({Ref(name): constant_spec(value) for name, value in constants.items()})
    return SpecialisedGraph(prune(graph), known)
