"""Making a plan: fuse elementwise nodes into what they follow, number the values, see when each is done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tenfold.core.kernel import TensorSpec, find_kernel_definition
from tenfold.graph.graph import Node, Ref
from tenfold.graph.plan import EpilogueStage, Plan, Step
from tenfold.graph.rewriting import only_reader
from tenfold.graph.specialise import SpecialisedGraph

MOST_STAGES = 32
"""How many elementwise nodes one step takes in at most: expressions nest, and code that renders them recurses."""


@dataclass(slots=True)
class Group:
    """Nodes that become one step.

    Attributes:
        head: the node whose kernel the step calls.
        position: counts the groups in the order in which their last nodes came.
        stages: elementwise nodes, each of which alone reads the result of the one before it.
    """

    head: Node
    position: int
    stages: list[Node] = field(default_factory=list)

    @property
    def last(self) -> Node:
        """The node whose output the step stores."""
        return self.stages[-1] if self.stages else self.head


def make_plan(given: SpecialisedGraph, fuses: Collection[str] = ()) -> Plan:
    """The plan of a specialised graph that has kernel nodes, inputs and constants only.

    Args:
        given: the graph, with the specs of all values.
        fuses: the kernels to which the backend can apply an epilogue.

    Raises:
        ValueError: if there is a node that is no kernel, or a value whose spec is not known.
    """
    graph = given.graph
    work = _Numbering(given)
    inputs = tuple(work.number(Ref(name)) for name in graph.inputs)
    constants = {work.number(Ref(name)): value for name, value in graph.constants.items()}
    steps = [work.step(group) for group in group_nodes(given, fuses)]
    outputs = tuple(work.number(ref) for ref in graph.outputs)
    return Plan(
        specs=tuple(work.specs),
        inputs=inputs,
        constants=constants,
        steps=tuple(_with_releases(steps, {*outputs, *constants})),
        outputs=outputs,
    )


def group_nodes(given: SpecialisedGraph, fuses: Collection[str]) -> list[Group]:
    """The kernel nodes of a graph, grouped into steps, in an order in which they can run.

    A group stands where its last node stood: by then whatever its stages read has been computed.
    """
    reader = only_reader(given.graph)
    groups: dict[str, Group] = {}  # by the name of the last node
    for position, node in enumerate(given.graph.nodes.values()):
        if node.op in ("Placeholder", "Const"):
            continue
        group = _fusing_group(given, node, groups, reader, fuses)
        if group is None:
            group = Group(node, position)
        else:
            del groups[group.last.name]
            group.stages.append(node)
            group.position = position
        groups[node.name] = group
    return list(groups.values())


def _fusing_group(
    given: SpecialisedGraph,
    node: Node,
    groups: dict[str, Group],
    reader: dict[Ref, Node],
    fuses: Collection[str],
) -> Group | None:
    """The group in whose epilogue `node` can be a stage; the one that ends last, if there are several."""
    kernel = find_kernel_definition(node.op)
    if kernel is None or not kernel.elementwise or kernel.definition is None or node.outputs != 1:
        return None
    spec = given.specs.get(Ref(node.name))
    if spec is None:
        return None
    found: Group | None = None
    for ref in set(node.inputs):
        group = None if ref is None else groups.get(ref.node)
        if group is None or ref is None or group.head.op not in fuses or group.head.outputs != 1:
            continue
        if len(group.stages) == MOST_STAGES:
            continue
        if reader.get(ref) is node and given.specs.get(ref) == spec:
            found = group if found is None or group.position > found.position else found
    return found


class _Numbering:
    """Numbers for the values of a plan as it is made."""

    def __init__(self, given: SpecialisedGraph) -> None:
        self.specs: list[TensorSpec] = []
        self._given = given
        self._numbers: dict[Ref, int] = {}

    def number(self, ref: Ref) -> int:
        """The number of a value."""
        if ref not in self._numbers:
            if ref not in self._given.specs:
                raise ValueError(f"The shape of {ref.node!r} (output {ref.output}) is not known.")
            self._numbers[ref] = len(self.specs)
            self.specs.append(self._given.specs[ref])
        return self._numbers[ref]

    def step(self, group: Group) -> Step:
        """The step that runs a group."""
        head, last = group.head, group.last
        if find_kernel_definition(head.op) is None:
            raise ValueError(f"The node {head.name!r} ({head.op}) is no kernel and cannot be planned.")
        inputs = tuple(None if ref is None else self.number(ref) for ref in head.inputs)
        stages: list[EpilogueStage] = []
        running = Ref(head.name)
        for node in group.stages:
            operands = tuple(None if ref is None or ref == running else self.number(ref) for ref in node.inputs)
            stages.append(EpilogueStage(node.op, operands, node.attributes))
            running = Ref(node.name)
        outputs = tuple(self.number(Ref(last.name, index)) for index in range(last.outputs))
        return Step(head.op, inputs, outputs, head.attributes, tuple(stages))


def _with_releases(steps: Sequence[Step], kept: set[int]) -> list[Step]:
    """The steps, each with the values that are done with after it."""
    later = set(kept)
    finished: list[Step] = []
    for step in reversed(steps):
        read = [*step.inputs, *step.outputs]
        read.extend(operand for stage in step.epilogue for operand in stage.operands)
        unused = tuple(n for n in dict.fromkeys(read) if n is not None and n not in later)
        later.update(unused)
        finished.append(Step(step.kernel, step.inputs, step.outputs, step.attributes, step.epilogue, unused))
    finished.reverse()
    return finished
