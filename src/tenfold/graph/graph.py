"""The graph: nodes that call kernels (or control flow, or host functions) on the results of other nodes.

This is what a model's file is lowered to, what the passes rewrite and what is interpreted op by op. Shapes
need not be known here; `passes` specialises a graph for given input shapes.

What the ops that are not kernels mean:

* `Const` has no inputs; its value stands in `Graph.constants`. A sub-graph has its own `Const` nodes, whose
  tensors may be those of the graph around it.
* `Placeholder` has the attributes `dtype` and `shape` (a tuple with -1 for unknown lengths, or None where
  even the rank is unknown). A dtype of `resource` stands for a host value such as a hash table.
* `If` reads its predicate as the first input and passes all the others, by position, to the inputs of the
  graph in `attributes["then"]` or `attributes["else"]`; the results of that graph are its outputs.
* `While` passes its inputs, by position, to the inputs of the graphs in `attributes["cond"]` (one scalar
  bool) and `attributes["body"]`, which returns as many values as it takes; captured ones pass unchanged.
* Every other name that no kernel has is a host op (see `host_ops`). Values may be tensors or host values
  (tensor lists, tensor arrays, hash tables). `Custom` calls `attributes["function"]` (what a user gave to
  `register_op`, wrapped) with the list of the input values and takes its result, one value or a sequence.
* `ExpandDims` (attribute `axis`) and `Squeeze` (attribute `axis`, a tuple, or None for all of length one) are
  host ops that specialisation rewrites into the kernel `Reshape`, like `Shape`, `Size` and `Rank` into
  constants: they need specs only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tenfold.core.tensor import Tensor


class Ref(NamedTuple):
    """One output of a node."""

    node: str
    output: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A call.

    Attributes:
        name: unique in its graph; for loaded models the name in the file, so that users can ask for it.
        op: the name of a kernel, of a host function (`host_ops`), or one of `Placeholder`, `Const`, `While`,
            `If`.
        inputs: the tensor inputs in the kernel's order; None for an absent optional one.
        attributes: the kernel's attributes that are known.
        dynamic: attributes that another node computes; they are read when the node runs, unless
            specialisation finds them constant.
        source: the op's name in the model's file, for messages and summaries.
        outputs: how many outputs the node has.
    """

    name: str
    op: str
    inputs: tuple[Ref | None, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    dynamic: Mapping[str, Ref] = field(default_factory=dict)
    source: str = ""
    outputs: int = 1

    def references(self) -> list[Ref]:
        """Everything that the node reads."""
        return [*[ref for ref in self.inputs if ref is not None], *self.dynamic.values()]

    def reading(self, now: Callable[[Ref], Ref]) -> Node:
        """The node, reading from elsewhere.

        Args:
            now: from where, by what it reads.
        """
        inputs = tuple([None if ref is None else now(ref) for ref in self.inputs])
        dynamic = {name: now(ref) for name, ref in self.dynamic.items()}
        if inputs == self.inputs and dynamic == self.dynamic:
            return self
        return replace(self, inputs=inputs, dynamic=dynamic)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can run.

    Attributes:
        nodes: by name, each after those that it reads.
        inputs: names of the `Placeholder` nodes, in order.
        outputs: the results, in order.
        constants: the values of the `Const` nodes, by node name; kept (see `tf.keep`), so that no scope
            disposes them.
    """

    nodes: Mapping[str, Node]
    inputs: tuple[str, ...]
    outputs: tuple[Ref, ...]
    constants: Mapping[str, Tensor]
