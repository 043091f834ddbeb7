"""What a call of a kernel is looked up by: specs of the inputs and attributes, as something to be hashed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from tenfold.core.kernel import Attributes

CallKey = tuple[Any, ...]
"""The kernel's name, and things to be hashed."""


def call_key(kernel_name: str, inputs: Sequence[Any], attributes: Attributes) -> CallKey:
    """The key of a call: equal for calls that differ in nothing but the values of their inputs."""
    if len(inputs) == 2 and not attributes:
        # Most of what is eager is so, and looking it up a good part of its time.
        a, b = inputs
        if a is not None and b is not None:
            return kernel_name, a.shape, a.dtype, b.shape, b.dtype
    key: list[Hashable] = [kernel_name]
    for operand in inputs:
        if operand is None:
            key.append(None)
        else:
            key += (operand.shape, operand.dtype)
    if attributes:
        key.append(frozen(attributes))
    return tuple(key)


def frozen(value: Any) -> Hashable:
    """An attribute as something to be hashed; numbers that print differently differ, though 1 == 1.0 == True."""
    if value is None or isinstance(value, (str, bytes)) or type(value) is int:
        return value
    if isinstance(value, (tuple, list)):
        return tuple([frozen(part) for part in value])
    if isinstance(value, Mapping):
        return tuple([(name, frozen(part)) for name, part in value.items()])
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    return (type(value).__name__, repr(value))
