"""Arguments that are plain values: integers, lists and pairs of them, and what kernels must not see as tensors.

Public functions read them here, so that there is one rule and one message for what is wrong. NumPy's integers and
whole floats pass as integers, bools do not.
"""

from __future__ import annotations

from operator import index
from typing import Any

from tenfold.core.tensor import Tensor


def plain_value(value: Any) -> Any:
    """The value of a tensor of one element, read now, since kernels keep what they make for it; else what was given.

    Raises:
        ValueError: if a tensor has more elements, or none.
    """
    return value.item() if isinstance(value, Tensor) else value


def integer(value: Any, argument: str, op: str) -> int:
    """An integer.

    Raises:
        TypeError: if it is no whole number.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        if not isinstance(value, bool):
            return index(value)
    except TypeError:
        pass
    raise TypeError(f"{op}: argument '{argument}' must be an integer, got {value!r}.")


def integers(values: Any, argument: str, op: str) -> tuple[int, ...]:
    """A list of integers as a tuple.

    Raises:
        TypeError: if it is no list of whole numbers.
    """
    try:
        entries = tuple(values)
    except TypeError:
        raise TypeError(f"{op}: argument '{argument}' must be a list of integers, got {values!r}.") from None
    return tuple([integer(value, argument, op) for value in entries])


def integer_pairs(values: Any, argument: str, op: str) -> tuple[tuple[int, int], ...]:
    """A list of pairs of integers, such as what to pad before and after each axis.

    Raises:
        TypeError: if it is no list of lists of whole numbers.
        ValueError: if an entry is no pair.
    """
    try:
        entries = tuple(values)
    except TypeError:
        raise TypeError(f"{op}: argument '{argument}' must be a list of pairs of integers, got {values!r}.") from None
    pairs = []
    for entry in entries:
        pair = integers(entry, argument, op)
        if len(pair) != 2:
            raise ValueError(f"{op}: argument '{argument}' must hold pairs of integers, got {entry!r}.")
        pairs.append((pair[0], pair[1]))
    return tuple(pairs)
