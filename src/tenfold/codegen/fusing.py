"""Definitions put together: elementwise stages after what they follow, cheap producers inside what reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from tenfold.codegen.compute import Array, broadcast, broadcast_shape, compute
from tenfold.codegen.expr import Expr
from tenfold.codegen.linear import Substitution, rebuilt


class ElementwiseStage(NamedTuple):
    """An elementwise kernel applied to a running value.

    Attributes:
        definition: the kernel's, from scalars to a scalar.
        operands: its inputs; None where the running value goes.
        attributes: the kernel's attributes.
    """

    definition: Callable[..., Expr]
    operands: tuple[Array | None, ...]
    attributes: Mapping[str, Any]


def applied(
    definition: Callable[..., Any], inputs: Sequence[Array | None], attributes: Mapping[str, Any], *, elementwise: bool
) -> tuple[Array, ...]:
    """What a kernel computes of arrays, one for each output.

    Args:
        definition: the kernel's.
        inputs: the kernel's; None for an absent one.
        attributes: the kernel's.
        elementwise: whether the definition is one of scalars, applied at each position of the broadcast shape.
    """
    if elementwise:
        present = [x for x in inputs if x is not None]
        shape = broadcast_shape([x.shape for x in present])
        return (compute(shape, lambda *i: definition(*(broadcast(x, i) for x in present), **attributes)),)
    result = definition(*inputs, **attributes)
    return result if isinstance(result, tuple) else (result,)


def with_stages(result: Array, stages: Sequence[ElementwiseStage]) -> Array:
    """What elementwise stages make of an array, as one array that loads `result` at its own indices."""
    if not stages:
        return result

    def element(*indices: Expr) -> Expr:
        value = result[indices]
        for stage in stages:
            operands = [value if x is None else broadcast(x, indices) for x in stage.operands]
            value = stage.definition(*operands, **stage.attributes)
        return value

    return compute(result.shape, element)


def inlined(array: Array, producers: Collection[Array]) -> Array:
    """An array whose loads of `producers` are replaced by what computes these."""
    if array.stage is None or not producers:
        return array
    inside = _Inlining({id(producer) for producer in producers})
    body = inside.of(array.stage.body)
    return Array(array.shape, body.dtype, stage=array.stage._replace(body=body))


class _Inlining:
    def __init__(self, producers: Collection[int]) -> None:
        self._producers = producers
        self._done: dict[int, tuple[Expr, Expr]] = {}

    def of(self, expr: Expr) -> Expr:
        known = self._done.get(id(expr))
        if known is None:
            known = self._done[id(expr)] = self._replaced(expr), expr
        return known[0]

    def _replaced(self, expr: Expr) -> Expr:
        if not expr.arguments and expr.function != "element":
            return expr
        arguments = tuple(map(self.of, expr.arguments))
        if expr.function == "element" and id(expr.value) in self._producers:
            stage = expr.value.stage
            bindings = {axis.number: index for axis, index in zip(stage.axes, arguments, strict=True)}
            return self.of(Substitution(bindings).of(stage.body))
        if all(a is b for a, b in zip(arguments, expr.arguments, strict=True)):
            return expr
        return rebuilt(expr, arguments)
