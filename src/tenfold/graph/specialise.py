"""Specialising: what a graph becomes once the shapes and dtypes of its inputs are known.

Shapes are inferred by the kernels' own rules, attributes that other nodes compute become known where those
are constant, and so on until nothing more follows: constants are folded, branches whose condition is known
are put in place, host ops that need shapes only turn into constants or kernels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.core.backends import find_backend
from tenfold.core.dtypes import NUMPY_DTYPES
from tenfold.core.engine import engine
from tenfold.core.errors import KernelNotFoundError
from tenfold.core.kernel import Kernel, TensorInfo, TensorSpec, as_infos, find_kernel_definition
from tenfold.core.tensor import Tensor
from tenfold.graph.control_flow import is_true
from tenfold.graph.graph import Graph, Node, Ref
from tenfold.graph.host_ops import find_host_op
from tenfold.graph.interpreter import add_note_once, attribute_value

if TYPE_CHECKING:
    from tenfold.backends.base import Backend

FOLD_BYTES = 1 << 20
"""A constant up to this size is folded whatever it is made from; a bigger one only if it takes at most
`FOLD_GROWTH` times the bytes of its inputs, so that folding does not blow up a small model."""
FOLD_GROWTH = 4


@dataclass(frozen=True, slots=True)
class SpecialisedGraph:
    """A graph for given shapes and dtypes of its inputs.

    Attributes:
        graph: what is left to do.
        specs: shape and dtype of every value that is known before running.
    """

    graph: Graph
    specs: Mapping[Ref, TensorSpec]


def specialise(graph: Graph, specs: Mapping[str, TensorSpec]) -> SpecialisedGraph:
    """Find out all that follows from the specs of a graph's inputs.

    Args:
        graph: what to specialise; nodes that no output needs are left out.
        specs: of the inputs, by name; inputs that are missing here stay unknown.

    Raises:
        ValueError: if the inputs do not fit the graph; a note names the node where that shows.
    """
    work = _Specialiser(graph, specs)
    while work.pending:
        work.visit(work.pending.popleft())
    return SpecialisedGraph(prune(work.result(graph)), work.specs)


def prune(graph: Graph) -> Graph:
    """The graph without nodes that no output needs; all inputs stay."""
    needed = set(graph.inputs)
    stack = [ref.node for ref in graph.outputs]
    while stack:
        name = stack.pop()
        if name not in needed or name in graph.inputs:
            needed.add(name)
            stack.extend(ref.node for ref in graph.nodes[name].references() if ref.node not in needed)
    if len(needed) == len(graph.nodes):
        return graph
    return Graph(
        nodes={name: node for name, node in graph.nodes.items() if name in needed},
        inputs=graph.inputs,
        outputs=graph.outputs,
        constants={name: value for name, value in graph.constants.items() if name in needed},
    )


def constant_spec(tensor: Tensor) -> TensorSpec:
    """The spec of a tensor that exists."""
    return TensorSpec(tensor.shape, tensor.dtype)


class _Specialiser:
    """The state of one run of `specialise`: nodes still to be visited, and what is known so far."""

    def __init__(self, graph: Graph, specs: Mapping[str, TensorSpec]) -> None:
        self.pending = deque(prune(graph).nodes.values())
        self.specs: dict[Ref, TensorSpec] = {Ref(name): spec for name, spec in specs.items()}
        self._nodes: dict[str, Node] = {}
        self._values: dict[Ref, Tensor] = {Ref(name): value for name, value in graph.constants.items()}
        self._renamed: dict[Ref, Ref] = {}

    def result(self, graph: Graph) -> Graph:
        """The specialised graph, with the inputs and outputs of `graph`."""
        return Graph(
            nodes=self._nodes,
            inputs=graph.inputs,
            outputs=tuple(self._now(ref) for ref in graph.outputs),
            constants={n: self._values[Ref(n)] for n, node in self._nodes.items() if node.op == "Const"},
        )

    def visit(self, node: Node) -> None:
        """Specialise the next node; all that it reads has been visited."""
        node = node.reading(self._now)
        try:
            self._specialise(node)
        except Exception as error:
            add_note_once(error, node)
            raise

    def _specialise(self, node: Node) -> None:
        if node.op == "Const":
            self.specs[Ref(node.name)] = constant_spec(self._values[Ref(node.name)])
            self._nodes[node.name] = node
        elif node.op == "Placeholder":
            self._nodes[node.name] = node
        elif node.op == "If":
            self._specialise_if(node)
        elif node.op == "While":
            loop = self._with_bound_constants(node, ("cond", "body"), 0)
            self._nodes[loop.name] = loop
        else:
            self._specialise_call(self._with_known_attributes(node))

    def _specialise_call(self, node: Node) -> None:
        host_op = find_host_op(node.op)
        known = [None if ref is None else self.specs.get(ref) for ref in node.inputs]
        if host_op is not None and not node.dynamic:
            folded = None if host_op.fold is None else host_op.fold(known, node.attributes)
            if folded is not None:
                self._put_constants(node, [_constant(values) for values in folded])
                return
            specs = [spec for spec in known if spec is not None]
            if host_op.lower is not None and len(specs) == len(node.inputs):
                op, attributes = host_op.lower(specs, node.attributes)
                host_op, node = None, replace(node, op=op, attributes=attributes)
        kernel = find_kernel_definition(node.op)
        complete = all(s is not None or ref is None for s, ref in zip(known, node.inputs, strict=True))
        if host_op is None and kernel is not None and complete and not node.dynamic:
            self._specialise_kernel(node, kernel, known)
        else:
            self._nodes[node.name] = node

    def _specialise_kernel(self, node: Node, kernel: Kernel, known: Sequence[TensorSpec | None]) -> None:
        specs = infer(kernel, node, known)
        if node.op == "Reshape":
            node = replace(node, attributes={"shape": specs[0].shape})  # the kernel takes no -1
        if kernel.pure and all(ref is None or ref in self._values for ref in node.inputs):
            given = [None if ref is None else self._values[ref] for ref in node.inputs]
            if _worth_folding(specs, given):
                results = compute(node, given)
                if results is not None:
                    self._put_constants(node, results)
                    return
        self._nodes[node.name] = node
        for index, spec in enumerate(specs):
            if -1 not in spec.shape:
                self.specs[Ref(node.name, index)] = spec

    def _specialise_if(self, node: Node) -> None:
        predicate, *given = node.inputs
        if predicate is None or predicate not in self._values:
            self._nodes[node.name] = self._with_bound_constants(node, ("then", "else"), 1)
            return
        which = "then" if is_true(self._values[predicate], "If") else "else"
        branch: Graph = node.attributes[which]
        for name, ref in zip(branch.inputs, given, strict=True):
            if ref is not None:
                self._renamed[Ref(f"{node.name}/{which}/{name}")] = ref
        self._put_in_place(node, branch, f"{node.name}/{which}/")

    def _put_in_place(self, node: Node, branch: Graph, prefix: str) -> None:
        """Visit the nodes of a branch next, instead of the node that chooses between branches."""

        def inside(ref: Ref) -> Ref:
            return Ref(prefix + ref.node, ref.output)

        nodes = [
            replace(inner.reading(inside), name=prefix + inner.name)
            for inner in branch.nodes.values()
            if inner.name not in branch.inputs
        ]
        for name, value in branch.constants.items():
            self._values[Ref(prefix + name)] = value
        for index, ref in enumerate(branch.outputs):
            self._renamed[Ref(node.name, index)] = inside(ref)
        self.pending.extendleft(reversed(nodes))

    def _with_bound_constants(self, node: Node, graphs: tuple[str, ...], offset: int) -> Node:
        """Put constants that a loop or branch captures inside its sub-graphs, where more follows from them.

        Of a loop these are the variables that its body hands on unchanged.
        """
        bound = {
            position: ref
            for position, ref in enumerate(node.inputs[offset:])
            if ref is not None and ref in self._values
        }
        if node.op == "While":
            body: Graph = node.attributes["body"]
            bound = {position: ref for position, ref in bound.items() if _passes_through(body, position)}
        if not bound:
            return node
        values = {position: self._values[ref] for position, ref in bound.items()}
        attributes = dict(node.attributes)
        for which in graphs:
            attributes[which] = _bind(node.attributes[which], values, drop_outputs=which == "body")
        kept = [p for p in range(len(node.inputs) - offset) if p not in bound]
        inputs = (*node.inputs[:offset], *(node.inputs[offset + p] for p in kept))
        if node.op != "While":
            return replace(node, inputs=inputs, attributes=attributes)
        # The outputs that stay are counted anew, under another name so that old and new numbers do not mix.
        name = self._free_name(f"{node.name}/bound")
        self._renamed.update({Ref(node.name, position): ref for position, ref in bound.items()})
        self._renamed.update({Ref(node.name, old): Ref(name, new) for new, old in enumerate(kept)})
        return replace(node, name=name, inputs=inputs, attributes=attributes, outputs=len(kept))

    def _with_known_attributes(self, node: Node) -> Node:
        known = {name: ref for name, ref in node.dynamic.items() if ref in self._values}
        if not known:
            return node
        attributes = dict(node.attributes)
        attributes.update({name: attribute_value(self._values[ref]) for name, ref in known.items()})
        dynamic = {name: ref for name, ref in node.dynamic.items() if name not in known}
        return replace(node, attributes=attributes, dynamic=dynamic)

    def _put_constants(self, node: Node, results: Sequence[Tensor]) -> None:
        for index, value in enumerate(results):
            name = node.name if index == 0 else self._free_name(f"{node.name}:{index}")
            self._nodes[name] = Node(name, "Const", source=node.source)
            self._values[Ref(name)] = value
            self.specs[Ref(name)] = constant_spec(value)
            if index:
                self._renamed[Ref(node.name, index)] = Ref(name)

    def _free_name(self, wanted: str) -> str:
        while wanted in self._nodes or any(node.name == wanted for node in self.pending):
            wanted += "_"
        return wanted

    def _now(self, ref: Ref) -> Ref:
        while ref in self._renamed:
            ref = self._renamed[ref]
        return ref


def infer(kernel: Kernel, node: Node, known: Sequence[TensorSpec | None]) -> Sequence[TensorSpec]:
    """The specs of a kernel node's outputs, one for each."""
    specs = kernel.infer(known, node.attributes)
    return [specs] if isinstance(specs, TensorSpec) else list(specs)


def _passes_through(body: Graph, position: int) -> bool:
    """Whether a loop's body hands on the variable at `position` unchanged."""
    ref = body.outputs[position]
    while body.nodes[ref.node].op == "Identity":
        (source,) = body.nodes[ref.node].inputs
        if source is None:
            return False
        ref = source
    return ref == Ref(body.inputs[position])


def _bind(graph: Graph, bound: Mapping[int, Tensor], drop_outputs: bool) -> Graph:
    """A sub-graph with constants instead of the inputs at some positions (and without those outputs)."""
    names = {graph.inputs[position]: value for position, value in bound.items()}
    nodes = {n: Node(n, "Const") if n in names else node for n, node in graph.nodes.items()}
    outputs = [ref for p, ref in enumerate(graph.outputs) if not (drop_outputs and p in bound)]
    inputs = tuple(name for name in graph.inputs if name not in names)
    return Graph(nodes, inputs, tuple(outputs), {**graph.constants, **names})


# --- folding -----------------------------------------------------------------------------------------------


def _worth_folding(specs: Sequence[TensorSpec], given: Sequence[Tensor | None]) -> bool:
    if any(-1 in spec.shape for spec in specs):
        return True  # the result of a data-dependent kernel is not longer than its inputs
    result = sum(_nbytes(spec) for spec in specs)
    inputs = sum(tensor.storage.nbytes for tensor in given if tensor is not None)
    return result <= max(FOLD_BYTES, FOLD_GROWTH * inputs)


def _nbytes(spec: TensorSpec) -> int:
    size = NUMPY_DTYPES[spec.dtype].itemsize
    for length in spec.shape:
        size *= length
    return size


def _constant(values: np.ndarray) -> Tensor:
    """A tensor of a plan's own, which no scope disposes."""
    tensor = engine().make_tensor(values, values.shape, "int32")
    tensor.kept = True
    return tensor


def compute(node: Node, given: Sequence[Tensor | None]) -> list[Tensor] | None:
    """The results of a kernel on constants, computed on the cpu backend; None if it cannot compute them."""
    backend = find_backend("cpu")
    if backend is None:
        return None
    try:
        function = backend.kernel_function(node.op)
    except KernelNotFoundError:
        return None
    operands = [None if tensor is None else _operand(tensor, backend) for tensor in given]
    held = [operand.storage for operand in operands if isinstance(operand, TensorInfo)]
    for storage in held:
        storage.hold()
    try:
        results = [Tensor(*info) for info in as_infos(function(operands, node.attributes, backend))]
    finally:
        for storage in held:
            storage.release()
    for tensor in results:
        tensor.kept = True
    return results


def _operand(tensor: Tensor, backend: Backend) -> Any:
    """A tensor as the operand of a kernel on `backend`, copied there if it lives elsewhere."""
    if tensor.storage.backend is backend:
        return tensor
    values = tensor.storage.backend.read_sync(tensor.storage)
    return TensorInfo(backend.write(values, tensor.shape, tensor.dtype), tensor.shape, tensor.dtype)
