"""From the nodes of a file to a `Graph` of kernels, host ops, loops and conditions.

Each TensorFlow op is written as its row in `tf_ops` says. Calls of functions are put in place of the call,
loops and conditions get graphs of their own. Values that TensorFlow passes as inputs but kernels take as
attributes are read here where they are constants, and are left to whoever runs the graph where they are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tenfold.core.errors import ModelFormatError, UnsupportedOpError
from tenfold.graph import public_ops  # noqa: F401  # registers host ops that rows name
from tenfold.graph.graph import Graph, Node, Ref
from tenfold.models.attr_values import attr_dtype, attr_function, attr_shape, integer
from tenfold.models.control_flow_v1 import structure_control_flow, unstructured
from tenfold.models.custom_ops import call_custom_op, find_custom_op
from tenfold.models.node_def import MAX_NODES, NodeDef, Region, run_order
from tenfold.models.tf_ops import ROWS
from tenfold.models.tf_ops.row import REQUIRED, Attribute, InputAttribute, Row

if TYPE_CHECKING:
    import numpy as np

    from tenfold.core.tensor import Tensor

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LOOPS = ("While", "StatelessWhile")
_CONDITIONS = ("If", "StatelessIf")
_SWITCHES = ("Switch", "Merge")
_STRUCTURE = frozenset(("Const", "Placeholder", "PlaceholderV2", *_LOOPS, *_CONDITIONS))
_MAX_DEPTH = 64
_MAX_OUTPUTS = 65_536


@dataclass(slots=True)
class Lowering:
    """What all graphs of one model share while they are written.

    Attributes:
        functions: the library.
        arrays: the values of the weights, by name.
        constants: the tensors of the weights, by name.
        unknown: names of the ops that have no row, as they are met.
        graphs: functions that have been written already.
        under_way: functions that are being written, outermost first.
        size: how many nodes were written.
    """

    functions: Mapping[str, Region]
    arrays: Mapping[str, np.ndarray]
    constants: Mapping[str, Tensor]
    unknown: set[str] = field(default_factory=set)
    graphs: dict[str, Graph] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)
    size: int = 0

    def lower(self, region: Region, outputs: Sequence[Ref] | None = None) -> Graph:
        """Write a graph.

        Nodes that no output needs are kept where they can be written, since a user may ask for them, and
        dropped otherwise.

        Args:
            region: the nodes.
            outputs: the results; those of the region if None.

        Raises:
            ModelFormatError: naming node and field.
        """
        region = self._inline(structure_control_flow(region))
        if outputs is None:
            wanted = list(zip(region.outputs, region.output_names or [""] * len(region.outputs), strict=True))
        else:
            wanted = [(ref, "") for ref in outputs]
        for ref, _ in wanted:
            if ref.node not in region.nodes:
                raise ModelFormatError(
                    f"The output {ref.node!r} is computed inside of a loop or condition and is not there outside."
                )
        emit = Emitter(self, region, wanted)
        needed = _ancestors(region.nodes, [ref.node for ref, _ in wanted])
        dropped: set[str] = set()
        for name in run_order(region.nodes):
            node = region.nodes[name]
            if name not in needed and (not _can_lower(node) or any(ref.node in dropped for ref in node.inputs)):
                dropped.add(name)
            else:
                self._lower_node(node, emit)
        self.size += len(emit.nodes)
        if self.size > MAX_NODES:
            raise ModelFormatError(f"The functions of the model expand to more than {MAX_NODES} nodes.")
        return Graph(
            emit.nodes,
            region.inputs or tuple(n.name for n in emit.nodes.values() if n.op == "Placeholder"),
            tuple(emit.resolve(ref, output_name) for ref, output_name in wanted),
            emit.constants,
        )

    # -- functions ----------------------------------------------------------------------------------------

    def function(self, node: NodeDef, attribute: str) -> Graph:
        """The graph that an attribute holds or names."""
        if attribute in node.regions:
            return self.lower(node.regions[attribute])
        name = self._function_name(node, attribute)
        if name not in self.graphs:
            if name in self.under_way or len(self.under_way) >= _MAX_DEPTH:
                raise ModelFormatError(
                    f"node {node.name!r} ({node.op}), attribute {attribute!r}: the function {name!r} calls itself."
                )
            self.under_way.append(name)
            self.graphs[name] = self.lower(self.functions[name])
            self.under_way.pop()
        return self.graphs[name]

    def _function_name(self, node: NodeDef, attribute: str) -> str:
        name = str(read_attribute(node, Attribute(attribute, attr_function)))
        if name not in self.functions:
            raise ModelFormatError(
                f"node {node.name!r} ({node.op}), attribute {attribute!r}: the library has no function {name!r}."
            )
        return name

    def _inline(self, region: Region) -> Region:
        """Put what functions do in place of their calls."""
        nodes = dict(region.nodes)
        calls = [(node, 0) for node in nodes.values() if node.op in _CALLS]
        while calls:
            call, depth = calls.pop()
            name = self._function_name(call, "f")
            function = structure_control_flow(self.functions[name])
            if depth >= _MAX_DEPTH or len(nodes) + len(function.nodes) > MAX_NODES:
                raise ModelFormatError(
                    f"node {call.name!r} ({call.op}), attribute 'f': the calls of {name!r} never end."
                )
            for node in _renamed(call, function):
                if node.name in nodes and node.name != call.name:
                    raise ModelFormatError(f"There are two nodes named {node.name!r}.")
                nodes[node.name] = node
                if node.op in _CALLS:
                    calls.append((node, depth + 1))
        return region._replace(nodes=nodes)

    # -- nodes --------------------------------------------------------------------------------------------

    def _lower_node(self, node: NodeDef, emit: Emitter) -> None:
        row = ROWS.get(node.op)
        if find_custom_op(node.op) is not None:
            self._custom(node, emit)
        elif node.op == "Const":
            self._const(node, emit)
        elif node.op in ("Placeholder", "PlaceholderV2"):
            dtype = read_attribute(node, Attribute("dtype", attr_dtype, default=None))
            shape = read_attribute(node, Attribute("shape", attr_shape, default=None))
            emit(node.name, "Placeholder", (), {"dtype": dtype, "shape": shape})
        elif node.op in _LOOPS:
            self._while(node, emit)
        elif node.op in _CONDITIONS:
            self._if(node, emit)
        elif node.op in _SWITCHES:
            raise unstructured(node, "it does not belong to a predicate with two sides")
        elif row is None:
            self.unknown.add(node.op)
            self._custom(node, emit)
        elif row.lower is not None:
            row.lower(node, emit)
        else:
            self._row(node, row, emit)

    def _row(self, node: NodeDef, row: Row, emit: Emitter) -> None:
        attributes = {**row.fixed, **emit.attributes(node, row.attributes)}
        known, dynamic = emit.input_attributes(node, row.input_attributes)
        inputs: tuple[Ref | None, ...]
        if isinstance(row.inputs, slice):
            inputs = tuple(emit.input(node, i) for i in range(len(node.inputs))[row.inputs])
        else:
            required = len(row.inputs) - row.optional
            inputs = tuple(
                None if i >= required and position >= len(node.inputs) else emit.input(node, position)
                for i, position in enumerate(row.inputs)
            )
        outputs = _count_outputs(node, row)
        emit(node.name, row.target, inputs, {**attributes, **known}, dynamic, outputs)

    def _const(self, node: NodeDef, emit: Emitter) -> None:
        weight = node.weight or node.name
        if weight not in self.constants:
            raise ModelFormatError(f"node {node.name!r} (Const): the model's files hold no weight {weight!r}.")
        tensor = self.constants[weight]
        dtype = read_attribute(node, Attribute("dtype", attr_dtype, default=tensor.dtype))
        if dtype != tensor.dtype:
            raise ModelFormatError(
                f"node {node.name!r} (Const), attribute 'dtype': says {dtype}, but the weight is {tensor.dtype}."
            )
        shape = read_attribute(node, Attribute("value", _shape_of_value, default=None))
        if shape is not None and shape != tensor.shape:
            raise ModelFormatError(
                f"node {node.name!r} (Const), attribute 'value': says the shape {list(shape)}, but the weight "
                f"has the shape {list(tensor.shape)}."
            )
        emit(node.name, "Const")
        emit.constants[node.name] = tensor

    def _while(self, node: NodeDef, emit: Emitter) -> None:
        cond, body = self.function(node, "cond"), self.function(node, "body")
        count = len(node.inputs)
        for label, graph, results in (("cond", cond, 1), ("body", body, count)):
            if len(graph.inputs) != count or len(graph.outputs) != results:
                raise ModelFormatError(
                    f"node {node.name!r} ({node.op}), attribute {label!r}: the function takes "
                    f"{len(graph.inputs)} values and returns {len(graph.outputs)}; with {count} inputs of the "
                    f"node it must take {count} and return {results}."
                )
        inputs = [emit.input(node, i) for i in range(count)]
        emit(node.name, "While", inputs, {"cond": cond, "body": body}, outputs=count)

    def _if(self, node: NodeDef, emit: Emitter) -> None:
        v1 = "then" in node.regions
        then = self.function(node, "then" if v1 else "then_branch")
        otherwise = self.function(node, "else" if v1 else "else_branch")
        inputs = [emit.input(node, i) for i in range(max(1, len(node.inputs)))]
        counts = {(len(graph.inputs), len(graph.outputs)) for graph in (then, otherwise)}
        if len(counts) != 1 or len(then.inputs) != len(inputs) - 1:
            raise ModelFormatError(
                f"node {node.name!r} ({node.op}): the branches must both take the {len(inputs) - 1} inputs "
                f"after the predicate and return equally many values; they take {len(then.inputs)} and "
                f"{len(otherwise.inputs)} and return {len(then.outputs)} and {len(otherwise.outputs)}."
            )
        emit(node.name, "If", inputs, {"then": then, "else": otherwise}, outputs=len(then.outputs))

    def _custom(self, node: NodeDef, emit: Emitter) -> None:
        inputs = [emit.input(node, i) for i in range(len(node.inputs))]
        outputs = max(1, emit.uses.get(node.name, 0))
        emit(node.name, "Custom", inputs, {"function": call_custom_op(node, outputs)}, outputs=outputs)


class Emitter:
    """Writes the nodes of one graph, and reads for that the nodes of the file.

    Attributes:
        nodes: what was written.
        constants: the tensors of the `Const` nodes.
        aliases: outputs of nodes of the file that other nodes give.
        uses: how many outputs of each node are read.
    """

    def __init__(self, model: Lowering, region: Region, wanted: Iterable[tuple[Ref, str]]) -> None:
        self._model = model
        self._region = region
        self.nodes: dict[str, Node] = {}
        self.constants: dict[str, Tensor] = {}
        self.aliases: dict[Ref, Ref] = {}
        self.uses: dict[str, int] = {}
        self._source = ""
        for node in region.nodes.values():
            for ref in node.inputs:
                self.uses[ref.node] = max(self.uses.get(ref.node, 0), ref.output + 1)
        for ref, _ in wanted:
            self.uses[ref.node] = max(self.uses.get(ref.node, 0), ref.output + 1)

    def __call__(
        self,
        name: str,
        op: str,
        inputs: Iterable[Ref | None] = (),
        attributes: Mapping[str, Any] | None = None,
        dynamic: Mapping[str, Ref] | None = None,
        outputs: int = 1,
    ) -> Ref:
        """Write a node and return its first output."""
        original = self._region.nodes.get(name)
        source = original.op if original is not None else ""
        self.nodes[name] = Node(name, op, tuple(inputs), attributes or {}, dynamic or {}, source, outputs)
        return Ref(name)

    def output(self, node: NodeDef, number: int, ref: Ref) -> None:
        """Say that an output of a node of the file is what `ref` gives."""
        if ref != (node.name, number):
            self.aliases[Ref(node.name, number)] = ref

    def input(self, node: NodeDef, position: int) -> Ref:
        """What a node of the file reads at a position."""
        count = len(node.inputs)
        if not -count <= position < count:
            raise self.error(node, f"input {position} is missing; it has {count}")
        name = node.output_names[position] if node.output_names else ""
        return self.resolve(node.inputs[position], name)

    def resolve(self, ref: Ref, output_name: str = "") -> Ref:
        """The output of a written node that an output of a node of the file has become."""
        if output_name:
            row = ROWS.get(self._region.nodes[ref.node].op)
            if row is not None and output_name in row.output_names:
                ref = Ref(ref.node, row.output_names.index(output_name) + ref.output)
        ref = self.aliases.get(ref, ref)
        node = self.nodes[ref.node]
        if ref.output >= node.outputs:
            raise ModelFormatError(
                f"node {node.name!r} ({node.source or node.op}): its output {ref.output} is read, but there are "
                f"{node.outputs} outputs here."
            )
        return ref

    def attribute(self, node: NodeDef, attribute: Attribute) -> Any:
        """The value of one attribute of a node of the file."""
        return read_attribute(node, attribute)

    def attributes(self, node: NodeDef, attributes: Iterable[Attribute]) -> dict[str, Any]:
        """The values of several attributes, under the names that the kernel has for them."""
        return {attribute.name: read_attribute(node, attribute) for attribute in attributes}

    def input_attributes(
        self, node: NodeDef, attributes: Iterable[InputAttribute]
    ) -> tuple[dict[str, Any], dict[str, Ref]]:
        """The attributes that are inputs: those that are constant, and the outputs that give the others."""
        known: dict[str, Any] = {}
        dynamic: dict[str, Ref] = {}
        for attribute in attributes:
            if attribute.position >= len(node.inputs) and attribute.default is not REQUIRED:
                known[attribute.name] = attribute.default
                continue
            ref = self.input(node, attribute.position)
            array = self._constant(ref)
            if array is None:
                dynamic[attribute.name] = ref
                continue
            try:
                known[attribute.name] = attribute.convert(array)
            except ValueError as error:
                raise self.error(node, f"input {attribute.position} ({attribute.name}): {error}") from error
        return known, dynamic

    def fresh(self, node: NodeDef, suffix: str) -> str:
        """A name for a further node inside of a node of the file."""
        name = f"{node.name}/{suffix}"
        while name in self.nodes or name in self._region.nodes:
            name += "_"
        return name

    def error(self, node: NodeDef, what: str) -> ModelFormatError:
        """What to raise about a node of the file."""
        return _error(node, what)

    def _constant(self, ref: Ref) -> np.ndarray | None:
        node = self.nodes[ref.node]
        while node.op == "Identity" and node.inputs[0] is not None:
            node = self.nodes[node.inputs[0].node]
        if node.op != "Const":
            return None
        return self._model.arrays[self._region.nodes[node.name].weight or node.name]


def read_attribute(node: NodeDef, attribute: Attribute) -> Any:
    """The value of an attribute of a node of the file, or its default.

    Raises:
        ModelFormatError: if it is of another kind than wanted, or is missing without a default.
    """
    name = attribute.source or attribute.name
    raw = node.attributes.get(name)
    if raw is None:
        if attribute.default is REQUIRED:
            raise _error(node, f"attribute {name!r} is missing")
        return attribute.default
    try:
        return attribute.convert(raw)
    except ValueError as error:
        raise _error(node, f"attribute {name!r}: {error}") from error


def unsupported(ops: Iterable[str]) -> UnsupportedOpError:
    """What to raise about ops that have neither a row nor a registered function."""
    names = sorted(ops)
    return UnsupportedOpError(
        f"The model uses ops that Tenfold does not have: {', '.join(names)}. Register a function for each with "
        "register_op(name, function) before loading.",
        names,
    )


def _error(node: NodeDef, what: str) -> ModelFormatError:
    return ModelFormatError(f"node {node.name!r} ({node.op}): {what}.")


def is_known_op(name: str) -> bool:
    """Whether nodes of an op of TensorFlow can be written without a function of the user's."""
    return name in ROWS or name in _STRUCTURE or name in _CALLS or name in _SWITCHES


def _can_lower(node: NodeDef) -> bool:
    return node.op in ROWS or node.op in _STRUCTURE or find_custom_op(node.op) is not None


def _count_outputs(node: NodeDef, row: Row) -> int:
    if isinstance(row.outputs, str):
        count = read_attribute(node, Attribute(row.outputs, _field_i))
        if not 0 <= count <= _MAX_OUTPUTS:
            raise _error(node, f"attribute {row.outputs!r}: {count} outputs are not possible")
        return int(count)
    return row.outputs(node) if callable(row.outputs) else row.outputs


def _ancestors(nodes: Mapping[str, NodeDef], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(ref.node for ref in nodes[name].inputs)
    return found


def _renamed(call: NodeDef, function: Region) -> Iterable[NodeDef]:
    """The nodes of a function in the names of one call of it; the last has the outputs of the call."""
    if len(call.inputs) != len(function.inputs):
        raise _error(call, f"the function takes {len(function.inputs)} values, not {len(call.inputs)}")
    given = call.output_names or ("",) * len(call.inputs)
    arguments = dict(zip(function.inputs, zip(call.inputs, given, strict=True), strict=True))

    def outside(ref: Ref, output_name: str) -> tuple[Ref, str]:
        return arguments.get(ref.node) or (Ref(f"{call.name}/{ref.node}", ref.output), output_name)

    def moved(node: NodeDef, name: str, op: str) -> NodeDef:
        names = node.output_names or ("",) * len(node.inputs)
        read = [outside(ref, output) for ref, output in zip(node.inputs, names, strict=True)]
        return node._replace(
            name=name,
            op=op,
            inputs=tuple(ref for ref, _ in read),
            output_names=tuple(output for _, output in read),
            weight=node.weight or node.name if op == "Const" else "",
        )

    for node in function.nodes.values():
        if node.name not in arguments:
            yield moved(node, f"{call.name}/{node.name}", node.op)
    results = NodeDef(call.name, "IdentityN", function.outputs, function.output_names)
    yield moved(results, call.name, "IdentityN")


def _shape_of_value(raw: Any) -> tuple[int, ...] | None:
    tensor = raw.get("tensor") if isinstance(raw, Mapping) else None
    if not isinstance(tensor, Mapping):
        raise ValueError("must be a tensor")
    shape = tensor.get("tensorShape")
    return None if shape is None else attr_shape({"shape": shape})


def _field_i(raw: Any) -> int:
    if not isinstance(raw, Mapping) or "i" not in raw:
        raise ValueError("must be an integer (a field 'i')")
    return integer(raw["i"])
