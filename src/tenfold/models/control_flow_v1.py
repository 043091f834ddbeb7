"""Control flow of TensorFlow 1, made into loops and conditions with graphs inside.

Its graphs have dead and living edges: `Switch` hands its input to one of two outputs, `Merge` takes whichever
input lives, and a loop is a frame that `Enter`, `NextIteration` and `Exit` lead into, around and out of. The
compilers that wrote such graphs came from structured loops and conditions, and here the structure is found
again: frames become `While` nodes, the innermost first, and merges become `If` nodes, those on the same
predicate together. What has no such structure is a `ModelFormatError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tenfold.core.errors import ModelFormatError
from tenfold.graph.graph import Ref
from tenfold.models.attr_values import attr_text
from tenfold.models.node_def import NodeDef, Region, run_order

_MAX_DEPTH = 64
_MAX_STRUCTURES = 1000

Guard = tuple[Ref, int]
"""A predicate, and the side (1 or 0) on which something lives."""

Guards = frozenset[Guard]
_ALWAYS: Guards = frozenset()


def structure_control_flow(region: Region) -> Region:
    """Replace loops and conditions of version 1 by `While` and `If` nodes.

    Raises:
        ModelFormatError: if the control flow has no structure of loops and conditions.
    """
    ops = {node.op for node in region.nodes.values()}
    if not ops & {"Switch", "Merge", "LoopCond"}:
        return region
    if sum(node.op in ("LoopCond", "Merge") for node in region.nodes.values()) > _MAX_STRUCTURES:
        raise ModelFormatError(f"The graph has more than {_MAX_STRUCTURES} loop variables and conditions.")
    order = run_order(region.nodes, controls=True)
    guards = _Guards(region.nodes, order)
    nodes = dict(guards.nodes)
    if "LoopCond" in ops:
        nodes = _extract_loops(nodes, order, guards)
    nodes = _extract_conditions(nodes, guards)
    return region._replace(nodes=nodes)


def unstructured(node: NodeDef, why: str) -> ModelFormatError:
    """What to raise about a node that belongs to no loop and no condition."""
    return ModelFormatError(
        f"node {node.name!r} ({node.op}): the control flow is not made of loops and conditions: {why}."
    )


# --- what lives when ---------------------------------------------------------------------------------------


class _Guards:
    """Under which outcomes of which predicates each node lives.

    Attributes:
        nodes: the graph, with the inputs of each `Merge` of a condition brought into the order: then, else,
            predicate.
        of_node: the guards by node name; an output of a `Switch` has one more.
        predicates: the predicate of each `Switch` and each `Merge` of a condition, by the node's name.
        first_sides: on which side the first input of a `Merge` lives, for those of which somebody wants to know
            which input they took.
    """

    def __init__(self, nodes: dict[str, NodeDef], order: Iterable[str]) -> None:
        self.nodes = dict(nodes)
        self.of_node: dict[str, Guards] = {}
        self.predicates: dict[str, Ref] = {}
        self.first_sides: dict[str, int] = {}
        self._asked = {ref.node for node in nodes.values() for ref in node.inputs if ref.output == 1}
        for name in order:
            self._visit(nodes[name])

    def of(self, ref: Ref) -> Guards:
        """The guards of one output."""
        guards = self.of_node.get(ref.node, _ALWAYS)
        if ref.node in self.predicates and self.nodes[ref.node].op == "Switch":
            return guards | {(self.predicates[ref.node], ref.output)}
        return guards

    def _visit(self, node: NodeDef) -> None:
        if node.op == "Merge":
            self.of_node[node.name] = self._merge(node)
            return
        if node.op == "Switch":
            if len(node.inputs) != 2:
                raise unstructured(node, "a Switch reads a value and a predicate")
            predicate = self._origin(node.inputs[1])
            if self.nodes[predicate.node].op != "LoopCond":
                self.predicates[node.name] = predicate
        guards = _ALWAYS.union(*(self.of(ref) for ref in node.inputs)) if node.inputs else _ALWAYS
        for control in node.controls:
            guards |= self.of_node.get(control, _ALWAYS)
        if len(guards) > _MAX_DEPTH:
            raise unstructured(node, f"conditions are nested more than {_MAX_DEPTH} deep")
        self.of_node[node.name] = guards

    def _merge(self, node: NodeDef) -> Guards:
        entries = [ref for ref in node.inputs if self.nodes[ref.node].op != "NextIteration"]
        if len(entries) < len(node.inputs):  # the head of a loop
            return _ALWAYS.union(*(self.of(ref) for ref in entries))
        if len(node.inputs) != 2:
            raise unstructured(node, f"a Merge of {len(node.inputs)} values")
        first, second = self.of(node.inputs[0]), self.of(node.inputs[1])
        for predicate, side in sorted(first - second):
            if (predicate, 1 - side) in second:
                then, otherwise = node.inputs if side else reversed(node.inputs)
                self.predicates[node.name] = predicate
                if node.name in self._asked:
                    self.first_sides[node.name] = side
                self.nodes[node.name] = node._replace(inputs=(then, otherwise, predicate), output_names=())
                return first & second
        return first & second  # no condition; an error if its result is needed

    def _origin(self, ref: Ref) -> Ref:
        while self.nodes[ref.node].op == "Identity" and self.nodes[ref.node].inputs:
            ref = self.nodes[ref.node].inputs[0]
        return ref


# --- cutting a part out of a graph -------------------------------------------------------------------------


@dataclass(slots=True)
class _Captures:
    """What the graphs inside of a node read from outside.

    Attributes:
        names: for each outer value the name of the `Placeholder` that stands for it inside.
    """

    names: dict[Ref, str] = field(default_factory=dict)

    def name_of(self, source: Ref) -> str:
        """The placeholder of `source`: the name of the outer node, which is not inside."""
        return self.names.setdefault(source, f"{source.node}:{source.output}" if source.output else source.node)


def _unused(wanted: str, nodes: dict[str, NodeDef]) -> str:
    name, number = wanted, 0
    while name in nodes:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _cut(
    nodes: dict[str, NodeDef], outputs: Iterable[Ref], boundary: Callable[[Ref], tuple[Ref, bool]]
) -> tuple[dict[str, NodeDef], tuple[Ref, ...]]:
    """What computes `outputs`, up to the boundary.

    `boundary` says for a value that a node reads under which name it is known inside, and whether its node
    belongs to the part.
    """
    part: dict[str, NodeDef] = {}
    pending: list[str] = []

    def inside(ref: Ref) -> Ref:
        known, belongs = boundary(ref)
        if belongs:
            pending.append(known.node)
        return known

    results = tuple(inside(ref) for ref in outputs)
    while pending:
        name = pending.pop()
        if name not in part:
            node = nodes[name]
            part[name] = node._replace(inputs=tuple(inside(ref) for ref in node.inputs))
    return part, results


def _with_placeholders(part: dict[str, NodeDef], names: Iterable[str], outputs: tuple[Ref, ...]) -> Region:
    inputs = tuple(names)
    nodes = {name: NodeDef(name, "Placeholder") for name in inputs}
    return Region({**nodes, **part}, inputs, outputs)


def _constant(nodes: dict[str, NodeDef], ref: Ref) -> Ref | None:
    """The `Const` that a value is a copy of, which each graph can have for itself."""
    while nodes[ref.node].op in ("Identity", "Enter") and nodes[ref.node].inputs:
        ref = nodes[ref.node].inputs[0]
    return ref if nodes[ref.node].op == "Const" else None


# --- loops -------------------------------------------------------------------------------------------------


class _Frames:
    """Which frame each node runs in: "" outside of all loops, None for what depends on constants only.

    Attributes:
        of_node: the frame's name by node name.
        parents: the frame around each frame.
    """

    def __init__(self, nodes: dict[str, NodeDef], order: list[str]) -> None:
        self.of_node: dict[str, str | None] = {}
        self.parents: dict[str, str] = {}
        for _ in range(_MAX_DEPTH):
            before = dict(self.parents)
            for name in order:
                self.of_node[name] = self._frame(nodes[name])
            if self.parents == before:
                return
        raise ModelFormatError(f"The loops of the graph are nested more than {_MAX_DEPTH} deep.")

    def innermost_first(self) -> list[str]:
        """All frames."""
        return sorted(self.parents, key=self.depth, reverse=True)

    def depth(self, frame: str | None) -> int:
        """How many frames there are around what runs in `frame`."""
        depth = 0
        while frame:
            frame = self.parents[frame]
            depth += 1
            if depth > _MAX_DEPTH:
                raise ModelFormatError(f"The loops of the graph are nested more than {_MAX_DEPTH} deep.")
        return depth if frame is not None else -1

    def _frame(self, node: NodeDef) -> str | None:
        if node.op == "Placeholder":
            return ""
        around = [self.of_node.get(ref.node) for ref in node.inputs]
        deepest = max(around, key=self.depth, default=None)
        if node.op == "Enter" and "frame_name" in node.attributes:
            own = _frame_name(node)
            if own not in self.parents or self.depth(deepest) > self.depth(self.parents[own]):
                self.parents[own] = deepest or ""
            return own
        if node.op == "Exit" and deepest:
            return self.parents[deepest]
        return deepest


def _frame_name(node: NodeDef) -> str:
    try:
        return attr_text(node.attributes["frame_name"]) or node.name
    except ValueError as error:
        raise ModelFormatError(f"node {node.name!r} (Enter), attribute 'frame_name': {error}.") from error


def _extract_loops(nodes: dict[str, NodeDef], order: list[str], guards: _Guards) -> dict[str, NodeDef]:
    frames = _Frames(nodes, order)
    for frame in frames.innermost_first():
        members = {name for name, node in nodes.items() if frames.of_node[name] == frame}
        conditions = [nodes[name] for name in members if nodes[name].op == "LoopCond"]
        if len(conditions) > 1:
            raise unstructured(conditions[1], f"a second LoopCond in the frame {frame!r}")
        if conditions:
            nodes = _Loop(frame, nodes, members, conditions[0], frames).replace(guards)
    return nodes


class _Loop:
    """One frame, on its way to becoming a `While` node."""

    def __init__(
        self, frame: str, nodes: dict[str, NodeDef], members: set[str], condition: NodeDef, frames: _Frames
    ) -> None:
        self.frame = frame
        self.nodes = nodes
        self.members = members
        self.condition = condition
        self.frames = frames
        self.captures = _Captures()
        self.entries: list[Ref] = []
        self.backs: list[Ref] = []
        self.variables: dict[str, int] = {}
        for name in nodes:
            if name in members and nodes[name].op == "Merge":
                self._add_variable(nodes[name])
        self.switches = {
            name: self.variables[nodes[name].inputs[0].node]
            for name in members
            if nodes[name].op == "Switch"
            and nodes[name].inputs[0].node in self.variables
            and self._is_condition(nodes[name].inputs[1])
        }

    def replace(self, guards: _Guards) -> dict[str, NodeDef]:
        """The graph with one `While` node in place of the frame."""
        cond, cond_outputs = _cut(self.nodes, self.condition.inputs[:1], self._boundary)
        body, body_outputs = _cut(self.nodes, self.backs, self._boundary)
        variables, captured = tuple(self.variables), tuple(self.captures.names.values())
        arguments = (*variables, *captured)
        passed_on = tuple(Ref(name) for name in captured)
        regions = {
            "cond": _with_placeholders(cond, arguments, cond_outputs),
            "body": _with_placeholders(body, arguments, (*body_outputs, *passed_on)),
        }
        for name, inner in regions.items():
            regions[name] = inner._replace(nodes=_extract_conditions(inner.nodes, guards))
        inputs = (*self.entries, *self.captures.names)
        while_name = _unused(f"{self.frame}/While", self.nodes)
        nodes = {name: node for name, node in self.nodes.items() if name not in self.members}
        nodes[while_name] = NodeDef(while_name, "While", inputs, regions=regions)
        guards.of_node[while_name] = _ALWAYS.union(*(guards.of(ref) for ref in inputs))
        guards.nodes[while_name] = nodes[while_name]
        self.frames.of_node[while_name] = self.frames.parents[self.frame]
        for name, node in nodes.items():
            if node.op == "Exit" and node.inputs and node.inputs[0].node in self.members:
                switch, output = node.inputs[0]
                if switch not in self.switches or output != 0:
                    raise unstructured(node, f"it leaves the loop at {switch!r}, which is no loop variable")
                source = Ref(while_name, self.switches[switch])
                nodes[name] = NodeDef(name, "Identity", (source,))
        for node in nodes.values():
            if any(ref.node in self.members for ref in node.inputs):
                raise unstructured(node, f"it reads a value inside of the loop {self.frame!r} without an Exit")
        return nodes

    def _add_variable(self, merge: NodeDef) -> None:
        kinds = {self.nodes[ref.node].op: ref for ref in merge.inputs}
        if "NextIteration" not in kinds:
            return  # the end of a condition
        if len(merge.inputs) != 2 or "Enter" not in kinds:
            raise unstructured(merge, "the head of a loop merges an Enter and a NextIteration")
        self.variables[merge.name] = len(self.variables)
        self.entries.append(self._only_input(kinds["Enter"]))
        self.backs.append(self._only_input(kinds["NextIteration"]))

    def _only_input(self, ref: Ref) -> Ref:
        node = self.nodes[ref.node]
        if len(node.inputs) != 1:
            raise unstructured(node, f"it reads {len(node.inputs)} values instead of one")
        return node.inputs[0]

    def _is_condition(self, ref: Ref) -> bool:
        while self.nodes[ref.node].op == "Identity" and self.nodes[ref.node].inputs:
            ref = self.nodes[ref.node].inputs[0]
        return ref.node == self.condition.name

    def _boundary(self, ref: Ref) -> tuple[Ref, bool]:
        node = self.nodes[ref.node]
        if ref.node in self.variables:
            return Ref(ref.node), False
        if ref.node in self.switches:
            if ref.output != 1:
                raise unstructured(node, "the body of the loop reads a value that leaves it")
            return Ref(self.nodes[ref.node].inputs[0].node), False
        constant = _constant(self.nodes, ref)
        if constant is not None:
            return constant, True
        if node.op == "Enter" and ref.node in self.members:
            return Ref(self.captures.name_of(self._only_input(ref))), False
        frame = self.frames.of_node.get(ref.node)
        if frame is None or ref.node in self.members:
            return ref, True
        return Ref(self.captures.name_of(ref)), False


# --- conditions --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Group:
    """Merges that become one `If`: same predicate, same surroundings, none depending on another.

    Attributes:
        predicate: what they branch on.
        guards: where they live themselves.
        bit: a number with one bit, for sets of groups.
        merges: names of the nodes.
        needs: the set of groups that the merges depend on.
    """

    predicate: Ref
    guards: Guards
    bit: int
    merges: list[str] = field(default_factory=list)
    needs: int = 0


def _extract_conditions(nodes: dict[str, NodeDef], guards: _Guards) -> dict[str, NodeDef]:
    nodes = dict(nodes)
    for group in sorted(_group_merges(nodes, guards), key=lambda group: len(group.guards), reverse=True):
        _Condition(group, nodes, guards).replace()
    return nodes


def _group_merges(nodes: dict[str, NodeDef], guards: _Guards) -> list[_Group]:
    groups: list[_Group] = []
    latest: dict[tuple[Ref, Guards], _Group] = {}
    needs: dict[str, int] = {}

    def closure(mask: int) -> int:
        while True:
            wider = mask
            for group in groups:
                if wider & group.bit:
                    wider |= group.needs
            if wider == mask:
                return mask
            mask = wider

    for name in run_order(nodes):
        node = nodes[name]
        mask = 0
        for ref in node.inputs:
            mask |= needs.get(ref.node, 0)
        if node.op == "Merge" and name in guards.predicates:
            key = guards.predicates[name], guards.of_node[name]
            mask = closure(mask)
            group = latest.get(key)
            if group is None or mask & group.bit:
                group = latest[key] = _Group(*key, 1 << len(groups))
                groups.append(group)
            group.merges.append(name)
            group.needs |= mask
            mask = group.bit
        if mask:
            needs[name] = mask
    return groups


class _Condition:
    """One group of merges, on its way to becoming an `If` node."""

    def __init__(self, group: _Group, nodes: dict[str, NodeDef], guards: _Guards) -> None:
        self.group = group
        self.nodes = nodes
        self.guards = guards
        self.captures = _Captures()

    def replace(self) -> None:
        """Put one `If` node, and an `Identity` for each merge, in their place."""
        merges = [self.nodes[name] for name in self.group.merges]
        parts = [
            _cut(self.nodes, [merge.inputs[position] for merge in merges], self._boundary_of(side))
            for position, side in ((0, 1), (1, 0))
        ]
        arguments = tuple(self.captures.names.values())
        then, otherwise = (_with_placeholders(part, arguments, outputs) for part, outputs in parts)
        name = _unused(f"{merges[0].name}/If", self.nodes)
        inputs = (merges[0].inputs[2], *self.captures.names)
        self.nodes[name] = NodeDef(name, "If", inputs, regions={"then": then, "else": otherwise})
        self.guards.nodes[name] = self.nodes[name]
        self.guards.of_node[name] = self.group.guards
        for number, merge in enumerate(merges):
            if merge.name in self.guards.first_sides:
                results = (Ref(name, number), self._add_taken_input(merge))
                self.nodes[merge.name] = NodeDef(merge.name, "IdentityN", results)
            else:
                self.nodes[merge.name] = NodeDef(merge.name, "Identity", (Ref(name, number),))

    def _add_taken_input(self, merge: NodeDef) -> Ref:
        """Add what computes which input of a merge lives: 0 for the first, 1 for the second."""
        ref = merge.inputs[2]
        steps = [("Cast", {"DstT": {"type": "DT_INT32"}})]
        if self.guards.first_sides[merge.name]:
            steps.insert(0, ("LogicalNot", {}))
        for op, attributes in steps:
            name = _unused(f"{merge.name}/{op}", self.nodes)
            self.nodes[name] = NodeDef(name, op, (ref,), attributes=attributes)
            self.guards.of_node[name] = self.group.guards
            self.guards.nodes[name] = self.nodes[name]
            ref = Ref(name)
        return ref

    def _boundary_of(self, side: int) -> Callable[[Ref], tuple[Ref, bool]]:
        def boundary(ref: Ref) -> tuple[Ref, bool]:
            node = self.nodes[ref.node]
            if node.op == "Switch" and self.guards.predicates.get(ref.node) == self.group.predicate:
                if ref.output != side:
                    raise unstructured(node, "one side of a condition reads a value of the other")
                ref = node.inputs[0]
                lives = False
            else:
                lives = (self.group.predicate, side) in self.guards.of(ref)
            constant = _constant(self.nodes, ref)
            if constant is not None:
                return constant, True
            if lives:
                return ref, True
            return Ref(self.captures.name_of(ref)), False

        return boundary
