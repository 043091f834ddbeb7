"""Tensors in containers: lists, tuples, dictionaries, sets and dataclasses, nested to any depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from tenfold.core.tensor import Tensor

TensorContainer = Any
"""A tensor, or a list, tuple, set, mapping or dataclass of such containers; other objects are ignored."""


def get_tensors_in_container(container: TensorContainer) -> list[Tensor]:
    """The tensors of a container, each once, in order; a container that holds itself is no trouble."""
    found: list[Tensor] = []
    seen: set[int] = set()
    stack: list[Any] = [container]
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        if isinstance(item, Tensor):
            seen.add(id(item))
            found.append(item)
            continue
        children = list(_children(item))
        if children:
            seen.add(id(item))
            stack.extend(reversed(children))
    return found


def _children(item: Any) -> Iterator[Any]:
    if isinstance(item, Mapping):
        yield from item.values()
    elif isinstance(item, (list, tuple, set, frozenset)):
        yield from item
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        yield from (getattr(item, field.name) for field in dataclasses.fields(item))
