"""Passes: what makes a specialised graph cheaper without changing its results beyond rounding.

Each pass takes a specialised graph and gives another. `simplify` keeps every value that remains as it was;
`optimise` also moves arithmetic into weights (`folding`), and is for what becomes one plan. Fusing is part of
making the plan (`planning`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tenfold.core.kernel import TensorSpec, find_kernel_definition
from tenfold.graph.folding import fold_pads, fold_scales, lower_batch_norms
from tenfold.graph.graph import Node, Ref
from tenfold.graph.rewriting import rewritten
from tenfold.graph.specialise import SpecialisedGraph


def simplify(given: SpecialisedGraph) -> SpecialisedGraph:
    """Drop what does nothing and what is computed twice."""
    return share_common(merge_reshapes(drop_identities(given)))


def optimise(given: SpecialisedGraph) -> SpecialisedGraph:
    """Move padding, batch norms and scales into the convolutions and products before them."""
    return fold_scales(lower_batch_norms(fold_pads(given)))


# --- what does nothing -------------------------------------------------------------------------------------


def _always(node: Node, given: TensorSpec) -> bool:
    return True


def _ordered(node: Node, given: TensorSpec) -> bool:
    return tuple(node.attributes["perm"]) == tuple(range(len(given.shape)))


def _all_ones(node: Node, given: TensorSpec) -> bool:
    return all(n == 1 for n in node.attributes["reps"])


def _all_zeros(node: Node, given: TensorSpec) -> bool:
    return all(n == 0 for pair in node.attributes["paddings"] for n in pair)


def _single(node: Node, given: TensorSpec) -> bool:
    return len(node.inputs) == 1


_DOES_NOTHING: Mapping[str, Callable[[Node, TensorSpec], bool]] = {
    "AddN": _single,
    "BroadcastTo": _always,
    "Cast": _always,
    "Concat": _single,
    "Identity": _always,
    "MirrorPad": _all_zeros,
    "PadV2": _all_zeros,
    "Reshape": _always,
    "ResizeBilinear": _always,
    "ResizeNearestNeighbor": _always,
    "Slice": _always,
    "Tile": _all_ones,
    "Transpose": _ordered,
}
"""When a kernel whose output has the spec of its first input changes nothing at all."""


def drop_identities(given: SpecialisedGraph) -> SpecialisedGraph:
    """Read the inputs of nodes that change nothing instead of their outputs."""
    renamed: dict[Ref, Ref] = {}
    for node in given.graph.nodes.values():
        changes_nothing = _DOES_NOTHING.get(node.op)
        source = node.inputs[0] if node.inputs else None
        if changes_nothing is None or source is None or node.dynamic:
            continue
        before, after = given.specs.get(source), given.specs.get(Ref(node.name))
        same = before is not None and before == after and changes_nothing(node, before)
        if node.op == "Identity" or same:
            renamed[Ref(node.name)] = source
    return rewritten(given, renamed=renamed)


def merge_reshapes(given: SpecialisedGraph) -> SpecialisedGraph:
    """Reshape what came before a reshape, not its result."""
    nodes = given.graph.nodes
    replaced: dict[str, Node] = {}
    for node in nodes.values():
        after = given.specs.get(Ref(node.name))
        if node.op != "Reshape" or after is None:
            continue
        source = node.inputs[0]
        while source is not None and nodes[source.node].op == "Reshape":
            source = nodes[source.node].inputs[0]
        if source != node.inputs[0]:
            replaced[node.name] = replace(node, inputs=(source,))
    return rewritten(given, replaced=replaced)


# --- what is computed twice --------------------------------------------------------------------------------


def share_common(given: SpecialisedGraph) -> SpecialisedGraph:
    """Let pure nodes that do the same to the same share one result."""
    first: dict[Any, str] = {}
    renamed: dict[Ref, Ref] = {}
    for node in given.graph.nodes.values():
        kernel = find_kernel_definition(node.op)
        if kernel is None or not kernel.pure or node.dynamic:
            continue
        inputs = tuple(None if ref is None else renamed.get(ref, ref) for ref in node.inputs)
        key = (node.op, inputs, _frozen(node.attributes))
        twin = first.setdefault(key, node.name)
        if twin != node.name:
            for index in range(node.outputs):
                renamed[Ref(node.name, index)] = Ref(twin, index)
    return rewritten(given, renamed=renamed)


def _frozen(value: Any) -> Any:
    """An attribute as a key; numbers of different types stay apart."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _frozen(item)) for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    return (type(value).__name__, repr(value))
