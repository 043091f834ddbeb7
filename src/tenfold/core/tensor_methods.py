"""The methods of tensors that are ops: attached by `core.op`, typed by the generated `tensor_methods.pyi`."""

from __future__ import annotations

from typing import Any


class TensorMethods:
    """Base of `Tensor`; each op that is chained (`x.relu()`) becomes an attribute of it."""

    __slots__ = ()


def attach(name: str, function: Any) -> None:
    """Make `function` the method or operator `name` of every tensor.

    Raises:
        ValueError: if there is already one of that name.
    """
    if name in TensorMethods.__dict__ and not name.startswith("__"):
        raise ValueError(f"Tensor.{name} is already defined.")
    setattr(TensorMethods, name, function)
