"""Loops and branches: which sub-graph runs next, and on what.

Interpreter and programs share these functions; they differ in how they run a sub-graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.core.tensor import Tensor
from tenfold.graph.tensor_lists import Value

RunSubGraph = Callable[[Sequence["Value | None"]], "Sequence[Value]"]


def run_while(inputs: Sequence[Value | None], run_cond: RunSubGraph, run_body: RunSubGraph) -> Sequence[Value]:
    """Run the body of a `While` as long as its condition holds; gives its last results, or the inputs."""
    values: Sequence[Value | None] = inputs
    while is_true(run_cond(values)[0], "While"):
        results = run_body(values)
        if len(results) != len(inputs):
            raise ValueError(f"While: the body returned {len(results)} values for {len(inputs)} variables.")
        values = results
    return values  # type: ignore[return-value]  # an absent input of a loop is of no use to anybody


def run_if(inputs: Sequence[Value | None], run_then: RunSubGraph, run_else: RunSubGraph) -> Sequence[Value]:
    """Run the branch of an `If` that its first input chooses, on the other inputs."""
    predicate, *given = inputs
    return run_then(given) if is_true(predicate, "If") else run_else(given)


def is_true(value: Value | None, op: str) -> bool:
    """The truth of a condition: one bool, or one number that is not zero, or text that is not empty.

    Raises:
        ValueError: if the value is not one element.
    """
    if not isinstance(value, Tensor) or value.size != 1:
        found = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{op}: the condition must be a tensor of one element, got {found}.")
    return bool(value.data_sync()[0])
