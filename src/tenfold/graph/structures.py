"""Nested structures of tensors and static values: the arguments and results of traced functions.

A structure is a leaf, or a list, tuple, set, mapping or dataclass of structures. A leaf is a tensor, an array, which
becomes one, or a static value, which is part of the signature. Where nothing runs, a `TensorSpec` stands for a tensor.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tenfold.core.conversion import check_shape, convert_to_tensor
from tenfold.core.dtypes import check_dtype
from tenfold.core.kernel import TensorSpec
from tenfold.core.tensor import Tensor
from tenfold.core.variables import Variable

_PLAIN = frozenset({int, bool, str, bytes, type(None)})
"""Types of which equal values are the same value."""


class Leaves:
    """What a structure comes down to.

    Attributes:
        key: a list that is equal for structures of the same form, with the same specs and static values.
        tensors: its tensors, in order, those that were made of arrays among them.
        made: the tensors that were made of arrays.
    """

    __slots__ = ("_of_specs", "key", "made", "tensors")

    def __init__(self, *, of_specs: bool = False) -> None:
        """Nothing yet; with `of_specs`, specs may stand for tensors."""
        self.key: list[Any] = []
        self.tensors: list[Any] = []
        self.made: list[Tensor] = []
        self._of_specs = of_specs

    @property
    def specs(self) -> list[TensorSpec]:
        """The specs of the tensors."""
        return [TensorSpec(tensor.shape, tensor.dtype) for tensor in self.tensors]

    def add(self, value: Any, where: int | str) -> None:
        """Take in a structure.

        Args:
            value: the structure.
            where: the position or the name of the argument, for messages.

        Raises:
            TypeError: if it holds a static value that cannot be part of a signature.
        """
        kind = type(value)
        if kind is Tensor:
            self._add_tensor(value)
        elif kind in _PLAIN:
            self.key.append((kind, value))
        elif kind is float:
            # Zeros of both signs are equal, and NaN is not even equal to itself.
            self.key.append((kind, value if value == value != 0 else repr(value)))
        else:
            self._add_other(value, kind, where)

    def _add_other(self, value: Any, kind: type, where: int | str) -> None:
        parts = parts_of(value)
        if parts is not None:
            names = tuple([(type(name), name) for name in value]) if isinstance(value, Mapping) else len(parts)
            self.key.append((kind, names))
            for part in parts:
                self.add(part, where)
        elif kind is TensorSpec:
            if not self._of_specs:
                raise TypeError(f"tf.function: {named(where)} holds a TensorSpec, but a call needs tensors.")
            self._add_tensor(_checked_spec(value, f"tf.function: {named(where)}"))
        elif not is_tensor_leaf(value):
            self.key.append((kind, _static_key(value, where)))
        elif isinstance(value, Tensor):
            self._add_tensor(value)
        else:
            made = as_tensors(value, where)
            self.made.append(made)
            self._add_tensor(made)

    def _add_tensor(self, tensor: Tensor | TensorSpec) -> None:
        self.key.append((tensor.shape, tensor.dtype))
        self.tensors.append(tensor)


def as_tensors(value: Any, where: int | str) -> Any:
    """A structure with tensors for arrays; `where` is the position or the name of the argument, for messages."""
    name = str(where + 1) if isinstance(where, int) else where

    def tensor(leaf: Any) -> Any:
        if isinstance(leaf, Tensor) or not is_tensor_leaf(leaf):
            return leaf
        return convert_to_tensor(leaf, name, "tf.function", "string_or_numeric")

    return map_leaves(value, tensor)


def _checked_spec(spec: TensorSpec, place: str) -> TensorSpec:
    if any(length in (None, -1) for length in spec.shape):
        raise ValueError(
            f"{place} has the shape {list(spec.shape)}, but each length has a trace of its own; give a TensorSpec with "
            "all lengths."
        )
    return TensorSpec(check_shape(spec.shape, place), check_dtype(spec.dtype, place))


def named(where: int | str) -> str:
    """How messages call the argument at a position, counted from 0, or of a name."""
    return f"argument {where + 1}" if isinstance(where, int) else f"argument {where!r}"


def is_tensor_leaf(value: Any) -> bool:
    """Whether a value is a tensor, becomes one or stands for one; variables stay what they are."""
    if isinstance(value, (Variable, type)):
        return False
    return isinstance(value, (Tensor, TensorSpec)) or hasattr(value, "__array__")


def _static_key(value: Any, where: int | str) -> Any:
    if isinstance(value, complex):
        return repr(value)
    if isinstance(value, Variable):
        return value.id
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"tf.function: {named(where)} holds a {type(value).__name__}, which is no tensor and cannot be hashed, so "
            "that calls could not be told apart. Pass tensors, numbers, text or hashable values, or let the function "
            "refer to it from outside."
        ) from None
    return value


def parts_of(value: Any) -> list[Any] | None:
    """The parts of a structure, in order; None for a leaf."""
    if isinstance(value, TensorSpec):
        return None
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=_order)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return None


def _order(item: Any) -> Any:
    return (type(item).__name__, item.id if isinstance(item, Tensor) else repr(item))


def with_parts(value: Any, parts: Iterable[Any]) -> Any:
    """A structure of the same type and form with other parts."""
    if isinstance(value, Mapping):
        renewed = dict(zip(value, parts, strict=True))
        if not isinstance(value, dict) or type(value) is dict:
            return renewed
        other = copy.copy(value)
        for name, part in renewed.items():  # a Counter's `update` would add
            other[name] = part
        return other
    if hasattr(value, "_make"):
        return value._make(parts)
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(parts)
    other = copy.copy(value)
    for field, part in zip(dataclasses.fields(value), parts, strict=True):
        object.__setattr__(other, field.name, part)
    return other


def map_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """A structure with `change(leaf)` for each leaf, in the order of `Leaves`."""
    parts = parts_of(value)
    return change(value) if parts is None else with_parts(value, [map_leaves(part, change) for part in parts])
