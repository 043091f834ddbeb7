"""The interpreter: runs a graph op by op, as it stands, through the engine.

Every kernel passes the engine's interceptors here, so that tapes, traces, profiles and debug mode see it.
This is also the reference that plans are held against. Values are dropped after their last use. Loops and
branches nest by calls; a graph's length costs no depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tenfold.core.engine import INTERCEPTORS, run_kernel
from tenfold.core.kernel import find_kernel_definition
from tenfold.core.tensor import Tensor
from tenfold.graph.control_flow import run_if, run_while
from tenfold.graph.graph import Graph, Node, Ref
from tenfold.graph.host_ops import Resources, find_host_op
from tenfold.graph.tensor_lists import HostValue, Value

if TYPE_CHECKING:
    from tenfold.core.kernel import Attributes

Observer = Callable[[Node, Sequence[Value]], None]
"""Sees the results of each node as it has run."""


def interpret(
    graph: Graph,
    feeds: Mapping[str, Value],
    outputs: Sequence[Ref] | None = None,
    *,
    resources: Resources | None = None,
    observe: Observer | None = None,
) -> list[Value]:
    """Run a graph op by op.

    Args:
        graph: what to run.
        feeds: values of its inputs by name; the value of any other node may be given too, which then does not
            run.
        outputs: what is wanted; the graph's outputs if None.
        resources: the hash tables that runs share.
        observe: called with each node that has run and its results.

    Returns:
        One value for each output; tensors are handles of their own.

    Raises:
        ValueError: if an input that is needed was not given, or an output does not exist.
    """
    wanted = graph.outputs if outputs is None else tuple(outputs)
    interpreter = Interpreter(graph, feeds, wanted)
    values = interpreter.run(feeds, resources or Resources(), observe)
    return own_handles(values, [*feeds.values(), *graph.constants.values()])


def own_handles(values: Sequence[Value], others: Sequence[Value]) -> list[Value]:
    """The values, with new handles for tensors that occur twice, are among `others` or kept (like constants).

    So whoever receives them can dispose each one.
    """
    taken = {id(value) for value in others}
    owned: list[Value] = []
    for value in values:
        if isinstance(value, Tensor):
            if value.kept or id(value) in taken:
                value = _another_handle(value)
            taken.add(id(value))
        owned.append(value)
    return owned


def _another_handle(tensor: Tensor) -> Tensor:
    if not INTERCEPTORS.get():
        return Tensor(tensor.storage, tensor.shape, tensor.dtype)
    clone: Tensor = run_kernel("Identity", (tensor,))  # so that a tape sees where it comes from
    return clone


class SubGraph(Protocol):
    """A sub-graph of control flow, ready to run."""

    def run_positional(
        self, given: Sequence[Value | None], resources: Resources, observe: Observer | None
    ) -> Sequence[Value]:
        """Run it on values for its inputs in order."""


class NodeRunner:
    """Runs single nodes: kernels through the engine, host ops, loops and branches.

    Attributes:
        prepare: makes a sub-graph ready for running; each one is prepared once.
    """

    __slots__ = ("_sub_graphs", "prepare")

    def __init__(self, prepare: Callable[[Graph], SubGraph]) -> None:
        self.prepare = prepare
        self._sub_graphs: dict[tuple[str, str], SubGraph] = {}

    def run(
        self, node: Node, values: Mapping[Ref, Value], resources: Resources, observe: Observer | None = None
    ) -> Sequence[Value]:
        """The results of a node, whose inputs are among `values`; an error says which node it comes from."""
        try:
            inputs = [None if ref is None else value_of(values, ref) for ref in node.inputs]
            if node.op == "While":
                cond, body = self._sub_graph(node, "cond"), self._sub_graph(node, "body")
                return run_while(
                    inputs,
                    lambda given: cond.run_positional(given, resources, observe),
                    lambda given: body.run_positional(given, resources, observe),
                )
            if node.op == "If":
                return run_if(
                    inputs,
                    lambda given: self._sub_graph(node, "then").run_positional(given, resources, observe),
                    lambda given: self._sub_graph(node, "else").run_positional(given, resources, observe),
                )
            return call_node(node, inputs, resolve_attributes(node, values), resources)
        except Exception as error:
            add_note_once(error, node)
            raise

    def _sub_graph(self, node: Node, which: str) -> SubGraph:
        key = (node.name, which)
        if key not in self._sub_graphs:
            self._sub_graphs[key] = self.prepare(node.attributes[which])
        return self._sub_graphs[key]


class Interpreter:
    """A graph made ready for running op by op, for certain feeds and outputs.

    Attributes:
        graph: the graph.
        outputs: what a run returns.
    """

    def __init__(
        self,
        graph: Graph,
        feeds: Iterable[str],
        outputs: Sequence[Ref],
        prepare: Callable[[Graph], SubGraph] | None = None,
    ) -> None:
        self.graph = graph
        self.outputs = tuple(outputs)
        self._steps = with_last_uses(needed_nodes(graph, feeds, outputs), self.outputs)
        self._runner = NodeRunner(prepare or Interpreter.of)

    @staticmethod
    def of(graph: Graph) -> Interpreter:
        """An interpreter of a whole graph."""
        return Interpreter(graph, graph.inputs, graph.outputs)

    def run(self, feeds: Mapping[str, Value], resources: Resources, observe: Observer | None = None) -> list[Value]:
        """Run the graph; the results may be the very tensors that were fed or are constants."""
        constants = self.graph.constants
        values: dict[Ref, Value] = {Ref(name): value for name, value in feeds.items()}
        for node, unused in self._steps:
            if node.op == "Const":
                values[Ref(node.name)] = constants[node.name]
            else:
                results = self._runner.run(node, values, resources, observe)
                for index, value in enumerate(results):
                    values[Ref(node.name, index)] = value
                if observe is not None:
                    observe(node, results)
                del results
            for ref in unused:
                values.pop(ref, None)
        return [value_of(values, ref) for ref in self.outputs]

    def run_positional(
        self, given: Sequence[Value | None], resources: Resources, observe: Observer | None
    ) -> list[Value]:
        """Run the graph on values for its inputs in order."""
        return self.run(feeds_by_position(self.graph, given), resources, observe)


def feeds_by_position(graph: Graph, given: Sequence[Value | None]) -> dict[str, Value]:
    """Values for the inputs of a sub-graph, by name.

    Raises:
        ValueError: if there are not as many as it has inputs.
    """
    if len(given) != len(graph.inputs):
        raise ValueError(f"A sub-graph with {len(graph.inputs)} inputs was given {len(given)} values.")
    pairs = zip(graph.inputs, given, strict=True)
    return {name: value for name, value in pairs if value is not None}


def needed_nodes(graph: Graph, feeds: Iterable[str], outputs: Sequence[Ref]) -> list[Node]:
    """The nodes that must run for `outputs`, in order, when the nodes named in `feeds` are given.

    Raises:
        ValueError: if a feed or output does not exist, or an input that is needed is not among the feeds.
    """
    fed = set(feeds)
    for name in (*fed, *(ref.node for ref in outputs)):
        if name not in graph.nodes:
            raise ValueError(f"The graph has no node {name!r}.")
    needed: set[str] = set()
    stack = [ref.node for ref in outputs if ref.node not in fed]
    while stack:
        name = stack.pop()
        if name not in needed:
            needed.add(name)
            stack.extend(ref.node for ref in graph.nodes[name].references() if ref.node not in fed)
    nodes = [node for node in graph.nodes.values() if node.name in needed]
    missing = [node.name for node in nodes if node.op == "Placeholder"]
    if missing:
        raise ValueError(
            f"The input{'s' if len(missing) > 1 else ''} {', '.join(missing)} must be given; "
            f"given {'are ' + ', '.join(sorted(fed)) if fed else 'is nothing'}."
        )
    return nodes


def with_last_uses(nodes: Sequence[Node], outputs: Sequence[Ref]) -> list[tuple[Node, tuple[Ref, ...]]]:
    """Each node with the values that nothing needs once it has run."""
    later = set(outputs)
    steps: list[tuple[Node, tuple[Ref, ...]]] = []
    for node in reversed(nodes):
        own = [Ref(node.name, index) for index in range(node.outputs)]
        read = dict.fromkeys([*node.references(), *own])
        unused = tuple(ref for ref in read if ref not in later)
        later.update(unused)
        steps.append((node, unused))
    steps.reverse()
    return steps


def resolve_attributes(node: Node, values: Mapping[Ref, Value]) -> Attributes:
    """The attributes of a node, those included that other nodes compute."""
    if not node.dynamic:
        return node.attributes
    attributes = dict(node.attributes)
    for name, ref in node.dynamic.items():
        attributes[name] = attribute_value(value_of(values, ref))
    return attributes


def attribute_value(value: Value) -> Any:
    """A tensor's values as an attribute: a Python scalar, or nested tuples of them."""
    if not isinstance(value, Tensor):
        raise TypeError(f"A {type(value).__name__} cannot be an attribute; it must be a tensor.")
    return _tuples(value.array_sync())


def _tuples(nested: Any) -> Any:
    return tuple(_tuples(item) for item in nested) if isinstance(nested, list) else nested


def call_node(
    node: Node, inputs: Sequence[Value | None], attributes: Attributes, resources: Resources
) -> Sequence[Value]:
    """Run a node that is a kernel or a host op on its inputs.

    Raises:
        ValueError: if neither a kernel nor a host op of that name exists.
    """
    host_op = find_host_op(node.op)
    if host_op is not None:
        return as_values(host_op.function(inputs, attributes, resources))
    kernel = find_kernel_definition(node.op)
    if kernel is None:
        raise ValueError(f"There is no kernel and no host op {node.op!r}.")
    if node.op == "Identity" and isinstance(inputs[0], HostValue):
        return (inputs[0],)
    if node.op == "Identity" and isinstance(inputs[0], HostValue):
        return (inputs[0],)
    for position, value in enumerate(inputs):
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{node.op}: the input {position} must be a tensor, got a {type(value).__name__}.")
    if node.op == "Reshape":
        attributes = {"shape": kernel.infer(inputs, attributes).shape}  # type: ignore[union-attr]
    return as_values(run_kernel(node.op, inputs, attributes))  # type: ignore[arg-type]


def as_values(result: Value | Sequence[Value]) -> Sequence[Value]:
    """A node's result as a sequence with one value for each output."""
    return result if isinstance(result, (list, tuple)) else (result,)


def add_note_once(error: Exception, node: Node) -> None:
    """Say in an error which node it comes from, for the innermost node only."""
    if not getattr(error, "__notes__", None):
        error.add_note(f"in the node {node.name!r} ({node.source or node.op})")


def value_of(values: Mapping[Ref, Value], ref: Ref) -> Value:
    """The value of an output of a node that has run.

    Raises:
        ValueError: if the node does not have so many outputs.
    """
    try:
        return values[ref]
    except KeyError:
        raise ValueError(f"The node {ref.node!r} has no output {ref.output}.") from None
